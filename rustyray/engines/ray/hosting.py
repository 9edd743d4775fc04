"""What Ray's workers run: our functions and actors, with the engine and the context that they find elsewhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import GeneratorType
from typing import TYPE_CHECKING, Any

import ray

from rustyray import exceptions as x
from rustyray.engines.ray.choices import our_group
from rustyray.engines.ray.errors import Raised, carried
from rustyray.engines.ray.parcels import Arguments, Code, Parcel
from rustyray.model.strategies import Strategy
from rustyray.runtime import context
from rustyray.runtime.context import HostedActor, TaskContext
from rustyray.runtime.faults import make_failed
from rustyray.runtime.serialization import loads

if TYPE_CHECKING:
    from rustyray.model.plans import ActorPlan, TaskPlan

#: What is Ray's business when it comes out of user code.
_RAYS = (KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, ray.exceptions.AsyncioActorExit)
#: How an actor of ours answers what Ray would answer itself otherwise.
CALL = "rustyray_call"
#: What a generator method is called, after this, where its items are not to be streamed.
LISTED = "rustyray_listed_"
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def attach() -> None:
    """Serve this process, if Ray has started it."""
    if context.own_engine() is None:
        from rustyray.engines.ray.engine import RayEngine
        from rustyray.engines.ray.starting import log_as_told

        context.set_engine(RayEngine(ray.shutdown))
        log_as_told()


class OurTask(TaskContext):
    """A task as its context tells of it; whether it was cancelled is for Ray to say."""

    __slots__ = ()

    @property
    def cancelled(self) -> bool:
        return bool(ray.get_runtime_context().is_canceled())

    @cancelled.setter
    def cancelled(self, value: bool) -> None:
        pass  # the base sets it to False in its constructor


class OurActor(HostedActor):
    """An actor as its context tells of it; how often it was started is for Ray to say."""

    __slots__ = ()

    @property
    def incarnation(self) -> int:
        found: int = ray._private.state.actors(actor_id=ray.get_runtime_context().get_actor_id())["NumRestarts"]
        return found

    @incarnation.setter
    def incarnation(self, value: int) -> None:
        pass  # the base sets it to 0 in its constructor


class Job:
    """A task or call: how errors and the context name it, how many results it has, and what is retried."""

    __slots__ = ("max_attempts", "name", "retried", "returns")

    def __init__(self, name: str, returns: int = 1, max_attempts: int = 1, retried: Any = False) -> None:
        self.name = name
        self.returns = returns
        self.max_attempts = max_attempts
        #: True, False, or the predicate, pickled.
        self.retried = retried

    def results(self, result: Any, host: Host | None = None) -> Any:
        """As Ray is to have them."""
        if isinstance(result, GeneratorType) and self.returns:
            items = self.items(result, host)
            return next(items) if self.returns == 1 else items
        if self.returns == 1:
            return Parcel(result, f"the result of {self.name}")
        if self.returns == 0:
            return None
        try:
            results = list(result)
        except TypeError:
            raise TypeError(
                f"{self.name} was called with num_returns={self.returns} and returned {type(result).__name__}, which "
                f"is not a sequence of {self.returns} values"
            ) from None
        if len(results) != self.returns:
            raise ValueError(
                f"{self.name} was called with num_returns={self.returns} and returned {len(results)} values"
            )
        return tuple(Parcel(one, f"result {index} of {self.name}") for index, one in enumerate(results))

    def items(self, made: Iterable[Any], host: Host | None) -> Iterator[Parcel]:
        """What a generator yields; Ray counts."""
        count = 0
        with running(self.name, None if host is None else host.hosted) as task:
            try:
                for item in made:
                    yield Parcel(item, f"item {count} of {self.name}")
                    count += 1
                    if count == self.returns:
                        return
                if self.returns > 0:
                    raise ValueError(
                        f"{self.name} was called with num_returns={self.returns} and yielded {count} values"
                    )
            except _RAYS:
                raise
            except BaseException as error:  # noqa: BLE001 - all of it is the user's
                raise self.failed(error, task, None if host is None else host.instance) from None

    def failed(self, error: BaseException, task: TaskContext | None, actor: object = None) -> Raised:
        with context.collecting_refs() as refs:
            failed = make_failed(
                error,
                function=self.name,
                task=task.task if task else b"",
                actor=task.actor if task else b"",
                actor_repr=_repr(actor),
                attempt=task.attempt if task else 0,
                max_attempts=self.max_attempts,
                pid=os.getpid(),
                node=context.require_engine("a task").process().node,
                address=ray.util.get_node_ip_address(),
            )
        cause = error.cause if isinstance(error, x.RayTaskError) else error
        again = self.retried if isinstance(self.retried, bool) else bool(loads(self.retried)(cause))
        return carried(failed, again, refs)


def _repr(actor: object) -> str:
    return "" if actor is None or type(actor).__repr__ is object.__repr__ else repr(actor)


@contextmanager
def running(name: str, hosted: HostedActor | None = None) -> Iterator[TaskContext]:
    """What the context tells while this task runs."""
    attach()
    here = ray.get_runtime_context()
    task = OurTask(
        _bytes(here.get_job_id()),
        _bytes(here.get_task_id()),
        name,
        ray._private.worker.global_worker.core_worker.get_current_task_attempt_number(),
    )
    named, function = here.get_task_name() or "", here.get_task_function_name() or ""
    task.name = named if named and (hosted is None or not f".{function}".endswith(f".{named}")) else name
    task.resources = here.get_assigned_resources()
    task.gpus = ray.get_gpu_ids()
    task.strategy = _strategy()
    if hosted is not None:
        task.hosted, task.actor = hosted, hosted.handle.actor
    token = context.current_task.set(task)
    try:
        yield task
    finally:
        context.current_task.reset(token)


def _strategy() -> Strategy | None:
    """The placement group that this process works in."""
    worker = ray._private.worker.global_worker
    if worker.placement_group_id.is_nil():
        return None
    capture = bool(worker.should_capture_child_tasks_in_placement_group)
    return Strategy(group=our_group(worker.placement_group_id), capture=capture)


def _bytes(text: str | None) -> bytes:
    return bytes.fromhex(text) if text else b""


def task_runner(plan: TaskPlan, code: Code) -> Callable[..., Any]:
    """The function that Ray's workers run for a plan."""
    job = Job(plan.name, plan.returns, plan.max_retries + 1, pickled(plan.retry.on_error))

    def run(arguments: Arguments, *deps: Any) -> Any:
        return run_task(job, code, arguments, deps)

    def run_stream(arguments: Arguments, *deps: Any) -> Any:  # Ray wants to see a generator function
        yield from run_task(job, code, arguments, deps)

    return named(run_stream if plan.returns < 0 else run, plan.name)


