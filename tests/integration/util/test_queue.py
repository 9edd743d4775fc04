"""``rustyray.util.queue``."""

from __future__ import annotations

import asyncio

import pytest

import rustyray
from rustyray import exceptions
from rustyray.util.queue import Empty, Full, Queue

pytestmark = pytest.mark.usefixtures("shared")


@rustyray.remote
def fill(queue: Queue, items: list[int]) -> None:
    for item in items:
        queue.put(item)


def test_first_in_first_out() -> None:
    queue = Queue()
    for item in range(3):
        queue.put(item)
    assert (len(queue), queue.qsize(), queue.empty(), queue.full()) == (3, 3, False, False)
    assert [queue.get() for _ in range(3)] == [0, 1, 2]
    assert queue.empty()


def test_it_is_one_queue_for_all() -> None:
    queue = Queue(maxsize=1)
    filling = fill.remote(queue, [1, 2, 3])  # waits for room
    assert [queue.get(timeout=30) for _ in range(3)] == [1, 2, 3]
    assert rustyray.get(filling) is None


def test_what_is_not_there_or_does_not_fit() -> None:
    queue = Queue(maxsize=2)
    for call in (queue.get_nowait, lambda: queue.get(timeout=0.05), lambda: queue.get_nowait_batch(1)):
        with pytest.raises(Empty):
            call()
    queue.put_nowait_batch([1, 2])
    assert queue.full()
    for call in (lambda: queue.put_nowait(3), lambda: queue.put(3, timeout=0.05), lambda: queue.put_nowait_batch([3])):
        with pytest.raises(Full):
            call()
    assert queue.get(timeout=0) == 1  # what is there comes even so
    with pytest.raises(Empty, match="2 items were asked for, and there are 1"):
        queue.get_nowait_batch(2)
    assert queue.get_nowait_batch(1) == [2]
    with pytest.raises(ValueError, match="must not be negative"):
        queue.get(timeout=-1)
    with pytest.raises(TypeError, match="takes items in a list"):
        queue.put_nowait_batch(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be an integer"):
        queue.get_nowait_batch("1")  # type: ignore[arg-type]


def test_in_coroutines() -> None:
    queue = Queue(maxsize=1)

    async def both() -> list[int]:
        putting = asyncio.ensure_future(asyncio.gather(*(queue.put_async(item) for item in range(3))))
        taken = [await queue.get_async() for _ in range(3)]
        await putting
        with pytest.raises(Empty):
            await queue.get_async(block=False)
        return taken

    assert sorted(asyncio.run(both())) == [0, 1, 2]


def test_it_ends_with_its_actor() -> None:
    queue, forced = Queue(actor_options={"num_cpus": 1}), Queue()
    actors = [queue.actor, forced.actor]
    queue.put(1)
    queue.shutdown()
    forced.shutdown(force=True)
    for actor in actors:
        with pytest.raises(exceptions.RayActorError):
            rustyray.get(actor.qsize.remote())
