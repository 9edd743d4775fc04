"""Programs that go round in circles: which steps they repeat, and who never gets a turn."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

import rustyray
from rustyray.engines.sim.circles import repeated
from rustyray.exceptions import LivelockError, StarvationError
from rustyray.testing import RaceFound, explore, replay


@rustyray.remote(num_cpus=0)
class Flag:
    def __init__(self) -> None:
        self.up = False

    def get(self) -> bool:
        return self.up

    def set(self, up: bool) -> None:
        self.up = up


Flags = rustyray.ActorHandle[Flag]


@rustyray.remote
def toggle(flag: Flags) -> None:
    rustyray.get(flag.set.remote(True))
    rustyray.get(flag.set.remote(False))


@rustyray.remote
def wait_for(flag: Flags) -> None:
    while not rustyray.get(flag.get.remote()):
        time.sleep(0.01)


@pytest.mark.stress
def test_the_steps_that_repeat_are_told() -> None:
    def missed() -> None:
        """Whoever looks too late never sees the flag up."""
        flag = Flag.remote()
        rustyray.get([wait_for.remote(flag), toggle.remote(flag)])

    with pytest.raises(RaceFound) as caught:
        explore(missed, max_steps=3000)
    found = caught.value
    assert found.departures <= 1
    assert type(found.__cause__) is LivelockError
    text = str(found.__cause__)
    assert "In the last 1,000 events" in text
    assert "it went through this" in text
    assert "times:\n  1. " in text
    assert "Flag.get begins on worker" in text
    assert "test_circles.py" in text
    assert "wait_for waits for time to pass" in text
    assert "lines are left out)" in found.story
    assert found.story.startswith("1. ")
    with pytest.raises(LivelockError):
        replay(found.line).run(missed)

    def seen() -> None:
        flag = Flag.remote()
        rustyray.get([wait_for.remote(flag), flag.set.remote(True)])

    assert explore(seen, max_steps=3000, schedules=100).schedules == 100


def test_who_repeats_in_no_order_is_told_how_often() -> None:
    def scenario() -> None:
        flag = Flag.remote()
        rustyray.get([wait_for.options(num_cpus=0.3).remote(flag) for _ in range(3)])

    with pytest.raises(RaceFound) as caught:
        explore(scenario, max_steps=3000, explorer="random")
    text = str(caught.value.__cause__)
    assert "wait_for waits for the result of get" in text


@rustyray.remote(num_cpus=0)
class Loop:
    """Works until it is told to stop, which it hears only between two calls."""

    def __init__(self, flag: Flags) -> None:
        self.on = True
        self.flag = flag

    def run(self) -> None:
        while self.on:
            rustyray.get(self.flag.get.remote())

    def stop(self) -> None:
        self.on = False


@rustyray.remote
def stop(loop: rustyray.ActorHandle[Loop]) -> None:
    rustyray.get(loop.stop.remote())


@rustyray.remote
def run(loop: rustyray.ActorHandle[Loop]) -> None:
    rustyray.get(loop.run.remote())


@pytest.mark.stress
def test_a_call_behind_one_that_never_ends_starves() -> None:
    def stopped(concurrency: int) -> None:
        loop = Loop.options(max_concurrency=concurrency).remote(Flag.remote())
        rustyray.get([run.remote(loop), stop.remote(loop)])

    def one_at_a_time() -> None:
        stopped(1)

    with pytest.raises(RaceFound) as caught:
        explore(one_at_a_time, max_steps=3000)
    found = caught.value
    assert found.departures <= 1
    assert isinstance(found.__cause__, StarvationError)
    text = str(found.__cause__)
    assert text.startswith("others go on and on, and these never get a turn:\n")
    assert (
        "Loop.stop: worker 5000003 runs tests.integration.exploring.test_circles.Loop.run, which does not end" in text
    )
    assert "Flag.get begins on worker" in text
    with pytest.raises(StarvationError):
        replay(found.line).run(one_at_a_time)
    assert explore(lambda: stopped(2), max_steps=3000).schedules == 500


@rustyray.remote
def patrol(alarm: Flags) -> None:
    for _ in itertools.count():
        if rustyray.get(alarm.get.remote()):
            return
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            time.sleep(0.1)


@rustyray.remote
def busy(gate: threading.Event | None) -> None:
    for _ in itertools.count():
        time.sleep(0.5)


def test_a_task_without_a_worker_starves() -> None:
    def scenario(cpus: float) -> None:
        tasks = [busy.options(num_cpus=cpus).remote(None) for _ in range(2)]
        rustyray.get(toggle.remote(Flag.remote()))
        for task in tasks:
            rustyray.cancel(task)

    with pytest.raises(
        RaceFound, match=r"toggle, submitted by the driver, waits for a worker with CPU: 1; worker"
    ) as caught:
        explore(lambda: scenario(1), max_steps=2000)
    assert isinstance(caught.value.__cause__, StarvationError)
    assert str(caught.value.__cause__).count("runs tests.integration.exploring.test_circles.busy") == 2
    assert explore(lambda: scenario(0.5), max_steps=2000, schedules=60).schedules == 60


@rustyray.remote
def short() -> None:
    time.sleep(0.01)


@rustyray.remote(num_cpus=2)
def large() -> str:
    return "done"


def test_a_large_task_has_its_turn_among_small_ones() -> None:
    def scenario() -> str:
        small = [short.remote() for _ in range(6)]
        waiting = large.remote()
        for _ in range(1000):
            _, small = rustyray.wait(small)
            if rustyray.wait([waiting], timeout=0)[0]:
                return rustyray.get(waiting)
            small.append(short.remote())
        raise AssertionError("it has starved")

    assert explore(scenario, schedules=20).result == "done"


@rustyray.remote(num_cpus=0)
def raise_later(flag: Flags) -> None:
    time.sleep(1)
    rustyray.get(flag.set.remote(True))


def test_time_passes_for_those_who_sleep_while_others_ask_without_end() -> None:
    def scenario() -> None:
        flag = Flag.remote()
        later = raise_later.remote(flag)
        while not rustyray.get(flag.get.remote()):
            pass
        rustyray.get(later)

    assert explore(scenario, schedules=5).schedules == 5
    assert explore(scenario, schedules=5, num_nodes=3).schedules == 5


def test_who_is_only_late_does_not_starve() -> None:
    """There is much to do, and each has its turn; the bound is too low."""

    def scenario() -> None:
        rustyray.get([short.remote() for _ in range(600)])

    with pytest.raises(RaceFound, match="or it needs a higher max_steps") as caught:
        explore(scenario, max_steps=2000)
    assert type(caught.value.__cause__) is LivelockError
    assert explore(scenario, max_steps=10_000, schedules=1).schedules == 1


def test_calls_behind_the_first_are_counted() -> None:
    def scenario() -> None:
        loop = Loop.remote(Flag.remote())
        loop.run.remote()
        rustyray.get([loop.stop.remote() for _ in range(3)])

    with pytest.raises(RaceFound, match=r"Loop.run, which does not end; 2 more are behind it"):
        explore(scenario, max_steps=2000)


def test_without_an_explorer_too() -> None:
    with rustyray.init(engine="sim", num_cpus=2, _system_config={"max_steps": 2000}):
        loop = Loop.remote(Flag.remote())
        loop.run.remote()
        with pytest.raises(StarvationError, match=r"the driver has waited for 2,000 events") as caught:
            rustyray.get(loop.stop.remote())
    assert "Loop.stop: worker" in str(caught.value)


def test_what_repeats() -> None:
    assert repeated([]) is None
    assert repeated(list("abcdefg")) is None
    assert repeated(list("xyabcabcabc")) == (["a", "b", "c"], 3)
    assert repeated(list("xyzaaaa")) == (["a"], 4)
    assert repeated(list("abcabc")) is None, "twice is chance"
    assert repeated(list("abcdefghijaaa")) is None, "that is only the end of it"
    assert repeated(list("baabaabaabaa")) == (["b", "a", "a"], 4)
