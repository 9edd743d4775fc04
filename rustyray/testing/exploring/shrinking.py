"""Makes a failing schedule smaller: fewer departures and faults, and smaller ones, as long as it fails the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from rustyray.engines.sim.world.faults import Fault
from rustyray.engines.sim.world.schedules import NEXT, PREEMPT, Deviation
from rustyray.testing.exploring.trial import Plan, Trial

#: Runs after which a schedule is as small as it gets.
MOST: Final = 600
#: Seconds after which it is small enough.
SECONDS: Final = 60.0
#: A fault is tried at other steps on so many of those that it can hit.
WORKERS: Final = 3

Item = Deviation | Fault


class Shrinker:
    """Shrinks one failing run.

    Args:
        run: runs a plan.
        first: a failing run.
        same: whether another run fails in the same way.
        most: the number of runs to spend.
    """

    def __init__(
        self, run: Callable[[Plan], Trial], first: Trial, same: Callable[[Trial], bool], most: int = MOST
    ) -> None:
        self._run = run
        self._same = same
        self._left = most
        self._deadline = time.monotonic() + SECONDS
        self.best = first
        self.runs = 0
        self._tried: set[Plan] = {first.plan}

    def shrink(self) -> Trial:
        """The smallest failing run that was found."""
        self._drop_many()
        better = True
        while better and self._left > 0:
            better = self._drop_single() or self._lower() or self._replace_by_one()
        return self.best

    def _fails(self, items: list[Item]) -> bool:
        plan = as_plan(items)
        if plan in self._tried or self._left <= 0:
            return False
        self._tried.add(plan)
        self._left -= 1
        self.runs += 1
        trial = self._run(plan)
        if time.monotonic() > self._deadline:
            self._left = 0
        if not self._same(trial) or len(trial.plan) > len(items):
            return False
        self._tried.add(trial.plan)
        self.best = trial
        return True

    def _drop_many(self) -> None:
        """Halves, quarters, …: what is left of long lists is short."""
        parts = 2
        while len(items := as_items(self.best.plan)) > 1 and self._left > 0:
            size = max(1, len(items) // parts)
            chunks = [items[at : at + size] for at in range(0, len(items), size)]
            for at, chunk in enumerate(chunks):
                rest = [item for other in chunks[:at] + chunks[at + 1 :] for item in other]
                if (size > 1 and self._fails(chunk)) or self._fails(rest):
                    parts = 2
                    break
            else:
                if size == 1:
                    return
                parts *= 2

    def _drop_single(self) -> bool:
        items = as_items(self.best.plan)
        return any(self._fails(items[:at] + items[at + 1 :]) for at in range(len(items) - 1, -1, -1))

    def _replace_by_one(self) -> bool:
        """Several departures are often a roundabout way to a single one, or a single fault, elsewhere."""
        if len(self.best.plan) < 2:
            return False
        for fault in self.best.plan.faults:
            for step in range(self.best.steps):
                if any(self._fails([fault._replace(step=step, which=which)]) for which in range(WORKERS)):
                    return True
        if len(self.best.plan.deviations) < 2:
            return False
        faults, lengths = list(self.best.plan.faults), self.best.lengths
        places = [(what, at) for what in (NEXT, PREEMPT) for at in range(lengths.get(what, 0))]
        return any(self._fails([Deviation(what, at, 1), *faults]) for what, at in places)

    def _lower(self) -> bool:
        items = as_items(self.best.plan)
        for at, item in enumerate(items):
            for lower in lower_ones(item):
                if self._fails([*items[:at], lower, *items[at + 1 :]]):
                    return True
        return False


def lower_ones(item: Item) -> Iterator[Item]:
    """Smaller variants of an item: the smallest first."""
    if isinstance(item, Fault):
        yield from (item._replace(which=which) for which in range(min(item.which, 4)))
    else:
        yield from (item._replace(choice=choice) for choice in range(1, min(item.choice, 4)))


def as_items(plan: Plan) -> list[Item]:
    return [*plan.deviations, *plan.faults]


def as_plan(items: list[Item]) -> Plan:
    return Plan(
        tuple(item for item in items if isinstance(item, Deviation)),
        tuple(item for item in items if isinstance(item, Fault)),
    )
