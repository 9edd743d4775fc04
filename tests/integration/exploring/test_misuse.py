"""Scenarios that cannot be explored, and lines that cannot be replayed, are refused with what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

import rustyray
from rustyray.testing import LeakedRuntime, NotDeterministic, RaceFound, explore, replay
from rustyray.testing.exploring import trial


@rustyray.remote
class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count


@rustyray.remote
def double(number: int) -> int:
    return 2 * number


class Keeps:
    """Makes something in its first run, and uses it in the later ones."""

    def __init__(self, make: Callable[[], Any], use: Callable[[Any], object]) -> None:
        self.kept: list[Any] = []
        self.make = make
        self.use = use

    def __call__(self) -> None:
        if not self.kept:
            self.kept.append(self.make())
        self.use(self.kept[0])


def by_name() -> Any:
    Counter.options(name="counter", lifetime="detached").remote()
    return rustyray.get_actor("counter")


KEPT = [
    Keeps(lambda: rustyray.put(1), rustyray.get),
    Keeps(lambda: rustyray.put(1), lambda ref: rustyray.get(double.remote(ref))),
    Keeps(Counter.remote, lambda handle: rustyray.get(handle.add.remote())),
    Keeps(by_name, lambda handle: rustyray.get(handle.add.remote())),
]


@pytest.mark.parametrize("keeps", KEPT, ids=["ref", "argument", "handle", "handle by name"])
def test_what_is_kept_from_an_earlier_schedule(keeps: Keeps) -> None:
    with pytest.raises(
        NotDeterministic, match=r"This time it raised (?s:.*)runtime has ended(?s:.*)kept for the later"
    ):
        explore(keeps, schedules=50)


def test_scenarios_that_do_nothing_when_called() -> None:
    async def coroutine() -> None: ...

    def generator() -> Any:
        yield 1

    for scenario in (coroutine, generator):
        with pytest.raises(TypeError, match="has to be a plain function"):
            explore(scenario)
    with pytest.raises(TypeError, match="takes a function without arguments, got 5"):
        explore(5)  # type: ignore[arg-type]


def test_exploring_in_a_scenario() -> None:
    with pytest.raises(LeakedRuntime, match="each schedule is run in a runtime of its own"):
        explore(lambda: explore(lambda: None))


def test_a_task_that_exits_is_a_failure_and_the_scenario_itself_may() -> None:
    def task_exits() -> None:
        rustyray.get(rustyray.remote(max_retries=0)(sys.exit).remote(3))

    with pytest.raises(RaceFound, match=r"WorkerCrashedError.* it exited with code 3"):
        explore(task_exits)
    with pytest.raises(SystemExit):
        explore(lambda: sys.exit(3))


@pytest.mark.parametrize("line", ["cpus=2.2.2,nodes=1:", "cpus=2,nodes=1:bogus1.1", "cpus=2,nodes=1:crash1.1"])
def test_damaged_lines(line: str) -> None:
    with pytest.raises(ValueError, match="is damaged"):
        replay(f"rr1:00000000:{line}")


def test_lines_that_are_no_texts() -> None:
    with pytest.raises(TypeError, match="takes the line of a report as a text, got None"):
        replay(None)  # type: ignore[arg-type]


@pytest.mark.stress
def test_a_scenario_that_computes_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> None:
        while True:
            pass

    monkeypatch.setattr(trial, "MAX_BUSY", 0.5)
    with pytest.raises(RaceFound, match=r"the driver at .*test_misuse.py:\d+ in .*endless has computed for 0.5 s"):
        explore(endless, num_cpus=7)  # a setup that is not made yet
