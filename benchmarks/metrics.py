"""What is measured: one row of the table each, in the table's order."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Better(Enum):
    """Which way a metric improves."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure's name (for ``--only``, JSON and targets), its title in the table, and its unit."""

    name: str
    title: str
    unit: str
    better: Better


@dataclass(frozen=True, slots=True)
class Sample:
    """One measured value; ``reduced`` is the number of tasks behind it, where that is fewer than the title says."""

    value: float
    reduced: int | None = None


RATE, SIZE, LONG, SHORT = "/s", "GB/s", "s", "ms"


def _more(name: str, title: str, unit: str = RATE) -> Metric:
    return Metric(name, title, unit, Better.HIGHER)


def _less(name: str, title: str, unit: str) -> Metric:
    return Metric(name, title, unit, Better.LOWER)


METRICS = {
    metric.name: metric
    for metric in (
        _more("tasks_one", "tasks one at a time"),
        _more("burst_10k", "burst of 10,000 no-op tasks"),
        _more("burst_100k", "burst of 100,000 no-op tasks"),
        _more("actor_one", "actor calls one at a time"),
        _more("actor_burst", "actor calls in a burst"),
        _more("actor_2x2", "actor calls, 2 clients × 2 actors"),
        _more("nested", "nested: tasks, 10 in a task"),
        _more("tree", "nested: tasks, a 10 × 10 tree"),
        _more("put_small", "put of a small object"),
        _more("get_small", "get of a small object"),
        _more("put_100mb_steady", "put of 100 MB, steady", SIZE),
        _more("put_100mb_first", "put of 100 MB, first", SIZE),
        _less("get_100mb", "get of a 100 MB array, beyond a small get", SHORT),
        _less("task_100mb", "task taking a 100 MB array, beyond a bare call", SHORT),
        _less("sum_100mb", "task summing a 100 MB array", SHORT),
        _more("results_10mb", "10 MB results", SIZE),
        _less("wait_1k", "wait on 1,000 refs, one by one", LONG),
        _less("args_10k", "a task with 10,000 ref arguments", LONG),
        _less("actors_50", "50 actors created and called once", LONG),
        _less("cold_start", "cold start: import, init, first result", LONG),
        _less("warm_start", "init and first result again, same process", SHORT),
        _less("shutdown", "shutdown, idle", SHORT),
        _less("fixture", "a test with its own runtime, over a bare test", SHORT),
        _less("idle_memory", "idle memory (PSS, all processes)", "MB"),
        _less("queued_task", "driver memory per queued task", "B"),
    )
}
