"""The time as simulated code sees it. It passes only while nobody has anything to do."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rustyray.engines.sim.world.process import GRAIN, Sleep

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.stdlib.patches import Patches

_NANO: Final = 1_000_000_000
#: Where the standard library keeps `time.monotonic` under names of its own.
_COPIES: Final = ((queue, "time"), (threading, "_time"))


def install(patches: Patches) -> None:
    """Replace the clocks of the module ``time``, and its ``sleep``."""
    current = patches.current

    def clock(real: Callable[[], Any], read: Callable[[Simulation], float], unit: int) -> Callable[[], Any]:
        def stand_in() -> Any:
            process = current()
            if process is None:
                return real()
            simulation = process.simulation
            moment = simulation.look()
            if moment > simulation.world.now:  # it looks and looks, and waits for nothing else
                process.suspend(Sleep(moment - simulation.world.now))
            return read(simulation) if unit == 1 else round(read(simulation) * unit)

        return stand_in

    def monotonic(simulation: Simulation) -> float:
        return simulation.monotonic()

    def date(simulation: Simulation) -> float:
        return simulation.date()

    for name, read in (("monotonic", monotonic), ("perf_counter", monotonic), ("time", date)):
        for clock_name, unit in ((name, 1), (name + "_ns", _NANO)):
            patches.replace(time, clock_name, clock(getattr(time, clock_name), read, unit))
    for module, name in _COPIES:
        patches.replace(module, name, time.monotonic, copy=True)
    patches.replace(time, "sleep", _sleep(patches, time.sleep))


def _sleep(patches: Patches, real: Callable[[float], None]) -> Callable[[float], None]:
    current = patches.current

    def sleep(seconds: float, /) -> None:
        process = current()
        if process is None:
            real(seconds)
            return
        if isinstance(seconds, bool) or not hasattr(seconds, "__float__"):
            raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer")
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        process.check_interrupt()
        process.suspend(Sleep(float(seconds) + GRAIN))
        process.check_interrupt()

    return sleep
