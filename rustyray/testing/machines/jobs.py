"""The functions and actors that task graphs are made of: imported by workers, so nothing of Hypothesis is here."""

from __future__ import annotations

from typing import Any, Final

import rustyray

#: Bytes of a value that lies in the object store.
LARGE: Final = 150_000


class Boom(ValueError):
    """What failing tasks raise; its argument is a number."""


@rustyray.remote
def total(*numbers: int) -> int:
    return sum(numbers)


@rustyray.remote
def inside(refs: list[Any]) -> int:
    """The sum of what refs refer to that came inside a list."""
    numbers: list[int] = rustyray.get(refs)
    return sum(numbers)


@rustyray.remote
def fail(*numbers: int) -> int:
    raise Boom(sum(numbers))


@rustyray.remote
def nest(depth: int, number: int) -> int:
    """Twice the number for each level: tasks that submit tasks."""
    if depth <= 0:
        return number
    return sum(rustyray.get([nest.remote(depth - 1, number) for _ in range(2)]))


@rustyray.remote
def box(number: int) -> list[Any]:
    """A result with a ref in it, to an object that its worker owns."""
    return [rustyray.put(number)]


@rustyray.remote
def unbox(boxed: list[Any]) -> int:
    number: int = rustyray.get(boxed[0])
    return number


@rustyray.remote
def blob(number: int) -> bytes:
    return bytes([number % 256]) * LARGE


@rustyray.remote
def measure(large: bytes) -> int:
    return len(large) + large[-1]


@rustyray.remote(num_returns=2)
def half(number: int) -> tuple[int, int]:
    return number // 2, number - number // 2


@rustyray.remote(num_cpus=0)
class Counter:
    """Adds up what it is given."""

    def __init__(self, start: int) -> None:
        self.count = start

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def spoil(self, number: int) -> int:
        """Adds, and raises then."""
        self.count += number
        raise Boom(self.count)


@rustyray.remote
def ask(counter: Any, number: int) -> int:
    """A call from within a task."""
    count: int = rustyray.get(counter.add.remote(number))
    return count
