"""Everything that is replaced in the interpreter while a simulated runtime is up.

Whoever starts one runtime after the other keeps the stage meanwhile, and starts them faster.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rustyray.engines.sim.stdlib import clock, locks, order, outside, signals, threads
from rustyray.engines.sim.stdlib.interrupts import Busy, CtrlC
from rustyray.engines.sim.stdlib.patches import Patches, simulated

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation

#: So many runtimes end on a stage that is kept before what they leave is collected: few, so that memory is used again
#: while it is in the caches. (Never to collect takes half as long again.)
COLLECT: Final = 4


class SteadyGarbage:
    """Keeps the cyclic garbage collector from running at moments that depend on what else the interpreter did.

    Refs in cycles are dropped when it runs, and the others would learn of it at another moment in each run.
    """

    def __init__(self) -> None:
        self._mine = gc.isenabled()
        self._begun = 0

    def begin(self) -> None:
        if self._mine:
            gc.disable()

    def next(self) -> None:
        """No runtime is up, and the next one begins."""
        self._begun += 1
        if self._mine and self._begun % COLLECT == 0:
            gc.collect(0)  # all there is since `begin`, except for what outlived this before

    def end(self) -> None:
        if self._mine:
            gc.enable()


class Stage:
    """Between `begin` and `end`, one runtime at a time may be up: from `enter` to `leave`."""

    def __init__(self) -> None:
        self._garbage, self._patches, self._ctrl_c, self._busy = SteadyGarbage(), Patches(), CtrlC(), Busy()

    def begin(self) -> None:
        self._ctrl_c.begin()
        self._busy.begin()
        self._garbage.begin()
        for what in (clock, locks, threads, order, outside, signals):
            what.install(self._patches)
        self._patches.replace_copies()
        locks.replace_made(self._patches)

    def end(self) -> None:
        self._patches.restore()
        self._busy.end()
        self._ctrl_c.end()
        self._garbage.end()

    def enter(self, simulation: Simulation) -> None:
        self._ctrl_c.simulation = self._busy.simulation = simulation
        simulated(simulation)

    def leave(self) -> None:
        self._ctrl_c.simulation = self._busy.simulation = None
        simulated(None)

    def next(self) -> None:
        self._garbage.next()


_kept: Stage | None = None


def present() -> Stage | None:
    """The stage that is kept, if one is."""
    return _kept


@contextmanager
def kept() -> Iterator[None]:
    """Runtimes that are started inside, one after the other, share a stage."""
    global _kept
    if _kept is not None:
        yield
        return
    stage = Stage()
    stage.begin()
    _kept = stage
    try:
        yield
    finally:
        _kept = None
        stage.end()
