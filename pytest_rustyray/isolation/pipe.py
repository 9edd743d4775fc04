"""Messages from a test's process to pytest's: what a message says, and when no more can come."""

from __future__ import annotations

import os
import pickle
import select
import struct
import time
from typing import Any, Final

_LENGTH: Final = struct.Struct("!I")
#: Seconds between two looks where the system does not tell when a process ends.
_LOOK: Final = 0.05
_CHUNK: Final = 1 << 16


class Teller:
    """The child's end."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __call__(self, kind: str, value: object = None) -> None:
        """Raises what pickle does, before anything is sent."""
        data = pickle.dumps((kind, value))
        left = memoryview(_LENGTH.pack(len(data)) + data)
        while left:
            left = left[os.write(self._fd, left) :]


class Hearer:
    """The parent's end."""

    def __init__(self, fd: int, pid: int) -> None:
        self._fd = fd
        self._pid = pid
        self._data = bytearray()
        self._watch = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else -1
        os.set_blocking(fd, False)
        self._ended = False

    def hear(self, deadline: float) -> tuple[str, Any] | None:
        """The next message; None when the process has ended and all is heard. Raises TimeoutError."""
        while True:
            if (message := self._next()) is not None:
                return message
            if self._ended:
                return None
            self._wait(deadline)

    def _next(self) -> tuple[str, Any] | None:
        if len(self._data) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._data)[0]
        if len(self._data) < end:
            return None
        message: tuple[str, Any] = pickle.loads(self._data[_LENGTH.size : end])
        del self._data[:end]
        return message

    def _wait(self, deadline: float) -> None:
        left = deadline - time.perf_counter()
        if left <= 0:
            raise TimeoutError
        watched = [self._fd] if self._watch < 0 else [self._fd, self._watch]
        if self._watch < 0:
            left = min(left, _LOOK)
        ready, _, _ = select.select(watched, [], [], left if left < float("inf") else None)
        ended = self.has_ended()
        while self._fd in ready:  # all that is there; others may hold the other end open
            try:
                data = os.read(self._fd, _CHUNK)
            except BlockingIOError:
                break
            self._data += data
            if not data:
                ready.remove(self._fd)
        self._ended = ended

    def has_ended(self) -> bool:
        """Whether the process has ended; it is not waited for."""
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def close(self) -> None:
        os.close(self._fd)
        if self._watch >= 0:
            os.close(self._watch)
