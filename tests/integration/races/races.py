"""The table of races: a scenario for each, that is wrong or right."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import rustyray


class Race(NamedTuple):
    """``scenario(False)`` has the race; ``scenario(True)`` is its correct twin. ``least``: the departures and faults
    without which it does not come about."""

    scenario: Callable[[bool], None]
    faults: str = ""
    least: int = 1

    @property
    def name(self) -> str:
        return self.scenario.__name__


RACES: list[Race] = []


def race(*, faults: str = "", least: int = 1) -> Callable[[Callable[[bool], None]], Callable[[bool], None]]:
    """Adds a scenario to the table."""

    def add(scenario: Callable[[bool], None]) -> Callable[[bool], None]:
        RACES.append(Race(scenario, faults, least))
        return scenario

    return add


@rustyray.remote(num_cpus=0)
class Cell:
    """A value, with the operations that are safe and those that tempt."""

    def __init__(self, value: int = 0) -> None:
        self.value = value
        self.seen: list[int] = []
        self.sealed = False

    def get(self) -> int:
        return self.value

    def set(self, value: int) -> None:
        self.value = value

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def take(self, amount: int) -> bool:
        """Only if there is enough."""
        if self.value < amount:
            return False
        self.value -= amount
        return True

    def append(self, item: int) -> int:
        if not self.sealed:
            self.seen.append(item)
        return len(self.seen)

    def seal(self) -> list[int]:
        """What is there, once and for all: what arrives later is not added."""
        self.sealed = True
        return self.items()

    def items(self) -> list[int]:
        return list(self.seen)

    def pop(self) -> int:
        return self.seen.pop()

    def pop_if_any(self) -> int | None:
        return self.seen.pop() if self.seen else None


Cells = rustyray.ActorHandle[Cell]
