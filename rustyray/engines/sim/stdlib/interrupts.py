"""Signals that end what runs: Ctrl-C, and a timer for programs that compute without end.

Both go to the driver's program, whoever happens to run: it is the user's, and tasks are not to swallow them.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rustyray.engines.sim.green import ProcessEnded
from rustyray.engines.sim.stdlib.outside import is_users, place
from rustyray.exceptions import LivelockError
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
        interrupt(self.simulation, KeyboardInterrupt())


def interrupt(simulation: Simulation | None, error: BaseException) -> NoReturn:
    """From a signal handler: raise ``error`` in the driver's program, whoever happens to run."""
    running = None if simulation is None else simulation.world.running
    if simulation is None or running is None or running is simulation.driver.host.main:
        raise error
    simulation.ctrl_c = error
    raise ProcessEnded  # out of the task's code: when it gives way, the driver's program hears of it


#: Seconds of computing between two looks at a program that goes on.
_LOOK: Final = 1.0


class Busy:
    """Looks now and then whether a program computes without end: it never gives way, so nobody else could tell."""

    def __init__(self) -> None:
        self.simulation: Simulation | None = None
        self._installed = False
        self._cpu = time.thread_time
        self._seen: tuple[int, int] = (0, 0)
        self._since = 0.0

    def begin(self) -> None:
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL:
            signal.signal(signal.SIGVTALRM, self._on_signal)
            signal.setitimer(signal.ITIMER_VIRTUAL, _LOOK, _LOOK)
            self._installed = True

    def end(self) -> None:
        if self._installed and signal.getsignal(signal.SIGVTALRM) == self._on_signal:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, signal.SIG_DFL)

    def _on_signal(self, number: int, frame: Any) -> None:
        simulation = self.simulation
        running = None if simulation is None else simulation.world.running
        if simulation is None or running is None:
            return
        drivers = running is simulation.driver.host.main
        if drivers and not simulation.steered:
            return  # what a test does besides is its own business
        seen, now = (running.serial, simulation.world.steps), self._cpu()
        if seen != self._seen:
            self._seen, self._since = seen, now
        elif now - self._since > simulation.max_busy:
            self._since = now
            error = LivelockError(_endless(running.who, frame, simulation.max_busy))
            if drivers:
                raise error
            simulation.ctrl_c = error
            raise ProcessEnded


def _endless(who: str, frame: Any, seconds: float) -> str:
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    at = "" if frame is None else f" at {place(frame)}"
    return (
        f"{who}{at} has computed for {seconds:g} s without waiting, calling the runtime or looking at the clock, and "
        'nothing else can happen meanwhile. If it has an end, give it more time: init(_system_config={"max_busy": …})'
    )
