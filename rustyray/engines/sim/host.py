"""A process that runs ordinary code, as the world sees it and as its client does: messages, waiting, callbacks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from rustyray.core.effects import Effect, JudgeFailure, Ready, Send, Warn
from rustyray.engines.client.waiter import Waiter, Waiting
from rustyray.engines.sim.green import KnownCode, ProcessEnded, set_variables
from rustyray.engines.sim.world.process import NEVER, OwnerProcess
from rustyray.model.ids import JobID, NodeID, WorkerID
from rustyray.model.messages import (
    HEAD,
    Message,
)

if TYPE_CHECKING:
    from rustyray.engines.client.client import Client
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.world.events import Fiber
    from rustyray.engines.sim.world.process import Sleep, Until


class Wire:
    """The process' connections: what is sent is on its way at once."""

    def __init__(self, process: UserProcess) -> None:
        self._process = process
        self._world = process.world

    def send(self, to: bytes, message: Message, address: str = "") -> None:
        world = self._world
        if to == HEAD:
            to = world.head
        if to == world.head and not address:
            address = world.head_address
        world.send(self._process.me, to, message, address)

    def flush(self) -> None:
        """Nothing is kept back."""

    def wake(self) -> None:
        """Nobody sleeps who would not notice."""


class Living:
    """In place of a lock, which nobody would ever wait for: only a process that lives gets it."""

    def __init__(self, process: UserProcess) -> None:
        self._process = process

    def __enter__(self) -> None:
        if not self._process.alive:
            raise ProcessEnded

    def __exit__(self, *exc: object) -> None:
        """No program gives way while it has the lock."""


