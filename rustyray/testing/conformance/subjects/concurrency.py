"""Actors that run calls in threads, concurrency groups, and limits of pending calls."""

import asyncio
import threading

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got


def _threaded(api, door, **options):
    class Threaded:
        def waits(self):
            api.get(door.enter.remote())
            return threading.get_ident()

        def f(self, value=None):
            return value

    return api.remote(Threaded).options(**options).remote()


def threads_are_threads(api):
    """The calls that run at once in a threaded actor are in threads of their own."""
    door = gate(api)
    actor = _threaded(api, door, max_concurrency=3)
    refs = [actor.waits.remote() for _ in range(3)]
    entered(api, door, 3)
    api.get(door.open.remote())
    assert len(set(got(api, refs))) == 3


def no_more_threads_than_asked_for(api):
    """No more than ``max_concurrency`` calls of a threaded actor run at once; the next waits."""
    door = gate(api)
    actor = _threaded(api, door, max_concurrency=2)
    refs = [actor.waits.remote(), actor.waits.remote()]
    entered(api, door, 2)
    third = actor.f.remote("third")
    assert api.wait([third], timeout=0.05) == ([], [third])
    api.get(door.open.remote())
    got(api, refs)
    assert got(api, third) == "third"


def threads_share_the_instance(api):
    """The threads of an actor share its state."""

    @api.remote(max_concurrency=2)
    class Actor:
        def __init__(self):
            self.event = threading.Event()

        def waits(self):
            return self.event.wait(60)

        def sets(self):
            self.event.set()

    actor = Actor.remote()
    ref = actor.waits.remote()
    got(api, actor.sets.remote())
    assert got(api, ref) is True


def _grouped(api, door):
    @api.remote(concurrency_groups={"io": 2, "slow": 1})
    class Grouped:
        @api.method(concurrency_group="io")
        def io(self):
            api.get(door.enter.remote())

        @api.method(concurrency_group="slow")
        def slow(self, value=None):
            return value

        def f(self, value=None):
            return value

    return Grouped.remote()


def groups_run_beside_each_other(api):
    """A concurrency group that is full holds up neither the other groups nor the calls of none."""
    door = gate(api)
    actor = _grouped(api, door)
    refs = [actor.io.remote(), actor.io.remote()]
    entered(api, door, 2)
    assert got(api, [actor.slow.remote(1), actor.f.remote(2)]) == [1, 2]
    api.get(door.open.remote())
    got(api, refs)


def groups_have_limits(api):
    """No more calls of a concurrency group run at once than it allows."""
    door = gate(api)
    actor = _grouped(api, door)
    refs = [actor.io.remote(), actor.io.remote()]
    entered(api, door, 2)
    third = actor.f.options(concurrency_group="io").remote("third")
    assert api.wait([third], timeout=0.05) == ([], [third])
    api.get(door.open.remote())
    assert got(api, [*refs, third]) == [None, None, "third"]


def a_call_chooses_its_group(api):
    """``.options(concurrency_group=…)`` puts one call into another group."""
    door = gate(api)
    actor = _grouped(api, door)
    refs = [actor.io.remote(), actor.io.options(concurrency_group="slow").remote(), actor.io.remote()]
    entered(api, door, 3)
    api.get(door.open.remote())
    assert got(api, refs) == [None, None, None]


def groups_of_async_actors(api):
    """An async actor has concurrency groups, too, with a limit for each."""

    @api.remote(concurrency_groups={"narrow": 1})
    class Actor:
        def __init__(self):
            self.inside = self.most = 0

        @api.method(concurrency_group="narrow")
        async def steps(self):
            self.inside += 1
            self.most = max(self.most, self.inside)
            await asyncio.sleep(0.002)
            self.inside -= 1
            return self.most

        async def f(self):
            return "f"

    actor = Actor.remote()
    assert got(api, [actor.steps.remote() for _ in range(5)]) == [1] * 5
    assert got(api, actor.f.remote()) == "f"


def pending_calls_have_a_limit(api):
    """With ``max_pending_calls=2`` a third call that is not done raises PendingCallsLimitExceeded in ``.remote()``."""
    door = gate(api)
    actor = _threaded(api, door, max_pending_calls=2)
    refs = [actor.waits.remote(), actor.waits.remote()]
    with pytest.raises(api.exceptions.PendingCallsLimitExceeded):
        actor.waits.remote()
    api.get(door.open.remote())
    got(api, refs)
    assert got(api, actor.f.remote("again")) == "again"


def pending_calls_have_no_limit_by_default(api):
    """Without ``max_pending_calls`` any number of calls can be pending."""
    door = gate(api)
    actor = _threaded(api, door)
    refs = [actor.waits.remote(), *(actor.f.remote(n) for n in range(200))]
    entered(api, door)
    api.get(door.open.remote())
    assert got(api, refs)[1:] == list(range(200))


def threads_overtake_out_of_order(api):
    """With ``allow_out_of_order_execution`` a call does not wait for one before it whose argument is not there."""
    door = gate(api)

    @api.remote
    def late():
        api.get(door.enter.remote())
        return "late"

    actor = _threaded(api, door, max_concurrency=2, allow_out_of_order_execution=True)
    ref = actor.f.remote(late.remote())
    entered(api, door)
    assert got(api, actor.f.remote("early")) == "early"
    api.get(door.open.remote())
    assert got(api, ref) == "late"
