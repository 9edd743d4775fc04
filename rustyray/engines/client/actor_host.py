"""The actor that lives in a worker: its construction, and how its calls run.

plain      on the main thread, one after the other
threaded   (``max_concurrency`` > 1, or concurrency groups) on a pool of threads for each group
async      (any coroutine method) on one event loop in a thread of its own, up to ``max_concurrency`` at a time (of each
           concurrency group: as many as that allows)

What a thread is, the engine says.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rustyray.core.jobs import Job
from rustyray.core.owner.lent import keep, lent
from rustyray.engines.client.producing import Abandoned
from rustyray.engines.client.running import ActorExit, Outcome
from rustyray.engines.client.waiter import Waiter
from rustyray.model.messages import ActorExited, ActorSpec, ActorStarted, Call, StartActor
from rustyray.model.resources import as_amounts
from rustyray.model.values import Failed, Fault, FaultKind, Value
from rustyray.runtime import context, tracing
from rustyray.runtime.context import HostedActor, TaskContext
from rustyray.runtime.engine import ActorHandleState

if TYPE_CHECKING:
    import asyncio

    from rustyray.engines.client.ports import Host, Pool

#: How many calls of an async actor run at once unless it says otherwise (as in Ray).
ASYNC_CONCURRENCY: Final = 1000


class ActorHost:
    """One incarnation of an actor."""

    def __init__(self, worker: Host, message: StartActor) -> None:
        self.worker = worker
        self.spec = message.spec
        self.incarnation = message.incarnation
        self.actor = message.spec.actor
        self.class_name = message.spec.class_name
        self.instance: Any = None
        #: Whether it is over and the node knows; so it is when its constructor raised.
        self.left = False
        spec = message.spec
        handle = ActorHandleState(spec.actor, spec.owner_address, spec.handle_meta, spec.max_task_retries, None)
        self._hosted = HostedActor(handle, spec.name, spec.namespace, message.incarnation)
        self._resources = as_amounts(spec.resources)
        self._gpus = message.gpus
        self._methods: dict[str, Callable[..., Any]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: dict[bytes, asyncio.Task[Any]] = {}
        #: By concurrency group; the default one has no name.
        self._sizes = {"": spec.max_concurrency or (ASYNC_CONCURRENCY if spec.is_async else 1), **spec.groups}
        self._limits: dict[str, asyncio.Semaphore] = {}
        self._pools: dict[str, Pool] = {}

    def describe(self) -> str:
        """The actor as errors name it: its ``repr`` if it has one of its own."""
        if not any("__repr__" in vars(cls) for cls in type(self.instance).__mro__[:-1]):
            return f"{self.class_name}({self.actor.hex()[-12:]})"
        try:
            return repr(self.instance)
        except Exception as error:  # noqa: BLE001 - a broken repr must not hide the error that is being told
            return f"{self.class_name} (its repr raised {type(error).__name__})"

    def describe_in(self, ctx: TaskContext) -> None:
        """Tell the context of a call about the actor that it is a call of."""
        ctx.hosted = self._hosted
        ctx.resources = self._resources
        ctx.gpus = self.worker.runner.gpus
        ctx.strategy = self.spec.strategy

    def method(self, name: str) -> Callable[..., Any]:
        bound = self._methods.get(name)
        if bound is None:
            bound = self._methods[name] = self._bind(name)
        return bound

    def _bind(self, name: str) -> Callable[..., Any]:
        if name == "__ray_ready__":
            return lambda: True
        if name == "__ray_terminate__":
            return self.exit_from_inside
        if name == "__ray_call__":
            return lambda function, *args, **kwargs: function(self.instance, *args, **kwargs)
        bound: Callable[..., Any] = getattr(self.instance, name)
        return bound

    # --- construction -------------------------------------------------------------------------------------------------

    def construct(self) -> None:
        """Make the instance and tell the node how that went."""
        worker, spec = self.worker, self.spec
        failed: Failed | Fault | None = None
        worker.executor.producers.limit = spec.ahead
        if self._gpus:
            worker.runner.show_gpus(self._gpus)
        ctx = TaskContext(worker.place.job, spec.actor, f"{self.class_name}.__init__", self.incarnation, spec.actor)
        self.describe_in(ctx)
        token = context.current_task.set(ctx)
        harness = context.harness
        try:
            if harness is not None:
                harness.before_task()
            worker.functions[spec.fn] = (spec.blob, spec.class_name)
            cls = worker.runner.load_code(spec.fn)
            args, kwargs = worker.runner.arguments(_as_call(spec))
            self.instance = cls(*args, **kwargs)
            del args, kwargs
            if spec.is_async:
                self._start_loop()
        except BaseException as error:  # noqa: BLE001 - the constructor is the user's code
            failed = worker.runner.describe(error, f"{self.class_name}.__init__", spec.actor)
            self.left = True
        finally:
            if harness is not None:
                harness.after_task()
            context.current_task.reset(token)
        self._keep()
        place = worker.place
        started = ActorStarted(self.actor, self.incarnation, place.worker, place.address, worker.pid, failed)
        with worker.pump.lock:
            worker.pump.hub.send(place.node, started)
            worker.pump.flush()

    def _keep(self) -> None:
        """Of the refs that the constructor was given, those that are still held."""
        worker, given = self.worker, lent(self.spec)
        if not given:
            return
        with worker.pump.lock:
            worker.pump.settle()
            keep(worker.core.refs, given)
            worker.pump.carry_out()
        if self.left:
            worker.say_last()

    # --- calls --------------------------------------------------------------------------------------------------------

    def dispatch(self, job: Job) -> bool:
        """Run a call elsewhere than on the main thread, if the actor is of that kind; False if it is not."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._begin, job)
            return True
        if self.spec.max_concurrency > 1 or self.spec.groups:
            self._to_thread(job)
            return True
        return False

    def _to_thread(self, job: Job) -> None:
        group = group_of(job)
        pool = self._pools.get(group)
        if pool is None:
            pool = self._pools[group] = self.worker.start_pool(self._sizes[group], self.actor)
        pool.submit(self._run_in_thread, job)

    def _run_in_thread(self, job: Job) -> None:
        runner = self.worker.runner
        job.begun = self.worker.pump.clock()
        runner.report_now(self._never_ran(job) if job.cancelled else runner.run(job))

    # --- async --------------------------------------------------------------------------------------------------------

    def _start_loop(self) -> None:
        import asyncio

        self._limits = {group: asyncio.Semaphore(size) for group, size in self._sizes.items()}
        self._loop = self.worker.start_loop()

    def _begin(self, job: Job) -> None:
        assert self._loop is not None
        task = self._loop.create_task(self._run_async(job) if job.task.trace is None else self._run_traced(job))
        self._running[job.task.id] = task
        task.add_done_callback(lambda ended: self._has_ended(job, ended))
        if job.cancelled:
            task.cancel()

    def _has_ended(self, job: Job, task: asyncio.Task[Any]) -> None:
        self._running.pop(job.task.id, None)
        if task.cancelled():  # before its first step, so that it could not report that itself
            self.worker.runner.report_now(self._never_ran(job))

    async def _run_traced(self, job: Job) -> None:
        tracer, runner = tracing.active, self.worker.runner
        if tracer is None or job.task.trace is None:
            await self._run_async(job)
            return
        with tracer.running(job.task.trace, runner.name_of(job.task), runner.ids(job)) as span:
            error = await self._run_async(job)
            if error is not None:
                tracer.failed(span, error)

    async def _run_async(self, job: Job) -> Value | None:
        """Returns the error, if it ended with one."""
        import asyncio

        runner, clock, harness = self.worker.runner, self.worker.pump.clock, context.harness
        begun = clock()
        try:
            async with self._limits[group_of(job)]:
                begun = job.begun = clock()
                context.current_task.set(runner.context_of(job))
                if harness is not None:
                    harness.before_task()
                function = runner.callable_for(job.task)
                args, kwargs = runner.arguments(job.task) if job.task.args or job.task.deps else ((), {})
                result = function(*args, **kwargs)
                if job.task.returns < 0:
                    values, failed = await runner.producing.run_async(job, result)
                else:
                    if inspect.isawaitable(result):
                        result = await result
                    elif inspect.isasyncgen(result):
                        result = [item async for item in result]
                    values, failed = runner.pack_result(job, result)
                del args, kwargs
        except ActorExit:
            return None
        except SystemExit as error:
            self._end(error)
            return None
        except Abandoned:
            self.worker.abandon(job)
            return None
        except asyncio.CancelledError as error:
            values, failed = [self._cancelled(job) if job.cancelled else runner.failure(job, error)], True
        except BaseException as error:  # noqa: BLE001 - whatever the user's code raises is the caller's to know
            values, failed = [runner.failure(job, error)], True
        if harness is not None:
            harness.after_task()
        runner.report_now((job, values, failed, clock() - begun))
        return values[0] if failed and isinstance(values, list) else None

    def _end(self, error: SystemExit) -> None:
        """As `Runner.end`; the loop is not to see it."""
        try:
            self.worker.runner.end(error)
        except ActorExit:
            pass  # the worker's main program ends the process

    def _finish_coroutines(self) -> None:
        import asyncio

        over = Waiter()
        pump = self.worker.pump

        async def rest() -> None:
            while self._running:
                await asyncio.wait(list(self._running.values()))
            with pump.lock:
                pump.finish(over)
            pump.hub.wake()

        loop = self._loop
        assert loop is not None
        ending: list[asyncio.Task[None]] = []
        # Made by the loop itself: a coroutine would be left over if the process ends before the loop comes to it.
        loop.call_soon_threadsafe(lambda: ending.append(loop.create_task(rest())))
        pump.wait(over, None)

    def coroutines(self) -> list[asyncio.Task[Any]]:
        """The calls that run on the loop."""
        return list(self._running.values())

    def _never_ran(self, job: Job) -> Outcome:
        return job, [self._cancelled(job, "before it started")], True, 0.0

    def _cancelled(self, job: Job, when: str = "while it ran") -> Fault:
        task = job.task
        return Fault(
            FaultKind.TASK_CANCELLED,
            f"the call was cancelled {when}",
            task=task.id,
            function=self.worker.runner.name_of(task),
            actor=self.actor,
        )

    # --- interruption and the end -------------------------------------------------------------------------------------

    def interrupt(self, task: bytes) -> None:
        """Cancel a running call: a coroutine is cancelled, a plain method finds out by asking `is_canceled()`."""
        ctx = self.worker.runner.contexts.get(task)
        if ctx is not None:
            ctx.cancelled = True
        running = self._running.get(task)
        if running is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(running.cancel)

    def exit_from_inside(self, reason: str = "exit_actor() was called") -> NoReturn:
        """End the actor from one of its own methods; what is queued behind that does not run any more."""
        self.worker.leave(reason)
        raise ActorExit

    def leave(self, reason: str) -> None:
        """Let what runs come to its end, then tell the head that this is a planned end."""
        for pool in self._pools.values():
            pool.shutdown(wait=True)
        if self._loop is not None:
            self._finish_coroutines()
        if not self.left:
            self.left = True
            self._shut_down()
            with self.worker.pump.lock:
                self.worker.executor.farewell(self.actor, self.incarnation, reason)
                self.worker.pump.carry_out()
                exited = ActorExited(self.actor, self.incarnation, reason)
                self.worker.pump.hub.send(self.worker.place.node, exited)

    def _shut_down(self) -> None:
        """Run the actor's ``__ray_shutdown__``, if it has one (as in Ray); its error is printed, and ends nothing."""
        hook = getattr(self.instance, "__ray_shutdown__", None)
        if hook is None:
            return
        ctx = TaskContext(
            self.worker.place.job, self.actor, f"{self.class_name}.__ray_shutdown__", self.incarnation, self.actor
        )
        self.describe_in(ctx)
        token = context.current_task.set(ctx)
        try:
            hook()
        except Exception:  # noqa: BLE001 - the user's code
            traceback.print_exc()
        finally:
            context.current_task.reset(token)


def group_of(job: Job) -> str:
    """The concurrency group of a call."""
    return job.task.group if isinstance(job.task, Call) else ""


def _as_call(spec: ActorSpec) -> Call:
    """The constructor's arguments, in the form of a call's."""
    return Call(spec.actor, spec.actor, "__init__", 0, spec.args, 0, 0, 1, spec.deps, spec.buffers, spec.refs)
