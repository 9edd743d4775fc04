"""Generators: tasks and methods that return many items, and who reads them."""

import asyncio

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import (
    book,
    counts,
    entered,
    gate,
    got,
    patience,
    stopping,
    told,
    until,
    values,
)


def a_generator_streams(api):
    """A call of a generator function returns an ObjectRefGenerator, which has a ref for each item, in order."""
    items = counts(api).remote(5)
    assert isinstance(items, api.ObjectRefGenerator)
    refs = list(items)
    assert all(isinstance(ref, api.ObjectRef) for ref in refs)
    assert values(api, refs) == [0, 1, 2, 3, 4]


def streaming_can_be_asked_for(api):
    """``num_returns="streaming"`` is what generator functions have without it."""
    items = counts(api, num_returns="streaming").remote(3)
    assert isinstance(items, api.ObjectRefGenerator)
    assert values(api, items) == [0, 1, 2]


def next_gives_one_ref(api):
    """``next`` gives the next ref, and raises StopIteration after the last."""
    items = counts(api).remote(2)
    assert [got(api, next(items)), got(api, next(items))] == [0, 1]
    with pytest.raises(StopIteration):
        next(items)
    with pytest.raises(StopIteration):
        next(items)


def a_generator_may_be_empty(api):
    """A generator that yields nothing has no refs."""
    assert list(counts(api).remote(0)) == []


def items_come_before_the_end(api):
    """An item can be got as soon as it is yielded, while the generator goes on."""
    door = gate(api)
    items = stopping(api, door, "first", "second").remote()
    assert got(api, next(items)) == "first"
    api.get(door.open.remote())
    assert got(api, next(items)) == "second"


def generators_are_eager(api):
    """A generator runs ahead of its reader, to its end if nothing else is said."""
    seen = book(api)
    items = told(api, seen).remote(10)
    until(lambda: len(got(api, seen.read.remote())) == 10)
    assert values(api, items) == list(range(10))


def wait_takes_generators(api):
    """``wait`` takes generators beside refs: one is ready when its next ref can be had."""
    door = gate(api)
    items = stopping(api, door, 1, 2).remote()
    assert api.wait([items], timeout=patience()) == ([items], [])
    assert got(api, next(items)) == 1
    entered(api, door)
    assert api.wait([items], timeout=0) == ([], [items])
    api.get(door.open.remote())
    assert api.wait([items], timeout=patience()) == ([items], [])
    assert got(api, next(items)) == 2


def next_ready_tells_whether_next_waits(api):
    """``next_ready()`` is whether the next item is there; ``is_finished()``, whether all have been taken."""
    door = gate(api)
    items = stopping(api, door, 1).remote()
    until(items.next_ready)
    assert not items.is_finished()
    assert got(api, next(items)) == 1
    entered(api, door)
    assert not items.next_ready()
    api.get(door.open.remote())
    with pytest.raises(StopIteration):
        next(items)
    assert items.is_finished()


def event_loops_read_generators(api):
    """``async for`` gives a generator's refs, which can be awaited."""

    async def read():
        return [await ref async for ref in counts(api).remote(4)]

    assert asyncio.run(read()) == [0, 1, 2, 3]


def anext_gives_one_ref(api):
    """``anext`` gives the next ref, and raises StopAsyncIteration after the last."""

    async def read():
        items = counts(api).remote(1)
        first = await (await anext(items))
        with pytest.raises(StopAsyncIteration):
            await anext(items)
        return first

    assert asyncio.run(read()) == 0


def methods_stream(api):
    """A method that yields streams, too."""

    @api.remote
    class Source:
        def __init__(self):
            self.sum = 0

        def items(self, number):
            for n in range(number):
                self.sum += n
                yield n

        def total(self):
            return self.sum

    source = Source.remote()
    assert values(api, source.items.remote(4)) == [0, 1, 2, 3]
    assert got(api, source.total.remote()) == 6


def async_methods_stream(api):
    """An async generator of an async actor streams, beside other calls."""

    @api.remote
    class Source:
        def __init__(self):
            self.go = asyncio.Event()

        async def items(self):
            yield "before"
            await self.go.wait()
            yield "after"

        async def open(self):
            self.go.set()

    source = Source.remote()
    items = source.items.remote()
    assert got(api, next(items)) == "before"
    got(api, source.open.remote())
    assert values(api, items) == ["after"]


def a_number_of_items_is_so_many_refs(api):
    """With ``num_returns=3`` a generator function that yields three items returns three refs."""
    refs = counts(api, num_returns=3).remote(3)
    assert len(refs) == 3
    assert got(api, refs) == [0, 1, 2]


def dynamic_is_one_ref_to_all(api):
    """With ``num_returns="dynamic"`` a call returns one ref, to a generator of the refs of all items."""
    ref = counts(api, num_returns="dynamic").remote(3)
    assert isinstance(ref, api.ObjectRef)
    items = got(api, ref)
    assert isinstance(items, api.DynamicObjectRefGenerator)
    assert len(items) == 3
    assert values(api, items) == [0, 1, 2]


def a_dynamic_generator_can_be_passed_on(api):
    """A task that is given such a ref has the generator, and can get its items."""

    @api.remote
    def total(items):
        return sum(api.get(list(items)))

    assert got(api, total.remote(counts(api, num_returns="dynamic").remote(4))) == 6


def items_can_be_passed_on(api):
    """A ref that a generator gave can be passed to a task before the generator has ended."""
    door = gate(api)

    @api.remote
    def stops():
        yield np.full(50_000, 2)
        api.get(door.enter.remote())

    @api.remote
    def total(array):
        return int(array.sum())

    items = stops.remote()
    assert got(api, total.remote(next(items))) == 100_000
    api.get(door.open.remote())
    assert list(items) == []


def large_items_and_refs_stream(api):
    """Items may be large, and may contain refs."""

    @api.remote
    def mixed():
        for n in range(3):
            yield np.full(50_000, n)
            yield [api.put(n)]

    refs = list(mixed.remote())
    assert [int(got(api, ref)[0]) for ref in refs[::2]] == [0, 1, 2]
    assert [got(api, got(api, ref)[0]) for ref in refs[1::2]] == [0, 1, 2]


def generators_in_generators(api):
    """A generator may hand on what another iterable has, with ``yield from``."""

    @api.remote
    def passes():
        yield from range(3)
        yield from "ab"

    assert values(api, passes.remote()) == [0, 1, 2, "a", "b"]


def a_generator_is_not_passed_on(api):
    """A generator cannot be an argument or be put: TypeError; its refs can."""
    items = counts(api).remote(1)

    @api.remote
    def takes(value):
        return value

    with pytest.raises(TypeError):
        takes.remote(items)
    with pytest.raises(TypeError):
        api.put(items)
    assert got(api, takes.remote(next(items))) == 0
