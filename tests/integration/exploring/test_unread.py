"""Errors that nobody reads: which are found, and which are none."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import RayActorError, TaskCancelledError, WorkerCrashedError
from rustyray.testing import RaceFound, UnreadError, explore, replay


@rustyray.remote
def divide(number: int) -> float:
    return 1 / number


@rustyray.remote(num_cpus=0)
class Divisor:
    def __init__(self, value: int) -> None:
        self.value = value
        self.kept: list[rustyray.ObjectRef[float]] = []

    def set(self, value: int) -> None:
        self.value = value

    def divide(self, number: int) -> float:
        return number / self.value

    def begin(self, number: int) -> None:
        self.kept.append(divide.remote(number))

    def result(self) -> float:
        return rustyray.get(self.kept.pop())


@rustyray.remote
def check(divisor: rustyray.ActorHandle[Divisor]) -> float:
    return rustyray.get(divisor.divide.remote(12))


@rustyray.remote
def quotients(*numbers: int) -> Iterator[float]:
    for number in numbers:
        yield 1 / number


def an_item_not_read() -> None:
    """The error is an item that nobody asks for."""
    items: Any = quotients.remote(1, 0)
    rustyray.wait([items.completed()])


def all_items_read() -> None:
    items: Any = quotients.remote(1, 0)
    for ref in items:
        with contextlib.suppress(ZeroDivisionError):
            rustyray.get(ref)


def checked_too_late() -> None:
    """It fails if the check comes after the change, and nobody hears of it."""
    divisor = Divisor.remote(3)
    checking = check.remote(divisor)
    rustyray.get(divisor.divide.remote(1))
    rustyray.get(divisor.set.remote(0))
    rustyray.wait([checking])


def checked_in_time() -> None:
    divisor = Divisor.remote(3)
    checking = check.remote(divisor)
    rustyray.wait([checking])
    rustyray.get(divisor.set.remote(0))


def test_an_error_that_nobody_reads_is_found_and_told() -> None:
    with pytest.raises(RaceFound) as caught:
        explore(checked_too_late)
    found = caught.value
    assert found.departures <= 1
    error = found.__cause__
    assert isinstance(error, UnreadError)
    assert isinstance(error.__cause__, ZeroDivisionError)
    text = str(found)
    assert "nobody has read the error of a task" in text
    assert "`check` raised ZeroDivisionError at test_unread.py:" in text
    assert "it was submitted at test_unread.py:" in text
    assert ": checking = check.remote(divisor)" in text
    with pytest.raises(UnreadError, match="it was submitted at"):
        replay(found.line).run(checked_too_late)
    assert explore(checked_in_time, schedules=100).schedules == 100


def test_a_task_that_nobody_waits_for() -> None:
    def forgotten() -> None:
        divide.remote(0)
        rustyray.get(divide.remote(1))

    with pytest.raises(RaceFound) as caught:
        explore(forgotten)
    assert caught.value.departures <= 1
    assert isinstance(caught.value.__cause__, UnreadError)


def test_an_item_of_a_generator() -> None:
    with pytest.raises(RaceFound, match="`quotients` raised ZeroDivisionError"):
        explore(an_item_not_read)
    assert explore(all_items_read, schedules=30).schedules == 30


def test_a_method_whose_actor_kept_the_ref() -> None:
    def started_and_not_asked() -> None:
        divisor = Divisor.remote(1)
        rustyray.get(divisor.begin.remote(0))
        rustyray.get([divide.remote(1), divide.remote(2)])

    with pytest.raises(RaceFound, match=r"`divide` raised ZeroDivisionError.*submitted at .*self.kept.append"):
        explore(started_and_not_asked)


def test_many_are_told_and_may_be_ignored() -> None:
    def scenario() -> None:
        for _ in range(8):
            divide.remote(0)
        rustyray.get(divide.remote(1))

    with pytest.raises(RaceFound, match=r"(?s)`divide` raised.*and \d more.*unread_errors=.ignore."):
        explore(scenario)
    done = explore(scenario, unread_errors="ignore", schedules=20)
    assert done.schedules == 20


def test_a_line_says_that_they_are_ignored() -> None:
    def scenario() -> None:
        divide.remote(0)
        rustyray.get(divide.remote(1))
        raise KeyError

    with pytest.raises(RaceFound) as caught:
        explore(scenario, unread_errors="ignore")
    line = caught.value.line
    assert ",unread=ignore:" in line
    replay(line, strict=False).run(lambda: rustyray.wait([divide.remote(0)]))
    with pytest.raises(UnreadError):
        replay(line.replace(",unread=ignore", ""), strict=False).run(lambda: rustyray.wait([divide.remote(0)]))


# --- what has been read -----------------------------------------------------------------------------------------------


@rustyray.remote
def first(refs: list[rustyray.ObjectRef[float]]) -> str:
    try:
        return str(rustyray.get(refs[0]))
    except ZeroDivisionError:
        return "∞"


@rustyray.remote
def negative(number: float) -> float:
    return -number


@rustyray.remote
def make() -> list[rustyray.ObjectRef[float]]:
    return [divide.remote(0)]


@rustyray.remote
def gives_up() -> None:
    others = [divide.remote(0), divide.remote(0)]
    rustyray.get(others[0])


@rustyray.remote(num_cpus=0)
class Async:
    async def divide(self, number: int) -> str:
        try:
            return str(await divide.remote(number))
        except ZeroDivisionError:
            return "∞"


def got() -> None:
    with contextlib.suppress(ZeroDivisionError):
        rustyray.get(divide.remote(0))


def got_with_others() -> None:
    with contextlib.suppress(ZeroDivisionError):
        rustyray.get([divide.remote(0), divide.remote(0)])


def got_in_vain() -> None:
    with contextlib.suppress(ZeroDivisionError, TimeoutError):
        rustyray.get(divide.remote(0), timeout=0)


def awaited() -> None:
    assert rustyray.get(Async.remote().divide.remote(0)) == "∞"


def made_a_future() -> None:
    assert isinstance(divide.remote(0).future().exception(), ZeroDivisionError)


def passed_on() -> None:
    assert rustyray.get(first.remote([divide.remote(0)])) == "∞"


def passed_on_to_a_task_that_cannot_run() -> None:
    with contextlib.suppress(ZeroDivisionError):
        rustyray.get(negative.remote(divide.remote(0)))


def put_away() -> None:
    rustyray.wait(rustyray.get(rustyray.put([divide.remote(0)])))


def returned() -> None:
    rustyray.wait(rustyray.get(make.remote()))


def cancelled() -> None:
    task = divide.remote(0)
    rustyray.cancel(task)
    with contextlib.suppress(TaskCancelledError, ZeroDivisionError):
        rustyray.get([task])


def cancelled_and_forgotten() -> None:
    tasks = [divide.remote(0), make.remote()]
    rustyray.wait(tasks[:1], timeout=0)
    for task in tasks:
        rustyray.cancel(task)
    rustyray.get(divide.remote(1))


def without_a_result() -> None:
    divide.options(num_returns=0).remote(0)
    rustyray.get(divide.remote(1))


def left_by_a_task_that_raised() -> None:
    with contextlib.suppress(ZeroDivisionError):
        rustyray.get(gives_up.remote())


def killed() -> None:
    divisor = Divisor.remote(1)
    divisor.divide.remote(1)
    rustyray.kill(divisor)
    divisor.divide.remote(1)
    rustyray.get(divide.remote(1))


def of_the_runtimes_own() -> None:
    divisor = Divisor.remote(1)
    rustyray.kill(divisor)
    rustyray.wait([check.remote(divisor)])


def asked_later() -> None:
    divisor = Divisor.remote(1)
    divisor.begin.remote(0)
    with contextlib.suppress(ZeroDivisionError):
        rustyray.get(divisor.result.remote())


@pytest.mark.parametrize(
    "scenario",
    [
        got,
        got_with_others,
        got_in_vain,
        awaited,
        made_a_future,
        passed_on,
        passed_on_to_a_task_that_cannot_run,
        put_away,
        returned,
        cancelled,
        cancelled_and_forgotten,
        without_a_result,
        left_by_a_task_that_raised,
        killed,
        of_the_runtimes_own,
        asked_later,
    ],
)
def test_what_was_read_or_given_up_is_no_error(scenario: Callable[[], None]) -> None:
    assert explore(scenario, schedules=40).schedules == 40


@rustyray.remote(max_retries=3)
def divides_twice() -> str:
    return rustyray.get(first.remote([divide.remote(0), divide.remote(0)]))


def reader_crashes() -> None:
    with contextlib.suppress(WorkerCrashedError, RayActorError):
        rustyray.get(divides_twice.remote())


@pytest.mark.stress
def test_a_crash_takes_along_whoever_would_have_read_it() -> None:
    assert explore(reader_crashes, schedules=300, faults="crash", depth=2).schedules == 300