def named(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Have Ray call it by the name of what it stands for."""
    function.__module__, _, function.__qualname__ = name.rpartition(".")
    function.__name__ = function.__qualname__
    return function


def pickled(predicate: Any) -> Any:
    if isinstance(predicate, bool):
        return predicate
    from rustyray.runtime.serialization import dumps_function

    return dumps_function(predicate, "retry_exceptions")[0]


def run_task(job: Job, code: Code, arguments: Arguments, deps: Sequence[Any]) -> Any:
    with running(job.name) as task:
        try:
            args, kwargs = arguments.values(deps)
            return job.results(code.open()(*args, **kwargs))
        except _RAYS:
            raise
        except BaseException as error:  # noqa: BLE001 - all of it is the user's
            raise job.failed(error, task) from None


# --- actors -----------------------------------------------------------------------------------------------------------


class Host:
    """The instance that Ray knows: it holds the user's. Methods of the same names are added for each class."""

    instance: Any = None
    job: Job
    code: Code
    #: The name and the namespace that it was given, and what its handles know of its class.
    about: tuple[str, str, bytes, int]

    def __init__(self, arguments: Arguments, *deps: Any) -> None:
        attach()
        self.hosted = self._hosted()
        with running(self.job.name, self.hosted) as task:
            try:
                args, kwargs = arguments.values(deps)
                self.instance = self.code.open()(*args, **kwargs)
            except _RAYS:
                raise
            except BaseException as error:  # noqa: BLE001 - all of it is the user's
                raise self.job.failed(error, task) from None

    def _hosted(self) -> HostedActor:
        from rustyray.engines.ray.engine import handle_state

        name, namespace, meta, retries = self.about
        here = ray.get_runtime_context()
        handle = handle_state(here.current_actor, meta, retries)
        return OurActor(handle, name, namespace or here.namespace)

    def __repr__(self) -> str:
        return repr(self.instance) if self.instance is not None else super().__repr__()

    def __ray_shutdown__(self) -> None:
        shutdown = getattr(self.instance, "__ray_shutdown__", None)
        if shutdown is not None:
            shutdown()


def host_class(plan: ActorPlan, code: Code, methods: dict[str, int]) -> type[Host]:
    """The class whose instances Ray makes for a plan; ``methods`` has the flags of each one's code."""
    body: dict[str, Any] = {
        "job": Job(plan.class_name),
        "code": code,
        "about": (plan.name, plan.namespace, plan.handle_meta, plan.max_task_retries),
        "__module__": plan.class_name.rpartition(".")[0],
        "__qualname__": plan.class_name.rpartition(".")[2],
    }
    for name, flags in methods.items():
        if name not in _OWN:
            body[name] = _kind(flags)(f"{plan.class_name}.{name}", name)
            if flags & _GENERATOR:
                body[LISTED + name] = _method(f"{plan.class_name}.{name}", name)
    body[CALL] = _method(f"{plan.class_name}.__ray_call__", CALL)
    return type(plan.class_name.rpartition(".")[2], (Host,), body)


_OWN = ("__init__", "__repr__", "__ray_shutdown__", "__new__", "__del__", "__getattr__", "__getattribute__")


def _kind(flags: int) -> Callable[[str, str], Callable[..., Any]]:
    if flags & _ASYNC_GENERATOR:
        return _async_generator
    if flags & _GENERATOR:
        return _generator
    return _async_method if flags & _COROUTINE else _method


def _target(host: Host, name: str) -> Callable[..., Any]:
    if name == CALL:
        return lambda function, *args, **kwargs: function(host.instance, *args, **kwargs)
    found: Callable[..., Any] = getattr(host.instance, name)
    return found


def _method(called: str, name: str) -> Callable[..., Any]:
    def call(host: Host, how: tuple[int, int, Any], arguments: Arguments, *deps: Any) -> Any:
        job = Job(called, *how)
        with running(called, host.hosted) as task:
            try:
                args, kwargs = arguments.values(deps)
                return job.results(_target(host, name)(*args, **kwargs), host)
            except _RAYS:
                raise
            except BaseException as error:  # noqa: BLE001 - all of it is the user's
                raise job.failed(error, task, host.instance) from None

    return named(call, called)


def _generator(called: str, name: str) -> Callable[..., Any]:
    call = _method(called, name)

    def stream(host: Host, how: tuple[int, int, Any], arguments: Arguments, *deps: Any) -> Any:
        yield from call(host, how, arguments, *deps)

    return named(stream, called)


def _async_method(called: str, name: str) -> Callable[..., Any]:
    async def call(host: Host, how: tuple[int, int, Any], arguments: Arguments, *deps: Any) -> Any:
        job = Job(called, *how)
        with running(called, host.hosted) as task:
            try:
                args, kwargs = arguments.values(deps)
                return job.results(await _target(host, name)(*args, **kwargs))
            except _RAYS:
                raise
            except BaseException as error:  # noqa: BLE001 - all of it is the user's
                raise job.failed(error, task, host.instance) from None

    return named(call, called)


def _async_generator(called: str, name: str) -> Callable[..., Any]:
    async def call(host: Host, how: tuple[int, int, Any], arguments: Arguments, *deps: Any) -> AsyncIterator[Parcel]:
        job = Job(called, *how)
        count = 0
        with running(called, host.hosted) as task:
            try:
                args, kwargs = arguments.values(deps)
                async for item in _target(host, name)(*args, **kwargs):
                    yield Parcel(item, f"item {count} of {called}")
                    count += 1
            except _RAYS:
                raise
            except BaseException as error:  # noqa: BLE001 - all of it is the user's
                raise job.failed(error, task, host.instance) from None

    return named(call, called)
