"""Whoever explores a program decides for the runtime that it starts next: what is chosen, and what goes wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rustyray.engines.sim.world.chooser import Chooser
from rustyray.engines.sim.world.faults import Fault

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World


class Steering:
    """For one runtime. The engine makes its world with it, and notes that here."""

    def __init__(self, chooser: Chooser, faults: Sequence[Fault] = ()) -> None:
        self.chooser = chooser
        self.faults = faults
        self.world: World | None = None


_present: Steering | None = None


def present() -> Steering | None:
    """Who steers the runtime that is started now; None: its own seed."""
    return _present


@contextmanager
def steered(steering: Steering) -> Iterator[Steering]:
    """Runtimes that are started inside are steered."""
    global _present
    outer, _present = _present, steering
    try:
        yield steering
    finally:
        _present = outer
