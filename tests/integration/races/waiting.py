"""Races of locks, events, and actors that wait for one another."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import rustyray
from tests.integration.races.races import Cell, Cells, race


@rustyray.remote(num_cpus=0)
class Peer:
    """Answers while it asks only if it is told the other's name, and not the question."""

    def __init__(self) -> None:
        self.other: Any = None

    def meet(self, other: Any) -> None:
        self.other = other

    def ask(self) -> int:
        return rustyray.get(self.other.answer.remote())  # type: ignore[no-any-return]

    def answer(self) -> int:
        return 1


@race()
def two_actors_ask_each_other(right: bool) -> None:
    one, other = Peer.remote(), Peer.remote()
    rustyray.get([one.meet.remote(other), other.meet.remote(one)])
    if right:
        assert rustyray.get(one.ask.remote()) + rustyray.get(other.ask.remote()) == 2
    else:
        assert sum(rustyray.get([one.ask.remote(), other.ask.remote()])) == 2


@rustyray.remote(num_cpus=0)
class AsyncLock:
    def __init__(self) -> None:
        self.lock = asyncio.Lock()

    async def acquire(self) -> None:
        await self.lock.acquire()

    async def release(self) -> None:
        self.lock.release()


Locks = rustyray.ActorHandle[AsyncLock]


@rustyray.remote
def with_both(one: Locks, other: Locks) -> None:
    rustyray.get(one.acquire.remote())
    rustyray.get(other.acquire.remote())
    rustyray.get([one.release.remote(), other.release.remote()])


@race()
def locks_in_opposite_orders(right: bool) -> None:
    one, other = AsyncLock.remote(), AsyncLock.remote()
    second = with_both.remote(one, other) if right else with_both.remote(other, one)
    rustyray.get([with_both.remote(one, other), second])


@rustyray.remote(num_cpus=0)
class Bell:
    """Rings for those who listen at that moment."""

    def __init__(self) -> None:
        self.rung = False
        self.listeners: list[asyncio.Event] = []

    async def has_rung(self) -> bool:
        return self.rung

    async def listen(self, check: bool) -> None:
        if check and self.rung:
            return
        event = asyncio.Event()
        self.listeners.append(event)
        await event.wait()

    async def ring(self) -> None:
        self.rung = True
        for event in self.listeners:
            event.set()


@rustyray.remote
def listener(bell: rustyray.ActorHandle[Bell], right: bool) -> bool:
    if right or not rustyray.get(bell.has_rung.remote()):
        rustyray.get(bell.listen.remote(right))
    return True


@rustyray.remote
def ringer(bell: rustyray.ActorHandle[Bell]) -> None:
    rustyray.get(bell.ring.remote())


@race()
def lost_wake_up(right: bool) -> None:
    bell = Bell.remote()
    assert rustyray.get([listener.remote(bell, right), ringer.remote(bell)])[0]


@rustyray.remote(num_cpus=0)
class AsyncStock:
    def __init__(self, log: Cells) -> None:
        self.left = 1
        self.log = log
        self.lock = asyncio.Lock()

    async def sell(self, right: bool) -> bool:
        if right:
            async with self.lock:
                return await self._sell()
        return await self._sell()

    async def _sell(self) -> bool:
        if self.left < 1:
            return False
        await self.log.append.remote(1)
        self.left -= 1
        return True


@rustyray.remote
def order(stock: rustyray.ActorHandle[AsyncStock], right: bool) -> bool:
    return rustyray.get(stock.sell.remote(right))


@race()
def await_between_check_and_update(right: bool) -> None:
    stock = AsyncStock.remote(Cell.remote())
    assert sum(rustyray.get([order.remote(stock, right) for _ in range(2)])) == 1


@rustyray.remote(num_cpus=0, max_concurrency=2)
class ThreadedCounter:
    def __init__(self, right: bool) -> None:
        self.value = 0
        self.right = right
        self.lock = threading.Lock()

    def add(self) -> None:
        if self.right:
            with self.lock:
                self._add()
        else:
            self._add()

    def _add(self) -> None:
        value = self.value
        time.sleep(0)
        self.value = value + 1

    def get(self) -> int:
        return self.value


@race(least=0)
def threads_of_an_actor(right: bool) -> None:
    counter = ThreadedCounter.remote(right)
    rustyray.get([counter.add.remote() for _ in range(2)])
    assert rustyray.get(counter.get.remote()) == 2
