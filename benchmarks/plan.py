"""Which probe measures what, in which process, and how long it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from benchmarks import probes
from benchmarks.probes import Samples
from benchmarks.system import System


class Stage(Enum):
    """The kind of process that a probe needs; the value is its module."""

    SESSION = "benchmarks.session"
    FRESH = "benchmarks.fresh"
    PYTEST = "benchmarks.overhead"


@dataclass(frozen=True, slots=True)
class Probe:
    """A measurement of some metrics that is given up after ``deadline`` seconds."""

    name: str
    stage: Stage
    metrics: tuple[str, ...]
    deadline: float
    measure: Callable[[System], Samples] | None = None


def _session(measure: Callable[[System], Samples], *metrics: str, deadline: float = 60) -> Probe:
    return Probe(metrics[0], Stage.SESSION, metrics, deadline, measure)


# The first put needs a runtime that has stored nothing yet. The tree and the many actors come last: Ray starts a
# process for each blocked task and each actor, and keeps some of them.
PROBES = (
    Probe("life", Stage.FRESH, ("cold_start", "warm_start", "shutdown", "idle_memory"), 90),
    Probe("queue", Stage.FRESH, ("queued_task",), 90),
    Probe("fixture", Stage.PYTEST, ("fixture",), 120),
    _session(probes.put_big, "put_100mb_first", "put_100mb_steady"),
    _session(probes.tasks_one, "tasks_one"),
    _session(probes.bursts(10_000, "burst_10k"), "burst_10k"),
    _session(probes.bursts(100_000, "burst_100k"), "burst_100k"),
    _session(probes.small_objects, "put_small", "get_small"),
    _session(probes.get_big, "get_100mb"),
    _session(probes.task_big, "task_100mb"),
    _session(probes.sum_big, "sum_100mb"),
    _session(probes.results, "results_10mb"),
    _session(probes.wait_each, "wait_1k"),
    _session(probes.many_arguments, "args_10k"),
    _session(probes.actor_calls, "actor_one", "actor_burst"),
    _session(probes.actor_mesh, "actor_2x2", deadline=90),
    _session(probes.nested, "nested"),
    _session(probes.tree, "tree", deadline=90),
    _session(probes.many_actors, "actors_50", deadline=120),
)


def select(metrics: set[str]) -> tuple[Probe, ...]:
    """The probes that measure any of ``metrics``."""
    return tuple(probe for probe in PROBES if metrics.intersection(probe.metrics))
