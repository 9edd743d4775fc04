"""The engine of the code that has started a simulation: its nodes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rustyray.engines.client.waiter import Waiter
from rustyray.engines.sim.client import SimClient, context_of, store_of
from rustyray.engines.sim.stdlib.interrupts import interrupt
from rustyray.engines.sim.worker import SimWorker, jobs_of
from rustyray.engines.sim.world.process import OwnerProcess
from rustyray.exceptions import SimulationError
from rustyray.model.ids import node_of
from rustyray.model.messages import RegisterDriver, Registered
from rustyray.runtime.engine import ShutdownReport

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.model.settings import Settings

#: Seconds that running tasks have to finish at shutdown unless it is given some.
GRACE: Final = 1.0
#: Seconds that workers then have to leave by themselves.
LEAVE: Final = 1.0
#: Seconds between two looks at work that is still running.
LOOK: Final = 0.05
DOWN_TEXT: Final = "RustyRay was shut down: call rustyray.init() before submitting work"


class SimDriver(SimClient):
    """The engine of the code that called ``init``."""

    def __init__(self, simulation: Simulation, process: UserProcess) -> None:
        self.simulation = simulation
        self.host = process
        self.report: ShutdownReport | None = None
        self.on_end: Callable[[], None] = lambda: None
        #: Has this process live in real time (False), or in the simulation's again (True).
        self.on_stage: Callable[[bool], None] = lambda there: None
        process.engine = self
        super().__init__(process.core, process, store_of(simulation, process), context_of(process))

    def register(self) -> None:
        process, world = self.host, self.simulation.world
        waiter = Waiter()

        def registered(peer: bytes, message: Registered, now: float) -> None:
            self.core.sched.requests.job = self._process.job = message.job
            self._process.namespace = process.namespace = message.namespace
            for host in world.nodes():
                host.job, host.namespace = message.job, message.namespace
            process.finish(waiter)

        process.handlers[Registered] = registered
        process.hub.send(process.node, RegisterDriver(process.pid, process.namespace), world.head_address)
        process.wait(waiter, None)
        count = self.simulation.settings.num_nodes or 1
        while count > 1 and sum(about["Alive"] for about in self.nodes()) < count:
            process.turn(LOOK)

    def interrupt(self, error: BaseException, frame: object) -> None:
        """From a signal handler: raise ``error`` in the driver's program."""
        interrupt(self.simulation, error)

    # --- nodes that come and go ---------------------------------------------------------------------------------------

    def add_node(self, settings: Settings) -> bytes:
        host = self.simulation.add_node(settings)
        host.job, host.namespace = self._process.job, self._process.namespace
        while host.me not in self._alive():
            self.host.turn(LOOK)
        return host.me

    def remove_node(self, node: bytes, graceful: bool) -> None:
        if graceful:
            self._check_other(node)
            self.simulation.world.stop_node(node)
        else:
            self.kill_node(node)
        while node in self._alive():
            self.host.turn(LOOK)

    def kill_node(self, node: bytes) -> None:
        self._check_other(node)
        self.simulation.world.crash(node, "it was killed by signal 9 (SIGKILL)")

    def pause_node(self, node: bytes) -> None:
        self._check_other(node)
        self.simulation.world.network.paused |= {node}

    def resume_node(self, node: bytes) -> None:
        self.simulation.world.network.paused -= {node}

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        self.simulation.world.network.keep_apart(pairs, self.host.me)

    def cut_connections(self, one: bytes, other: bytes) -> None:
        world = self.simulation.world
        for peer in [peer for peer in world.processes if node_of(peer) == one]:
            for their in [their for their in world.processes if node_of(their) == other]:
                if self.host.me not in (peer, their) and world.network.connected(peer, their):
                    world.cut(peer, their, "a test has cut the connection")

    def _alive(self) -> set[bytes]:
        return {bytes.fromhex(about["NodeID"]) for about in self.nodes() if about["Alive"]}

    def _check_other(self, node: bytes) -> None:
        if node == self.simulation.world.head:
            raise SimulationError("the first node of a simulated runtime lives as long as that: shut the runtime down")

    # --- the end ------------------------------------------------------------------------------------------------------

    def shutdown(self, grace: float | None = None) -> ShutdownReport:
        if self.report is None:
            running = self.simulation.world.running
            if running is not None and running is not self.host.main:
                raise SimulationError(
                    "a thread cannot shut a simulated runtime down: the program that called init() does"
                )
            self.report = ShutdownReport([], [])
            try:
                self._end(self.report, GRACE if grace is None else max(0.0, grace))
            finally:
                self.on_end()
                self.report.stages.append(("release", 0.0, ""))
        return self.report

    def put_aside(self) -> None:
        """Until `take_up`, the process lives in real time, and nothing of the program may run."""
        if not self.simulation.ended:
            self.on_stage(False)

    def take_up(self) -> None:
        """The program goes on, at the moment at which it was put aside."""
        if not self.simulation.ended:
            self.on_stage(True)

    def _end(self, report: ShutdownReport, grace: float) -> None:
        process, world = self.host, self.simulation.world
        began = world.now
        try:
            self.core.close(DOWN_TEXT)
            report.stages.append(("stop accepting", 0.0, ""))
            count = self.core.unfinished.cancel("RustyRay was shut down before this could run", world.now)
            process.carry_out()
            report.stages.append(("cancel pending", 0.0, f"{count} tasks and calls" if count else ""))
            deadline = world.now + grace
            while (left := self.core.unfinished.running()) and world.now < deadline:
                process.turn(min(LOOK, deadline - world.now))
            note = f"{left} still running, to be ended with their processes" if left else ""
            report.stages.append(("wait for running", world.now - began, note))
            report.forced += [
                f"wait for running: {other.name} still ran {what}" for other in self._busy() for what in jobs_of(other)
            ]
            self.core.unfinished.fail("RustyRay was shut down while this ran", world.now)
            process.carry_out()
            process.turn(0)  # threads that wait for something hear of it
            self._let_leave()
            count = len(self.core.objects)
            report.stages.append(("drop objects", 0.0, f"{count} objects" if count else ""))
        finally:
            process.closed = True
            self.simulation.end()
            workers = sum(isinstance(other, OwnerProcess) and other.executes for other in world.processes.values())
            report.stages.append(("stop processes", 0.0, f"{workers} workers"))

    def _let_leave(self) -> None:
        """Workers that have nothing to do end by themselves: their exit hooks run."""
        world = self.simulation.world
        left = [process for process in self._processes() if process.at_exit and process.alive and not jobs_of(process)]
        for process in left:
            assert isinstance(process.engine, SimWorker)
            self.simulation.spawn(process, "exit hooks", process.engine.exit_hooks)
        deadline = world.now + LEAVE
        while any(process.at_exit for process in left) and world.now < deadline:
            self.host.turn(LOOK)

    def _busy(self) -> list[UserProcess]:
        return [process for process in self._processes() if process.alive and jobs_of(process)]

    def _processes(self) -> list[UserProcess]:
        """The workers."""
        from rustyray.engines.sim.host import UserProcess

        world = self.simulation.world
        return [
            process for process in world.processes.values() if isinstance(process, UserProcess) and process.executes
        ]
