"""A worker process: forked by its node, it runs tasks, or one actor, until it is told to stop.

The main thread runs the user's code; between two jobs, when there is none, it leads the pump. Results gather while jobs
follow one another quickly, and are sent when the queue is empty or the oldest is a millisecond old.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rustyray.core.effects import Effect, Warn
from rustyray.core.executor import ExecutorCore, Interrupt, Job, Start, Stop
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.actor_host import ActorHost
from rustyray.engines.client.client import Client
from rustyray.engines.client.running import Outcome, Runner
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native import address as addresses
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.boot import WorkerBoot
from rustyray.engines.native.forks import ForkedError
from rustyray.engines.native.hub import Hub
from rustyray.engines.native.interrupts import in_runtime
from rustyray.engines.native.pump import Pump, show_warning
from rustyray.model.messages import (
    DefineFunction,
    Message,
    OwnerDied,
    Role,
    StartActor,
    StopWorker,
    WorkerDied,
    WorkerReady,
    WorkerStays,
)
from rustyray.runtime import context
from rustyray.runtime.engine import ProcessContext, ShutdownReport

if TYPE_CHECKING:
    import asyncio

    from rustyray.engines.client.ports import Pool
    from rustyray.model.ids import ActorID

#: Seconds for which a result may wait for company while the next job already runs.
LINGER: Final = 0.001
#: Seconds between two attempts to interrupt a cancelled task that was not at a place where it could be.
RETRY_INTERRUPT: Final = 0.02
#: Seconds that the owners of refs which this process passed on have to acknowledge it, before it ends.
FAREWELL: Final = 0.2


class Worker(Client):
    """The engine inside a worker: a client that also executes."""

    pump: Pump

    def __init__(self, boot: WorkerBoot) -> None:
        self.boot = boot
        self.pid = os.getpid()
        hub = Hub(role=Role.WORKER, identity=boot.worker, session=boot.session, key=boot.key, on_lost=self._peer_lost)
        hub.listen(addresses.listen(boot.address))
        core = OwnerCore(boot.worker, boot.address, boot.node, boot.job, random.Random(boot.worker).random)
        self.executor = ExecutorCore(boot.worker, boot.node, core.out)
        handlers: dict[type, Any] = dict.fromkeys(ExecutorCore.takes, self._to_executor)
        self.functions: dict[bytes, tuple[bytes, str]] = {}
        handlers[StopWorker] = self._on_stop_worker
        handlers[DefineFunction] = self._define
        handlers[WorkerDied] = handlers[OwnerDied] = self._process_died
        pump = Pump(hub, core, boot.node, handlers, self._effect)
        pump.judge = self.judge
        store = Store(Arena(boot.arena_fd, boot.arena_size), boot.node, pump)
        where = ProcessContext(boot.job, boot.node, boot.worker, boot.namespace, boot.address, False, boot.session_dir)
        super().__init__(core, pump, store, where)
        self.runner = Runner(self)
        self.actor: ActorHost | None = None
        self._work = Waiter()
        self._todo: list[Start | Stop] = []
        self._stop: Stop | None = None
        self._main_job: Job | None = None
        self._interrupt: bytes = b""
        #: The pump was asked to raise where the job waits; once it has, the job is not interrupted again.
        self._noted = False

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def _peer_lost(self, peer: bytes, reason: str) -> None:
        if peer == self.boot.node:
            os._exit(1)  # a worker without its node has nobody to work for, and nobody to tell
        self.core.on_peer_lost(peer, reason, time.monotonic())

    def _to_executor(self, peer: bytes, message: Message, now: float) -> None:
        self.executor.on_message(peer, message)
        if not self._work.done and (self.executor.queue or self._todo):
            self.pump.finish(self._work)

    def _on_stop_worker(self, peer: bytes, message: StopWorker, now: float) -> None:
        if message.if_unneeded and (self.executor.queue or self.executor.running or self.core.owns_objects()):
            self.pump.hub.send(self.boot.node, WorkerStays())
        else:
            self._to_executor(peer, message, now)

    def _define(self, peer: bytes, message: DefineFunction, now: float) -> None:
        self.functions[message.fn] = (message.blob, message.name)

    def _process_died(self, peer: bytes, message: WorkerDied | OwnerDied, now: float) -> None:
        self.executor.owner_died(message.worker)
        self.core.on_message(peer, message, now)

    def _effect(self, effect: Effect) -> None:
        if isinstance(effect, Interrupt):
            self._interrupt_job(effect)
        elif isinstance(effect, Start | Stop):
            self._todo.append(effect)
            if isinstance(effect, Stop) and not effect.graceful:
                os._exit(0)
            if not self._work.done:
                self.pump.finish(self._work)
        elif isinstance(effect, Warn):
            show_warning(effect)

    def _interrupt_job(self, effect: Interrupt) -> None:
        if effect.force:
            os.kill(os.getpid(), signal.SIGKILL)
        if effect.recursive:
            self.core.cancel_children(effect.task, False, time.monotonic())
        if self.actor is not None:
            self.actor.interrupt(effect.task)
        elif self._main_job is not None and self._main_job.task.id == effect.task:
            self._interrupt, self._noted = effect.task, False
            self.pump.deferred.append(self._send_interrupt)

    def _send_interrupt(self) -> None:
        """Signal the main thread until it has taken notice: it may be between two places where it could."""
        if self._is_to_be_interrupted():
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
            timer = threading.Timer(RETRY_INTERRUPT, self._send_interrupt)
            timer.daemon = True
            timer.start()

    def _is_to_be_interrupted(self) -> bool:
        job = self._main_job
        if job is None or job.task.id != self._interrupt or (self._noted and not self.pump.interrupted):
            self._interrupt = b""
            return False
        return True

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """SIGINT, in the main thread. Our own code is not interrupted in the middle: it raises where it waits."""
        if not self._is_to_be_interrupted():
            return
        if in_runtime(frame):
            self._noted = True
            self.pump.interrupt()
            return
        self._interrupt = b""
        self.pump.interrupted = False
        raise KeyboardInterrupt

    # --- running ------------------------------------------------------------------------------------------------------

    def run(self) -> NoReturn:
        """Work until told to stop; ends the process."""
        pump, executor = self.pump, self.executor
        pump.start()
        with pump.lock:
            ready = WorkerReady(self.boot.worker, os.getpid(), self.boot.address)
            pump.hub.send(self.boot.node, ready, self.boot.node_address)
            pump.hub.flush()
        sent = time.monotonic()
        ended: Outcome | None = None
        while True:
            with pump.lock:
                self._main_job = None
                if ended is not None:
                    self.runner.report(ended)
                    self._interrupt = b""
                    pump.interrupted = False
                if pump.dropped or pump.unpinned:
                    pump.settle()
                job = executor.start_next()
                now = time.monotonic()
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
                self._exit()
            else:
                pump.wait(self._work, None)

    def _do(self, what: Start | Stop) -> None:
        if isinstance(what, Start):
            self._start_actor(what.message)
        else:
            self._stop = what

    def _start_actor(self, message: StartActor) -> None:
        self.actor = ActorHost(self, message)
        self.actor.construct()

    def leave(self, reason: str) -> None:
        """End by an own wish (``exit_actor``): nothing that is queued or still comes is run. Without the lock."""
        with self.pump.lock:
            self.executor.leave()
            self._todo.append(Stop(True, reason))
            if not self._work.done:
                self.pump.finish(self._work)
        self.pump.hub.wake()

    def _exit(self) -> NoReturn:
        reason = self._stop.reason if self._stop is not None else ""
        self._say_last()
        if self.actor is not None:
            self.actor.leave(reason)
            self._say_last()
        import atexit

        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # whoever read it is gone
        os._exit(0)

    def _say_last(self) -> None:
        """Send what has gathered, return idle workers, and let the owners of refs that were passed on hear of it."""
        pump = self.pump
        with pump.lock:
            self.executor.flush()
            self.core.sched.on_reclaim(time.monotonic())
            pump.flush()
        deadline = time.monotonic() + FAREWELL
        while self.core.refs.has_unacknowledged and (now := time.monotonic()) < deadline:
            pump.wait(Waiter(), min(deadline, now + 0.01))

    # --- what differs from a driver -----------------------------------------------------------------------------------

    def _block(self, waiter: Waiter, deadline: float | None) -> bool:
        if self._main_job is None or threading.current_thread() is not threading.main_thread():
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

    def start_loop(self) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="rustyray-asyncio", daemon=True).start()
        return loop

    def start_pool(self, size: int, actor: ActorID) -> Pool:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(size, "rustyray-actor")

    def exit_actor(self) -> None:
        if self.actor is None:
            super().exit_actor()
        else:
            self.actor.exit_from_inside()

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        raise RuntimeError("shutdown() is the driver's to call; a task that is done just returns")


def main(boot: WorkerBoot) -> NoReturn:
    """The life of a forked worker process."""
    worker = Worker(boot)
    context.set_engine(worker)
    signal.signal(signal.SIGINT, worker.on_signal)
    try:
        worker.run()
    except ForkedError:
        os._exit(0)  # a child that a task forked has come back from the task: that was all there was for it to do
