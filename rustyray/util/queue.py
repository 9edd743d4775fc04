"""``Queue``: a first-in-first-out queue between tasks, actors and drivers, kept by an actor."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterable, Mapping
from typing import Any

import rustyray


class Empty(queue.Empty):
    """There is nothing in the queue, or not in time."""


class Full(queue.Full):
    """There is no room in the queue, or not in time."""


class Queue:
    """A queue that can be passed to tasks and actors; all its copies are one queue (as in Ray).

    Items come out in the order in which they went in. Its actor ends with the last copy, or with `shutdown`.

    Args:
        maxsize: so many items at most; 0: any number.
        actor_options: options of the actor that keeps it, such as ``{"num_cpus": 1}``.
    """

    def __init__(self, maxsize: int = 0, actor_options: Mapping[str, Any] | None = None) -> None:
        self.maxsize = maxsize
        actor: Any = rustyray.remote(_QueueActor)
        self.actor = actor.options(**(actor_options or {})).remote(maxsize)

    def __len__(self) -> int:
        return self.size()

    def size(self) -> int:
        """How many items there are."""
        size: int = rustyray.get(self.actor.qsize.remote())
        return size

    def qsize(self) -> int:
        """As `size`."""
        return self.size()

    def empty(self) -> bool:
        """Whether there are no items."""
        return self.size() == 0

    def full(self) -> bool:
        """Whether there is no room."""
        return 0 < self.maxsize <= self.size()

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item at the end.

        Args:
            item: anything that can be pickled.
            block: wait for room if there is none.
            timeout: seconds to wait at most; None: as long as it takes.

        Raises:
            Full: There is no room, or not in time.
            ValueError: The timeout is negative.
        """
        _check(block, timeout)
        if not rustyray.get(self.actor.put.remote(item, block, timeout)):
            raise Full

    async def put_async(self, item: Any, block: bool = True, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """As `put`, for coroutines."""
        _check(block, timeout)
        if not await self.actor.put.remote(item, block, timeout):
            raise Full

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the first item out.

        Args:
            block: wait for an item if there is none.
            timeout: seconds to wait at most; None: as long as it takes.

        Raises:
            Empty: There is no item, or not in time.
            ValueError: The timeout is negative.
        """
        _check(block, timeout)
        return _item(rustyray.get(self.actor.get.remote(block, timeout)))

    async def get_async(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: ASYNC109
        """As `get`, for coroutines."""
        _check(block, timeout)
        return _item(await self.actor.get.remote(block, timeout))

    def put_nowait(self, item: Any) -> None:
        """As ``put(item, block=False)``."""
        self.put(item, block=False)

    def get_nowait(self) -> Any:
        """As ``get(block=False)``."""
        return self.get(block=False)

    def put_nowait_batch(self, items: Iterable[Any]) -> None:
        """Add all of these items at the end, or none.

        Raises:
            Full: There is no room for all.
            TypeError: That cannot be iterated over.
        """
        if not isinstance(items, Iterable):
            raise TypeError(f"put_nowait_batch() takes items in a list, got {items!r}")
        told = rustyray.get(self.actor.put_nowait_batch.remote(list(items)))
        if told:
            raise Full(told)

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        """Take so many items out at once, or none.

        Raises:
            Empty: There are not so many.
            TypeError, ValueError: That is not a number of items.
        """
        if isinstance(num_items, bool) or not isinstance(num_items, int):
            raise TypeError(f"num_items must be an integer, got {num_items!r}")
        if num_items < 0:
            raise ValueError(f"num_items must not be negative, got {num_items!r}")
        found, items = rustyray.get(self.actor.get_nowait_batch.remote(num_items))
        if items is None:
            raise Empty(f"{num_items} items were asked for, and there are {found}")
        return list(items)

    def shutdown(self, force: bool = False, grace_period_s: float = 5) -> None:
        """End the queue's actor, and with it what waits for it: after its calls, or at once.

        Args:
            force: at once.
            grace_period_s: seconds that it has to end after its calls; then it is killed.
        """
        if self.actor is not None:
            last = [] if force else [self.actor.__ray_terminate__.remote()]
            if force or not rustyray.wait(last, timeout=grace_period_s)[0]:
                rustyray.kill(self.actor)
        self.actor = None


def _check(block: bool, timeout: float | None) -> None:
    if block and timeout is not None and timeout < 0:
        raise ValueError(f"timeout must not be negative, got {timeout!r}")


def _item(found: tuple[Any, ...]) -> Any:
    if not found:
        raise Empty
    return found[0]


class _QueueActor:
    """Says in its results what there was not: an error would carry a traceback that helps nobody."""

    def __init__(self, maxsize: int) -> None:
        self._queue: asyncio.Queue[Any] = asyncio.Queue(maxsize)

    def qsize(self) -> int:
        return self._queue.qsize()

    async def put(self, item: Any, block: bool, timeout: float | None) -> bool:  # noqa: ASYNC109
        try:
            if not block:
                self._queue.put_nowait(item)
            else:
                async with asyncio.timeout(timeout):
                    await self._queue.put(item)
        except (asyncio.QueueFull, TimeoutError):
            return False
        return True

    async def get(self, block: bool, timeout: float | None) -> tuple[Any, ...]:  # noqa: ASYNC109
        """The item in a tuple, which is empty if there is none."""
        try:
            if not block:
                return (self._queue.get_nowait(),)
            async with asyncio.timeout(timeout):
                return (await self._queue.get(),)
        except (asyncio.QueueEmpty, TimeoutError):
            return ()

    def put_nowait_batch(self, items: list[Any]) -> str:
        """Why not; empty if it was done."""
        size, most = self._queue.qsize(), self._queue.maxsize
        if 0 < most < size + len(items):
            return f"{len(items)} items do not fit: there are {size}, and there may be {most}"
        for item in items:
            self._queue.put_nowait(item)
        return ""

    def get_nowait_batch(self, count: int) -> tuple[int, list[Any] | None]:
        size = self._queue.qsize()
        return size, [self._queue.get_nowait() for _ in range(count)] if count <= size else None
