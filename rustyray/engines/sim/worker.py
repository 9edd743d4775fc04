"""The engine inside a simulated worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from rustyray.core.effects import Effect
from rustyray.engines.client.running import Runner
from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.sim.client import SimClient, context_of, store_of
from rustyray.engines.sim.green import ProcessEnded
from rustyray.model.ids import ActorID, JobID, NodeID, WorkerID
from rustyray.model.values import Value
from rustyray.runtime.serialization import INLINE_MAX, Serialized

if TYPE_CHECKING:
    import asyncio

    from rustyray.core.jobs import Job
    from rustyray.engines.client.ports import Pool
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation


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

    def to_caller(self, job: Job, index: int, packed: bytes | Serialized, most: int = INLINE_MAX) -> Value:
        if isinstance(packed, Serialized):
            self.worker.simulation.errors.see(packed.refs)
        return super().to_caller(job, index, packed, most)


class SimWorker(SimClient, WorkerClient):
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
        self.attach(process.core, process, store_of(simulation, process), context_of(process))

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

    def exit_with(self, code: int) -> NoReturn:
        self.exit_hooks()
        self.exit_now(f"it exited with code {code}")

    def exit_now(self, how: str) -> NoReturn:
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


def jobs_of(process: UserProcess) -> list[str]:
    """What a worker runs at this moment, by name."""
    worker = process.engine
    assert isinstance(worker, SimWorker)
    return [worker.runner.name_of(job.task) for job in worker.executor.running.values()]
