"""``cancel`` of actors' calls."""

import asyncio
import time

import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, settled, until


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
    until(lambda: got(api, seen.read.remote()) == ["began"])
    api.cancel(ref, recursive=False)  # not what it writes down then
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)
    until(lambda: got(api, seen.read.remote()) == ["began", "cancelled"])


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


def a_queued_call_is_cancelled(api):
    """A call of an actor that is cancelled before it began never runs; the calls around it do."""
    door = gate(api)

    @api.remote
    class Actor:
        def __init__(self):
            self.ran = []

        def waits(self):
            api.get(door.enter.remote())

        def call(self, n):
            self.ran.append(n)
            return self.ran

    actor = Actor.remote()
    first = actor.waits.remote()
    entered(api, door)
    second, third = actor.call.remote(2), actor.call.remote(3)
    api.cancel(second)
    api.get(door.open.remote())
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, second)
    assert got(api, [first, third]) == [None, [3]]


def an_actor_goes_on_after_a_cancelled_call(api):
    """An async actor whose call was cancelled runs the next ones."""

    @api.remote
    class Actor:
        async def waits(self):
            await asyncio.sleep(1000)

        async def f(self):
            return "f"

    actor = Actor.remote()
    ref = actor.waits.remote()
    assert got(api, actor.f.remote()) == "f"
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)
    assert got(api, actor.f.remote()) == "f"


def is_canceled_is_false_at_first(api):
    """``is_canceled`` is False in a call that nobody cancelled."""

    @api.remote
    class Actor:
        def asks(self):
            return api.get_runtime_context().is_canceled()

    assert got(api, Actor.remote().asks.remote()) is False


def a_call_that_is_done_stays(api):
    """Cancelling a call of an actor that is done does nothing."""

    @api.remote
    class Actor:
        def f(self):
            return "f"

    ref = Actor.remote().f.remote()
    settled(api, ref)
    api.cancel(ref)
    assert got(api, ref) == "f"
