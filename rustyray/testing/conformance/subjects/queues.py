"""``util.queue.Queue``: a queue that tasks and actors share."""

import asyncio

import pytest

from rustyray.testing.conformance.helpers import got


def _queue(api, *args, **options):
    return api.util.queue.Queue(*args, **options)


def first_in_first_out(api):
    """Items come out in the order in which they went in."""
    queue = _queue(api)
    for item in range(4):
        queue.put(item)
    assert [queue.get() for _ in range(4)] == [0, 1, 2, 3]


def a_queue_knows_its_size(api):
    """``qsize``, ``size``, ``len``, ``empty`` and ``full`` say how much is in it."""
    queue = _queue(api, 2)
    assert (queue.qsize(), queue.empty(), queue.full()) == (0, True, False)
    queue.put("a")
    queue.put("b")
    assert (queue.qsize(), queue.size(), len(queue), queue.empty(), queue.full()) == (2, 2, 2, False, True)


def nothing_to_get_is_empty(api):
    """``get`` without waiting, or after ``timeout`` seconds, raises Empty when there is nothing."""
    queue = _queue(api)
    for ask in (queue.get_nowait, lambda: queue.get(block=False), lambda: queue.get(timeout=0.05)):
        with pytest.raises(api.util.queue.Empty):
            ask()


def no_room_is_full(api):
    """``put`` without waiting, or after ``timeout`` seconds, raises Full when there is no room."""
    queue = _queue(api, 1)
    queue.put(1)
    for ask in (
        lambda: queue.put_nowait(2),
        lambda: queue.put(2, block=False),
        lambda: queue.put(2, timeout=0.05),
    ):
        with pytest.raises(api.util.queue.Full):
            ask()
    assert queue.get() == 1


def errors_are_the_standard_librarys(api):
    """``Empty`` and ``Full`` are those of the module queue."""
    import queue

    assert issubclass(api.util.queue.Empty, queue.Empty)
    assert issubclass(api.util.queue.Full, queue.Full)


def a_negative_timeout_is_refused(api):
    """A negative timeout raises ValueError."""
    queue = _queue(api, 1)
    with pytest.raises(ValueError):
        queue.get(timeout=-1)
    with pytest.raises(ValueError):
        queue.put(1, timeout=-1)


def batches_go_in_and_out_whole(api):
    """``put_nowait_batch`` and ``get_nowait_batch`` move all or nothing."""
    queue = _queue(api, 3)
    queue.put_nowait_batch([1, 2])
    with pytest.raises(api.util.queue.Full):
        queue.put_nowait_batch([3, 4])
    with pytest.raises(api.util.queue.Empty):
        queue.get_nowait_batch(3)
    assert queue.get_nowait_batch(2) == [1, 2]


def a_queue_is_shared(api):
    """A queue can be given to tasks: it is one for all; ``put`` waits for room, and ``get`` for items."""
    queue = _queue(api, 1)

    @api.remote(num_cpus=1)
    def fill(shared):
        for item in range(4):
            shared.put(item)

    filling = fill.remote(queue)
    assert [queue.get(timeout=60) for _ in range(4)] == [0, 1, 2, 3]
    assert got(api, filling) is None


def a_queue_in_coroutines(api):
    """``put_async`` and ``get_async`` are awaited."""
    queue = _queue(api)

    async def both():
        await queue.put_async("item")
        return await queue.get_async()

    assert asyncio.run(both()) == "item"


def a_queue_ends(api):
    """``shutdown`` ends the queue's actor: what uses it raises RayActorError."""
    queue = _queue(api, actor_options={"num_cpus": 0})
    actor = queue.actor
    queue.shutdown()
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.qsize.remote())
