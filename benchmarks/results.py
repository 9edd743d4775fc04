"""The rounds of all systems, and the medians over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.metrics import METRICS
from benchmarks.runner import Round


@dataclass(frozen=True, slots=True)
class Figure:
    """One system at one metric: a sample per round that measured it, and why another failed. Neither is a dash."""

    samples: tuple[float, ...] = ()
    reduced: int | None = None
    failure: str | None = None

    @property
    def median(self) -> float | None:
        """The median over the rounds that succeeded."""
        return median(self.samples) if self.samples else None


def figures(metrics: Sequence[str], rounds: Mapping[str, Sequence[Round]]) -> dict[str, dict[str, Figure]]:
    """All figures, by metric and system."""
    return {
        metric: {system: _figure(metric, done) for system, done in rounds.items()}
        for metric in METRICS
        if metric in metrics
    }


def medians(table: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, float]]:
    """The medians alone, without the systems that have none."""
    return {
        metric: {system: figure.median for system, figure in row.items() if figure.median is not None}
        for metric, row in table.items()
    }


def _figure(metric: str, rounds: Sequence[Round]) -> Figure:
    samples = [each.samples[metric] for each in rounds if metric in each.samples]
    failures = [each.failures[metric] for each in rounds if metric in each.failures]
    reduced = [sample.reduced for sample in samples if sample.reduced is not None]
    return Figure(
        samples=tuple(sample.value for sample in samples),
        reduced=min(reduced) if reduced else None,
        failure=failures[0] if failures else None,
    )
