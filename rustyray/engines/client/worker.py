"""``WorkerClient``: what a worker does besides asking: it takes jobs, runs them one after the other, and reports.

The main program runs the user's code; between two jobs, when there is none, it waits. Results gather while jobs follow
one another quickly, and are sent when the queue is empty or the oldest is a millisecond old. How a running job is
interrupted, and how the process ends, the engine says.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final, NoReturn

import msgspec

from rustyray.core.effects import Effect
from rustyray.core.executor import ExecutorCore
from rustyray.core.jobs import Interrupt, Job, Start, Stop
from rustyray.core.owner.waits import LISTED, tell_objects
from rustyray.core.producing import GoOn
from rustyray.core.telling import Teller
from rustyray.engines.client.actor_host import ActorHost
from rustyray.engines.client.client import Client
from rustyray.engines.client.running import Outcome, RefusingRunner, Runner
from rustyray.engines.client.waiter import Waiter
from rustyray.model.messages import (
    DefineFunction,
    Message,
    OwnerDied,
    Report,
    StartActor,
    StopWorker,
    WorkerDied,
    WorkerReady,
    WorkerStays,
)
from rustyray.model.states import TaskState, WorkerState
from rustyray.model.values import Fault, FaultKind

if TYPE_CHECKING:
    import asyncio

    from rustyray.core.owner import OwnerCore
    from rustyray.engines.client.ports import Place, Pool, Pump
    from rustyray.engines.client.store import Store
    from rustyray.model.events import Query
    from rustyray.model.ids import ActorID
    from rustyray.runtime.engine import ProcessContext, ShutdownReport

#: Seconds for which a result may wait for company while the next job already runs.
LINGER: Final = 0.001
#: Seconds that the owners of refs which this process passed on have to acknowledge it, before it ends.
FAREWELL: Final = 0.2
#: The same where the process may go on, and others let go of what they have lent when they hear that its actor is over.
STAYS: Final = 5.0
#: Seconds between two looks at whether a process is still needed whose actor is over.
LOOK: Final = 0.05


class WorkerClient(Client):
    """A client that also executes. Engines make one in two steps: the pump needs the ``handlers`` that are made here.

    Args:
        place: which worker this is.
        core: its owner core.
        pid: its process' number.
    """

    def __init__(self, place: Place, core: OwnerCore, pid: int) -> None:
        self.place = place
        self.pid = pid
        self.executor = ExecutorCore(place.worker, place.node, core.out, core.refs.release)
        core.timed.append(self.executor.producers)
        self.functions: dict[bytes, tuple[bytes, str]] = {}
        self.runner = Runner(self)
        self.actor: ActorHost | None = None
        self.handlers: dict[type, Any] = dict.fromkeys(ExecutorCore.takes, self._to_executor)
        self.handlers[StopWorker] = self._on_stop_worker
        self.handlers[DefineFunction] = self._define
        self.handlers[WorkerDied] = self.handlers[OwnerDied] = self._process_died
        self._work = Waiter()
        self._todo: list[Start | Stop] = []
        self._stop: Stop | None = None
        self._main_job: Job | None = None

    def attach(self, core: OwnerCore, pump: Pump, store: Store, process: ProcessContext) -> None:
        """The second step."""
        Client.__init__(self, core, pump, store, process)

    # --- what the engine says -----------------------------------------------------------------------------------------

    @abstractmethod
    def end_now(self) -> None:
        """End the process at once, without a word."""

    @abstractmethod
    def exit_with(self, code: int) -> NoReturn:
        """End the process as an interpreter ends: its exit hooks run first."""

    @abstractmethod
    def interrupt_main(self, task: bytes) -> None:
        """Raise KeyboardInterrupt in the main program, which runs this task. With the lock held."""

    @abstractmethod
    def main_job_is_over(self) -> None:
        """What was to interrupt it must not hit the next one. With the lock held."""

    @abstractmethod
    def kill_now(self) -> None:
        """End the process as the kernel would. With the lock held."""

    @abstractmethod
    def set_up(self) -> None:
        """Make of this process what its environment says, before it runs anything."""

    def own_variables(self) -> None:
        """What is changed in `os.environ` from now on is changed for this process alone, as it is in a real one."""

    @abstractmethod
    def is_main(self) -> bool:
        """Whether it is the main program that asks, and not another thread of the process."""

    @abstractmethod
    def start_loop(self) -> asyncio.AbstractEventLoop: ...

    @abstractmethod
    def start_pool(self, size: int, actor: ActorID) -> Pool: ...

    # --- what arrives, with the lock held -----------------------------------------------------------------------------

    def _to_executor(self, peer: bytes, message: Message, now: float) -> None:
        self.executor.on_message(peer, message)
        if not self._work.done and (self.executor.queue or self._todo):
            self.pump.finish(self._work)

    def abandon(self, job: Job) -> None:
        with self.pump.lock:
            self.executor.ended(job)
            if not self._work.done and self.executor.queue:
                self.pump.finish(self._work)
        self.pump.hub.wake()

    def _on_stop_worker(self, peer: bytes, message: StopWorker, now: float) -> None:
        if message.if_unneeded and (self.executor.queue or self.executor.running or self.core.unfinished.is_needed()):
            self.pump.hub.send(self.place.node, WorkerStays())
        else:
            self._to_executor(peer, message, now)

    def _define(self, peer: bytes, message: DefineFunction, now: float) -> None:
        self.functions[message.fn] = (message.blob, message.name)

    def _process_died(self, peer: bytes, message: WorkerDied | OwnerDied, now: float) -> None:
        self.executor.owner_died(message.worker)
        self.core.on_message(peer, message, now)

    def perform(self, effect: Effect) -> bool:
        """Carry out an effect of the executor; False if it is not one."""
        if isinstance(effect, GoOn):
            self.runner.producing.go_on(effect.task)
        elif isinstance(effect, Interrupt):
            self._interrupt_job(effect)
        elif isinstance(effect, Start | Stop):
            self._todo.append(effect)
            if isinstance(effect, Stop) and not effect.graceful:
                self.end_now()
            if not self._work.done:
                self.pump.finish(self._work)
        else:
            return False
        return True

    def _interrupt_job(self, effect: Interrupt) -> None:
        if effect.force:
            self.kill_now()
            return
        if effect.recursive:
            self.core.cancels.children(effect.task, False, self.pump.clock())
        if self.actor is not None:
            self.actor.interrupt(effect.task)
        elif self._main_job is not None and self._main_job.task.id == effect.task:
            self.interrupt_main(effect.task)

    # --- running ------------------------------------------------------------------------------------------------------

    def serve(self, node_address: str) -> None:
        """Report to the node, and work until told to stop."""
        pump, executor, clock = self.pump, self.executor, self.pump.clock
        with pump.lock:
            pump.hub.send(self.place.node, WorkerReady(self.place.worker, self.pid, self.place.address), node_address)
            pump.hub.flush()
        if self.env:
            self._set_up()
        sent = clock()
        ended: Outcome | None = None
        while True:
            with pump.lock:
                self._main_job = None
                if ended is not None:
                    self.runner.report(ended)
                    self.main_job_is_over()
                if pump.dropped or pump.unpinned:
                    pump.settle()
                now = clock()
                job = executor.start_next(now)
                if job is None or now - sent > LINGER:
                    executor.flush()
                    pump.flush()
                    sent = now
                self._main_job = job
                if job is None and not self._todo:
                    self._work = Waiter()
            ended = None
            if job is not None:
                if self.actor is None or not self.actor.dispatch(job):
                    ended = self.runner.run(job)
            elif self._todo:
                self._do(self._todo.pop(0))
            elif self._stop is not None:
                self._take_leave(self._stop.reason)
                return
            else:
                pump.wait(self._work, None)

    def _set_up(self) -> None:
        try:
            self.set_up()
        except BaseException as error:  # noqa: BLE001 - the hook is the user's code
            place = self.place
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            text = f"Worker {self.pid} could not be set up: {reason}"
            fault = Fault(FaultKind.RUNTIME_ENV, text, pid=self.pid, worker=place.worker, node=place.node)
            self.runner = RefusingRunner(self, fault)

    def _do(self, what: Start | Stop) -> None:
        if isinstance(what, Start):
            self._start_actor(what.message)
        else:
            self._stop = what

    def _start_actor(self, message: StartActor) -> None:
        self.actor = ActorHost(self, message)
        self.actor.construct()
        if self.actor.left:
            self.leave("its actor failed to start")

    def leave(self, reason: str) -> None:
        """End by an own wish (``exit_actor``): nothing that is queued or still comes is run. Without the lock."""
        with self.pump.lock:
            self.executor.leave()
            self._todo.append(Stop(True, reason, may_stay=True))
            if not self._work.done:
                self.pump.finish(self._work)
        self.pump.hub.wake()

    def _take_leave(self, reason: str) -> None:
        self.say_last(STAYS if self._stop is not None and self._stop.may_stay else FAREWELL)
        if self.actor is not None:
            self.actor.leave(reason)
            self.say_last(FAREWELL)

    def say_last(self, patience: float = STAYS) -> None:
        """Send what has gathered, return idle workers, and let the owners of refs that were passed on hear of it."""
        pump = self.pump
        with pump.lock:
            self.executor.flush()
            self.core.sched.on_reclaim(pump.clock())
            pump.flush()
        deadline = pump.clock() + patience
        while self.core.refs.passed_on and (now := pump.clock()) < deadline:
            pump.wait(Waiter(), min(deadline, now + 0.01))

    def stay(self) -> None:
        """The process of an actor that is over ends when nobody needs what it owns, or when it is told to."""
        stop, pump = self._stop, self.pump
        if stop is None or not stop.may_stay:
            return
        self.actor = None
        with pump.lock:
            pump.settle()
            self.core.retire()
            needed = self.core.unfinished.is_needed()
            if needed:
                pump.hub.send(self.place.node, WorkerStays())
            pump.flush()
        while needed and not any(isinstance(what, Stop) and not what.may_stay for what in self._todo):
            pump.wait(self._work, pump.clock() + LOOK)
            with pump.lock:
                self._work = Waiter()  # done when there is something to do
                needed = self.core.unfinished.is_needed()
        with pump.lock:
            self.core.sched.on_reclaim(pump.clock())
            pump.flush()

    # --- looking inside -----------------------------------------------------------------------------------------------

    def tell(self, query: Query, now: float) -> Report:
        report = super().tell(query, now)
        report.role, report.pid = "worker", self.pid
        teller = Teller("worker", self.core.me, self.place.node, query, now)
        report.events = teller.told(report.events, self.executor.events(teller))
        executor = self.executor
        if report.stats is not None:
            running, behind = len(executor.running), len(executor.queue)
            report.stats = msgspec.structs.replace(
                report.stats, pid=self.pid, ran=executor.count, running=running, behind=behind
            )
        if query.states:
            report.workers = [self._state(now)]
        return report

    def _state(self, now: float) -> WorkerState:
        """What runs here, and what it waits for: what any thread of the process does, if several run."""
        waiting = [object_ for object_, waiters in self.pump.waiting.items() if waiters]
        objects = tell_objects(self.core, waiting)
        runs = [
            TaskState(
                task_id=job.task.id.hex(),
                name=self.runner.name_of(job.task),
                state="running",
                seconds=now - self.executor.begun_of(job),
                attempt=job.task.attempt,
                actor_id=self.actor.actor.hex() if self.actor is not None else "",
                worker_id=self.core.me.hex(),
                awaits=[object_.hex() for object_ in waiting[:LISTED]],
                waits_for=objects or self.executor.producers.waits_for(job.task.id),
            )
            for job in self.executor.running.values()
        ]
        return WorkerState(
            worker_id=self.core.me.hex(), node_id=self.place.node.hex(), pid=self.pid, state="", seconds=0.0, runs=runs
        )

    # --- what differs from a driver -----------------------------------------------------------------------------------

    def _block(self, waiter: Waiter, deadline: float | None) -> bool:
        if self._main_job is None or not self.is_main():
            return self.pump.wait(waiter, deadline)
        with self.pump.lock:
            if waiter.done:
                return True
            self.executor.block()
            self.pump.carry_out()
        try:
            return self.pump.wait(waiter, deadline)
        finally:
            with self.pump.lock:
                self.executor.unblock()
                self.pump.carry_out()

    def block(self, waiter: Waiter) -> None:
        """Have the thread that runs the user's code wait, as in `get`."""
        self._block(waiter, None)

    def exit_actor(self) -> None:
        if self.actor is None:
            super().exit_actor()
        else:
            self.actor.exit_from_inside()

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        raise RuntimeError("shutdown() is the driver's to call; a task that is done just returns")
