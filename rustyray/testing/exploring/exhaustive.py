"""All schedules with a bounded number of departures, each once.

Two events of different processes commute: in whatever order they happen, the same has happened. (What processes have
in common they tell each other by messages, and those are events of the receiver.) A schedule that differs from another
in the order of such events only is recognized by its sleeping events: one that was passed over, and that the parent
schedule served first, sleeps until something happens to its process. If it is served asleep, the schedule is the
parent's again, and nothing is derived from it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from rustyray.engines.sim.world.chooser import Candidate
from rustyray.engines.sim.world.faults import Fault
from rustyray.engines.sim.world.schedules import NEXT, Deviation, Planned, Scheduler

if TYPE_CHECKING:
    from rustyray.engines.sim.world.events import Event
    from rustyray.engines.sim.world.world import World
    from rustyray.testing.exploring.trial import Trial


class Branching(Planned):
    """Follows a prefix, and notes where else the run could have gone after it."""

    blind = False

    def __init__(self, prefix: tuple[Deviation, ...]) -> None:
        super().__init__(prefix)
        self._last = prefix[-1].number if prefix else -1
        self._asleep: dict[int, bytes] = {}
        self._world: World | None = None
        self._alive = 0
        #: The run turned out to be another one in a different order.
        self.redundant = False
        self.branches: list[Deviation] = []

    def begin(self, world: World, scheduler: Scheduler) -> None:
        self._world = world
        self._alive = self._living()

    def _living(self) -> int:
        assert self._world is not None
        return sum(process.alive for process in self._world.processes.values())

    def turn(self, number: int, candidates: Sequence[Candidate]) -> int:
        rank = super().turn(number, candidates)
        for passed in candidates[:rank]:
            self._asleep[passed.number] = passed.process
        if number > self._last and not self.redundant:
            self.branches += [
                Deviation(NEXT, number, other)
                for other in range(1, len(candidates))
                if candidates[other].number not in self._asleep
            ]
        return rank

    def served(self, event: Event, number: int) -> None:
        if not self._asleep:
            return
        if number in self._asleep:
            self.redundant = True
        living = self._living()
        if living != self._alive:  # the event began or ended a process, so it concerns others as well
            self._alive = living
            self._asleep.clear()
        else:
            self._asleep = {number: process for number, process in self._asleep.items() if process != event.process}

    def end(self) -> None:
        """Nothing is left to do."""


def exhaustive(bound: int) -> Generator[tuple[Planned, tuple[Fault, ...]], Trial, str]:
    """Yields guides; returns what has been explored, in words."""
    waiting: deque[tuple[Deviation, ...]] = deque([()])
    cut = False
    while waiting:
        prefix = waiting.popleft()
        guide = Branching(prefix)
        yield guide, ()
        if guide.redundant:
            continue
        if len(prefix) < bound:
            waiting.extend((*prefix, branch) for branch in guide.branches)
        else:
            cut = cut or bool(guide.branches)
    return f"with at most {bound} departures from running to completion" if cut else "that there are"
