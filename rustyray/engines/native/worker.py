"""A worker process: forked by its node, it runs tasks, or one actor, until it is told to stop.

The main thread runs the user's code; between two jobs, when there is none, it leads the pump. A cancelled task is
interrupted by a signal.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from types import FrameType
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from rustyray.core.effects import Effect, Warn
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.store import Store
from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.debugging import refuse_breakpoint
from rustyray.engines.native.interrupts import in_runtime
from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.outputs import write_nowhere
from rustyray.engines.native.processes.boot import LOG_LEVEL, WorkerBoot
from rustyray.engines.native.processes.forks import ForkedError
from rustyray.engines.native.pump import Pump, show_warning
from rustyray.model.messages import (
    HEAD,
    KeepApart,
    KeptApart,
    Role,
)
from rustyray.runtime import context, tracing
from rustyray.runtime.engine import ProcessContext
from rustyray.runtime.serialization import loads

if TYPE_CHECKING:
    import asyncio

    from rustyray.engines.client.ports import Pool
    from rustyray.model.ids import ActorID

#: Seconds between two attempts to interrupt a cancelled task that was not at a place where it could be.
RETRY_INTERRUPT: Final = 0.02


class Worker(WorkerClient):
    """The engine inside a worker process."""

    pump: Pump

    def __init__(self, boot: WorkerBoot) -> None:
        listeners = [addresses.listen(boot.address)]
        if boot.tcp:
            listeners.append(addresses.listen(addresses.any_port(boot.host), encrypted=boot.certificates is not None))
            boot = msgspec.structs.replace(boot, address=addresses.format_address(listeners[1]))
        core = OwnerCore(boot.worker, boot.address, boot.node, boot.job, random.Random(boot.worker).random)
        super().__init__(boot, core, os.getpid())
        self.boot = boot
        hub = Hub(
            role=Role.WORKER,
            identity=boot.worker,
            session=boot.session,
            key=boot.key,
            on_lost=self._peer_lost,
            near=boot.node,
            certificates=boot.certificates,
        )
        for listener in listeners:
            hub.listen(listener)
        pump = Pump(hub, core, boot.head, boot.head_address, self.handlers, self._effect)
        pump.judge = self.judge
        store = Store(Arena(boot.arena_fd, boot.arena_size), boot.node, pump)
        me, here, head = boot.worker, boot.address, boot.head_address
        where = ProcessContext(
            boot.job, boot.node, me, boot.namespace, here, False, boot.session_dir, head, boot.temp_dir
        )
        self.attach(core, pump, store, where)
        self.env = boot.env
        self.handlers[KeepApart] = self._keep_apart
        self._interrupt: bytes = b""
        #: The pump was asked to raise where the job waits; once it has, the job is not interrupted again.
        self._noted = False

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def _peer_lost(self, peer: bytes, reason: str) -> None:
        if peer == self.boot.node:
            os._exit(1)  # a worker without its node has nobody to work for, and nobody to tell
        now = time.monotonic()
        self.executor.producers.caller_lost(peer)
        if peer == self.boot.head:
            self.core.on_peer_lost(HEAD, reason, now)
        if peer != HEAD:
            self.core.on_peer_lost(peer, reason, now)

    def _keep_apart(self, peer: bytes, message: KeepApart, now: float) -> None:
        if peer != self.boot.node:
            raise PermissionError("only its node keeps a worker apart from others")
        if message.cut:
            self.pump.hub.cut_off(message.nodes, self.boot.driver)
        else:
            self.pump.hub.keep_apart(message.nodes, self.boot.driver)
        self.pump.hub.send(peer, KeptApart())

    def _effect(self, effect: Effect) -> None:
        if not self.perform(effect) and isinstance(effect, Warn):
            show_warning(effect)

    def end_now(self) -> NoReturn:
        os._exit(0)

    def kill_now(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    # --- interruption -------------------------------------------------------------------------------------------------

    def interrupt_main(self, task: bytes) -> None:
        self._interrupt, self._noted = task, False
        self.pump.deferred.append(self._send_interrupt)

    def main_job_is_over(self) -> None:
        self._interrupt = b""
        self.pump.interrupted = False

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
        self.pump.start()
        self.serve(self.boot.node_address)
        self._say_goodbye()
        self.stay()
        os._exit(0)

    def exit_with(self, code: int) -> NoReturn:
        self._say_goodbye()
        os._exit(code)

    @staticmethod
    def _say_goodbye() -> None:
        """What the interpreter does at its end."""
        import atexit

        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                pass  # whoever read it is gone

    def set_up(self) -> None:
        self.environments.set_variables()
        self.environments.unpack(self.boot.packages)
        self.environments.run_hook()

    def is_main(self) -> bool:
        return threading.current_thread() is threading.main_thread()

    def start_loop(self) -> asyncio.AbstractEventLoop:
        import asyncio

        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="rustyray-asyncio", daemon=True).start()
        return loop

    def start_pool(self, size: int, actor: ActorID) -> Pool:
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(size, "rustyray-actor")


def main(boot: WorkerBoot) -> NoReturn:
    """The life of a forked worker process."""
    if boot.quiet:
        write_nowhere()
    worker = Worker(boot)
    context.set_engine(worker)
    if boot.logging is not None or boot.log_level != LOG_LEVEL:
        from rustyray.model.logging_config import LoggingConfig
        from rustyray.runtime import logs

        logs.configure(None if boot.logging is None else LoggingConfig(*boot.logging), boot.log_level)
    if boot.tracing_hook:
        tracing.start(loads(boot.tracing_hook))
    sys.breakpointhook = refuse_breakpoint
    if context.harness is not None:
        context.harness.begin()
    signal.signal(signal.SIGINT, worker.on_signal)
    try:
        worker.run()
    except ForkedError:
        os._exit(0)  # a child that a task forked has come back from the task: that was all there was for it to do
