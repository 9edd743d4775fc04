"""``ParallelIteratorWorker``: the actors that make the items of a parallel iterator."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rustyray.util.iter.local import LocalIterator

#: What is done with the items of each actor.
Transform = Callable[[LocalIterator[Any]], LocalIterator[Any]]


class ParallelIteratorWorker:
    """Makes items; actors for `from_actors` inherit from it, and call its ``__init__`` (as in Ray).

    Args:
        item_generator: something to iterate over, or a function that returns it.
        repeat: begin anew at the end, for ever.
    """

    def __init__(self, item_generator: Any, repeat: bool) -> None:
        self._source = item_generator
        self._repeat = repeat
        self._read: Iterator[Any] = iter(())
        #: Items that were read for another share, by the number of shares and which one it is.
        self._kept: dict[int, list[deque[Any]]] = {}
        self._position: dict[int, int] = {}

    def par_iter_init(self, transforms: Sequence[Transform]) -> None:
        """Begin anew, and do this with the items."""
        items: LocalIterator[Any] = LocalIterator(self._all)
        for transform in transforms:
            items = transform(items)
        self._read = iter(items)
        self._kept.clear()
        self._position.clear()

    def _all(self) -> Iterator[Any]:
        while True:
            yield from self._once()
            if not self._repeat:
                return

    def _once(self) -> Iterable[Any]:
        found: Iterable[Any] = self._source() if callable(self._source) else self._source
        return found

    def par_iter_read(self, batch_ms: int, step: int, start: int) -> tuple[list[Any], bool]:
        """Some items (one, or those of ``batch_ms`` milliseconds), and whether that was the end.

        Only each ``step``-th item is meant, from number ``start`` on.
        """
        until = time.monotonic() + batch_ms / 1000
        found = []
        while True:
            try:
                found.append(self._next(step, start))
            except StopIteration:
                return found, True
            if time.monotonic() >= until:
                return found, False

    def _next(self, step: int, start: int) -> Any:
        if step == 1:
            return next(self._read)
        kept = self._kept.setdefault(step, [deque() for _ in range(step)])
        while not kept[start]:
            place = self._position.get(step, 0)
            kept[place % step].append(next(self._read))
            self._position[step] = place + 1
        return kept[start].popleft()
