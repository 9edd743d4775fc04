"""Generators: items as they come, errors, back-pressure, what is dropped, what dies."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.compat.modules._private.test_utils import SignalActor
from rustyray.model.ids import TASK_ID_SIZE
from tests.integration.drivers import eventually

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote
def count(number: int, fails: bool = False) -> Iterator[int]:
    yield from range(number)
    if fails:
        raise LookupError("no more")


@rustyray.remote
class Source:
    """Counts how far its generators have come."""

    def __init__(self) -> None:
        self.made = self.closed = 0

    def counts(self) -> tuple[int, int]:
        return self.made, self.closed

    def items(self, number: int, fails: bool = False) -> Iterator[int]:
        try:
            for item in range(number):
                self.made += 1
                yield item
            if fails:
                raise LookupError("no more")
        finally:
            self.closed += 1


@rustyray.remote
class AsyncSource(Source.cls):  # type: ignore[name-defined,misc]
    async def slowly(self, number: int) -> AsyncIterator[int]:
        try:
            for item in range(number):
                await asyncio.sleep(0.001)
                self.made += 1
                yield item
        finally:
            self.closed += 1


def values(refs: Any) -> list[Any]:
    return [rustyray.get(ref) for ref in refs]


def test_items_of_tasks_and_methods_come_in_order() -> None:
    source: Any = Source.remote()
    several: Any = AsyncSource.remote()
    for call in (count.remote, source.items.remote, several.items.remote, several.slowly.remote):
        items: Any = call(20)
        assert isinstance(items, rustyray.ObjectRefGenerator)
        assert values(items) == list(range(20))
        assert items.is_finished()
        assert not items.next_ready()
        assert rustyray.get(items.completed()) is None
        with pytest.raises(StopIteration):
            next(items)
        assert values(call(0)) == []


def test_an_error_is_the_last_item() -> None:
    source: Any = Source.remote()
    for items in (count.remote(2, True), source.items.remote(2, True)):
        refs: list[Any] = list(items)
        assert values(refs[:2]) == [0, 1]
        with pytest.raises(LookupError, match="no more"):
            rustyray.get(refs[2])
        assert len(refs) == 3
        assert rustyray.get(items.completed()) is None

    failed: Any = count.remote(rustyray.remote(lambda: 1 // 0).remote())
    with pytest.raises(ZeroDivisionError):
        rustyray.get(next(failed))
    with pytest.raises(StopIteration):
        next(failed)


def test_items_come_before_the_generator_has_ended() -> None:
    @rustyray.remote
    def slow() -> Iterator[int]:
        yield 1
        yield 2
        time.sleep(60)

    items: Any = slow.remote()
    assert rustyray.wait([items, items.completed()]) == ([items], [items.completed()])
    assert rustyray.get([next(items), next(items)]) == [1, 2]
    assert not items.next_ready()
    assert not items.is_finished()
    assert rustyray.wait([items], timeout=0.01) == ([], [items])
    rustyray.cancel(items)
    with pytest.raises(x.TaskCancelledError):
        rustyray.get(next(items))
    with pytest.raises(x.TaskCancelledError):
        rustyray.get(items.completed())


def test_large_items_and_refs_inside_items() -> None:
    @rustyray.remote
    def large() -> Iterator[Any]:
        for number in range(4):
            yield np.full(40_000, number)
            yield [rustyray.put(number)]

    kept = list(large.remote())
    for number, ref in enumerate(kept):
        if number % 2:
            assert rustyray.get(rustyray.get(ref)[0]) == number // 2
        else:
            assert int(rustyray.get(ref)[5]) == number // 2

    @rustyray.remote
    def total(array: Any, inside: list[Any]) -> int:
        return int(array.sum()) + int(rustyray.get(inside[0])[0])

    assert rustyray.get(total.remote(kept[2], [kept[4]])) == 40_002


def test_event_loops_can_read_too() -> None:
    async def read() -> list[int]:
        items: Any = count.remote(3)
        return [await ref async for ref in items]

    assert asyncio.run(read()) == [0, 1, 2]


@pytest.mark.parametrize("method", ["items", "slowly"])
def test_a_producer_waits_for_its_reader_and_stops_when_there_is_none(method: str) -> None:
    source: Any = (Source if method == "items" else AsyncSource).remote()
    ahead = getattr(source, method).options(_generator_backpressure_num_objects=3)
    items: Any = ahead.remote(1000)
    assert values(next(items) for _ in range(5)) == [0, 1, 2, 3, 4]
    if method == "slowly":
        assert eventually(lambda: rustyray.get(source.counts.remote()) == (8, 0), 5)
    del items
    assert eventually(lambda: rustyray.get(source.counts.remote())[1] == 1, 5)
    assert 5 <= rustyray.get(source.counts.remote())[0] <= 9
    assert values(ahead.remote(10)) == list(range(10))


@pytest.mark.parametrize("method", ["items", "slowly"])
def test_all_producers_of_an_actor_wait_together(method: str) -> None:
    options: Any = {"_actor_generator_backpressure_num_objects": 4}
    source: Any = (Source if method == "items" else AsyncSource).options(max_concurrency=3, **options).remote()
    streams: list[Any] = [getattr(source, method).remote(20) for _ in range(2)]
    made = [rustyray.get(next(stream)) for stream in streams]
    assert eventually(lambda: rustyray.get(source.counts.remote())[0] >= 6, 5), "each may have passed the last look"
    assert rustyray.get(source.counts.remote())[0] <= 7
    while streams:
        ready, _ = rustyray.wait(streams, timeout=30)
        assert ready, "somebody waits, and may go on"
        try:
            made.append(rustyray.get(next(ready[0])))
        except StopIteration:
            streams.remove(ready[0])
    assert sorted(made) == sorted([*range(20)] * 2)


def test_who_is_dropped_is_not_waited_for() -> None:
    options: Any = {"_actor_generator_backpressure_num_objects": 1}
    source: Any = Source.options(max_concurrency=3, **options).remote()
    first: Any = source.items.remote(10)
    assert eventually(lambda: rustyray.get(source.counts.remote())[0] == 1, 5)
    second: Any = source.items.remote(10)
    del first
    assert values(second) == list(range(10))


def test_readers_and_producers_share_the_cpus() -> None:
    @rustyray.remote
    def read() -> int:
        items: Any = count.options(_generator_backpressure_num_objects=1).remote(10)
        return sum(values(items))

    assert rustyray.get([read.remote() for _ in range(4)]) == [45] * 4


def test_what_is_not_read_is_freed() -> None:
    @rustyray.remote
    def large() -> Iterator[Any]:
        for _ in range(3):
            yield np.zeros(40_000)

    items: Any = large.remote()
    kept = next(items)
    rustyray.get(items.completed())
    assert rustyray.stats().objects.stored == 3
    del items
    assert eventually(lambda: rustyray.stats().objects.stored == 1, 5)
    assert rustyray.get(kept).shape == (40_000,)
    del kept
    assert eventually(lambda: rustyray.stats().objects.owned == 0, 5)


@rustyray.remote(max_retries=1)
def dies_once(path: str) -> Iterator[Any]:
    for number in range(6):
        if number == 3 and not os.path.exists(path):
            with open(path, "w") as mark:
                mark.write(str(os.getpid()))
            os._exit(1)
        yield number if number % 2 else np.full(40_000, number)


def test_a_generator_starts_anew_when_its_worker_dies(tmp_path: Any) -> None:
    items: Any = dies_once.remote(str(tmp_path / "mark"))
    assert [int(np.max(rustyray.get(ref))) for ref in items] == [0, 1, 2, 3, 4, 5]

    items = dies_once.options(max_retries=0).remote(str(tmp_path / "other"))
    refs = list(items)
    assert len(refs) == 4
    for ref in (refs[3], items.completed()):
        with pytest.raises(x.WorkerCrashedError):
            rustyray.get(ref)


def test_what_was_yielded_before_the_process_ends_is_there() -> None:
    @rustyray.remote(max_retries=0)
    def leaves() -> Iterator[int]:
        yield 1
        sys.exit(0)

    items = leaves.remote()
    assert rustyray.get(next(items)) == 1
    with pytest.raises(x.WorkerCrashedError):
        rustyray.get(next(items))


def test_exceptions_are_retried_without_items_delivered_twice(tmp_path: Any) -> None:
    path = tmp_path / "attempts"

    @rustyray.remote(retry_exceptions=True, max_retries=2)
    def flaky() -> Iterator[int]:
        attempt = len(path.read_text()) if path.exists() else 0
        path.write_text("x" * (attempt + 1))
        yield attempt
        yield 7
        if attempt < 2:
            raise OSError("again")

    items: Any = flaky.remote()
    assert values(items) == [0, 7]
    assert path.read_text() == "xxx"


def test_a_number_of_items() -> None:
    fixed = count.options(num_returns=3)
    assert rustyray.get(fixed.remote(3)) == [0, 1, 2]
    assert rustyray.get(fixed.remote(5)) == [0, 1, 2]
    for args, error in (((2,), "yielded 2 values"), ((2, True), "no more")):
        first, second, third = fixed.remote(*args)
        assert rustyray.get([first, second]) == [0, 1]
        with pytest.raises((ValueError, LookupError), match=error):
            rustyray.get(third)
    one: Any = count.options(num_returns=1).remote(3)
    assert rustyray.get(one) == 0


def test_a_reader_need_not_wait() -> None:
    @rustyray.remote
    def stops(gate: Any) -> Iterator[int]:
        yield 1
        rustyray.get(gate.wait.remote())
        yield 2

    gate = SignalActor.remote()
    items = stops.remote(gate)
    assert rustyray.get(items._next_sync(timeout_s=60)) == 1
    nothing = items._next_sync(timeout_s=0)
    assert nothing.is_nil()
    assert not rustyray.put(1).is_nil()
    rustyray.get(gate.send.remote())
    assert rustyray.get(items._next_sync()) == 2
    with pytest.raises(StopIteration):
        items._next_sync(timeout_s=-1)
    with pytest.raises(StopIteration):
        items._next_sync(timeout_s=60)


def test_a_list_of_all_items() -> None:
    listed: Any = count.options(num_returns="dynamic")
    ref = listed.remote(3)
    refs = rustyray.get(ref)
    assert isinstance(refs, rustyray.DynamicObjectRefGenerator)
    assert len(refs) == 3
    assert values(refs) == [0, 1, 2]

    @rustyray.remote
    def read(items: Any) -> list[int]:
        return values(items)

    assert rustyray.get(read.remote(ref)) == [0, 1, 2]
    *good, bad = rustyray.get(listed.remote(2, True))
    assert values(good) == [0, 1]
    with pytest.raises(LookupError, match="no more"):
        rustyray.get(bad)
    del ref, refs, good, bad
    assert eventually(lambda: rustyray.stats().objects.owned == 0, 5)


def test_what_cannot_be_done_says_so() -> None:
    items: Any = count.remote(1)
    for wrong in (lambda: count.remote(items), lambda: rustyray.put(items)):
        with pytest.raises(TypeError, match="a generator cannot be passed on or returned"):
            wrong()
    for method in (items.close, lambda: items.send(1), lambda: items.throw(KeyError)):
        with pytest.raises(NotImplementedError, match="is not supported"):
            method()
    assert rustyray.get(items) is items
    assert items.task_id() == items.completed().binary()[:TASK_ID_SIZE]
    assert {items: 1}[items] == 1
    rustyray.shutdown()
    with pytest.raises(RuntimeError, match="earlier runtime"):
        next(items)
