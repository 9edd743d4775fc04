"""``cancel``."""

import asyncio
import time

import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, until


def _spins(api, door, **options):
    def spins():
        api.get(door.enter.remote())

    return api.remote(**options)(spins) if options else api.remote(spins)


def a_running_task_is_interrupted(api):
    """Cancelling a running task interrupts it; its ref raises TaskCancelledError."""
    door = gate(api)
    ref = _spins(api, door).remote()
    entered(api, door)
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)


def a_cancelled_task_gets_a_keyboard_interrupt(api, tmp_path):
    """A running task that is cancelled gets a KeyboardInterrupt."""
    began, interrupted = tmp_path / "began", tmp_path / "interrupted"

    @api.remote
    def spins():
        try:
            began.touch()
            while True:
                time.sleep(0.005)
        except KeyboardInterrupt:
            interrupted.touch()
            raise

    ref = spins.remote()
    until(began.exists)
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)
    until(interrupted.exists)


def a_queued_task_never_runs(api):
    """A task that is cancelled while it waits for its argument never runs."""
    seen, door = book(api), gate(api)

    @api.remote
    def late():
        api.get(door.enter.remote())

    @api.remote
    def writes(_):
        api.get(seen.write.remote("ran"))

    first = late.remote()
    second = writes.remote(first)
    entered(api, door)
    api.cancel(second)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, second)
    api.get(door.open.remote())
    got(api, first)
    assert got(api, seen.read.remote()) == []


def cancelling_what_is_done_does_nothing(api):
    """Cancelling a task that is done does nothing: its value stays."""

    @api.remote
    def f():
        return 1

    ref = f.remote()
    got(api, ref)
    api.cancel(ref)
    assert got(api, ref) == 1


def force_kills_the_worker(api):
    """``force=True`` kills the worker: the ref raises WorkerCrashedError or TaskCancelledError."""
    door = gate(api)
    ref = _spins(api, door).remote()
    entered(api, door)
    api.cancel(ref, force=True)
    with pytest.raises((api.exceptions.WorkerCrashedError, api.exceptions.TaskCancelledError)):
        got(api, ref)


def a_cancelled_task_is_not_retried(api):
    """A cancelled task is not retried, whatever retries it has."""
    seen, door = book(api), gate(api)

    @api.remote(max_retries=5, retry_exceptions=True)
    def spins():
        api.get(seen.write.remote("ran"))
        api.get(door.enter.remote())

    ref = spins.remote()
    entered(api, door)
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)
    assert got(api, seen.read.remote()) == ["ran"]


def force_is_not_for_actors(api):
    """``cancel(force=True)`` of an actor's call raises ValueError."""
    door = gate(api)
    ref = door.enter.remote()
    with pytest.raises(ValueError):
        api.cancel(ref, force=True)
    api.get(door.open.remote())
    got(api, ref)


def an_async_call_is_cancelled(api):
    """Cancelling a call of an async actor raises CancelledError inside, and TaskCancelledError outside."""
    seen = book(api)

    @api.remote
    class Actor:
        async def waits(self):
            try:
                await seen.write.remote("began")
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                await seen.write.remote("cancelled")
                raise

    actor = Actor.remote()
    ref = actor.waits.remote()
    while got(api, seen.read.remote()) != ["began"]:
        time.sleep(0.01)
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)
    while got(api, seen.read.remote()) != ["began", "cancelled"]:
        time.sleep(0.01)


def a_plain_call_polls(api):
    """A plain method of an actor asks ``is_canceled`` of the runtime context whether it was cancelled."""
    door = gate(api)

    @api.remote(max_concurrency=2)
    class Actor:
        def polls(self):
            door.enter.remote()
            while not api.get_runtime_context().is_canceled():
                time.sleep(0.005)
            return "asked"

    ref = Actor.remote().polls.remote()
    entered(api, door)
    api.cancel(ref)
    try:
        assert got(api, ref) == "asked"
    except api.exceptions.TaskCancelledError:
        pass


def children_are_cancelled_too(api):
    """Cancelling a task cancels the tasks that it has submitted, by default."""
    door = gate(api)
    child = _spins(api, door)

    seen = book(api)

    @api.remote
    def tells(refs):
        api.get(seen.write.remote(refs))

    @api.remote
    def outer():
        ref = child.remote()
        api.get(tells.remote([ref]))
        api.get(ref)

    ref = outer.remote()
    entered(api, door)
    inner = until(lambda: got(api, seen.read.remote()))[0][0]
    api.cancel(ref)
    for one in (ref, inner):
        with pytest.raises((api.exceptions.TaskCancelledError, api.exceptions.RayError)):
            got(api, one)


def cancel_is_for_refs(api):
    """``cancel`` of anything but a ref raises TypeError."""
    with pytest.raises(TypeError):
        api.cancel(1)
