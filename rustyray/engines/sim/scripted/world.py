"""A world in which all programs are scripted, and how it is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from rustyray.core.jobs import Job
from rustyray.core.node import NodeLimits
from rustyray.engines.sim.scripted.driver import Driver
from rustyray.engines.sim.scripted.library import Library
from rustyray.engines.sim.scripted.process import name_of
from rustyray.engines.sim.scripted.scripts import Script
from rustyray.engines.sim.scripted.worker import Worker
from rustyray.engines.sim.world.chooser import Chooser
from rustyray.engines.sim.world.faults import Fault
from rustyray.engines.sim.world.node import STORE, NodeHost
from rustyray.engines.sim.world.process import OwnerProcess
from rustyray.engines.sim.world.world import PATIENCE, Stuck, World
from rustyray.model import values as wire_values
from rustyray.model.ids import ActorID, WorkerID, worker_id

#: A run that takes more steps than this goes round in circles.
MAX_STEPS: Final = 20_000


class ScriptedWorld(World):
    """As `World`."""

    def __init__(
        self,
        chooser: Chooser,
        nodes: Sequence[float] = (2,),
        *,
        faults: Sequence[Fault] = (),
        limits: NodeLimits | None = None,
        store: int = STORE,
        apart: bool = False,
        shared: bool = False,
    ) -> None:
        super().__init__(chooser, nodes, faults=faults, limits=limits, store=store, apart=apart, shared=shared)
        self.make_worker = self._make_worker
        self.library = Library()
        self.drivers: list[Driver] = []
        self.task_retries: dict[ActorID, int] = {}

    # --- processes ----------------------------------------------------------------------------------------------------

    def add_driver(self, script: Script, node: int = 0, number: int = 0, namespace: str = "") -> Driver:
        """A driver that runs ``script``; its outcome is in `Driver.outcome` when it is done."""
        host = self.nodes()[node]
        driver = Driver(self, worker_id(host.me, number), host.me, namespace, script)
        self.processes[driver.me] = driver
        self.drivers.append(driver)
        self.start(driver, "driver", driver.main())
        return driver

    def _make_worker(self, host: NodeHost, me: WorkerID, env: bytes) -> OwnerProcess:
        if not host.job:  # it has taken the place of one that was refused
            first = self.drivers[0]
            host.job, host.namespace = first.core.sched.requests.job, first.namespace
        worker = self.processes[me] = Worker(self, me, host.me, host.job, host.namespace)
        self.start(worker, "main", worker.main())
        return worker

    def workers(self) -> list[Worker]:
        """Those of scripted programs."""
        return [client for client in self.clients() if isinstance(client, Worker)]

    # --- runs ---------------------------------------------------------------------------------------------------------

    def run_until(self, left: Callable[[], str]) -> None:
        """Take steps until nothing is ``left``. Raises `Stuck` with what that is when nothing happens any more."""
        limit = self.steps + MAX_STEPS
        # Full stores may wait for one another for as long as an object waits for room. (There may be no node just now.)
        patience = PATIENCE + max((host.limits.store_wait for host in self.nodes()), default=0.0)
        while why := left():
            if self.now - self.progress > patience:
                raise Stuck(f"nothing has happened for {patience:g} s, and {why}\n{self.describe()}")
            if self.steps > limit:
                raise Stuck(f"{MAX_STEPS} steps lead nowhere: {why}\n{self.describe()}")
            self.step()

    def run(self) -> None:
        """Until all drivers that live are done."""

        def left() -> str:
            for driver in self.drivers:
                if driver.alive and not driver.done:
                    return driver.waits
            return ""

        self.run_until(left)

    def rest(self, seconds: float) -> None:
        """Let time pass, and see what was due by then."""
        until = self.now + seconds
        self.progress = until
        self.run_until(lambda: "time passes" if self.now < until or self._events() else "")

    def finish(self) -> None:
        """Run to the end, let everything go, and see that nothing is left."""
        self.run()
        self.run_until(self.books.unsettled)
        self.progress = self.now

        def left() -> str:
            for client in self.clients():
                if client.kept or not client.executes:
                    client.let_go()
            return self.books.unsettled() or self.books.unfreed()

        self.run_until(left)

    def note_run(self, worker: Worker, job: Job) -> None:
        self.books.note_run(worker, job)

    def note_error(self, value: wire_values.Failed | wire_values.Fault) -> None:
        self.books.errors.append(name_of(value))
