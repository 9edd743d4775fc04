"""``RayEngine``: what a program asks for, handed to Ray."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

import msgspec
import ray

from rustyray.engines.ray import choices
from rustyray.engines.ray.errors import ours
from rustyray.engines.ray.groups import GroupsAndNodes
from rustyray.engines.ray.hosting import CALL, LISTED, host_class, pickled, task_runner
from rustyray.engines.ray.parcels import (
    UNCOUNTED,
    Code,
    Parcel,
    known,
    our_ref,
    our_value,
    pack_arguments,
    rays,
    things,
)
from rustyray.engines.ray.streams import our_generator
from rustyray.model.messages import EntryAction
from rustyray.runtime.engine import ActorHandleState, Inspection, ProcessContext, ShutdownReport
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    from rustyray.model.events import Query
    from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
    from rustyray.runtime.engine import Returned
    from rustyray.runtime.generator import ObjectRefGenerator

#: Where Ray keeps what handles know of a named actor's class.
_SHAPES: Final = b"rustyray:shape:"


class RayEngine(GroupsAndNodes):
    """Implements `rustyray.runtime.engine.Engine` in a program, and in Ray's workers; ``end`` ends it in a program."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._process: ProcessContext | None = None
        #: Refs that the program has pickled itself.
        self._pinned: list[ObjectRef[Any]] = []

    # --- tasks --------------------------------------------------------------------------------------------------------

    def submit(self, plan: TaskPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Returned:
        if plan.slot is None:
            runner = task_runner(plan, Code(plan.fn, plan.blob, things(plan.held)))  # type: ignore[arg-type]
            function = ray.remote(max_calls=plan.max_calls)(runner)
            plan.slot = function.options(**choices.task_options(plan))
        submitted: Any = plan.slot
        return _returned(_submitted(submitted.remote, *pack_arguments(args, kwargs)))

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None:
        theirs = rays(ref)
        if not ray.wait([theirs], timeout=0, fetch_local=False)[0]:  # Ray's process may abort where it has just ended
            ray.cancel(theirs, force=force, recursive=recursive)

    def set_environment(self, given: Mapping[str, Any]) -> None:
        """Ray was told of it as it was started."""

    def environment(self) -> dict[str, Any]:
        return dict(ray.get_runtime_context().runtime_env)

    # --- objects ------------------------------------------------------------------------------------------------------

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        try:
            return [our_value(one) for one in ray.get([rays(ref) for ref in refs], timeout=timeout)]
        except ray.exceptions.RayError as error:
            raise ours(error) from None

    def put(self, value: Any) -> ObjectRef[Any]:
        try:
            return our_ref(ray.put(Parcel(value)))
        except ray.exceptions.RayError as error:
            raise ours(error) from None

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        theirs = [_waited_for(ref) for ref in refs]
        ready, _ = ray.wait(theirs, num_returns=num_returns, timeout=timeout, fetch_local=fetch_local)
        there = set(map(_key, ready))
        both = [(ref, _key(one) in there) for ref, one in zip(refs, theirs, strict=True)]
        return [ref for ref, is_ready in both if is_ready], [ref for ref, is_ready in both if not is_ready]

    def future(self, ref: ObjectRef[Any]) -> Future[Any]:
        found: Future[Any] = Future()

        def done(theirs: Any) -> None:
            error = theirs.exception()
            if error is not None:
                found.set_exception(ours(error))
            else:
                found.set_result(our_value(theirs.result()))

        rays(ref).future().add_done_callback(done)
        return found

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
        try:
            return our_value((yield from rays(ref).__await__()))
        except ray.exceptions.RayError as error:
            raise ours(error) from None

    def adopt(self, object_id: bytes, owner_address: str) -> ObjectRef[Any]:
        return known(object_id)

    def pin_forever(self, ref: ObjectRef[Any]) -> None:
        self._pinned.append(ref)

    # --- actors -------------------------------------------------------------------------------------------------------

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        code = Code(plan.fn, plan.blob, things(plan.held))  # type: ignore[arg-type]
        hosted: Any = host_class(plan, code, _methods(plan))
        # Ray takes the groups with the class, and nowhere else.
        actor_class: Any = ray.remote(concurrency_groups=plan.groups)(hosted) if plan.groups else ray.remote(hosted)
        created = actor_class.options(**choices.actor_options(plan)).remote
        handle = _submitted(created, *pack_arguments(args, kwargs))
        if plan.name:
            _keep_shape(handle, plan.handle_meta, plan.max_task_retries)
        return handle_state(handle, plan.handle_meta, plan.max_task_retries)

    def call(
        self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Returned:
        theirs = self._theirs(handle)
        if method.name in ("__ray_ready__", "__ray_terminate__"):
            return _returned(_submitted(getattr(theirs, method.name).remote))
        name = CALL if method.name == "__ray_call__" else method.name
        bound = getattr(theirs, name if method.returns < 0 else LISTED + name, None) or getattr(theirs, name)
        options = choices.method_options(method, handle.max_task_retries)
        how = (method.returns, method.max_task_retries + 1, pickled(method.retry.on_error))
        return _returned(_submitted(bound.options(**options).remote, how, *pack_arguments(args, kwargs)))

    def _theirs(self, handle: ActorHandleState) -> Any:
        if handle.ref is None:
            raise ValueError("this is a handle from an earlier runtime of this program: the actor's runtime has ended")
        return rays(handle.ref)

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        handle = ray.get_actor(name, namespace=namespace)
        return handle_state(handle, *_shape_of(handle))

    def named_actors(self, all_namespaces: bool) -> list[tuple[str, str]]:
        found = ray.util.list_named_actors(all_namespaces=True)
        here = self.process().namespace
        return [(one["namespace"], one["name"]) for one in found if all_namespaces or one["namespace"] == here]

    def kill_actor(self, handle: ActorHandleState, no_restart: bool) -> None:
        ray.kill(self._theirs(handle), no_restart=no_restart)

    def exit_actor(self) -> None:
        ray.actor.exit_actor()

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        return ActorHandleState(actor, "", meta, max_task_retries, known(actor, actor + UNCOUNTED))

    # --- where it runs ------------------------------------------------------------------------------------------------

    def process(self) -> ProcessContext:
        if self._process is None:
            here = ray.get_runtime_context()
            mine = ray._private.worker.global_worker
            has_node = mine.node is not None  # a client of a cluster has none
            self._process = ProcessContext(
                bytes.fromhex(here.get_job_id()),
                bytes.fromhex(here.get_node_id()),
                bytes.fromhex(here.get_worker_id()),
                here.namespace,
                here.gcs_address,
                mine.mode != ray.WORKER_MODE,
                mine.node.get_session_dir_path() if has_node else "",
                temp_dir=here.get_temp_dir() if has_node else "",
            )
        return self._process

    def entry(self, action: EntryAction, namespace: bytes, key: bytes, value: bytes) -> tuple[int, list[bytes]]:
        from ray.experimental import internal_kv as kv

        match action:
            case EntryAction.GET:
                found = kv._internal_kv_get(key, namespace=namespace)
                return (0, []) if found is None else (1, [found])
            case EntryAction.PUT | EntryAction.ADD:
                there = kv._internal_kv_put(key, value, action is EntryAction.PUT, namespace=namespace)
                return int(there), []
            case EntryAction.LIST:
                keys = kv._internal_kv_list(key, namespace=namespace)
                return len(keys), list(keys)
        all_of_them = action is EntryAction.DELETE_ALL
        return kv._internal_kv_del(key, del_by_prefix=all_of_them, namespace=namespace), []

    def inspect(self, query: Query, timeout: float) -> Inspection:
        raise RuntimeError(
            "engine='ray' does not look inside Ray's processes: ask Ray's own ray.util.state, or its logs"
        )

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        started = time.monotonic()
        self._end()
        return ShutdownReport([("ray.shutdown", time.monotonic() - started, "")], [])


def _submitted(remote: Callable[..., Any], *arguments: Any) -> Any:
    """What Ray returns at once. Raises our exception where it raises one of its own."""
    try:
        return remote(*arguments)
    except ray.exceptions.RayError as error:
        raise ours(error) from None


def _returned(made: Any) -> Returned:
    if made is None:
        return None
    if isinstance(made, ray.ObjectRefGenerator):
        return our_generator(made)
    return [our_ref(one) for one in made] if isinstance(made, list) else our_ref(made)


def _waited_for(ref: ObjectRef[Any] | ObjectRefGenerator[Any]) -> Any:
    return rays(ref) if isinstance(ref, ObjectRef) else ref._reader.theirs  # type: ignore[attr-defined] # a `Stream`


def _key(theirs: Any) -> object:
    """What a ref or a generator that `ray.wait` was given has in common with the one that it returns."""
    return id(theirs) if isinstance(theirs, ray.ObjectRefGenerator) else theirs.binary()


def handle_state(handle: Any, meta: bytes, max_task_retries: int) -> ActorHandleState:
    """What is behind a handle of ours, for one of Ray's."""
    actor = choices.our_actor(handle._actor_id)
    name = actor + UNCOUNTED if getattr(handle, "_ray_weak_ref", False) else actor  # a client's handles all count
    return ActorHandleState(actor, "", meta, max_task_retries, our_ref(handle, name))


def _methods(plan: ActorPlan) -> dict[str, int]:
    """The flags of each method's code, as `rustyray.api.actor_shape.ActorShape` has them."""
    shapes = msgspec.msgpack.decode(plan.handle_meta)[1]
    return {name: shapes[name][1] for name in plan.methods}


def _keep_shape(handle: Any, meta: bytes, max_task_retries: int) -> None:
    from ray.experimental.internal_kv import _internal_kv_put

    key = _SHAPES + handle._actor_id.binary()
    _internal_kv_put(key, max_task_retries.to_bytes(8, "big", signed=True) + meta, overwrite=True)


def _shape_of(handle: Any) -> tuple[bytes, int]:
    from ray.experimental.internal_kv import _internal_kv_get

    kept = _internal_kv_get(_SHAPES + handle._actor_id.binary())
    if kept is None:
        raise ValueError("that actor was made by Ray itself, not by RustyRay: call it through ray.get_actor(…)")
    return kept[8:], int.from_bytes(kept[:8], "big", signed=True)