class UserProcess(OwnerProcess, Waiting):
    """One process. It is also the pump of its client (`rustyray.engines.client.ports.Pump`).

    ``engine`` is the client; ``name`` tells people which process this is; ``main`` is the fiber of its main program.
    """

    engine: Client
    main: Fiber
    hub: Wire

    def __init__(
        self, simulation: Simulation, me: WorkerID, node: NodeID, job: JobID, namespace: str, pid: int, executes: bool
    ) -> None:
        world = simulation.world
        OwnerProcess.__init__(self, world, me, node, job, namespace)
        Waiting.__init__(self, {})
        self.simulation = simulation
        self.executes = executes
        self.outlives_node = not executes
        self.pid = pid
        self.code = KnownCode.none(me) if executes else KnownCode.present()
        #: The variables of its environment: the very ones of the driver, until something is changed in them.
        self.variables = simulation.variables
        #: Puts the driver's streams away while a worker runs, if what workers write is to go nowhere.
        self.quiet = simulation.quiet
        self.name = f"worker {pid}" if executes else "the driver"
        self.head = world.head
        self.head_address = world.head_address
        self.hub = Wire(self)
        self.lock = Living(self)
        #: What is to run when the process ends by itself.
        self.at_exit: list[Callable[[], object]] = []
        self.closed = False
        #: Always so: programs then ask `check_interrupt` at every call, which is where they may be made to give way.
        self.interrupted = True
        self.deferred: deque[Callable[[], None]] = deque()
        #: The main program is to be interrupted.
        self.cancelled = False
        self._calling_back = False
        self.perform: Callable[[Effect], bool] = lambda effect: False
        #: Told of a connection that is gone.
        self.on_lost: Callable[[bytes], None] = lambda peer: None
        self.core.history.on_failure = simulation.errors.failed

    def own_variables(self) -> None:
        """From now on those that it sets are for it alone."""
        self.variables = self.variables.copy()
        set_variables(self.variables)

    def clock(self) -> float:
        return self.world.now

    # --- what the world calls -----------------------------------------------------------------------------------------

    def receive(self, peer: bytes, message: Message) -> None:
        if self.dropped or self.unpinned:
            self.settle()
        handler = self.handlers.get(type(message))
        if handler is None:
            self.core.on_message(peer, message, self.world.now)
        else:
            handler(peer, message, self.world.now)
        self._send_on()

    def lost(self, peer: bytes, reason: str) -> None:
        if peer == self.node and self.executes:
            self.world.crash(self.me, "it lost its node")
            return
        if peer == self.node:
            pid = self.world.node(peer).pid
            text = f"the node process (pid {pid}) is gone: {reason}; call shutdown() and init() again"
            self.core.close(text)
            self.core.unfinished.fail(text, self.world.now)
            self.fail_requests()
        self.on_lost(peer)
        if peer == self.head:
            self.core.on_peer_lost(HEAD, reason, self.world.now)
        if peer != HEAD:
            self.core.on_peer_lost(peer, reason, self.world.now)
        self._after()

    def tick(self) -> None:
        self.settle()
        self.core.flush(self.world.now)
        self._after()

    def _after(self) -> None:
        core = self.core
        deadline = core.next_deadline()
        if deadline is not None and deadline <= self.world.now:
            core.on_time(self.world.now)
        self._send_on()

    def _send_on(self) -> None:
        core = self.core
        if core.freeing.untold:
            core.freeing.flush()
        if core.out:
            self.carry_out()

    def what_it_waits_for(self) -> str:
        objects = ", ".join(object_.hex() for object_ in self.waiting)
        return f"objects [{objects}], {len(self.replies)} replies"

    # --- the pump -----------------------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        out = self.core.out
        while out:
            effects = out[:]
            out.clear()
            for effect in effects:
                if isinstance(effect, Send):
                    self.hub.send(effect.to, effect.message, effect.address)
                elif isinstance(effect, Ready):
                    self.on_ready(effect.objects)
                elif isinstance(effect, JudgeFailure):
                    self.defer(lambda question=effect: self._judge(question))  # type: ignore[misc]
                elif isinstance(effect, Warn):
                    self.simulation.warn(effect.text)
                else:
                    self.perform(effect)

    def flush(self) -> None:
        self.settle()
        self.core.flush(self.world.now)
        self.carry_out()

    def finish(self, waiter: Waiter) -> None:
        waiter.done = True
        if waiter.callback is not None:
            self.defer(waiter.callback)
        elif waiter.gate is not None:
            waiter.gate.done = True

    # --- programs -----------------------------------------------------------------------------------------------------

    def wait(self, waiter: Waiter, deadline: float | None) -> bool:
        self.check_interrupt()
        if not waiter.done:
            until = waiter.gate = self.simulation.until(deadline)
            try:
                self.suspend(until)
            finally:
                waiter.gate = None
            self.check_interrupt()
        return waiter.done

    def suspend(self, wants: Sleep | Until) -> None:
        """Give way until the program may go on."""
        if not self.alive:
            raise ProcessEnded
        if self.simulation.ended:
            raise RuntimeError("RustyRay was shut down: call rustyray.init() first")
        self.simulation.switch(self, wants)
        if not self.alive:
            raise ProcessEnded

    def turn(self, timeout: float | None) -> None:
        self.suspend(self.simulation.until(NEVER if timeout is None else self.world.now + timeout))

    def poll(self) -> None:
        """A program that submits without waiting need not look: others take nothing from it meanwhile."""

    def check_interrupt(self) -> None:
        if not self.alive:
            raise ProcessEnded
        if self.cancelled and self.world.running is self.main:
            self.cancelled = False
            raise KeyboardInterrupt
        self.simulation.preempt(self)

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt where the main program waits, or when it next calls the runtime."""
        self.cancelled = True
        if self.main is not self.world.running:
            self.main.wake = self.world.now

    # --- callbacks ----------------------------------------------------------------------------------------------------

    def defer(self, work: Callable[[], None]) -> None:
        """Run ``work`` in a program of its own: it may wait, and it may be the user's code."""
        self.deferred.append(work)
        if not self._calling_back:
            self._calling_back = True
            self.simulation.spawn(self, "callbacks", self._call_back)

    def _call_back(self) -> None:
        try:
            while self.deferred:
                self.deferred.popleft()()
        finally:
            self._calling_back = False

    def run_deferred(self) -> None:
        """Callbacks have a program of their own."""

    def _judge(self, question: JudgeFailure) -> None:
        verdict = self.engine.judge(question)
        self.core.judged(question.task, verdict, self.world.now)
        self._after()
