"""The figures RustyRay is held to, as data.

A target compares one of RustyRay's medians with a bound: a fixed number, another system's median of the same run, or
another of its own. The metric says whether more or less is better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.libraries import SYSTEMS
from benchmarks.metrics import METRICS, Better

SUBJECT = "rustyray"

Medians: TypeAlias = Callable[[str, str], "float | None"]
"""``(metric, system)`` to the median, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Target:
    """``metric`` must reach ``factor`` × the best of ``systems``, ``factor`` × ``other``, or ``factor`` itself."""

    metric: str
    factor: float
    systems: tuple[str, ...] = ()
    other: str | None = None

    def bound(self, medians: Medians) -> float | None:
        """The number to reach; None where what it is relative to was not measured."""
        if self.other is not None:
            values = [medians(self.other, SUBJECT)]
        elif self.systems:
            values = [medians(self.metric, system) for system in self.systems]
        else:
            return self.factor
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        return self.factor * self._best(known)

    def met(self, value: float, bound: float) -> bool:
        """Whether ``value`` reaches ``bound``."""
        return value >= bound if self._higher else value <= bound

    def text(self) -> str:
        """The target in words, such as ``≥ 0.5 × raw`` or ``≤ 15 ms``."""
        sign = "≥" if self._higher else "≤"
        if self.other is not None:
            return f"{sign} {self.factor:g} × own {METRICS[self.other].title}"
        if self.systems:
            name = SYSTEMS[self.systems[0]].title if len(self.systems) == 1 else "the best pool"
            return f"{sign} {self.factor:g} × {name}"
        return f"{sign} {self.factor:,g} {METRICS[self.metric].unit}"

    @property
    def _higher(self) -> bool:
        return METRICS[self.metric].better is Better.HIGHER

    def _best(self, values: list[float]) -> float:
        return max(values) if self._higher else min(values)


RAW, RAY, POOLS = ("raw",), ("ray",), ("futures", "pool", "loky")

TARGETS = (
    Target("tasks_one", 0.5, RAW),
    Target("tasks_one", 1.5, ("futures",)),
    Target("tasks_one", 15, RAY),
    Target("burst_10k", 5, POOLS),
    Target("burst_10k", 50, RAY),
    Target("burst_100k", 5, POOLS),
    Target("burst_100k", 50, RAY),
    Target("burst_100k", 0.8, other="burst_10k"),
    Target("actor_one", 0.5, RAW),
    Target("actor_burst", 20, RAY),
    Target("actor_2x2", 20, RAY),
    Target("nested", 20, RAY),
    Target("tree", 20, RAY),
    Target("put_small", 100_000),
    Target("get_small", 200_000),
    Target("put_100mb_steady", 0.8, RAW),
    Target("put_100mb_first", 1, RAY),
    Target("get_100mb", 1),
    Target("task_100mb", 1),
    Target("results_10mb", 2, RAY),
    Target("wait_1k", 0.05),
    Target("args_10k", 0.1),
    Target("actors_50", 0.5),
    Target("cold_start", 0.25),
    Target("warm_start", 15),
    Target("shutdown", 15),
    Target("fixture", 25),
    Target("idle_memory", 70),
    Target("queued_task", 1024),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target against one run; ``met`` is None where the run cannot tell."""

    target: Target
    value: float | None
    bound: float | None
    met: bool | None


def judge(medians: Mapping[str, Mapping[str, float]]) -> list[Verdict]:
    """Holds every target against the medians, given by metric and system."""

    def median(metric: str, system: str) -> float | None:
        return medians.get(metric, {}).get(system)

    verdicts = []
    for target in TARGETS:
        value, bound = median(target.metric, SUBJECT), target.bound(median)
        met = None if value is None or bound is None else target.met(value, bound)
        verdicts.append(Verdict(target, value, bound, met))
    return verdicts
