"""Objects: put, get, wait, refs as futures, zero-copy reads."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray.exceptions import GetTimeoutError, RayTaskError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start

MB = 1 << 20


@rustyray.remote
class Gate:
    """Opens when told; calls to `passed` wait for that."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    async def open(self) -> None:
        self.event.set()

    async def passed(self, value: object = None) -> object:
        await self.event.wait()
        return value


# --- get --------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local")
def test_put_and_get() -> None:
    for value in (None, 0, "text", [1, {2: 3}], b"x" * 50_000, b"y" * 300_000, "z" * 300_000):
        assert rustyray.get(rustyray.put(value)) == value


@pytest.mark.usefixtures("local")
def test_get_of_something_else_shows_the_right_call() -> None:
    @rustyray.remote
    def f() -> int:
        return 1

    with pytest.raises(TypeError, match=r"ref"):
        rustyray.get(5)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"f\.remote"):
        rustyray.get(f)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"item 1"):
        rustyray.get([f.remote(), 3])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="flat"):
        rustyray.get([[f.remote()]])  # type: ignore[arg-type]
    assert rustyray.get([]) == []


@pytest.mark.usefixtures("local")
def test_the_same_ref_twice_in_one_get() -> None:
    small, large = rustyray.put(1), rustyray.put(np.arange(MB))
    refs: list[Any] = [small, large, small, large]
    one, two, three, four = rustyray.get(refs)
    assert (one, three) == (1, 1)
    assert two[-1] == four[-1] == MB - 1


@pytest.mark.usefixtures("local")
def test_a_timeout_of_zero_raises_unless_it_is_there() -> None:
    gate = Gate.remote()
    ref = gate.passed.remote(4)
    with pytest.raises(GetTimeoutError):
        rustyray.get(ref, timeout=0)
    gate.open.remote()
    assert rustyray.get(ref) == 4
    assert rustyray.get(ref, timeout=0) == 4


@pytest.mark.usefixtures("local")
def test_a_timeout_names_what_is_late_and_the_task_goes_on() -> None:
    gate = Gate.remote()
    ref, other = gate.passed.remote(4), rustyray.put(1)
    began = time.monotonic()
    with pytest.raises(TimeoutError, match=f"1 of 2.*{ref.hex()}"):
        rustyray.get([other, ref], timeout=0.05)
    assert 0.05 <= time.monotonic() - began < 10
    gate.open.remote()
    assert rustyray.get([other, ref]) == [1, 4]


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("timeout", [-0.5, "1", True, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="timeout"):
        rustyray.get(rustyray.put(1), timeout=timeout)


@pytest.mark.usefixtures("local")
def test_a_list_raises_its_first_error_without_waiting_for_the_rest() -> None:
    @rustyray.remote
    def fails() -> None:
        raise ValueError("no")

    gate = Gate.remote()
    late = gate.passed.remote()
    with pytest.raises(ValueError, match="no"):
        rustyray.get([late, fails.remote()], timeout=30)
    failed = fails.remote()
    rustyray.wait([failed])
    with pytest.raises(ValueError, match="no"):
        rustyray.get([late, failed], timeout=30)
    gate.open.remote()
    rustyray.get(late)


# --- wait -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local")
def test_wait_keeps_the_order_of_both_lists() -> None:
    gate = Gate.remote()
    refs = [rustyray.put(0), gate.passed.remote(), rustyray.put(2), gate.passed.remote(), rustyray.put(4)]
    ready, rest = rustyray.wait(refs, num_returns=3)
    assert (ready, rest) == ([refs[0], refs[2], refs[4]], [refs[1], refs[3]])
    ready, rest = rustyray.wait(refs, num_returns=2)
    assert (ready, rest) == ([refs[0], refs[2]], [refs[1], refs[3], refs[4]])
    gate.open.remote()
    assert rustyray.wait(refs, num_returns=5) == (refs, [])


@pytest.mark.usefixtures("local")
def test_wait_with_a_timeout_returns_what_there_is() -> None:
    gate = Gate.remote()
    refs = [rustyray.put(0), gate.passed.remote()]
    assert rustyray.wait(refs, num_returns=2, timeout=0.05) == ([refs[0]], [refs[1]])
    assert rustyray.wait(refs, num_returns=2, timeout=0) == ([refs[0]], [refs[1]])
    gate.open.remote()
    assert eventually(lambda: len(rustyray.wait(refs, num_returns=2, timeout=0)[0]) == 2)


@pytest.mark.usefixtures("local")
def test_an_error_is_ready_too() -> None:
    @rustyray.remote
    def fails() -> None:
        raise ValueError

    ref = fails.remote()
    assert rustyray.wait([ref], timeout=30) == ([ref], [])


@pytest.mark.usefixtures("local")
def test_wait_refuses_what_makes_no_sense() -> None:
    ref = rustyray.put(1)
    with pytest.raises(ValueError, match="more than once"):
        rustyray.wait([ref, rustyray.put(2), ref])
    with pytest.raises(TypeError, match="list"):
        rustyray.wait(ref)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="item 0"):
        rustyray.wait([1])  # type: ignore[type-var]
    for number in (0, 2, -1):
        with pytest.raises(ValueError, match="num_returns"):
            rustyray.wait([ref], num_returns=number)
    assert rustyray.wait([]) == ([], [])


