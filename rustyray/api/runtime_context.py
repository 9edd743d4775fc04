"""Where am I? The ids, names and resources of the job, node, worker, task and actor that the caller is part of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rustyray.api import lifecycle
from rustyray.api.actor_handle import ActorHandle
from rustyray.api.cluster import nodes
from rustyray.api.ids import ActorID, JobID, NodeID, PlacementGroupID, TaskID
from rustyray.runtime import addresses, context
from rustyray.runtime.context import HostedActor, TaskContext
from rustyray.runtime.engine import ProcessContext

if TYPE_CHECKING:
    from rustyray.runtime_env import RuntimeEnv


#: Kinds of accelerators that Ray knows besides GPUs.
ACCELERATORS: Final = ("FURIOSA", "HPU", "MBLT", "NPU", "RBLN", "TPU", "TTNPU", "neuron_cores")


class RuntimeContext:
    """Answers for the thread (or asyncio task) that asks; made by `rustyray.get_runtime_context` (as in Ray).

    Ids are in hexadecimal. What does not exist where it is asked (the task of a driver) is None.
    """

    def get_job_id(self) -> str:
        """The id of the driver's job."""
        return self._process().job.hex()

    def get_node_id(self) -> str:
        return self._process().node.hex()

    def get_worker_id(self) -> str:
        """The id of this process, which may also be a driver."""
        return self._process().worker.hex()

    def get_task_id(self) -> str | None:
        task = self._task()
        return task.task.hex() if task else None

    def get_task_name(self) -> str | None:
        """The name the task was given with ``.options(name=…)``, or its function's; of a call with the class (as in
        Ray, without the module)."""
        task = self._task()
        if task is None or task.name != task.function:
            return task.name if task else None
        return ".".join(task.function.split(".")[-2 if task.actor else -1 :])

    def get_task_function_name(self) -> str | None:
        """The function's name, with its module and, of a call, the class."""
        task = self._task()
        return task.function if task else None

    def get_actor_id(self) -> str | None:
        task = self._task()
        return task.actor.hex() if task and task.actor else None

    def get_actor_name(self) -> str | None:
        """The actor's name: empty if it has none, None outside an actor."""
        hosted = self._hosted()
        return hosted.name if hosted else None

    def get_concurrency_group(self) -> str:
        """The concurrency group in which this call of an actor runs: empty for the default one, and elsewhere."""
        task = self._task()
        return task.concurrency_group if task else ""

    @property
    def namespace(self) -> str:
        """Where names of actors are looked up by default."""
        return self._process().namespace

    @property
    def gcs_address(self) -> str:
        """The address of the head, which other programs give to `init` where they can join it."""
        return addresses.shown(self._process().head)

    def get_session_name(self) -> str:
        """The name of the runtime, the same in all of its processes."""
        here = self._process()
        return here.session_dir.rpartition("/")[2] or here.head

    def get_temp_dir(self) -> str:
        """The directory in which this node's temporary files are, such as what it spills."""
        import tempfile

        return self._process().temp_dir or tempfile.gettempdir()

    def get_assigned_resources(self) -> dict[str, float]:
        """What the task (or the actor) holds: ``{"CPU": 1}`` for a plain task, nothing for a plain actor or driver."""
        task = self._task()
        return dict(task.resources) if task else {}

    def get_accelerator_ids(self) -> dict[str, list[str]]:
        """The GPUs that the task (or the actor) has, as ``{"GPU": ["0", "1"]}``; of other kinds there are none.

        They are numbered on each node from 0, or named as in ``CUDA_VISIBLE_DEVICES``, if that was set (as in Ray).
        """
        return {**{kind: [] for kind in ACCELERATORS}, "GPU": [str(gpu) for gpu in get_gpu_ids()]}

    @property
    def was_current_actor_reconstructed(self) -> bool:
        """Whether the actor was restarted; False outside an actor."""
        hosted = self._hosted()
        return hosted is not None and hosted.incarnation > 0

    @property
    def current_actor(self) -> ActorHandle[Any]:
        """A handle of the actor itself, which does not keep it alive. Raises RuntimeError outside an actor."""
        hosted = self._hosted()
        if hosted is None:
            raise RuntimeError("current_actor is for methods of an actor, and this is none")
        return ActorHandle(hosted.handle)

    def get_placement_group_id(self) -> str | None:
        """The placement group in which the task or actor runs; None if it is in none."""
        task = self._task()
        group = task.strategy.group if task and task.strategy else b""
        return group.hex() if group else None

    @property
    def should_capture_child_tasks_in_placement_group(self) -> bool:
        """Whether what it submits runs in its placement group as well."""
        task = self._task()
        return task is not None and task.strategy is not None and task.strategy.capture

    def get_node_labels(self) -> dict[str, str]:
        """The labels of the node where this process is."""
        here = self.get_node_id()
        found: dict[str, str] = next(one["Labels"] for one in nodes() if one["NodeID"] == here)
        return dict(found)

    @property
    def runtime_env(self) -> RuntimeEnv:
        """The runtime environment of this process, and of what it submits."""
        from rustyray.runtime_env import RuntimeEnv

        return RuntimeEnv(_validate=False, **lifecycle.running_engine().environment())

    def get_runtime_env_string(self) -> str:
        """`runtime_env` as JSON."""
        return self.runtime_env.serialize()

    def is_canceled(self) -> bool:
        """Whether someone has cancelled the task that asks; plain methods of actors should ask now and then.

        Raises:
            RuntimeError: This is a driver.
        """
        task = self._task()
        if task is None and self._process().is_driver:
            raise RuntimeError("is_canceled() is for tasks and actors, and this is a driver")
        return task is not None and task.cancelled

    # --- what Ray has for older programs ------------------------------------------------------------------------------

    def get(self) -> dict[str, Any]:
        """The ids and the namespace of the caller in one dict. Deprecated, as the properties below (as in Ray)."""
        _deprecated("get", "get_…_id")
        process, task = self._process(), self._task()
        found: dict[str, Any] = {"job_id": JobID._of(process.job), "node_id": NodeID._of(process.node)}
        found["namespace"] = process.namespace
        if task is not None:
            found["task_id"] = TaskID._of(task.task)
            if task.actor:
                found["actor_id"] = ActorID._of(task.actor)
        return found

    def get_resource_ids(self) -> dict[str, list[str]]:
        """As `get_accelerator_ids`."""
        _deprecated("get_resource_ids", "get_accelerator_ids")
        return self.get_accelerator_ids()

    @property
    def job_id(self) -> JobID:
        _deprecated("job_id", "get_job_id")
        return JobID._of(self._process().job)

    @property
    def node_id(self) -> NodeID:
        _deprecated("node_id", "get_node_id")
        return NodeID._of(self._process().node)

    @property
    def task_id(self) -> TaskID | None:
        _deprecated("task_id", "get_task_id")
        task = self._task()
        return TaskID._of(task.task) if task else None

    @property
    def actor_id(self) -> ActorID | None:
        _deprecated("actor_id", "get_actor_id")
        task = self._task()
        return ActorID._of(task.actor) if task and task.actor else None

    @property
    def current_placement_group_id(self) -> PlacementGroupID:
        """Nil outside of groups."""
        _deprecated("current_placement_group_id", "get_placement_group_id")
        task = self._task()
        group = task.strategy.group if task and task.strategy else b""
        return PlacementGroupID._of(group) if group else PlacementGroupID.nil()

    def _process(self) -> ProcessContext:
        return lifecycle.running_engine().process()

    def _task(self) -> TaskContext | None:
        return context.current_task.get()

    def _hosted(self) -> HostedActor | None:
        task = self._task()
        return task.hosted if task else None


def _deprecated(name: str, instead: str) -> None:
    import warnings

    warnings.warn(f"RuntimeContext.{name} is deprecated: use {instead}()", DeprecationWarning, stacklevel=3)


_the_context = RuntimeContext()


def get_gpu_ids() -> list[int] | list[str]:
    """The GPUs that the task or actor has which asks, and which ``CUDA_VISIBLE_DEVICES`` names; none in a driver.

    They are counted from 0 on each node. If ``CUDA_VISIBLE_DEVICES`` was set before, they are strings out of that (as
    in Ray).
    """
    task = context.current_task.get()
    found: list[Any] = [] if task is None else list(task.gpus)
    return found


def get_runtime_context() -> RuntimeContext:
    """The `RuntimeContext`, which tells where the caller runs (as in Ray)."""
    return _the_context
