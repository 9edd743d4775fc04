"""Results as they come: of refs that there are, and of a function over many items."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import rustyray

if TYPE_CHECKING:
    from rustyray import ObjectRef


def as_completed(
    refs: Sequence[ObjectRef[Any]], *, chunk_size: int = 10, yield_obj_refs: bool = False, **options: Any
) -> Iterator[Any]:
    """The results of refs as they become ready, without an order that can be relied on (as in Ray).

    Args:
        refs: what is waited for.
        chunk_size: so many are waited for at a time, and then yielded.
        yield_obj_refs: yield the refs that are ready, not their values.
        options: ``timeout`` (seconds) and ``fetch_local``, as of `rustyray.wait`.

    Raises:
        ValueError: ``chunk_size`` is less than 1, or ``num_returns`` was given.
    """
    _check(chunk_size, options)
    waiting = list(refs)
    while waiting:
        done, waiting = _next(waiting, chunk_size, yield_obj_refs, options)
        yield from done


def map_unordered(
    fn: Any,
    items: Iterable[Any],
    *,
    backpressure_size: int | None = 100,
    chunk_size: int = 10,
    yield_obj_refs: bool = False,
    **options: Any,
) -> Iterator[Any]:
    """The results of a remote function of each item, as they become ready (as in Ray).

    Args:
        fn: a remote function of one argument.
        items: what it is called with; taken only as far as there is room.
        backpressure_size: so many tasks are under way at most; None: any number.
        chunk_size, yield_obj_refs, options: as of `as_completed`.

    Raises:
        ValueError: A size is less than 1, or ``num_returns`` was given.
    """
    if backpressure_size is not None and backpressure_size <= 0:
        raise ValueError(f"backpressure_size must be positive, or None for no limit, got {backpressure_size!r}")
    _check(chunk_size, options)
    waiting: list[ObjectRef[Any]] = []
    for item in items:
        waiting.append(fn.remote(item))
        if backpressure_size is not None and len(waiting) >= backpressure_size:
            done, waiting = _next(waiting, chunk_size, yield_obj_refs, options)
            yield from done
    yield from as_completed(waiting, chunk_size=chunk_size, yield_obj_refs=yield_obj_refs, **options)


def _check(chunk_size: int, options: dict[str, Any]) -> None:
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be 1 or more, got {chunk_size!r}")
    if "num_returns" in options:
        raise ValueError("num_returns is not taken here: chunk_size says how many are waited for at a time")


def _next(
    waiting: list[ObjectRef[Any]], chunk_size: int, as_refs: bool, options: dict[str, Any]
) -> tuple[list[Any], list[ObjectRef[Any]]]:
    done, waiting = rustyray.wait(waiting, num_returns=min(chunk_size, len(waiting)), **options)
    return (list(done) if as_refs else rustyray.get(done)), waiting
