"""``get(refs, on_error=…)``: all errors, not only the first."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import GetTimeoutError, RaySystemError, RayTaskError, WorkerCrashedError
from tests.integration.runtime.conftest import Start


@rustyray.remote
def invert(number: int) -> float:
    if number > 8:
        raise OverflowError(f"{number} is too much")
    return 1 / number


@rustyray.remote(max_retries=0)
def crash() -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


@rustyray.remote
def fails_late(earlier: float) -> float:
    raise KeyError(earlier)


def test_errors_are_raised_together_one_for_each_cause(start: Start) -> None:
    start(num_cpus=2)
    refs = [invert.remote(number) for number in (1, 0, 2, 0, 9, 0, 10)]
    with pytest.raises(ExceptionGroup) as caught:
        rustyray.get(refs, on_error="group")
    assert caught.value.message == "5 of 7 refs failed, for 3 different reasons"
    zero, nine, ten = caught.value.exceptions
    assert isinstance(zero, ZeroDivisionError)
    assert isinstance(zero, RayTaskError)
    assert zero.context.function.endswith("invert")
    assert zero.__notes__ == ["at 3 of 7 refs, number 1, 3, 5"]
    assert ["9 is too much" in str(nine), "10 is too much" in str(ten)] == [True, True]


def test_errors_take_the_place_of_values(start: Start) -> None:
    start(num_cpus=2)
    one, zero, two = rustyray.get([invert.remote(number) for number in (1, 0, 2)], on_error="return")
    assert (one, two) == (1, 0.5)
    assert isinstance(zero, ZeroDivisionError)
    assert isinstance(rustyray.get(invert.remote(0), on_error="return"), ZeroDivisionError)
    assert rustyray.get(invert.remote(4), on_error="return") == 0.25


def test_without_errors_there_is_no_difference(start: Start) -> None:
    start(num_cpus=2)
    refs = [invert.remote(number) for number in (1, 2, 1)]
    both = [*refs, refs[0]]
    assert rustyray.get(both, on_error="group") == rustyray.get(both, on_error="return") == [1, 0.5, 1, 1]
    assert rustyray.get([], on_error="group") == []
    assert rustyray.get(rustyray.put(ValueError("a value")), on_error="group").args == ("a value",)


def test_deaths_and_what_follows_from_errors_count_too(start: Start) -> None:
    start(num_cpus=2)
    bad = invert.remote(0)
    refs = [crash.remote(), bad, fails_late.remote(bad), crash.remote(), fails_late.remote(invert.remote(1))]
    with pytest.raises(ExceptionGroup) as caught:
        rustyray.get(refs, on_error="group")
    kinds = [type(error.cause if isinstance(error, RayTaskError) else error) for error in caught.value.exceptions]
    assert kinds == [WorkerCrashedError, ZeroDivisionError, KeyError]
    assert caught.value.message == "5 of 5 refs failed, for 3 different reasons"


def test_many_refs_with_one_cause(start: Start) -> None:
    start(num_cpus=2)
    with pytest.raises(ExceptionGroup, match=r"30 of 30 refs failed, for 1 reason$") as caught:
        rustyray.get([invert.remote(0) for _ in range(30)], on_error="group")
    assert caught.value.exceptions[0].__notes__ == ["at 30 of 30 refs, number 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …"]


class Mute(Exception):
    def __str__(self) -> str:
        raise ZeroDivisionError


@rustyray.remote
def says_nothing() -> None:
    raise Mute


class Elsewhere(Exception):
    def __getattr__(self, name: str) -> object:
        raise LookupError(name)


@rustyray.remote
def looks_up() -> None:
    raise Elsewhere


class Unreadable:
    def __reduce__(self) -> Any:
        return eval, ("1/0",)


def test_what_cannot_be_read_takes_the_place_of_its_value_alone(start: Start) -> None:
    start(num_cpus=2)
    refs = [rustyray.put(Unreadable()), rustyray.put(1), looks_up.remote()]
    unread, one, elsewhere = rustyray.get(refs, on_error="return")
    assert isinstance(unread, RaySystemError)
    assert "could not be unpickled: ZeroDivisionError" in str(unread)
    assert (one, type(unread.__cause__)) == (1, ZeroDivisionError)
    assert isinstance(elsewhere, RayTaskError)
    with pytest.raises(ExceptionGroup, match="2 of 3 refs failed"):
        rustyray.get(refs, on_error="group")


def test_an_exception_that_cannot_say_what_it_is(start: Start) -> None:
    start(num_cpus=2)
    with pytest.raises(ExceptionGroup, match="3 of 3 refs failed, for 2 different reasons"):
        rustyray.get([says_nothing.remote(), invert.remote(0), says_nothing.remote()], on_error="group")


def test_time_runs_out(start: Start) -> None:
    start(num_cpus=1)

    @rustyray.remote
    class Gate:
        async def wait(self) -> None:
            import asyncio

            await asyncio.Event().wait()

    gate = Gate.remote()
    with pytest.raises(GetTimeoutError, match=r"1 of 2 objects were not ready"):
        rustyray.get([invert.remote(0), gate.wait.remote()], on_error="group", timeout=0.5)


def test_there_is_no_such_way(start: Start) -> None:
    start(num_cpus=1)
    with pytest.raises(ValueError, match=r"no on_error='groups' \(did you mean 'group'\?\)"):
        rustyray.get([], on_error="groups")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes a ref or a list of refs"):
        rustyray.get(3, on_error="group")  # type: ignore[call-overload]
