"""Results in the order in which they become ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import rustyray

T = TypeVar("T")


def as_completed(refs: Iterable[rustyray.ObjectRef[T]]) -> Iterator[rustyray.ObjectRef[T]]:
    """Yields each ref once its value is ready, the fastest first."""
    pending = list(refs)
    while pending:
        ready, pending = rustyray.wait(pending, num_returns=1)
        yield from ready
