"""The engine as simulated programs see it: the client that all engines share, in a driver and in workers."""

from __future__ import annotations

import array
import weakref
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.effects import Effect
from rustyray.engines.client.client import Client
from rustyray.engines.client.layout import parts_of, read_from
from rustyray.engines.client.running import Runner
from rustyray.engines.client.store import Store
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.sim.green import ProcessEnded
from rustyray.engines.sim.stdlib.interrupts import interrupt
from rustyray.engines.sim.world.process import OwnerProcess
from rustyray.exceptions import SimulationError
from rustyray.model.ids import ActorID, JobID, NodeID, WorkerID, node_of
from rustyray.model.messages import RegisterDriver, Registered
from rustyray.model.plans import ActorPlan, MethodPlan
from rustyray.model.values import Fault, FaultKind, Value
from rustyray.runtime.engine import ActorHandleState, ProcessContext, ShutdownReport
from rustyray.runtime.serialization import Serialized

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

    from rustyray.core.jobs import Job
    from rustyray.engines.client.ports import Pool
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.model.settings import Settings
    from rustyray.runtime.engine import Returned
    from rustyray.runtime.ref import ObjectRef

#: Seconds that running tasks have to finish at shutdown unless it is given some.
GRACE: Final = 1.0
#: Seconds that workers then have to leave by themselves.
LEAVE: Final = 1.0
#: Seconds between two looks at work that is still running.
LOOK: Final = 0.05
#: In which runtime a handle was made, of those without a ref.
_made_in: Final[weakref.WeakKeyDictionary[ActorHandleState, weakref.ref[Simulation]]] = weakref.WeakKeyDictionary()
DOWN_TEXT: Final = "RustyRay was shut down: call rustyray.init() before submitting work"


class MemoryArena:
    """A node's arena: the bytes of each extent, by its offset. Readers get a copy that they cannot write to."""

    def __init__(self, extents: dict[int, bytes]) -> None:
        self._extents = extents

    def write(self, offset: int, serialized: Serialized, touched: bool = False) -> int:
        written = self._extents[offset] = b"".join(parts_of(serialized))
        return len(written)

    def read(self, offset: int, size: int, on_release: Callable[[], None]) -> Any:
        exporter = array.array("B", self._extents[offset])
        weakref.finalize(exporter, on_release).atexit = False
        return read_from(memoryview(exporter).toreadonly(), offset)


def _store(simulation: Simulation, process: UserProcess) -> Store:
    return Store(MemoryArena(simulation.world.arena(process.node)), process.node, process)


