"""Standard output and error of workers whose driver does not want to see what they write."""

from __future__ import annotations

import os
import sys
from typing import TextIO


class Quiet:
    """While a worker's program runs, ``sys.stdout`` and ``sys.stderr`` lead nowhere; then the driver's are back."""

    def __init__(self) -> None:
        self._nowhere = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - closed at the end
        #: The driver's, while a worker's program runs.
        self._drivers: tuple[TextIO, TextIO] | None = None

    def enter(self, worker: bool) -> bool:
        """From now on a worker's program runs, or the driver's. Returns whether a worker's did before."""
        before = self._drivers is not None
        if worker and self._drivers is None:
            self._drivers = sys.stdout, sys.stderr
            sys.stdout = sys.stderr = self._nowhere
        elif not worker and self._drivers is not None:
            sys.stdout, sys.stderr = self._drivers
            self._drivers = None
        return before

    def end(self) -> None:
        """The runtime has ended."""
        self.enter(worker=False)
        self._nowhere.close()
