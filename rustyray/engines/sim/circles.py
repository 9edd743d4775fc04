"""A program that goes round in circles: which steps it repeats, and who never gets a turn meanwhile.

Nothing is kept for this while a program runs: who finds that it has taken too many events looks on for some more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from rustyray.core.owner.records import QUEUED
from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.sim import stuck
from rustyray.engines.sim.host import UserProcess
from rustyray.engines.sim.world.events import Fiber
from rustyray.exceptions import LivelockError, StarvationError
from rustyray.model.resources import describe

if TYPE_CHECKING:
    from rustyray.core.owner.records import SchedulingClass
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.world.events import Event

#: Events that are looked at.
LOOK: Final = 1_000
#: The most steps, and the most that starve, that are listed.
LISTED: Final = 20


class Watch:
    """Looks on: what begins where, and where programs wait."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        world = simulation.world
        self._steps, self._began = world.steps, world.now
        #: What happened, in words.
        self._notes: list[str] = []
        self._waited = {task for task, _ in _without_a_turn(simulation)}
        for process in world.processes.values():
            if isinstance(process, UserProcess) and isinstance(process.engine, WorkerClient):
                self._listen(process, process.engine)

    def _listen(self, process: UserProcess, worker: WorkerClient) -> None:
        runner = worker.runner
        context_of = runner.context_of

        def begins(job: Any) -> Any:
            self._notes.append(f"{runner.name_of(job.task)} begins on {process.name}")
            return context_of(job)

        runner.context_of = begins  # type: ignore[method-assign]

    def served(self, event: Event) -> None:
        waiting = stuck.waiting_of(event) if isinstance(event, Fiber) else None
        if waiting is not None:
            self._notes.append(stuck.line(waiting))

    def error(self, what: str) -> LivelockError:
        """What to raise; ``what`` says how it was noticed."""
        simulation = self._simulation
        text = f"{what}\n{self._repeated()}\nNow:\n{stuck.describe(simulation)}"
        starving = dict.fromkeys(told for task, told in _without_a_turn(simulation) if task in self._waited)
        if not starving:
            return LivelockError(text)
        listed = [f"  {told}" for told in starving][:LISTED] + ["  …"] * (len(starving) > LISTED)
        return StarvationError("\n".join(["others go on and on, and these never get a turn:", *listed, text]))

    def _repeated(self) -> str:
        world = self._simulation.world
        within = f"{world.steps - self._steps:,} events, in {world.now - self._began:,.3f} s of virtual time"
        found = repeated(self._notes)
        if found is None:
            counts = Counter(self._notes).most_common(LISTED)
            often = "".join(f"\n  {note} (× {count})" for note, count in counts)
            return f"In the last {within}, this happened most often:{often}"
        steps, times = found
        numbered = "".join(f"\n  {number}. {note}" for number, note in enumerate(steps[:LISTED], 1))
        more = f"\n  … and {len(steps) - LISTED} more" if len(steps) > LISTED else ""
        return f"In the last {within}, it went through this {times:,} times:{numbered}{more}"


def repeated(notes: list[str]) -> tuple[list[str], int] | None:
    """The shortest run of notes that the second half repeats without a break, and how often; None if there is none."""
    count = len(notes)
    for period in range(1, count // 3 + 1):
        same = 0
        while same + period < count and notes[-1 - same] == notes[-1 - same - period]:
            same += 1
        times = same // period + 1
        if times > 2 and times * period >= count // 2:
            start = count - times * period
            return notes[start : start + period], times
    return None


def livelock(simulation: Simulation) -> LivelockError:
    """For a driver that has waited for too many events."""
    world, main = simulation.world, simulation.driver.host.main
    waits = main.until
    outer, watch = world.on_event, Watch(simulation)

    def served(event: Event, number: int) -> None:
        watch.served(event)
        if outer is not None:
            outer(event, number)

    world.on_event = served
    try:
        for _ in range(LOOK):
            if main.until is not waits or main.wake <= world.now or (waits is not None and waits.done):
                break  # it goes on
            world.step()
    finally:
        world.on_event = outer
    return watch.error(
        f"the driver has waited for {simulation.max_steps:,} events, none of which was what it waits for: the program "
        "goes round in circles."
    )


# --- starvation -------------------------------------------------------------------------------------------------------


def _without_a_turn(simulation: Simulation) -> Iterator[tuple[bytes, str]]:
    """The first task or call of each line: its id, and what it waits for.

    Lines are first come first served, so one that gets on has another first one after a while.
    """
    for process in simulation.world.processes.values():
        if not isinstance(process, UserProcess) or not process.alive:
            continue
        for target in process.core.sched.classes.values():
            if target.queue and not target.warned:  # or else no node has what they need
                first = target.queue[0]
                what = f"{first.plan.name}, submitted by {process.name}, {_needs(simulation, target)}"
                yield first.task.id, what + _others(len(target.queue))
        for link in process.core.calls.links.values():
            if link.queue and link.queue[0].state == QUEUED:
                first, state = link.queue[0], link.state.name.lower()
                what = f"{first.plan.name}, called by {process.name}: its actor is {state}"
                yield first.task.id, what + _others(len(link.queue))
        worker = process.engine
        if isinstance(worker, WorkerClient) and worker.executor.running and worker.executor.queue:
            queue, runs = worker.executor.queue, ", ".join(stuck.jobs_of(worker))
            what = f"{worker.runner.name_of(queue[0].task)}: {process.name} runs {runs}, which does not end"
            yield queue[0].task.id, what + _others(len(queue))


def _others(count: int) -> str:
    return f"; {count - 1:,} more are behind it" if count > 1 else ""


def _needs(simulation: Simulation, target: SchedulingClass) -> str:
    """What tasks of a class wait for, and who may have it."""
    busy = [
        f"{process.name} runs {', '.join(stuck.jobs_of(process.engine))}"
        for process in simulation.world.processes.values()
        if isinstance(process, UserProcess) and process.alive and isinstance(process.engine, WorkerClient)
        if process.engine.executor.running and process.engine.actor is None
    ]
    return f"waits for a worker with {describe(target.resources)}" + (f"; {'; '.join(busy)}" if busy else "")
