"""Run one job of a worker: arguments in, the user's code, results out. The same for tasks and for actor methods."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rustyray.core.jobs import NO_GPUS, Job
from rustyray.core.owner.lent import give, kept_after, lent
from rustyray.engines.client.producing import Abandoned, ItemFailed, Producing
from rustyray.exceptions import TaskCancelledError
from rustyray.model.ids import object_id
from rustyray.model.messages import Call, Task
from rustyray.model.values import Failed, Fault, FaultKind, Stored, Value
from rustyray.runtime import context, tracing
from rustyray.runtime.context import TaskContext
from rustyray.runtime.faults import make_failed
from rustyray.runtime.serialization import INLINE_MAX, Serialized, loads, loads_args, pack, to_value

if TYPE_CHECKING:
    from rustyray.engines.client.devices import Devices
    from rustyray.engines.client.ports import Host


#: A job that ended: its values, whether they are a failure, and the seconds it took.
Outcome = tuple[Job, "bytes | list[Value]", bool, float]
#: So many bytes of a task's results go inline, if it has several; what comes after them is stored.
INLINE_TOGETHER: Final = 8 << 20


class ActorExit(BaseException):
    """Raised inside a method by ``exit_actor``: the actor ends, and the call never returns."""


class ArgumentLost(Exception):
    """A stored argument could not be read; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Runner:
    """Executes jobs on behalf of a worker. `run` may be called from several threads (threaded actors)."""

    def __init__(self, worker: Host) -> None:
        self.worker = worker
        self._functions: dict[bytes, Callable[..., Any]] = {}
        self.contexts: dict[bytes, TaskContext] = {}
        self.producing = Producing(worker)
        #: Those that what runs here has, by their numbers on the node, and as the process names them.
        self._gpus_of: Sequence[int] = NO_GPUS
        self.gpus: Sequence[int | str] = NO_GPUS
        self._devices: Devices | None = None

    def run(self, job: Job) -> Outcome | None:
        """Run a job to its end; None if that was the actor's own end (the caller learns it from there)."""
        clock = self.worker.pump.clock
        begun = clock()
        try:
            if job.task.trace is None:
                values, failed = self._call(job)
            else:
                values, failed = self._call_traced(job, job.task.trace)
        except ActorExit:
            return None
        except Abandoned:
            self.worker.abandon(job)
            return None
        return job, values, failed, clock() - begun

    def _call_traced(self, job: Job, trace: dict[str, str]) -> tuple[bytes | list[Value], bool]:
        tracer = tracing.active
        if tracer is None:
            return self._call(job)
        with tracer.running(trace, self.name_of(job.task), self.ids(job)) as span:
            values, failed = self._call(job)
            if failed:
                tracer.failed(span, values[0] if isinstance(values, list) else values)
        return values, failed

    def ids(self, job: Job) -> dict[str, str | int]:
        """Where a job runs, for a trace."""
        place, task = self.worker.place, job.task
        ids: dict[str, str | int] = {
            "rustyray.job_id": place.job.hex(),
            "rustyray.node_id": place.node.hex(),
            "rustyray.worker_id": place.worker.hex(),
            "rustyray.task_id": task.id.hex(),
            "rustyray.attempt": task.attempt,
        }
        if isinstance(task, Call):
            ids["rustyray.actor_id"] = task.actor.hex()
        return ids

    def _call(self, job: Job) -> tuple[bytes | list[Value], bool]:
        task = job.task
        ctx = self.context_of(job)
        token = context.current_task.set(ctx)
        self.contexts[task.id] = ctx
        harness = context.harness
        try:
            if harness is not None:
                harness.before_task()
            function = self.callable_for(task)
            if task.args or task.deps:
                args, kwargs = self.arguments(task)
                result = function(*args, **kwargs)
                del args, kwargs
            else:
                result = function()
            return self.pack_result(job, result) if task.returns >= 0 else self.producing.run(job, result)
        except (ActorExit, Abandoned):
            raise
        except SystemExit as error:
            self.end(error)
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the caller's to know
            return [self.failure(job, error)], True
        finally:
            if harness is not None:
                harness.after_task()
            del self.contexts[task.id]
            context.current_task.reset(token)

    def end(self, error: SystemExit) -> NoReturn:
        """The user's code ends its process. With 0 that is an actor's own wish, else a failure (as in Ray)."""
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
        worker = self.worker
        if error.code == 0 and worker.actor is not None:
            worker.actor.exit_from_inside("sys.exit(0) was called")
        with worker.pump.lock:
            worker.executor.flush()
            worker.pump.flush()
        worker.exit_with(code)

    def context_of(self, job: Job) -> TaskContext:
        task = job.task
        actor = task.actor if isinstance(task, Call) else b""
        ctx = TaskContext(self.worker.place.job, task.id, self.name_of(task), task.attempt, actor)
        if isinstance(task, Task):
            ctx.name = task.name
            ctx.resources = self.worker.executor.resources
            ctx.strategy = self.worker.executor.strategy
            if self.worker.executor.gpus is not self._gpus_of:
                self.show_gpus(self.worker.executor.gpus)
            ctx.gpus = self.gpus
        elif self.worker.actor is not None:
            self.worker.actor.describe_in(ctx)
            ctx.concurrency_group = task.group
            ctx.name = task.name or ctx.function
        return ctx

    def show_gpus(self, numbers: Sequence[int]) -> None:
        """From now on the user's code has these GPUs."""
        if self._devices is None:
            from rustyray.engines.client.devices import Devices  # which few programs need

            self.worker.own_variables()
            self._devices = Devices()
        self._gpus_of = numbers
        self.gpus = self._devices.show(numbers)

    def name_of(self, task: Task | Call) -> str:
        if isinstance(task, Call):
            host = self.worker.actor
            return f"{host.class_name}.{task.method}" if host is not None else task.method
        return self.worker.functions[task.fn][1]

    def callable_for(self, task: Task | Call) -> Callable[..., Any]:
        if isinstance(task, Call):
            host = self.worker.actor
            if host is None:
                raise RuntimeError("this worker hosts no actor")
            return host.method(task.method)
        function = self._functions.get(task.fn)
        if function is None:
            function = self._functions[task.fn] = self.load_code(task.fn)
        return function

    def load_code(self, fn: bytes) -> Callable[..., Any]:
        blob, name = self.worker.functions[fn]
        try:
            code: Callable[..., Any] = loads(blob)
        except Exception as error:
            error.add_note(
                f"{name} could not be loaded in the worker (pid {self.worker.pid}): what it needs must be importable "
                "there too, in the worker's sys.path and working directory, which are the driver's"
            )
            raise
        return code

    def arguments(self, task: Task | Call) -> tuple[tuple[Any, ...], dict[str, Any]]:
        deps = task.deps
        if not deps:
            return loads_args(task.args, task.buffers, ())
        worker = self.worker
        stored = {arg.object: arg.value for arg in deps if isinstance(arg.value, Stored)}
        pins = worker.store.pin(stored) if stored else {}
        values = []
        try:
            for arg in deps:
                value = arg.value
                if type(value) is bytes:
                    values.append(loads(value))
                elif isinstance(value, Stored):
                    pinned = pins.pop(arg.object, None) or worker.store.pin({arg.object: value})[arg.object]
                    if isinstance(pinned, Fault):
                        raise ArgumentLost(pinned)
                    values.append(worker.store.load(arg.object, pinned))
                else:
                    values.append(worker.load(value))
        finally:
            if pins:  # one that does not load leaves the others
                worker.store.unpin(pins)
        try:
            return loads_args(task.args, task.buffers, values)
        finally:
            values.clear()  # see `loads_args`

    # --- results ------------------------------------------------------------------------------------------------------

    def pack_result(self, job: Job, result: Any) -> tuple[bytes | list[Value], bool]:
        task = job.task
        if type(result) is GeneratorType and task.returns:
            return self._pack_several(job, result)
        if task.returns == 1:
            packed = pack(result, f"the result of {self.name_of(task)}")
            if type(packed) is bytes and len(packed) <= INLINE_MAX:
                return packed, False
            value = self.to_caller(job, 0, packed)
            return [value], isinstance(value, Fault)
        if task.returns == 0:
            return [], False
        try:
            results = list(result)
        except TypeError:
            raise TypeError(
                f"{self.name_of(task)} was called with num_returns={task.returns} and returned "
                f"{type(result).__name__}, which is not a sequence of {task.returns} values"
            ) from None
        if len(results) != task.returns:
            raise ValueError(
                f"{self.name_of(task)} was called with num_returns={task.returns} and returned {len(results)} values"
            )
        return self._pack_several(job, iter(results))

    def _pack_several(self, job: Job, results: Iterator[Any]) -> tuple[bytes | list[Value], bool]:
        """The first of them, as many as there are returns; those before an error are kept (as in Ray)."""
        task = job.task
        values: list[Value] = []
        room = INLINE_TOGETHER
        try:
            for result in results:
                packed = pack(result, f"result {len(values)} of {self.name_of(task)}")
                size = len(packed) if isinstance(packed, bytes) else packed.size
                values.append(self.to_caller(job, len(values), packed, min(room, INLINE_MAX)))
                room -= size if size <= INLINE_MAX else 0
                if len(values) == task.returns:
                    if isinstance(results, GeneratorType):
                        results.close()
                    return values, len(values) == 1 and isinstance(values[0], Fault)
            raise ValueError(
                f"{self.name_of(task)} was called with num_returns={task.returns} and yielded {len(values)} values"
            )
        except (ActorExit, Abandoned, SystemExit):
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the caller's to know
            return [self.failure(job, error), *values], True

    def to_caller(self, job: Job, index: int, packed: bytes | Serialized, most: int = INLINE_MAX) -> Value:
        """A result as it travels: inline (of ``most`` bytes) or stored; the caller is registered for the refs in it."""
        worker = self.worker
        if isinstance(packed, bytes):
            if len(packed) <= most:
                return packed
            packed = Serialized(packed, (), (), len(packed))
        value: Value
        if packed.size <= most:
            value = to_value(packed)
        else:
            value = worker.store.write(object_id(job.task.id, index), packed, job.task.attempt)
        if packed.refs:
            with worker.pump.lock:
                give(worker.core.refs, job, value)
        return value

    def failure(self, job: Job, error: BaseException) -> Value:
        task = job.task
        if isinstance(error, ArgumentLost | ItemFailed):
            return error.fault
        if isinstance(error, KeyboardInterrupt):
            if not job.cancelled:  # (as in Ray): whoever reads the error is not to be interrupted by it
                said = TaskCancelledError(task.id.hex(), "It raised KeyboardInterrupt itself.")
                return self._failed(job, said.with_traceback(error.__traceback__))
            return Fault(
                FaultKind.TASK_CANCELLED,
                "the task was cancelled while it ran",
                task=task.id,
                function=self.name_of(task),
                attempt=task.attempt,
                max_attempts=task.max_attempts,
                pid=self.worker.pid,
                worker=self.worker.place.worker,
            )
        return self._failed(job, error)

    def _failed(self, job: Job, error: BaseException) -> Value:
        task = job.task
        failed = self.describe(error, self.name_of(task), task.id, task.attempt, task.max_attempts)
        if isinstance(failed, Failed) and failed.refs:
            with self.worker.pump.lock:
                give(self.worker.core.refs, job, failed)
        return failed

    def describe(
        self, error: BaseException, function: str, task: bytes, attempt: int = 0, max_attempts: int = 1
    ) -> Failed | Fault:
        """An exception as a value, with the context of this process."""
        worker = self.worker
        host = worker.actor
        return make_failed(
            error,
            function=function,
            task=task,
            actor=host.actor if host is not None else b"",
            actor_repr=host.describe() if host is not None else "",
            attempt=attempt,
            max_attempts=max_attempts,
            pid=worker.pid,
            worker=worker.place.worker,
            node=worker.place.node,
            address="127.0.0.1",
            job=worker.place.job,
        )

    def report(self, ended: Outcome) -> None:
        """Hand a result to the executor, with the refs from its arguments that are still held here. Under the lock."""
        job, values, failed, seconds = ended
        task = job.task
        kept = None
        if task.refs or task.deps:
            self.worker.pump.settle()
            kept = kept_after(self.worker.core.refs, lent(task), job.caller)
        self.worker.executor.finished(job, values, failed, kept, seconds)

    def report_now(self, ended: Outcome | None) -> None:
        """As `report`, and send it: for calls that do not run on the main thread."""
        worker = self.worker
        with worker.pump.lock:
            if ended is not None:
                self.report(ended)
            worker.executor.flush()
            worker.pump.flush()


class RefusingRunner(Runner):
    """Of a worker whose environment could not be set up: everything fails with ``fault``."""

    def __init__(self, worker: Host, fault: Fault) -> None:
        super().__init__(worker)
        self._fault = fault

    def _call(self, job: Job) -> tuple[bytes | list[Value], bool]:
        return [self._fault], True

    def load_code(self, fn: bytes) -> Callable[..., Any]:
        raise RuntimeError(self._fault.message)

    def describe(
        self, error: BaseException, function: str, task: bytes, attempt: int = 0, max_attempts: int = 1
    ) -> Failed | Fault:
        return self._fault
