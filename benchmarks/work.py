"""The functions and classes every system runs.

They live in an importable module so that each system ships them the same way, by reference, and none
pays for pickling code. NumPy is imported where it is used: a worker that never touches an array should not be
charged for it in the start-up and memory figures.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def identity(value: int) -> int:
    """The no-op task: its result proves that it ran."""
    return value


def total(array: Array) -> float:
    """Reads every element of an array."""
    return float(array.sum())


def length(array: Array) -> int:
    """Takes an array without reading it."""
    return len(array)


def count(*values: int) -> int:
    """Takes any number of arguments."""
    return len(values)


def block(nbytes: int) -> Array:
    """An array of ``nbytes``, made once per process: a task that returns it measures only the return."""
    return _ones(nbytes // 8)


@cache
def _ones(size: int) -> Array:
    import numpy as np

    return np.ones(size)


def hold(gate: str, index: int) -> int:
    """Occupies a worker until the named pipe ``gate`` has a writer; the file ``gate.index`` says that it began."""
    with open(f"{gate}.{index}", "w"):
        pass
    os.close(os.open(gate, os.O_RDONLY))
    return index


class Counter:
    """The actor."""

    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int) -> int:
        """Adds ``amount`` and returns the new value."""
        self.value += amount
        return self.value
