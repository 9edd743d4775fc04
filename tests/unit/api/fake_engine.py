"""An engine without processes: calls run at once, inside ``.remote()``, but their values pass through bytes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from rustyray.exceptions import ActorAlreadyExistsError, GetTimeoutError
from rustyray.model import ids
from rustyray.model.events import Query
from rustyray.model.messages import EntryAction, GroupInfo, GroupSpec, GroupState, Packing
from rustyray.model.plans import ActorPlan, MethodPlan, RetryPolicy, TaskPlan
from rustyray.model.resources import ResourceSet, as_amounts
from rustyray.model.settings import Settings
from rustyray.model.strategies import LabelMatch
from rustyray.model.values import Failed, Fault, FaultKind
from rustyray.runtime import context, faults
from rustyray.runtime import serialization as ser
from rustyray.runtime.context import HostedActor, TaskContext
from rustyray.runtime.engine import ActorHandleState, Inspection, MemoryPressure, ProcessContext, ShutdownReport
from rustyray.runtime.ref import ObjectRef

NODE = b"fakenode"
DRIVER = ids.worker_id(NODE, 0)
JOB = b"\0\0\0\1"
ADDRESS = "fake:"


class Exited(BaseException):
    """What `FakeEngine.exit_actor` raises inside the actor."""


class Living:
    """An actor's instance, and how it was made."""

    def __init__(self, instance: Any, plan: ActorPlan, hosted: HostedActor) -> None:
        self.instance = instance
        self.plan = plan
        self.hosted = hosted


