"""What can be done with a stream of items: each function takes one and returns another."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import rustyray


def for_each(
    items: Iterable[Any], function: Callable[[Any], Any], max_concurrency: int, resources: Mapping[str, Any] | None
) -> Iterator[Any]:
    """The function's results: in order, or, with so many calls at once (0: all of them), as they come."""
    if max_concurrency == 1:
        yield from map(function, items)
        return
    call = rustyray.remote(function).options(**(resources or {}))
    source = iter(items)
    running = [call.remote(item) for item in islice(source, max_concurrency or None)]
    while running:
        done, running = rustyray.wait(running, num_returns=1)
        running += [call.remote(item) for item in islice(source, len(done))]
        yield from rustyray.get(done)


def batch(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Lists of so many items; the last one may have fewer."""
    source = iter(items)
    while found := list(islice(source, size)):
        yield found


def flatten(items: Iterable[Any]) -> Iterator[Any]:
    """The items of the items."""
    for item in items:
        yield from item


def shuffle(items: Iterable[Any], size: int, seed: int | None) -> Iterator[Any]:
    """Drawn from a buffer of so many items, which is filled up again."""
    draw = random.Random(seed)
    source = iter(items)
    kept = list(islice(source, size))
    for item in source:
        place = draw.randrange(len(kept))
        found, kept[place] = kept[place], item
        yield found
    draw.shuffle(kept)
    yield from kept


def in_turn(streams: Iterable[Iterable[Any]], weights: Iterable[int]) -> Iterator[Any]:
    """So many items of the first stream, so many of the second, …, and again, until all are at their end."""
    left = [(iter(stream), weight) for stream, weight in zip(streams, weights, strict=True)]
    while left:
        still = []
        for source, weight in left:
            found = list(islice(source, weight))
            yield from found
            if len(found) == weight:
                still.append((source, weight))
        left = still
