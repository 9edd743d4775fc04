"""Stands in for functions of the standard library while a simulated runtime is up, and puts them back.

A stand-in asks who calls: simulated code gets what is simulated, everybody else (other threads, and everybody once the
runtime has ended) the real thing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation

#: Makes a stand-in of the real function.
Make = Callable[[Any], Any]


class Patches:
    """What is replaced at present. ``current`` tells which process calls, if the caller is simulated."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.current: Callable[[], UserProcess | None] = simulation.current
        self._undo: list[tuple[Any, str, Any]] = []

    def replace(self, where: Any, name: str, stand_in: Any) -> None:
        """Set ``where.name``, until `restore`."""
        self._undo.append((where, name, getattr(where, name)))
        setattr(where, name, stand_in)

    def restore(self) -> None:
        """Put everything back that nobody has replaced since."""
        while self._undo:
            where, name, real = self._undo.pop()
            setattr(where, name, real)
