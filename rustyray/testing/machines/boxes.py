"""Objects with refs inside, and those who hold them: imported by workers, so nothing of Hypothesis is here."""

from __future__ import annotations

import time
from typing import Any, Final

import rustyray

#: Bytes of a large object: it lies in the node's store.
LARGE: Final = 150_000


def content(large: bool, refs: list[Any]) -> tuple[bytes, list[Any]]:
    """An object's value."""
    return bytes(LARGE if large else 1), refs


@rustyray.remote(num_cpus=0)
def make(large: bool, refs: list[Any]) -> tuple[bytes, list[Any]]:
    """A result that holds what its task was given."""
    return content(large, refs)


@rustyray.remote(num_cpus=0)
def inner(large: bool) -> tuple[bytes, list[Any]]:
    """A small result that holds an object of the worker's own."""
    return content(False, [rustyray.put(content(large, []))])


@rustyray.remote(num_cpus=0)
def borrow(refs: list[Any], seconds: float) -> int:
    """Looks at what it was lent after some time."""
    time.sleep(seconds)
    return sum(len(part) for part, _ in rustyray.get(refs))


@rustyray.remote(num_cpus=0)
class Holder:
    """Keeps refs in its state."""

    def __init__(self) -> None:
        self.refs: list[Any] = []

    def hold(self, refs: list[Any]) -> None:
        self.refs += refs

    def release(self, at: int) -> None:
        del self.refs[at]

    def show(self, at: int) -> list[Any]:
        return [self.refs[at]]
