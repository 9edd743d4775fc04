"""Iterators whose items are made by actors."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

import rustyray
from rustyray.util.iter import (
    LocalIterator,
    ParallelIterator,
    ParallelIteratorWorker,
    from_actors,
    from_items,
    from_iterators,
    from_range,
)

pytestmark = pytest.mark.usefixtures("shared")


def test_items_are_dealt_out_and_ranges_cut() -> None:
    items = from_items([1, 2, 3, 4, 5], num_shards=2)
    assert repr(items) == "ParallelIterator[from_items[int, 5, shards=2]]"
    assert [list(shard) for shard in items.shards()] == [[1, 3, 5], [2, 4]]
    assert list(items.gather_sync()) == [1, 2, 3, 4, 5]
    assert list(items.batch_across_shards()) == [[1, 2], [3, 4], [5]]  # read again from the beginning
    numbers = from_range(5, num_shards=2)
    assert [list(numbers.get_shard(number, num_async=3)) for number in range(2)] == [[0, 1], [2, 3, 4]]
    assert numbers.take(3) == [0, 2, 1]
    assert sorted(numbers.gather_async(num_async=2)) == sorted(numbers.gather_async(batch_ms=5)) == [0, 1, 2, 3, 4]
    with pytest.raises(TypeError, match=r"iterate over it\.gather_sync"):
        iter(numbers)


def evens(items: Iterable[int]) -> Iterator[int]:
    yield from (item for item in items if item % 2 == 0)


def test_what_is_done_with_the_items_is_done_in_the_actors() -> None:
    numbers = from_range(10, 1)
    assert numbers.for_each(lambda x: x * 2).take(3) == [0, 2, 4]
    assert list(numbers.filter(lambda x: x > 7).gather_sync()) == [8, 9]
    batches = numbers.batch(4)
    assert list(batches.gather_sync()) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(batches.flatten().gather_sync()) == list(range(10))
    assert numbers.combine(lambda x: [x] * x).take(4) == [1, 2, 2, 3]
    assert numbers.transform(evens).take(9) == [0, 2, 4, 6, 8]
    shuffled = list(numbers.local_shuffle(4, seed=1).gather_sync())
    assert shuffled != sorted(shuffled) == list(range(10))
    made = numbers.for_each(lambda x: (x, rustyray.get_runtime_context().get_actor_id())).take(1)
    assert made[0][1] is not None
    assert sorted(numbers.for_each(lambda x: x + 1, max_concurrency=2, resources={"num_cpus": 0}).gather_sync()) == [
        *range(1, 11)
    ]


def test_shards_are_put_together_chosen_and_dealt_out_anew() -> None:
    numbers = from_range(8, 2)
    assert [list(shard) for shard in numbers.repartition(3).shards()] == [[0, 4, 3, 7], [1, 5], [2, 6]]
    both = from_items(["a"], 1).union(numbers.for_each(str)).for_each(lambda text: text + "!")
    assert both.num_shards() == 3
    assert sorted(both.gather_async()) == sorted([*(f"{number}!" for number in range(8)), "a!"])
    assert list(both.select_shards([0]).gather_sync()) == ["a!"]
    assert from_iterators([lambda: iter("ab"), "c"], repeat=True).take(5) == ["a", "c", "b", "c", "a"]


@rustyray.remote
def total(items: ParallelIterator[int] | LocalIterator[int]) -> int:
    return sum(items.gather_sync() if isinstance(items, ParallelIterator) else items)


def test_iterators_travel(capsys: pytest.CaptureFixture[str]) -> None:
    numbers = from_range(4, 2).for_each(lambda x: x + 1)
    assert rustyray.get(total.remote(numbers)) == 10
    assert rustyray.get(total.remote(numbers.get_shard(1).for_each(lambda x: x))) == 7
    numbers.show(1)
    assert capsys.readouterr().out == "1\n"


def slowly(pause: float) -> Iterator[int]:
    for number in range(2):
        time.sleep(pause)
        yield number


@rustyray.remote
class Slow(ParallelIteratorWorker):
    def __init__(self, pause: float) -> None:
        super().__init__(lambda: slowly(pause), False)


def test_actors_of_ones_own() -> None:
    slow: ParallelIterator[Any] = from_actors([Slow.remote(0.05), Slow.remote(0)])
    assert list(slow.gather_sync()) == [0, 0, 1, 1]


def test_what_is_done_where_the_items_are_read() -> None:
    def numbers(count: int) -> LocalIterator[int]:
        return LocalIterator(lambda: range(count), "numbers")

    assert repr(numbers(3).batch(2).flatten()) == "LocalIterator[numbers.batch(2).flatten()]"
    one, other = numbers(3).duplicate(2)
    assert (list(one), other.take(2)) == ([0, 1, 2], [0, 1])
    assert list(numbers(2).union(numbers(3), deterministic=True)) == [0, 0, 1, 1, 2]
    assert list(numbers(4).union(numbers(2), round_robin_weights=[2, 1])) == [0, 1, 0, 2, 3, 1]
    assert sorted(numbers(5).shuffle(2, seed=0)) == [0, 1, 2, 3, 4]
    assert sorted(numbers(4).for_each(lambda x: x * 2, max_concurrency=0)) == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: from_items([1], 0), "num_shards must be 1 or more"),
        (lambda: ParallelIterator([], "none").batch(0), "a batch has 1 item or more"),
        (lambda: ParallelIterator([], "none").for_each(str, -1), "max_concurrency must be zero or more"),
        (lambda: ParallelIterator([], "none").gather_async(num_async=0), "num_async must be 1 or more"),
        (lambda: ParallelIterator([], "none").repartition(0), "num_partitions must be 1 or more"),
        (lambda: LocalIterator(list).union(round_robin_weights=[0]), "has a number of 1 or more for each"),
        (lambda: LocalIterator(list).duplicate(1), "makes 2 iterators or more"),
    ],
)
def test_what_cannot_be_is_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wrong()
