"""``ParallelIterator``: streams of items in several actors, handled together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

import rustyray
from rustyray.util.iter import steps
from rustyray.util.iter.local import LocalIterator
from rustyray.util.iter.worker import ParallelIteratorWorker, Transform

T = TypeVar("T")


class Share(NamedTuple):
    """What an actor makes, and what is done there with it: of its items each ``step``-th, from ``start`` on."""

    actor: Any
    transforms: tuple[Transform, ...] = ()
    step: int = 1
    start: int = 0

    def begin(self) -> Any:
        return self.actor.par_iter_init.remote(self.transforms)

    def read(self, batch_ms: int) -> Any:
        """A ref to some items, and whether they are the last."""
        return self.actor.par_iter_read.remote(batch_ms, self.step, self.start)


class ParallelIterator(Generic[T]):
    """Items in several actors, its shards (as in Ray); made by `from_items`, `from_range` and others.

    It can be passed to tasks and actors; each shard is to be read by one process at a time.
    """

    def __init__(self, shares: Sequence[Share], name: str) -> None:
        self._shares = list(shares)
        self.name = name

    def __iter__(self) -> NoReturn:
        raise TypeError("the items are in other processes: iterate over it.gather_sync() or it.gather_async()")

    def __repr__(self) -> str:
        return f"ParallelIterator[{self.name}]"

    # --- what is done with the items, in the actors -------------------------------------------------------------------

    def _then(self, transform: Transform, name: str) -> ParallelIterator[Any]:
        shares = [share._replace(transforms=(*share.transforms, transform)) for share in self._shares]
        return ParallelIterator(shares, self.name + name)

    def transform(self, fn: Callable[[Iterable[T]], Iterable[Any]]) -> ParallelIterator[Any]:
        """What ``fn`` makes of the whole stream of each shard; it is called once for each."""
        return self._then(lambda items: items.transform(fn), ".transform()")

    def for_each(
        self, fn: Callable[[T], Any], max_concurrency: int = 1, resources: Mapping[str, Any] | None = None
    ) -> ParallelIterator[Any]:
        """What ``fn`` makes of each item; arguments, and what it raises, as of `LocalIterator.for_each`."""
        if max_concurrency < 0:
            raise ValueError(f"max_concurrency must be zero or more, got {max_concurrency}")
        return self._then(lambda items: items.for_each(fn, max_concurrency, resources), ".for_each()")

    def filter(self, fn: Callable[[T], object]) -> ParallelIterator[T]:
        """The items of which ``fn`` says True."""
        return self._then(lambda items: items.filter(fn), ".filter()")

    def batch(self, n: int) -> ParallelIterator[list[T]]:
        """Lists of ``n`` items of a shard; its last may have fewer."""
        if n < 1:
            raise ValueError(f"a batch has 1 item or more, got {n}")
        return self._then(lambda items: items.batch(n), f".batch({n})")

    def flatten(self) -> ParallelIterator[Any]:
        """The items of the items."""
        return self._then(lambda items: items.flatten(), ".flatten()")

    def combine(self, fn: Callable[[T], Iterable[Any]]) -> ParallelIterator[Any]:
        """The items of what ``fn`` makes of each item."""
        return self.for_each(fn).flatten()

    def local_shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> ParallelIterator[T]:
        """Each shard shuffled by itself; see `LocalIterator.shuffle`."""
        if shuffle_buffer_size < 1:
            raise ValueError(f"shuffle_buffer_size must be 1 or more, got {shuffle_buffer_size}")
        name = f".local_shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._then(lambda items: items.shuffle(shuffle_buffer_size, seed), name)

    # --- which shards there are ---------------------------------------------------------------------------------------

    def num_shards(self) -> int:
        return len(self._shares)

    def union(self, other: ParallelIterator[T]) -> ParallelIterator[T]:
        """The shards of both."""
        if not isinstance(other, ParallelIterator):
            raise TypeError(f"union() takes a ParallelIterator, got {other!r}")
        return ParallelIterator([*self._shares, *other._shares], f"ParallelUnion[{self!r}, {other!r}]")

    def select_shards(self, shards_to_keep: Sequence[int]) -> ParallelIterator[T]:
        """Some of the shards, by their numbers."""
        kept = [self._shares[number] for number in shards_to_keep]
        return ParallelIterator(kept, f"{self.name}.select_shards({len(kept)} total)")

    def repartition(self, num_partitions: int, batch_ms: int = 0) -> ParallelIterator[T]:
        """The same items in so many new shards, dealt out in turn.

        Args:
            num_partitions: how many.
            batch_ms: see `gather_async`.
        """
        if num_partitions < 1:
            raise ValueError(f"num_partitions must be 1 or more, got {num_partitions}")
        rustyray.get([share.begin() for share in self._shares])
        worker = rustyray.remote(ParallelIteratorWorker)
        shares = []
        for number in range(num_partitions):
            dealt = [share._replace(step=num_partitions, start=number) for share in self._shares]
            shares.append(Share(worker.remote(partial(_in_turn, dealt, batch_ms), False)))
        return ParallelIterator(shares, f"{self.name}.repartition[num_partitions={num_partitions}]")

    # --- reading them -------------------------------------------------------------------------------------------------

    def batch_across_shards(self) -> LocalIterator[list[T]]:
        """Lists of one item of each shard that has one left."""
        shares = self._shares

        def rounds() -> Iterator[list[T]]:
            rustyray.get([share.begin() for share in shares])
            return _rounds(shares, 0)

        return LocalIterator(rounds, f"{self.name}.batch_across_shards()")

    def gather_sync(self) -> LocalIterator[T]:
        """The items, one of each shard in turn, made when they are asked for."""
        found = self.batch_across_shards().flatten()
        found.name = f"{self.name}.gather_sync()"
        return found

    def gather_async(self, batch_ms: int = 0, num_async: int = 1) -> LocalIterator[T]:
        """The items as they come, in any order; the actors go on meanwhile.

        Args:
            batch_ms: items are sent together that an actor makes in so many milliseconds.
            num_async: how many requests an actor may have at once.

        Raises:
            ValueError: One is out of range.
        """
        _check(batch_ms, num_async)
        return LocalIterator(partial(_as_they_come, self._shares, batch_ms, num_async), f"{self.name}.gather_async()")

    def shards(self) -> list[LocalIterator[T]]:
        return [self.get_shard(number) for number in range(self.num_shards())]

    def get_shard(self, shard_index: int, batch_ms: int = 0, num_async: int = 1) -> LocalIterator[T]:
        """The items of one shard, in their order; arguments as of `gather_async`."""
        _check(batch_ms, num_async)
        share = self._shares[shard_index]
        return LocalIterator(partial(_one_shard, share, batch_ms, num_async), f"{self.name}.shard[{shard_index}]")

    def take(self, n: int) -> list[T]:
        """The first ``n`` items of `gather_sync`, or as many as there are."""
        return self.gather_sync().take(n)

    def show(self, n: int = 20) -> None:
        """Print them."""
        self.gather_sync().show(n)


def _check(batch_ms: int, num_async: int) -> None:
    if num_async < 1:
        raise ValueError(f"num_async must be 1 or more, got {num_async}")
    if batch_ms < 0:
        raise ValueError(f"batch_ms must be zero or more, got {batch_ms}")


def _rounds(shares: Sequence[Share], batch_ms: int) -> Iterator[list[Any]]:
    """One read of each actor that has items left, all at once; then the next."""
    left = list(shares)
    while left:
        told = rustyray.get([share.read(batch_ms) for share in left])
        if found := [item for items, _ in told for item in items]:
            yield found
        left = [share for share, (_, over) in zip(left, told, strict=True) if not over]


def _in_turn(shares: Sequence[Share], batch_ms: int) -> Iterator[Any]:
    return steps.flatten(_rounds(shares, batch_ms))


def _as_they_come(shares: Sequence[Share], batch_ms: int, num_async: int) -> Iterator[Any]:
    rustyray.get([share.begin() for share in shares])
    running = {share.read(batch_ms): share for share in shares for _ in range(num_async)}
    ended = set()
    while running:
        [done], _ = rustyray.wait(list(running), num_returns=1)
        share = running.pop(done)
        items, over = rustyray.get(done)
        if over:
            ended.add(share)
        elif share not in ended:
            running[share.read(batch_ms)] = share
        yield from items


def _one_shard(share: Share, batch_ms: int, num_async: int) -> Iterator[Any]:
    rustyray.get(share.begin())
    running = deque(share.read(batch_ms) for _ in range(num_async))
    while running:
        items, over = rustyray.get(running.popleft())
        yield from items
        if over:
            return
        running.append(share.read(batch_ms))
