"""Threads and locks of simulated code: a thread is a program of its process, and who waits for a lock gives way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rustyray.engines.client.waiter import Waiter

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess


class SimPool:
    """The calls of a threaded actor: each is a program of its own, at most ``size`` at a time."""

    def __init__(self, process: UserProcess, size: int) -> None:
        self._process = process
        self._size = size
        self._running = 0
        self._queue: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._over: Waiter | None = None

    def submit(self, fn: Callable[[Any], None], job: Any, /) -> None:
        self._queue.append((fn, job))
        if self._running < self._size:
            self._running += 1
            self._process.simulation.spawn(self._process, "call", self._work)

    def _work(self) -> None:
        try:
            while self._queue:
                fn, job = self._queue.popleft()
                fn(job)
        finally:
            self._running -= 1
            if not self._running and self._over is not None:
                self._process.finish(self._over)

    def shutdown(self, wait: bool = True) -> None:
        if wait and self._running:
            self._over = Waiter()
            self._process.wait(self._over, None)
