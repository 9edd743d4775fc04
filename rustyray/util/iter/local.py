"""``LocalIterator``: a stream of items, and what is done with it where it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice, tee
from typing import Any, Generic, TypeVar

from rustyray.util.iter import steps

T = TypeVar("T")


class LocalIterator(Generic[T]):
    """Items that are read here, once (as in Ray).

    Until the first is read it can be passed to tasks and actors. Methods that return a `LocalIterator` take the items
    of this one, which is not to be read by itself then.

    Args:
        base: makes the stream; called when the first item is read.
        name: for people.
    """

    def __init__(self, base: Callable[[], Iterable[T]], name: str = "unknown") -> None:
        self._base = base
        self.name = name
        self._items: Iterator[T] | None = None

    def __iter__(self) -> Iterator[T]:
        if self._items is None:
            self._items = iter(self._base())
        return self._items

    def __next__(self) -> T:
        return next(iter(self))

    def __repr__(self) -> str:
        return f"LocalIterator[{self.name}]"

    def _then(self, step: Callable[[Iterable[T]], Iterable[Any]], name: str) -> LocalIterator[Any]:
        return LocalIterator(lambda: step(self), self.name + name)

    def transform(self, fn: Callable[[Iterable[T]], Iterable[Any]]) -> LocalIterator[Any]:
        """What ``fn`` makes of the whole stream; it is called once."""
        return self._then(fn, ".transform()")

    def for_each(
        self, fn: Callable[[T], Any], max_concurrency: int = 1, resources: Mapping[str, Any] | None = None
    ) -> LocalIterator[Any]:
        """What ``fn`` makes of each item.

        Args:
            fn: the function.
            max_concurrency: more than 1: so many calls at once, as tasks (0: all); the results come in any order.
            resources: options of those tasks, such as ``{"num_cpus": 0.5}``.

        Raises:
            ValueError: ``max_concurrency`` is negative.
        """
        if max_concurrency < 0:
            raise ValueError(f"max_concurrency must be zero or more, got {max_concurrency}")
        step = partial(steps.for_each, function=fn, max_concurrency=max_concurrency, resources=resources)
        return self._then(step, ".for_each()")

    def filter(self, fn: Callable[[T], object]) -> LocalIterator[T]:
        """The items of which ``fn`` says True."""
        return self._then(partial(filter, fn), ".filter()")

    def batch(self, n: int) -> LocalIterator[list[T]]:
        """Lists of ``n`` items; the last may have fewer."""
        if n < 1:
            raise ValueError(f"a batch has 1 item or more, got {n}")
        return self._then(partial(steps.batch, size=n), f".batch({n})")

    def flatten(self) -> LocalIterator[Any]:
        """The items of the items."""
        return self._then(steps.flatten, ".flatten()")

    def combine(self, fn: Callable[[T], Iterable[Any]]) -> LocalIterator[Any]:
        """The items of what ``fn`` makes of each item."""
        return self.for_each(fn).flatten()

    def shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> LocalIterator[T]:
        """Each item is drawn from the next so many; for a perfect shuffle, that is how many there are."""
        if shuffle_buffer_size < 1:
            raise ValueError(f"shuffle_buffer_size must be 1 or more, got {shuffle_buffer_size}")
        step = partial(steps.shuffle, size=shuffle_buffer_size, seed=seed)
        return self._then(step, f".shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})")

    def take(self, n: int) -> list[T]:
        """The next ``n`` items, or as many as there are."""
        return list(islice(self, n))

    def show(self, n: int = 20) -> None:
        """Print the next ``n`` items."""
        for item in self.take(n):
            print(item)

    def duplicate(self, n: int) -> list[LocalIterator[T]]:
        """``n`` iterators with all items each; what one has read and another has not is kept.

        Raises:
            ValueError: ``n`` is less than 2.
        """
        if n < 2:
            raise ValueError(f"duplicate() makes 2 iterators or more, got {n}")
        copies: list[Iterator[T]] = []

        def copy(number: int) -> Iterator[T]:
            if not copies:
                copies.extend(tee(self, n))
            return copies[number]

        return [LocalIterator(partial(copy, number), f"{self.name}.duplicate[{number}]") for number in range(n)]

    def union(
        self, *others: LocalIterator[T], deterministic: bool = False, round_robin_weights: Sequence[int] | None = None
    ) -> LocalIterator[T]:
        """The items of this and of others, one of each in turn, until all are at their end.

        Args:
            others: the other iterators.
            deterministic: of no effect: it always is.
            round_robin_weights: how many items are taken of each in turn; Ray's ``"*"`` is refused.

        Raises:
            TypeError: One is no `LocalIterator`.
            ValueError: The weights are not as many as the iterators, or are no whole numbers of 1 or more.
        """
        all_ = (self, *others)
        for one in all_:
            if not isinstance(one, LocalIterator):
                raise TypeError(f"union() takes LocalIterators, got {one!r}")
        weights = [1] * len(all_) if round_robin_weights is None else list(round_robin_weights)
        if len(weights) != len(all_) or any(type(one) is not int or one < 1 for one in weights):
            raise ValueError(f"round_robin_weights has a number of 1 or more for each iterator, got {weights}")
        name = ", ".join(one.name for one in all_)
        return LocalIterator(lambda: steps.in_turn(all_, weights), f"LocalUnion[{name}]")