@pytest.mark.usefixtures("local")
def test_wait_one_by_one_over_many() -> None:
    @rustyray.remote
    def number(n: int) -> int:
        return n

    left = [number.remote(n) for n in range(300)]
    seen: list[int] = []
    while left:
        ready, left = rustyray.wait(left, timeout=30)
        seen += rustyray.get(ready)
    assert sorted(seen) == list(range(300))


# --- futures ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local")
def test_a_ref_is_a_future() -> None:
    @rustyray.remote
    def half(n: int) -> float:
        return 1 / n

    assert half.remote(2).future().result(30) == 0.5
    with pytest.raises(ZeroDivisionError):
        half.remote(0).future().result(30)
    assert rustyray.put(3).future().result(0) == 3


@pytest.mark.usefixtures("local")
@pytest.mark.parametrize("while_another_waits", [False, True])
def test_a_future_of_a_large_object(while_another_waits: bool) -> None:
    """Reading it takes an exchange with the node, also when the thread that delivers is one that waits in `get`."""
    gate = Gate.remote()

    @rustyray.remote
    def zeros(_: object) -> Any:
        return np.zeros(MB)

    ref = zeros.remote(gate.passed.remote())
    future = ref.future()
    after = zeros.remote(ref)
    gate.open.remote()
    if while_another_waits:
        assert rustyray.get(after, timeout=30).shape == (MB,)
    assert future.result(30).shape == (MB,)


@pytest.mark.usefixtures("local")
def test_refs_can_be_awaited() -> None:
    @rustyray.remote
    def number(n: int) -> int:
        if n == 3:
            raise KeyError(n)
        return n

    async def main() -> list[Any]:
        first = await number.remote(1)
        rest = await asyncio.gather(*(number.remote(n) for n in range(5)), return_exceptions=True)
        large = await rustyray.put(np.ones(MB))
        return [first, *rest, float(large.sum())]

    one, *rest, large = asyncio.run(main())
    assert (one, large) == (1, MB)
    assert [rest[0], rest[1], rest[2], rest[4]] == [0, 1, 2, 4]
    assert isinstance(rest[3], KeyError)
    assert isinstance(rest[3], RayTaskError)


@pytest.mark.usefixtures("local")
def test_an_awaited_ref_may_come_when_its_loop_is_gone() -> None:
    gate = Gate.remote()
    ref = gate.passed.remote(5)

    async def main() -> None:
        async def wait() -> object:
            return await ref

        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wait(), 0.02)

    asyncio.run(main())
    gate.open.remote()
    assert rustyray.get(ref, timeout=30) == 5
    assert rustyray.get(gate.passed.remote(6), timeout=30) == 6


# --- large objects ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local")
def test_large_arrays_are_read_in_place_and_read_only() -> None:
    @rustyray.remote
    def look(array: Any) -> tuple[bool, bool, float]:
        try:
            array[0] = 1
            written = True
        except ValueError:
            written = False
        return array.flags.writeable, written, float(array.sum())

    @rustyray.remote
    def make() -> Any:
        return np.full(MB, 2.0)

    for ref in (rustyray.put(np.full(MB, 2.0)), make.remote()):
        assert rustyray.get(look.remote(ref)) == (False, False, 2 * MB)
        mine = rustyray.get(ref)
        assert not mine.flags.writeable
        assert not mine.flags.owndata
        with pytest.raises(ValueError, match="read-only"):
            mine[0] = 1
        again = rustyray.get(ref)
        assert np.array_equal(mine, again)


@pytest.mark.usefixtures("local")
def test_large_arguments_and_results_of_every_shape() -> None:
    @rustyray.remote
    def back(value: Any, *, key: Any = None) -> Any:
        return [value, key]

    big: dict[str, Any] = {
        "bytes": b"b" * (2 * MB),
        "text": "t" * MB,
        "array": np.arange(MB),
        "list": list(range(60_000)),
    }
    value, key = rustyray.get(back.remote(big, key=big["array"]))
    assert (value["bytes"], value["text"], value["list"]) == (big["bytes"], big["text"], big["list"])
    assert np.array_equal(value["array"], big["array"])
    assert np.array_equal(key, big["array"])
    many = rustyray.get(back.remote(tuple(bytes(60_000) for _ in range(10))))
    assert len(many[0]) == 10


@pytest.mark.usefixtures("local")
def test_a_view_outlives_its_ref_and_the_data_stays() -> None:
    array = rustyray.get(rustyray.put(np.full(MB, 7.0)))
    gc.collect()
    others = [rustyray.put(np.zeros(MB)) for _ in range(10)]
    assert float(array.sum()) == 7.0 * MB
    del others


def test_values_read_stay_readable_after_shutdown(start: Start) -> None:
    start()
    small = rustyray.get(rustyray.put([1, 2]))
    large = rustyray.get(rustyray.put(np.full(MB, 3.0)))
    rustyray.shutdown()
    assert small == [1, 2]
    assert float(large.sum()) == 3.0 * MB
