"""What all drivers have in common, whether the runtime is their own or a cluster that they have joined."""

from __future__ import annotations

import os
import time
from types import FrameType

from rustyray.core.effects import Effect, Warn
from rustyray.core.lifecycle import Step
from rustyray.core.owner import OwnerCore
from rustyray.engines.client.client import Client
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.interrupts import CtrlC, in_runtime
from rustyray.engines.native.pump import Pump, show_warning
from rustyray.engines.native.stopping import Ending
from rustyray.model.messages import HEAD, Shutdown, ShutdownDone
from rustyray.runtime.engine import ProcessContext, ShutdownReport


class AnyDriver(Client):
    """The engine in the user's own process. ``node_gone`` says why its node is no more."""

    pump: Pump

    def __init__(self, core: OwnerCore, pump: Pump, store: Store, arena: Arena, process: ProcessContext) -> None:
        super().__init__(core, pump, store, process)
        self.arena = arena
        self.pid = os.getpid()
        self.node_gone = ""
        self.farewell = Waiter()
        self.done: ShutdownDone | None = None
        self.ending = Ending(self)
        self.ctrl_c = CtrlC(pump)

    def up(self) -> None:
        """The node has answered: the program may begin."""
        self.ending.up()
        self.pump.start()
        self.ctrl_c.install()

    def interrupt(self, error: BaseException, frame: FrameType | None) -> None:
        """From a signal handler in the main thread: raise ``error`` there, as soon as that does no harm."""
        if not in_runtime(frame) or self.pump.closed:
            raise error
        self.pump.interrupt(error)

    # --- the pump's side, with the lock held --------------------------------------------------------------------------

    def lost(self, peer: bytes, reason: str) -> None:
        now = time.monotonic()
        if peer == self.pump.head:
            self.core.on_peer_lost(HEAD, reason, now)
        if peer == HEAD:
            return
        if peer != self.core.refs.node:
            self.core.on_peer_lost(peer, reason, now)
            return
        self.node_gone = reason
        if not self.farewell.done:
            self.pump.finish(self.farewell)
        if not self.ending.begun:
            text = self.node_lost(reason)
            self.core.close(text)
            self.core.unfinished.fail(text, now)
        self.pump.fail_requests()

    def node_lost(self, reason: str) -> str:
        """The node is gone, unexpectedly; returns the sentence that everything fails with."""
        raise NotImplementedError

    def on_done(self, peer: bytes, message: ShutdownDone, now: float) -> None:
        if peer != self.core.refs.node:
            return  # another node, which says so to nobody else
        self.done = message
        if not self.farewell.done:
            self.pump.finish(self.farewell)

    # --- the end ------------------------------------------------------------------------------------------------------

    def actors_to_stop(self) -> list[bytes]:
        """Those that end with this driver."""
        return self.core.actors.living()

    def leave_cluster(self, step: Step) -> str | None:
        """A stage of the shutdown: a note when it is done, None when its time ran out."""
        raise NotImplementedError

    def clear(self) -> None:
        """Put away what processes have left that could not do so themselves."""

    def stop_processes(self, step: Step) -> str | None:
        """As `leave_cluster`."""
        raise NotImplementedError

    def say_goodbye(self, grace: float, deadline: float) -> bool:
        """Tell the node that this driver ends; whether it has answered by then, or is gone."""
        if self.node_gone:
            return True
        with self.pump.lock:
            self.pump.hub.send(self.core.refs.node, Shutdown(grace))
            self.pump.hub.flush()
        return self.pump.wait(self.farewell, deadline)

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        if os.getpid() != self.pid:
            raise RuntimeError("this process was forked from the driver: only the driver can shut its runtime down")
        return self.ending.run(grace)


def on_effect(effect: Effect) -> None:
    """What is neither the pump's nor the core's to do."""
    if isinstance(effect, Warn):
        show_warning(effect)
