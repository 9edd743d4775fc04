"""How fast programs are simulated and explored, on one core: ``python -m benchmarks.exploring``.

Beside each figure is the raw limit, or the same program natively, measured in the same run. Each is the best of a few.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from greenlet import getcurrent, greenlet

import rustyray
from rustyray.testing import explore
from rustyray.testing.exploring.trial import Plan, Setup, run_plan

ROUNDS: Final = 5


@rustyray.remote
def add(one: int, other: int) -> int:
    return one + other


@rustyray.remote
def naps(count: int) -> None:
    for _ in range(count):
        time.sleep(0)


def six_tasks() -> None:
    """Four tasks, one that needs two of them, and one that needs that."""
    leaves = [add.remote(number, number) for number in range(4)]
    inner = add.remote(leaves[0], leaves[1])
    assert rustyray.get(add.remote(leaves[2], inner)) == 6


def six_apart() -> None:
    assert rustyray.get([add.remote(number, number) for number in range(6)]) == [0, 2, 4, 6, 8, 10]


def best(run: Callable[[], float]) -> float:
    """The highest of a few rates."""
    return max(run() for _ in range(ROUNDS))


def per_second(count: int, run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return count / (time.process_time() - began)


def schedules(scenario: Callable[[], None], count: int) -> float:
    return per_second(count, lambda: explore(scenario, schedules=count))


def natively(scenario: Callable[[], None], count: int) -> float:
    """Runs a second, each in a native runtime of its own, in seconds that pass: most is done by other processes."""
    began = time.perf_counter()
    for _ in range(count):
        with rustyray.init(num_cpus=2):
            scenario()
    return count / (time.perf_counter() - began)


def switches(count: int) -> float:
    """Two tasks give way to each other."""

    def both() -> None:
        rustyray.get([naps.remote(count // 2) for _ in range(2)])

    return per_second(count, lambda: run_plan(both, Plan(), Setup(max_steps=3 * count)))


def raw_switches(count: int) -> float:
    """Two greenlets do, through a third."""
    hub = getcurrent()

    def run() -> None:
        while True:
            hub.switch()

    both = [greenlet(run), greenlet(run)]

    def turns() -> None:
        for number in range(count):
            both[number % 2].switch()

    return per_second(count, turns)


def tasks(count: int) -> float:
    """Tasks a second of one long simulated run."""

    def many() -> None:
        with rustyray.init(engine="sim", num_cpus=2):
            rustyray.get([add.remote(number, 1) for number in range(count)])

    return per_second(count, many)


def main() -> None:
    explore(six_tasks, schedules=50)
    for scenario, what in ((six_tasks, "6 tasks, three after the other"), (six_apart, "6 tasks")):
        simulated, native = best(lambda: schedules(scenario, 500)), natively(scenario, 10)  # noqa: B023 - called at once
        print(
            f"schedules of {what + ':':32} {simulated:9,.0f}/s, {simulated / native:.0f} times as many as native runs"
        )
    for count in (100, 1_000, 10_000):
        print(f"schedules of 6 tasks, {count:6,} of them:    {schedules(six_tasks, count):9,.0f}/s")
    mine, raw = best(lambda: switches(20_000)), best(lambda: raw_switches(200_000))
    print(f"switches:                                     {mine:9,.0f}/s, {mine / raw:.3f} of bare greenlets")
    for count in (100, 1_000, 10_000):
        print(f"one run of {count:6,} tasks:                     {tasks(count):9,.0f} tasks/s")


if __name__ == "__main__":
    main()
