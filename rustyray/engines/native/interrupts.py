"""Ctrl-C, and cancelled tasks: KeyboardInterrupt, but never in the middle of the runtime's own code.

A signal handler of Python's may run between any two instructions of the main thread. Raised inside the cores or the hub
it would leave them with half a change, or lose messages. So the handler only raises in the user's code; in ours it
leaves a note, and the runtime raises where it waits, or on its way out.
"""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from rustyray.runtime import sigint

if TYPE_CHECKING:
    from rustyray.engines.native.pump import Pump

#: Python runs a handler between two instructions, so a signal that comes after the last one before the main thread
#: sleeps does not end the sleep. Seconds after which the thread looks, for that reason alone.
HEED: Final = 0.5
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))) + os.sep
#: Programs that come with the package are interrupted like any others.
_PROGRAMS: Final = os.path.join(_PACKAGE, "testing", "")


def in_runtime(frame: FrameType | None) -> bool:
    """Whether the interrupted code is the runtime's own."""
    name = frame.f_code.co_filename if frame is not None else ""
    return name.startswith(_PACKAGE) and not name.startswith(_PROGRAMS)


class CtrlC:
    """Stands in for Python's own SIGINT handler in a driver, as long as the runtime is up.

    A handler that the program has set itself stays, and so does everything when `install` runs in another thread.
    """

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._pid = os.getpid()
        self._installed = False

    def install(self) -> None:
        here = threading.current_thread() is threading.main_thread()
        if here and sigint.is_unclaimed():
            signal.signal(signal.SIGINT, self._on_signal)
            self._installed = True
            self._pump.longest_sleep = HEED

    @property
    def is_over(self) -> bool:
        """Its runtime has ended: another may take its place."""
        return self._pump.closed

    def restore(self) -> None:
        """Undo `install`; outside the main thread that cannot be done, and the handler acts as Python's own."""
        here = threading.current_thread() is threading.main_thread()
        if self._installed and here and signal.getsignal(signal.SIGINT) == self._on_signal:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._installed = False

    def _on_signal(self, number: int, frame: Any) -> None:
        if in_runtime(frame) and not self._pump.closed and os.getpid() == self._pid:
            self._pump.interrupt()
        else:
            raise KeyboardInterrupt
