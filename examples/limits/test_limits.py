"""Callers wait inside an asynchronous actor for one another, and nobody else is held up."""

from __future__ import annotations

import asyncio
import time

import pytest

import rustyray
from examples.limits.limits import BoundedQueue, Latch, Limiter, Throttle
from rustyray.exceptions import RayTaskError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]


@rustyray.remote
def produce(queue: rustyray.ActorHandle[BoundedQueue[tuple[str, int]]], name: str, count: int) -> int:
    for number in range(count):
        rustyray.get(queue.put.remote((name, number)))
    return count


@rustyray.remote(num_cpus=0.5)
def work_inside(limiter: rustyray.ActorHandle[Limiter], rounds: int) -> int:
    total = 0
    for number in range(rounds):
        rustyray.get(limiter.enter.remote())
        total += sum(range(number))
        rustyray.get(limiter.leave.remote())
    return total


@rustyray.remote
class MeetingPoint:
    """Nobody gets past before everybody is there."""

    def __init__(self, parties: int) -> None:
        self._barrier = asyncio.Barrier(parties)

    async def arrive(self) -> int:
        return await self._barrier.wait()


def test_a_queue_joins_producers_and_a_consumer() -> None:
    queue: rustyray.ActorHandle[BoundedQueue[tuple[str, int]]] = BoundedQueue.remote(4)
    producers = [produce.remote(queue, name, 30) for name in ("a", "b")]
    items: list[tuple[str, int]] = [rustyray.get(queue.get.remote()) for _ in range(60)]
    assert rustyray.get(producers) == [30, 30]
    for name in ("a", "b"):
        assert [number for producer, number in items if producer == name] == list(range(30))
    assert rustyray.get(queue.most.remote()) <= 4


def test_a_full_queue_holds_its_producer_up() -> None:
    queue: rustyray.ActorHandle[BoundedQueue[int]] = BoundedQueue.remote(2)
    puts = [queue.put.remote(number) for number in range(3)]
    done, waiting = rustyray.wait(puts, num_returns=2)
    assert len(done) == 2
    assert rustyray.wait(waiting, timeout=0.1) == ([], waiting)
    taken = rustyray.get([queue.get.remote() for _ in range(3)])
    assert sorted(taken) == [0, 1, 2]
    assert rustyray.get(waiting) == [None]


def test_an_empty_queue_times_out() -> None:
    queue: rustyray.ActorHandle[BoundedQueue[int]] = BoundedQueue.remote(2)
    with pytest.raises(RayTaskError) as caught:
        rustyray.get(queue.get.remote(patience=0.01))
    assert isinstance(caught.value.cause, TimeoutError)


def test_a_limiter_lets_in_no_more_than_its_limit() -> None:
    limiter = Limiter.remote(2)
    totals = rustyray.get([work_inside.remote(limiter, 10) for _ in range(4)])
    assert totals == [sum(sum(range(number)) for number in range(10))] * 4
    assert 1 <= rustyray.get(limiter.peak.remote()) <= 2


def test_callers_meet_inside_one_actor() -> None:
    point = MeetingPoint.remote(100)
    places = rustyray.get([point.arrive.remote() for _ in range(100)])
    assert sorted(places) == list(range(100))


def test_a_latch_holds_everybody_back_until_the_last_event() -> None:
    latch = Latch.remote(2)
    waiting = [latch.wait.remote() for _ in range(3)]
    rustyray.get(latch.count.remote())
    assert rustyray.wait(waiting, timeout=0.1) == ([], waiting)
    rustyray.get(latch.count.remote())
    assert rustyray.get(waiting) == [None] * 3


def test_a_throttle_spaces_its_callers_out() -> None:
    throttle = Throttle.remote(rate=100)
    rustyray.get(throttle.ticket.remote())
    started = time.monotonic()
    rustyray.get([throttle.ticket.remote() for _ in range(6)])
    assert time.monotonic() - started >= 5 * 0.01


def test_a_driver_awaits_refs_in_its_own_event_loop() -> None:
    async def main() -> list[int]:
        queue: rustyray.ActorHandle[BoundedQueue[int]] = BoundedQueue.remote(1)
        gets = [queue.get.remote() for _ in range(5)]
        await asyncio.gather(*(queue.put.remote(number) for number in range(5)))
        return list(await asyncio.gather(*gets))

    assert sorted(asyncio.run(main())) == [0, 1, 2, 3, 4]
