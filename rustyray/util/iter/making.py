"""How parallel iterators are made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import rustyray
from rustyray.util.iter.parallel import ParallelIterator, Share
from rustyray.util.iter.worker import ParallelIteratorWorker

T = TypeVar("T")


def from_items(items: Sequence[T], num_shards: int = 2, repeat: bool = False) -> ParallelIterator[T]:
    """These items, dealt out to so many actors in turn (as in Ray); for ever, with ``repeat``."""
    _check(num_shards)
    kind = type(items[0]).__name__ if items else "None"
    name = f"from_items[{kind}, {len(items)}, shards={num_shards}{', repeat=True' if repeat else ''}]"
    return from_iterators([items[number::num_shards] for number in range(num_shards)], repeat, name)


def from_range(n: int, num_shards: int = 2, repeat: bool = False) -> ParallelIterator[int]:
    """The numbers up to ``n``, a piece for each of so many actors (as in Ray); for ever, with ``repeat``."""
    _check(num_shards)
    size = n // num_shards
    ends = [size * number for number in range(num_shards)] + [n]
    name = f"from_range[{n}, shards={num_shards}{', repeat=True' if repeat else ''}]"
    return from_iterators([range(*ends[number : number + 2]) for number in range(num_shards)], repeat, name)


def from_iterators(
    generators: Sequence[Iterable[T] | Any], repeat: bool = False, name: str | None = None
) -> ParallelIterator[T]:
    """What each of these has, in an actor for each (as in Ray); for ever, with ``repeat``.

    Args:
        generators: things to iterate over, or functions that return them: generators cannot be passed to an actor.
        repeat: begin anew at the end.
        name: for people.
    """
    worker = rustyray.remote(ParallelIteratorWorker)
    actors = [worker.remote(generator, repeat) for generator in generators]
    return from_actors(actors, name or f"from_iterators[shards={len(actors)}{', repeat=True' if repeat else ''}]")


def from_actors(actors: Sequence[Any], name: str | None = None) -> ParallelIterator[Any]:
    """What these actors make (as in Ray), whose class inherits from `ParallelIteratorWorker`."""
    return ParallelIterator([Share(actor) for actor in actors], name or f"from_actors[shards={len(actors)}]")


def _check(num_shards: int) -> None:
    if num_shards < 1:
        raise ValueError(f"num_shards must be 1 or more, got {num_shards}")
