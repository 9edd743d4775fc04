"""The measurements that one running system can serve in turn.

A probe is a function of a started ``System`` that returns a sample for each of its metrics. It checks what the system
answers: a wrong result is a failure, never a figure. Slow systems are measured with fewer tasks, so that no
probe takes much longer than ``LIMIT``; where a title names the number of tasks, the sample says how many there were.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.metrics import Sample
from benchmarks.system import System

if TYPE_CHECKING:
    from benchmarks.work import Array

WINDOW = 0.4
"""Seconds that a rate is measured for, three times."""

WARM_UP = 1.5
"""Seconds before that: Ray starts another worker when a task first blocks."""

LIMIT = 8.0
"""Seconds that one burst may take before it is made smaller."""

BIG = 100_000_000
BLOCK = 10_000_000

Samples: TypeAlias = dict[str, Sample]


class WrongResult(Exception):
    """The system answered, but not what it should have."""


def expect(actual: object, wanted: object) -> None:
    """Raises ``WrongResult`` unless the two are equal."""
    if actual != wanted:
        raise WrongResult(f"expected {wanted!r}, got {actual!r}")


def timed(operation: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    begun = perf_counter()
    operation()
    return perf_counter() - begun


def rate(operation: Callable[[], object], units: int = 1) -> float:
    """``units`` × calls per second: the median of three windows, after a warm-up."""
    _window(operation, WARM_UP)
    return units * median(_window(operation, WINDOW) for _ in range(3))


def _window(operation: Callable[[], object], seconds: float) -> float:
    """Calls per second over at least three calls and ``seconds``."""
    calls, begun = 0, perf_counter()
    while (elapsed := perf_counter() - begun) < seconds or calls < 3:
        operation()
        calls += 1
    return calls / elapsed


def burst_rate(burst: Callable[[int], object], wanted: int) -> Sample:
    """Tasks per second in bursts of ``wanted``, or of what fits into ``LIMIT``: the median of up to three."""
    burst(200)
    guess = 1000 / timed(lambda: burst(1000))
    tasks = wanted if wanted / guess <= LIMIT else max(1000, int(guess * LIMIT) // 1000 * 1000)
    seconds: list[float] = []
    while not seconds or (len(seconds) < 3 and sum(seconds) < LIMIT / 2):
        seconds.append(timed(lambda: burst(tasks)))
    return Sample(tasks / median(seconds), tasks if tasks < wanted else None)


def big_array() -> Array:
    """100 MB whose sum is known."""
    import numpy as np

    return np.ones(BIG // 8)


def small_array() -> Array:
    """The same, with one element."""
    import numpy as np

    return np.ones(1)


def put_big(system: System) -> Samples:
    """The first put of a new runtime, and the steady state: each array is dropped before the next is put."""
    array = big_array()
    handle = None
    seconds = []
    for _ in range(9):
        del handle
        begun = perf_counter()
        handle = system.put(array)
        seconds.append(perf_counter() - begun)
    stored = system.get(handle)
    expect(float(stored.sum()), BIG / 8)  # type: ignore[attr-defined]
    first, steady = seconds[0], median(seconds[3:])
    return {"put_100mb_first": Sample(BIG / first / 1e9), "put_100mb_steady": Sample(BIG / steady / 1e9)}


def tasks_one(system: System) -> Samples:
    expect(system.call(7), 7)
    return {"tasks_one": Sample(rate(lambda: system.call(7)))}


def bursts(wanted: int, metric: str) -> Callable[[System], Samples]:
    """The probe for bursts of ``wanted`` tasks."""

    def measure(system: System) -> Samples:
        return {metric: burst_rate(lambda tasks: expect(system.burst(tasks), tasks * (tasks - 1) // 2), wanted)}

    return measure


def actor_calls(system: System) -> Samples:
    (actor,) = system.actors(1)
    expect(actor.call(1), 1)
    one = rate(lambda: actor.call(1))
    many = burst_rate(lambda calls: expect(actor.burst(calls), calls), 10_000)
    actor.stop()
    return {"actor_one": Sample(one), "actor_burst": Sample(many.value)}


def actor_mesh(system: System) -> Samples:
    mesh = system.mesh(2, 2)
    sample = burst_rate(lambda calls: expect(mesh.burst(calls), calls), 10_000)
    mesh.stop()
    return {"actor_2x2": Sample(sample.value)}


def nested(system: System) -> Samples:
    """Counts the tasks inside and the one around them."""
    return {"nested": Sample(rate(lambda: expect(system.nested(10), 10), units=11))}


def tree(system: System) -> Samples:
    """Counts all 111 tasks of the tree."""
    return {"tree": Sample(rate(lambda: expect(system.tree(10), 100), units=111))}


def small_objects(system: System) -> Samples:
    """Puts for a while, then gets every one of them, three times over."""
    puts, gets = [], []
    for _ in range(3):
        handles = [system.put(0)]
        begun = perf_counter()
        while (elapsed := perf_counter() - begun) < WINDOW:
            handles.append(system.put(len(handles)))
        puts.append((len(handles) - 1) / elapsed)
        begun = perf_counter()
        values = [system.get(handle) for handle in handles]
        gets.append(len(handles) / (perf_counter() - begun))
        expect(values, list(range(len(handles))))
    return {"put_small": Sample(median(puts)), "get_small": Sample(median(gets))}


def get_big(system: System) -> Samples:
    """A new array is put for each get, so that no answer can come from an earlier one."""

    def once(array: Array) -> float:
        handle = system.put(array)
        begun = perf_counter()
        value = system.get(handle)
        elapsed = perf_counter() - begun
        expect(len(value), len(array))  # type: ignore[arg-type]
        return elapsed

    return {"get_100mb": Sample(_beyond(once))}


def task_big(system: System) -> Samples:
    """A new array is shared for each task."""

    def once(array: Array) -> float:
        shared = system.share(array)
        begun = perf_counter()
        size = system.length(shared)
        elapsed = perf_counter() - begun
        expect(size, len(array))
        return elapsed

    return {"task_100mb": Sample(_beyond(once))}


def _beyond(once: Callable[[Array], float]) -> float:
    """Milliseconds that the 100 MB array costs over the one-element array."""
    big, small = big_array(), small_array()
    pairs = [(once(big), once(small)) for _ in range(9)][2:]
    return 1000 * (median(pair[0] for pair in pairs) - median(pair[1] for pair in pairs))


def sum_big(system: System) -> Samples:
    shared = system.share(big_array())
    seconds = [timed(lambda: expect(system.total(shared), BIG / 8)) for _ in range(9)]
    return {"sum_100mb": Sample(1000 * median(seconds[2:]))}


def results(system: System) -> Samples:
    """Twenty tasks at once; every worker returns an array that it has made before."""
    tasks = 20
    seconds = [timed(lambda: expect(system.blocks(tasks, BLOCK), tasks * BLOCK)) for _ in range(5)]
    return {"results_10mb": Sample(tasks * BLOCK / median(seconds[1:]) / 1e9)}


def wait_each(system: System) -> Samples:
    """From the first submission to the last ref, as Ray's own microbenchmark has it."""
    expect(system.wait_each(100), 100)
    return {"wait_1k": Sample(timed(lambda: expect(system.wait_each(1000), 1000)))}


def many_arguments(system: System) -> Samples:
    """The refs exist before the clock starts."""
    handles = [system.put(value) for value in range(10_000)]
    seconds = [timed(lambda: expect(system.count(handles), len(handles))) for _ in range(3)]
    return {"args_10k": Sample(median(seconds))}


def many_actors(system: System) -> Samples:
    begun = perf_counter()
    actors = system.actors(50)
    values = [actor.call(1) for actor in actors]
    elapsed = perf_counter() - begun
    expect(values, [1] * 50)
    for actor in actors:
        actor.stop()
    return {"actors_50": Sample(elapsed)}
