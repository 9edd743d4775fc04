"""Asynchronous actors: one process, one event loop, many callers waiting in it without blocking one another."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

import rustyray

T = TypeVar("T")


@rustyray.remote
class BoundedQueue(Generic[T]):
    """A queue between tasks; putting waits while it is full, getting while it is empty."""

    def __init__(self, size: int) -> None:
        self._items: asyncio.Queue[T] = asyncio.Queue(size)
        self._most = 0

    async def put(self, item: T) -> None:
        """Adds an item, as soon as there is room."""
        await self._items.put(item)
        self._most = max(self._most, self._items.qsize())

    async def get(self, patience: float | None = None) -> T:
        """Takes the oldest item.

        Raises:
            TimeoutError: There was none for `patience` seconds.
        """
        return await asyncio.wait_for(self._items.get(), patience)

    async def most(self) -> int:
        """Returns the largest number of items there ever was."""
        return self._most


@rustyray.remote
class Limiter:
    """Lets at most `limit` callers through at a time."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self._inside = self._peak = 0

    async def enter(self) -> None:
        """Returns once the caller may go in."""
        await self._free.acquire()
        self._inside += 1
        self._peak = max(self._peak, self._inside)

    async def leave(self) -> None:
        """Lets the next caller in."""
        self._inside -= 1
        self._free.release()

    async def peak(self) -> int:
        """Returns how many were inside at once at most."""
        return self._peak


@rustyray.remote
class Throttle:
    """Lets callers through at a steady pace, at most `rate` of them a second."""

    def __init__(self, rate: float) -> None:
        self._interval = 1 / rate
        self._next = 0.0

    async def ticket(self) -> None:
        """Returns when the caller's turn has come."""
        now = asyncio.get_running_loop().time()
        self._next = max(self._next + self._interval, now)
        await asyncio.sleep(self._next - now)


@rustyray.remote
class Latch:
    """Holds its callers back until a number of events have happened."""

    def __init__(self, events: int) -> None:
        self._missing = events
        self._open = asyncio.Event()

    async def count(self) -> None:
        """Reports one event."""
        self._missing -= 1
        if self._missing <= 0:
            self._open.set()

    async def wait(self) -> None:
        """Returns once everything has happened."""
        await self._open.wait()