class FakeEngine:
    """With ``hold`` tasks wait until `release`."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings
        self.given: dict[str, Any] = {}
        self.hold = False
        self.held: list[Callable[[], None]] = []
        self.submitted: list[TaskPlan] = []
        self.calls: list[MethodPlan] = []
        self.created: list[ActorPlan] = []
        self.cancelled: list[tuple[ObjectRef[Any], bool, bool]] = []
        self.killed: list[tuple[bytes, bool]] = []
        self.dropped: list[bytes] = []
        self.pinned: list[ObjectRef[Any]] = []
        self.shut_down = 0
        self._values: dict[bytes, ser.Serialized | Failed | Fault] = {}
        self.groups: dict[bytes, GroupInfo] = {}
        self._actors: dict[bytes, Living] = {}
        self._numbers = itertools.count(1)

    # --- tasks and objects

    def set_environment(self, given: Mapping[str, Any]) -> None:
        self.given = dict(given)

    def environment(self) -> dict[str, Any]:
        return self.given

    def submit(self, plan: TaskPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.submitted.append(plan)
        function = ser.loads(plan.blob)
        ctx = TaskContext(JOB, self._new_task(), plan.name)
        ctx.name = plan.task_name or plan.name
        ctx.resources = as_amounts(plan.resources)
        return self._run(ctx, function, plan.returns, args, kwargs, plan.retry, plan.max_retries)

    def put(self, value: Any) -> ObjectRef[Any]:
        object_ = ids.object_id(self._new_task(), 0)
        self._values[object_] = ser.dumps(value)
        return self._ref(object_)

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        if not all(ref.binary() in self._values for ref in refs):
            if timeout is None:
                raise AssertionError("get() would wait for ever")
            raise GetTimeoutError(f"not ready after {timeout} s")
        return [self._value(ref) for ref in refs]

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        ready = [ref for ref in refs if ref.binary() in self._values][:num_returns]
        return ready, [ref for ref in refs if ref not in ready]

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None:
        self.cancelled.append((ref, force, recursive))

    def future(self, ref: ObjectRef[Any]) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(self._value(ref))
        except Exception as error:  # noqa: BLE001 - a future carries whatever the task raised
            future.set_exception(error)
        return future

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
        yield from ()
        return self._value(ref)

    def adopt(self, object_id: bytes, owner_address: str) -> ObjectRef[Any]:
        return self._ref(object_id, owner_address)

    def pin_forever(self, ref: ObjectRef[Any]) -> None:
        self.pinned.append(ref)

    def release(self) -> None:
        """Run what was held."""
        held, self.held = self.held, []
        for run in held:
            run()

    def fail(self, ref: ObjectRef[Any], kind: FaultKind, message: str = "it broke") -> None:
        """Make the ref's value a fault of the runtime."""
        self._values[ref.binary()] = Fault(kind, message, task=ref.task_id(), pid=7)

    # --- actors

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        self.created.append(plan)
        if plan.name and (named := self._named(plan.name, plan.namespace)) is not None:
            if plan.get_if_exists:
                return named
            raise ActorAlreadyExistsError(f"the name {plan.name!r} is taken")
        actor = self._new_task()
        state = self._state(actor, plan, self._ref(ids.handle_id(actor)))
        hosted = HostedActor(self._state(actor, plan, None), plan.name, plan.namespace)
        ctx = TaskContext(JOB, actor, f"{plan.class_name}.__init__", actor=actor)
        ctx.hosted = hosted
        with _running(ctx):
            self._actors[actor] = Living(ser.loads(plan.blob)(*args, **kwargs), plan, hosted)
        return state

    def call(self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.calls.append(method)
        living = self._actors.get(handle.actor)
        ctx = TaskContext(JOB, self._new_task(), "a dead actor", actor=handle.actor)
        if living is None:
            fault = Fault(FaultKind.ACTOR_DIED, "The actor was killed.", task=ctx.task, actor=handle.actor)
            return self._store(ctx.task, method.returns, [fault] * method.returns)
        ctx.function = ctx.name = f"{living.plan.class_name}.{method.name}"
        ctx.hosted = living.hosted
        instance = living.instance
        every_actors: dict[str, Callable[..., Any]] = {
            "__ray_ready__": lambda: True,
            "__ray_call__": lambda function, *args, **kwargs: function(instance, *args, **kwargs),
            "__ray_terminate__": self.exit_actor,
        }
        function = every_actors.get(method.name) or getattr(instance, method.name)
        return self._run(ctx, function, method.returns, args, kwargs, method.retry, method.max_task_retries)

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        found = self._named(name, namespace or "")
        if found is None:
            raise ValueError(f"no living actor is called {name!r}")
        return found

    def named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        return [(living.plan.namespace, living.plan.name) for living in self._actors.values() if living.plan.name]

    def kill_actor(self, handle: ActorHandleState, no_restart: bool) -> None:
        self.killed.append((handle.actor, no_restart))
        self._actors.pop(handle.actor, None)

    def exit_actor(self) -> None:
        task = context.current_task.get()
        if task is None or not task.actor:
            raise TypeError("exit_actor() is for methods of an actor")
        self._actors.pop(task.actor, None)
        raise Exited

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        ref = self._ref(ids.handle_id(actor)) if counted else None
        return ActorHandleState(actor, owner_address, meta, max_task_retries, ref)

    # --- the rest

    def process(self) -> ProcessContext:
        namespace = (self.settings.namespace if self.settings else "") or "anonymous"
        return ProcessContext(JOB, NODE, DRIVER, namespace, ADDRESS, True, "/sessions/one")

    def create_group(
        self,
        bundles: Sequence[ResourceSet],
        packing: str,
        name: str,
        detached: bool,
        labels: Sequence[tuple[LabelMatch, ...]],
    ) -> bytes:
        if name and any(info.spec.name == name for info in self.groups.values()):
            raise ValueError(f"the name {name!r} is taken")
        group = self._new_task()
        spec = GroupSpec(group, JOB, list(bundles), Packing(packing), list(labels), name, "", detached)
        self.groups[group] = GroupInfo(spec, GroupState.CREATED, [NODE] * len(bundles), 1)
        return group

    def remove_group(self, group: bytes) -> None:
        self.groups[group].state = GroupState.REMOVED

    def find_group(self, group: bytes, name: str) -> GroupInfo:
        found = [
            info for info in self.groups.values() if (info.spec.name == name if name else info.spec.group == group)
        ]
        if not found:
            raise ValueError("there is no such placement group")
        return found[0]

    def list_groups(self, timeout: float | None = None) -> list[GroupInfo]:
        return list(self.groups.values())

    def group_ready(self, group: bytes, handle: Any) -> ObjectRef[Any]:
        return self.put(handle)

    def nodes(self) -> list[Mapping[str, Any]]:
        return [{"NodeID": NODE.hex(), "Alive": True}]

    def add_node(self, settings: Settings) -> bytes:
        raise NotImplementedError

    def remove_node(self, node: bytes, graceful: bool) -> None:
        raise NotImplementedError

    def kill_node(self, node: bytes) -> None:
        raise NotImplementedError

    def pause_node(self, node: bytes) -> None:
        raise NotImplementedError

    def resume_node(self, node: bytes) -> None:
        raise NotImplementedError

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        raise NotImplementedError

    def cut_connections(self, one: bytes, other: bytes) -> None:
        raise NotImplementedError

    def on_memory_pressure(self, callback: Callable[[MemoryPressure], object], fraction: float) -> Callable[[], None]:
        raise NotImplementedError

    def cluster_resources(self) -> dict[str, float]:
        return as_amounts(self.settings.resources) if self.settings else {}

    def available_resources(self) -> dict[str, float]:
        return self.cluster_resources()

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        self.shut_down += 1
        return ShutdownReport([("stop", 0.0, f"grace {grace}")], [])

    # --- inside

    def _run(
        self,
        ctx: TaskContext,
        function: Callable[..., Any],
        returns: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        retry: RetryPolicy,
        retries: int,
    ) -> Any:
        packed, deps = ser.dumps_args(args, kwargs)

        def run() -> None:
            self._store(ctx.task, returns, self._attempts(ctx, function, returns, packed, deps, retry, retries))

        if self.hold:
            self.held.append(run)
        else:
            run()
        return self._refs(ctx.task, returns)

    def _attempts(
        self,
        ctx: TaskContext,
        function: Callable[..., Any],
        returns: int,
        packed: ser.Serialized | None,
        deps: Sequence[ObjectRef[Any]],
        retry: RetryPolicy,
        retries: int,
    ) -> list[ser.Serialized | Failed | Fault]:
        while True:
            try:
                values = [self._value(dep) for dep in deps]
                data, buffers = (packed.data, packed.buffers) if packed is not None else (b"", None)
                args, kwargs = ser.loads_args(data, buffers, values)
                with _running(ctx):
                    result = function(*args, **kwargs)
                results = [result] if returns == 1 else list(result) if returns else []
                return [ser.dumps(one) for one in results]
            except Exited:
                return [Fault(FaultKind.ACTOR_DIED, "The actor exited.", task=ctx.task, actor=ctx.actor)] * returns
            except Exception as error:  # noqa: BLE001 - whatever user code raises
                decide = retry.on_error
                if ctx.attempt < retries and (decide(error) if callable(decide) else decide):
                    ctx.attempt += 1
                    continue
                failed = faults.make_failed(
                    error,
                    function=ctx.function,
                    task=ctx.task,
                    actor=ctx.actor,
                    attempt=ctx.attempt,
                    max_attempts=retries + 1,
                    pid=4711,
                    node=NODE,
                    worker=DRIVER,
                    address="127.0.0.1",
                    job=JOB,
                )
                return [failed] * returns

    def _store(self, task: bytes, returns: int, values: Sequence[ser.Serialized | Failed | Fault]) -> Any:
        for index, value in enumerate(values):
            self._values[ids.object_id(task, index)] = value
        return self._refs(task, returns)

    def _refs(self, task: bytes, returns: int) -> Any:
        refs = [self._ref(ids.object_id(task, index)) for index in range(returns)]
        return None if returns == 0 else refs[0] if returns == 1 else refs

    def _value(self, ref: ObjectRef[Any]) -> Any:
        value = self._values[ref.binary()]
        if isinstance(value, Failed | Fault):
            raise faults.from_value(value, ser.loads, ref.binary(), ADDRESS)
        return ser.loads(value.data, value.buffers)

    def entry(self, action: EntryAction, namespace: bytes, key: bytes, value: bytes) -> tuple[int, list[bytes]]:
        raise NotImplementedError

    def inspect(self, query: Query, timeout: float) -> Inspection:
        return Inspection()

    def _ref(self, object_id: bytes, owner_address: str = ADDRESS) -> ObjectRef[Any]:
        return ObjectRef(object_id, owner_address, self.dropped.append)

    def _new_task(self) -> bytes:
        return ids.task_id(DRIVER, next(self._numbers))

    def _state(self, actor: bytes, plan: ActorPlan, ref: ObjectRef[Any] | None) -> ActorHandleState:
        return ActorHandleState(actor, ADDRESS, plan.handle_meta, plan.max_task_retries, ref)

    def _named(self, name: str, namespace: str) -> ActorHandleState | None:
        for actor, living in self._actors.items():
            if (living.plan.name, living.plan.namespace) == (name, namespace):
                return self._state(actor, living.plan, None)
        return None


@contextmanager
def _running(ctx: TaskContext) -> Generator[None, None, None]:
    token = context.current_task.set(ctx)
    try:
        yield
    finally:
        context.current_task.reset(token)


def start(settings: Settings) -> FakeEngine:
    return FakeEngine(settings)