class _Ours(Client):
    """Refs of an earlier runtime have the ids of this one's: they must not be taken for them. What is looked
    at is noted."""

    simulation: Simulation

    def check_packages(self) -> None:
        raise ValueError(
            "a simulated runtime is one process, which has one directory and one sys.path: working_dir and py_modules "
            "cannot differ between its workers. Leave them out there"
        )

    def _check_known(self, refs: Sequence[ObjectRef[Any]]) -> None:
        for ref in refs:
            if ref._drop is not self._drop:
                text = f"object {ref.hex()} is not known here: its runtime has ended"
                raise self._error(ref._id, Fault(FaultKind.OBJECT_LOST, text))

    def _check_session(self, handle: ActorHandleState) -> None:
        made_in = _made_in.get(handle)
        foreign = made_in is not None and made_in() is not self.simulation
        if foreign or (handle.ref is not None and handle.ref._drop is not self._drop):
            raise ValueError("this is a handle from an earlier runtime of this program: the actor's runtime has ended")

    def call(
        self, handle: ActorHandleState, method: MethodPlan, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Returned:
        self._check_session(handle)  # an actor of this runtime may have its id
        return super().call(handle, method, args, kwargs)

    def _made_here(self, handle: ActorHandleState) -> ActorHandleState:
        """Notes handles that no ref tells apart from those of an earlier runtime."""
        if handle.ref is None:
            _made_in[handle] = weakref.ref(self.simulation)
        return handle

    def create_actor(self, plan: ActorPlan, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ActorHandleState:
        return self._made_here(super().create_actor(plan, args, kwargs))

    def find_actor(self, name: str, namespace: str | None) -> ActorHandleState:
        return self._made_here(super().find_actor(name, namespace))

    def adopt_handle(
        self, actor: bytes, owner_address: str, meta: bytes, max_task_retries: int, counted: bool
    ) -> ActorHandleState:
        return self._made_here(super().adopt_handle(actor, owner_address, meta, max_task_retries, counted))

    def _check_ours(self, refs: Sequence[ObjectRef[Any]]) -> None:
        if refs:
            super()._check_ours(refs)
            self.simulation.errors.see(refs)

    def get(self, refs: Sequence[ObjectRef[Any]], timeout: float | None) -> list[Any]:
        self._check_known(refs)
        self.simulation.errors.see(refs)
        return super().get(refs, timeout)

    def wait(
        self, refs: Sequence[ObjectRef[Any]], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef[Any]], list[ObjectRef[Any]]]:
        self._check_known(refs)
        return super().wait(refs, num_returns, timeout, fetch_local)

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
        import asyncio

        from rustyray.engines.sim.stdlib.loop import SimLoop

        loop = asyncio.get_running_loop()
        if not isinstance(loop, SimLoop) or loop.simulation is not self.simulation:
            raise SimulationError(
                "this event loop was made before the simulated runtime was up, and does not see what happens in it: "
                "make it afterwards, as asyncio.run() does"
            )
        self.simulation.errors.see([ref])
        return super().await_ref(ref)

    def future(self, ref: ObjectRef[Any]) -> Future[Any]:
        self.simulation.errors.see([ref])
        return super().future(ref)

    def cancel(self, ref: ObjectRef[Any], force: bool, recursive: bool) -> None:
        self.simulation.errors.see([ref])
        super().cancel(ref, force, recursive)


def _context(process: UserProcess) -> ProcessContext:
    core = process.core
    job = core.sched.requests.job
    here, is_driver, head = process.address, not process.executes, process.world.head_address
    temporary = process.simulation.settings.spill_directory or ""
    where = process.node, process.me, process.namespace, here, is_driver
    return ProcessContext(job, *where, "/simulated/session", head, temporary)


class SimDriver(_Ours):
    """The engine of the code that called ``init``."""

    def __init__(self, simulation: Simulation, process: UserProcess) -> None:
        self.simulation = simulation
        self.host = process
        self.report: ShutdownReport | None = None
        self.on_end: Callable[[], None] = lambda: None
        #: Has this process live in real time (False), or in the simulation's again (True).
        self.on_stage: Callable[[bool], None] = lambda there: None
        process.engine = self
        super().__init__(process.core, process, _store(simulation, process), _context(process))

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
                f"wait for running: {other.name} still ran {what}" for other in self._busy() for what in _jobs(other)
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
        left = [process for process in self._processes() if process.at_exit and process.alive and not _jobs(process)]
        for process in left:
            assert isinstance(process.engine, SimWorker)
            self.simulation.spawn(process, "exit hooks", process.engine.exit_hooks)
        deadline = world.now + LEAVE
        while any(process.at_exit for process in left) and world.now < deadline:
            self.host.turn(LOOK)

    def _busy(self) -> list[UserProcess]:
        return [process for process in self._processes() if process.alive and _jobs(process)]

    def _processes(self) -> list[UserProcess]:
        """The workers."""
        from rustyray.engines.sim.host import UserProcess

        world = self.simulation.world
        return [
            process for process in world.processes.values() if isinstance(process, UserProcess) and process.executes
        ]


def _jobs(process: UserProcess) -> list[str]:
    worker = process.engine
    assert isinstance(worker, SimWorker)
    return [worker.runner.name_of(job.task) for job in worker.executor.running.values()]


class Where:
    """Which worker this is (`rustyray.engines.client.ports.Place`)."""

    def __init__(self, job: JobID, node: NodeID, worker: WorkerID, address: str) -> None:
        self.job = job
        self.node = node
        self.worker = worker
        self.address = address


class SimRunner(Runner):
    """Notes which refs are passed on in results."""

    worker: SimWorker

    def to_caller(self, job: Job, index: int, packed: bytes | Serialized) -> Value:
        if isinstance(packed, Serialized):
            self.worker.simulation.errors.see(packed.refs)
        return super().to_caller(job, index, packed)


class SimWorker(_Ours, WorkerClient):
    """The engine inside a simulated worker."""

    def __init__(self, simulation: Simulation, process: UserProcess, env: bytes) -> None:
        self.simulation = simulation
        self.host = process
        self.env = env
        place = Where(process.core.sched.requests.job, process.node, process.me, process.address)
        WorkerClient.__init__(self, place, process.core, process.pid)
        self.runner = SimRunner(self)
        process.handlers.update(self.handlers)
        process.perform = self._perform
        process.on_lost = self.executor.producers.caller_lost
        process.engine = self
        self.attach(process.core, process, _store(simulation, process), _context(process))

    def main(self) -> None:
        """The main program."""
        process, world = self.host, self.simulation.world
        self.serve(world.node(process.node).address)
        self.exit_hooks()
        self.stay()
        world.end(process.me, "it exited with code 0")

    def own_variables(self) -> None:
        self.host.own_variables()

    def set_up(self) -> None:
        self.own_variables()
        self.environments.set_variables()
        self.environments.run_hook()

    def exit_hooks(self) -> None:
        """Run what the user's code registered for the end of this process."""
        process = self.host
        while process.at_exit:
            hook = process.at_exit.pop()
            try:
                hook()
            except Exception as error:  # noqa: BLE001 - as at the end of a real process
                self.simulation.warn(f"an exit hook of {process.name} raised {error!r}")

    def _perform(self, effect: Effect) -> bool:
        return self.perform(effect)

    def end_now(self) -> None:
        self.simulation.world.end(self.host.me, "it exited with code 0")

    def kill_now(self) -> None:
        self.simulation.world.crash(self.host.me, "it was killed by signal 9 (SIGKILL)")

    def exit_now(self, how: str) -> None:
        """The user's code ends its process."""
        self.simulation.world.end(self.host.me, how)
        raise ProcessEnded

    def interrupt_main(self, task: bytes) -> None:
        self.host.interrupt()

    def main_job_is_over(self) -> None:
        self.host.cancelled = False

    def is_main(self) -> bool:
        return self.simulation.world.running is self.host.main

    def start_loop(self) -> asyncio.AbstractEventLoop:
        from rustyray.engines.sim.stdlib.loop import ActorLoop

        loop = ActorLoop(self.host)
        self.simulation.loops.append(loop)
        self.simulation.spawn(self.host, "asyncio", loop.run_to_the_end)
        return loop

    def start_pool(self, size: int, actor: ActorID) -> Pool:
        from rustyray.engines.sim.stdlib.threads import SimPool

        return SimPool(self.host, size)
