"""A thread that calls somebody when a deadline has passed. To move the deadline costs next to nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic  # by name: a simulated runtime has another one

from pytest_rustyray.leaks.threads import OURS

NEVER = float("inf")
#: Seconds that it sleeps at most.
LONG = 3600.0


class Watchdog:
    """Calls ``late`` each time that a deadline passes, in its own thread."""

    def __init__(self, late: Callable[[], None]) -> None:
        self._late = late
        self._changed = threading.Condition()
        self._deadline = NEVER
        self._wakes = NEVER
        threading.Thread(target=self._run, name=f"{OURS}watchdog", daemon=True).start()

    def set(self, seconds: float) -> None:
        """From now on, the deadline is in so many seconds; the one before is none any more."""
        with self._changed:
            self._deadline = monotonic() + seconds
            if self._deadline < self._wakes:
                self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while (left := self._deadline - monotonic()) > 0:
                    left = min(left, LONG)
                    self._wakes = monotonic() + left
                    self._changed.wait(left)
                self._deadline = self._wakes = NEVER
            self._late()
