"""Ctrl-C goes to the driver's program, whoever happens to run: it is the user's, and tasks are not to swallow it."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from rustyray.engines.sim.green import ProcessEnded
from rustyray.runtime import sigint

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation


class CtrlC:
    """In place of Python's own SIGINT handler while a simulated runtime is up; a handler of the program's own stays."""

    def __init__(self) -> None:
        self.simulation: Simulation | None = None
        self._installed = False
        self.is_over = False

    def begin(self) -> None:
        here = threading.current_thread() is threading.main_thread()
        if here and sigint.is_unclaimed():
            signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True

    def end(self) -> None:
        self.is_over = True
        if self._installed and signal.getsignal(signal.SIGINT) == self._on_signal:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        simulation = self.simulation
        running = None if simulation is None else simulation.world.running
        if simulation is None or running is None or running is simulation.driver.host.main:
            raise KeyboardInterrupt
        simulation.ctrl_c = True
        raise ProcessEnded  # out of the task's code: when it gives way, the driver's program hears of it
