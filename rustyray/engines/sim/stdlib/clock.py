"""The time as simulated code sees it. It passes only while nobody has anything to do."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, Final

from rustyray.engines.sim.stdlib.patches import current
from rustyray.engines.sim.world.process import GRAIN, Sleep

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.stdlib.patches import Patches

#: Seconds between two looks at what is outside of the simulation.
_LOOK: Final = 0.1
_NANO: Final = 1_000_000_000
#: Where the standard library keeps `time.monotonic` under names of its own.
_COPIES: Final = ((queue, "time"), (threading, "_time"))


def install(patches: Patches) -> None:
    """Replace the clocks of the module ``time``, and its ``sleep``."""

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
    patches.replace(time, "sleep", _sleep(time.sleep))
    wait = connection.wait
    patches.replace(connection, "wait", _wait(wait))
    pool = sys.modules.get("multiprocessing.pool")
    if getattr(pool, "wait", None) is wait:
        patches.replace(pool, "wait", connection.wait, copy=True)


def _wait(real: Callable[..., Any]) -> Callable[..., Any]:
    """To wait for pipes, as thread pools of `multiprocessing` do: looks now and then, so that others go on."""

    def wait(object_list: Any, timeout: float | None = None) -> Any:
        if current() is None:
            return real(object_list, timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (ready := real(object_list, 0)) and (deadline is None or time.monotonic() < deadline):
            time.sleep(_LOOK)
        return ready

    return wait


def _sleep(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        process = current()
        if process is None:
            real(seconds)
            return
        if not hasattr(seconds, "__float__"):
            raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer")
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        process.check_interrupt()
        process.suspend(Sleep(float(seconds) + GRAIN))
        process.check_interrupt()

    return sleep
