"""The rows: fields as in Ray, and after them what RustyRay knows beyond that."""

from __future__ import annotations

from typing import Any

import msgspec

from rustyray.model.events import Inside
from rustyray.model.states import TaskState as Run


class Row(Inside, frozen=True, kw_only=True, gc=False):
    """One thing. Its fields are attributes, and items too: ``row["state"]``."""

    def __getitem__(self, field: str) -> Any:
        if field not in self.__struct_fields__:
            raise KeyError(field)
        return getattr(self, field)

    def get(self, field: str, default: Any = None) -> Any:
        """As of a dict."""
        return getattr(self, field) if field in self.__struct_fields__ else default

    def keys(self) -> tuple[str, ...]:
        """The names of the fields."""
        return self.__struct_fields__

    def asdict(self) -> dict[str, Any]:
        """The same as a dict."""
        return self.to_dict()


class ClusterEventState(Row, frozen=True, kw_only=True, gc=False):
    """Something that happened to the cluster; ``time`` is in seconds since the epoch."""

    severity: str
    time: float
    source_type: str
    message: str
    event_id: str
    custom_fields: dict[str, str]


class TaskState(Row, frozen=True, kw_only=True, gc=False):
    """A task or a call of an actor, as far as its last attempt.

    ``state`` is ``PENDING_ARGS_AVAIL``, ``PENDING_NODE_ASSIGNMENT``, ``SUBMITTED_TO_WORKER``, ``RUNNING``, ``FINISHED``
    or ``FAILED``; ``seconds`` is for how long, while it is not done, and ``waits_for`` says for what, in words.
    """

    task_id: str
    attempt_number: int = 0
    name: str = ""
    state: str = ""
    job_id: str = ""
    actor_id: str | None = None
    type: str = "NORMAL_TASK"
    func_or_class_name: str = ""
    parent_task_id: str = ""
    node_id: str | None = None
    worker_id: str | None = None
    worker_pid: int | None = None
    error_type: str | None = None
    error_message: str | None = None
    creation_time_ms: int | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    owner: str = ""
    seconds: float = 0.0
    waits_for: str = ""


class ActorState(Row, frozen=True, kw_only=True, gc=False):
    """An actor: ``state`` is ``PENDING_CREATION``, ``ALIVE``, ``RESTARTING`` or ``DEAD``."""

    actor_id: str
    class_name: str
    state: str
    job_id: str
    name: str
    node_id: str | None
    pid: int | None
    ray_namespace: str
    required_resources: dict[str, float]
    death_cause: dict[str, Any] | None
    is_detached: bool
    placement_group_id: str | None
    num_restarts: int
    worker_id: str | None


class ObjectState(Row, frozen=True, kw_only=True, gc=False):
    """An object, as its owner sees it: ``object_size`` in bytes, -1 while it has no value.

    ``pid`` and ``type`` are the owner's process; ``node_ids`` are the nodes that have the object in their stores.
    """

    object_id: str
    object_size: int
    task_status: str
    reference_type: str
    call_site: str
    type: str
    pid: int
    ip: str
    attempt_number: int = 0
    owner: str = ""
    task_name: str = ""
    node_ids: list[str] = msgspec.field(default_factory=list)


class NodeState(Row, frozen=True, kw_only=True, gc=False):
    """A node: ``state`` is ``ALIVE``, ``SUSPECT`` (silent for some seconds) or ``DEAD``, with the reason in
    ``state_message``; ``silent`` are the seconds since the head heard of it, ``queued`` requests for workers there."""

    node_id: str
    node_ip: str
    is_head_node: bool
    state: str
    state_message: str | None
    node_name: str
    resources_total: dict[str, float]
    labels: dict[str, str]
    pid: int = 0
    silent: float = 0.0
    queued: int = 0


class WorkerState(Row, frozen=True, kw_only=True, gc=False):
    """A worker's process: ``state`` is what its node has it for (``IDLE``, ``LEASED``, ``ACTOR``, …), for so many
    ``seconds``; ``answers`` whether it answered (None while it starts), ``runs`` what runs in it."""

    worker_id: str
    is_alive: bool
    worker_type: str
    exit_type: str | None
    node_id: str
    ip: str
    pid: int
    exit_detail: str
    state: str
    seconds: float
    actor_id: str
    answers: bool | None
    runs: list[Run]


class JobState(Row, frozen=True, kw_only=True, gc=False):
    """A driver's stay. ``status`` is ``RUNNING``, ``SUCCEEDED`` or ``FAILED``, and ``message`` says why it is over.

    ``submission_id`` and ``entrypoint`` are of those that ``rustyray job submit`` has started.
    """

    job_id: str | None
    submission_id: str | None
    type: str
    status: str
    entrypoint: str
    message: str
    driver_info: dict[str, str] | None = None
    start_time: int | None = None
    end_time: int | None = None
    namespace: str = ""


class PlacementGroupState(Row, frozen=True, kw_only=True, gc=False):
    """A placement group: ``PENDING``, ``CREATED``, ``RESCHEDULING`` or ``REMOVED``."""

    placement_group_id: str
    name: str
    creator_job_id: str
    state: str
    bundles: list[dict[str, Any]]
    is_detached: bool
    stats: dict[str, Any]


class RuntimeEnvState(Row, frozen=True, kw_only=True, gc=False):
    """A runtime environment on a node that has workers with it: ``ref_cnt`` of them. (One that cannot be set up has no
    workers: what waits for it fails with `RuntimeEnvSetupError`.)"""

    runtime_env: dict[str, Any]
    success: bool
    creation_time_ms: float | None
    node_id: str
    ref_cnt: int
    error: str | None = None
