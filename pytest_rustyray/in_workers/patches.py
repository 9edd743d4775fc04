"""Patches of the test that runs, applied in a worker before each task.

They lie in a file, which the test's process replaces whenever they change.
"""

from __future__ import annotations

import os
import threading

import pytest

from rustyray.runtime.serialization import loads


class Patches:
    """Those of the file at ``path``; none while there is no file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._applied = pytest.MonkeyPatch()
        #: An actor may run several methods at once.
        self._lock = threading.Lock()

    def apply(self) -> None:
        """Undo what is not wanted any more, and do what is new."""
        with self._lock:
            seen = self._look()
            if seen == self._seen:
                return
            self._applied.undo()
            self._seen = seen
            if seen is not None:
                with open(self._path, "rb") as file:
                    patches = loads(file.read())
                for name, arguments in patches:
                    getattr(self._applied, name)(*arguments)

    def _look(self) -> tuple[int, int] | None:
        """Something that is another for each file that was there."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns
