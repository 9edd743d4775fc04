"""What several cases need."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

_PATIENCE = 60.0
#: Where a case is known to fail.
_SHORT = 10.0
_patience = _PATIENCE


def patience() -> float:
    """Seconds after which what should happen has not."""
    return _patience


@contextmanager
def short_patience() -> Iterator[None]:
    """What a case waits for in here is not expected to come."""
    global _patience
    _patience = _SHORT
    try:
        yield
    finally:
        _patience = _PATIENCE


def until(condition: Callable[[], Any]) -> Any:
    """What the condition says when it first says something true. Raises TimeoutError."""
    deadline = time.monotonic() + _patience
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not so after {_patience:g} s")
        time.sleep(0.005)
    return found


def gate(api: Any, **options: Any) -> Any:
    """An actor at which others wait (``enter``), and are counted (``entered``), until it is opened (``open``)."""
    return api.remote(num_cpus=0, **options)(_Gate).remote()


class _Gate:
    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.count = 0

    async def enter(self) -> None:
        self.count += 1
        await self.opened.wait()

    async def open(self) -> None:
        self.opened.set()

    async def entered(self) -> int:
        return self.count


def book(api: Any, **options: Any) -> Any:
    """An actor that remembers what it is told (``write``) and gives it back in a list (``read``)."""
    return api.remote(num_cpus=0, **options)(_Book).remote()


class _Book:
    def __init__(self) -> None:
        self.lines: list[Any] = []

    def write(self, line: Any) -> int:
        self.lines.append(line)
        return len(self.lines)

    def read(self) -> list[Any]:
        return self.lines


def got(api: Any, ref: Any) -> Any:
    """What ``get`` returns, in time."""
    return api.get(ref, timeout=_patience)


def settled(api: Any, ref: Any) -> None:
    """Wait until its task is done, and another one: a Ray that cancels it a moment earlier aborts its own driver."""
    api.wait([ref], timeout=_patience)
    got(api, api.remote(num_cpus=0)(_nothing).remote())


def _nothing() -> None:
    pass


def entered(api: Any, some_gate: Any, count: int = 1) -> None:
    """Wait until so many are at the gate."""
    until(lambda: got(api, some_gate.entered.remote()) >= count)


def counts(api: Any, **options: Any) -> Any:
    """A remote generator that yields the numbers up to the one it is given."""

    def numbers(number: int) -> Iterator[int]:
        for n in range(number):  # noqa: UP028 # Ray's streams take generators only, not what `yield from` sees
            yield n

    return api.remote(**options)(numbers) if options else api.remote(numbers)


def told(api: Any, seen: Any, **options: Any) -> Any:
    """A remote generator that writes each number into the book ``seen`` before it yields it."""

    def numbers(number: int) -> Iterator[int]:
        for n in range(number):
            api.get(seen.write.remote(n))
            yield n

    return api.remote(**options)(numbers) if options else api.remote(numbers)


def stopping(api: Any, door: Any, first: Any, *others: Any) -> Any:
    """A remote generator that stops at the gate ``door`` after its first item."""

    def stops() -> Iterator[Any]:
        yield first
        api.get(door.enter.remote())
        for item in others:  # noqa: UP028 # as above
            yield item

    return api.remote(stops)


def counting(api: Any, **options: Any) -> Any:
    """An actor class that counts, knows its process and whether it was restarted, and dies when told to."""

    class Counter:
        def __init__(self, start: int = 0) -> None:
            self.count = start

        def add(self, amount: int = 1) -> int:
            self.count += amount
            return self.count

        def pid(self) -> int:
            return os.getpid()

        def reborn(self) -> bool:
            return bool(api.get_runtime_context().was_current_actor_reconstructed)

        def die(self) -> None:
            os._exit(1)

    return api.remote(**options)(Counter) if options else api.remote(Counter)


def values(api: Any, refs: Iterable[Any]) -> list[Any]:
    """What the refs are to, in a list."""
    return [got(api, ref) for ref in refs]


def dead(api: Any, actor: Any) -> None:
    """Wait until calls say that the actor is dead: on Ray one that comes soon after a kill may still run."""

    def says_so() -> bool:
        try:
            got(api, actor.__ray_ready__.remote())
        except api.exceptions.ActorDiedError:
            return True
        return False

    until(says_so)


def exit_actor(api: Any) -> None:
    """End the actor that calls this."""
    (api.actor if api.__name__ == "ray" else api).exit_actor()
