"""Times at which a core wants to be called again. Entries are never removed: what they call looks whether it is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Timers:
    """A heap of ``(when, call)``; calls of the same time run in the order in which they were asked for."""

    __slots__ = ("_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[[float], None]]] = []
        self._count = 0

    def at(self, when: float, call: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, call))

    def next(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def run(self, now: float) -> None:
        """Call what is due. What is asked for meanwhile runs at the next call, so that a zero delay cannot spin."""
        last = self._count
        later = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if entry[1] <= last:
                entry[2](now)
            else:
                later.append(entry)
        for entry in later:
            heapq.heappush(self._heap, entry)

    def clear(self) -> None:
        self._heap.clear()
