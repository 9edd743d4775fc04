"""Async actors: those with ``async def`` methods, whose calls share an event loop."""

import asyncio
import threading

import pytest

from rustyray.testing.conformance.helpers import entered, exit_actor, gate, got, until


class _Async:
    def __init__(self):
        self.opened = asyncio.Event()
        self.inside = self.most = 0

    async def waits(self, value=None):
        self.inside += 1
        self.most = max(self.most, self.inside)
        await self.opened.wait()
        self.inside -= 1
        return value

    async def open(self):
        self.opened.set()

    async def is_open(self):
        return self.opened.is_set()

    async def most_inside(self):
        return self.most

    async def steps(self):
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(0.002)
        self.inside -= 1

    def plain(self, value):
        return value

    async def thread(self):
        return threading.get_ident()

    async def fail(self):
        raise KeyError("bad")


def _async(api, **options):
    return api.remote(_Async).options(**options).remote()


def async_methods_are_awaited(api):
    """A call of an ``async def`` method gives what the coroutine returns."""
    actor = _async(api)
    ref = actor.waits.remote("through")
    got(api, actor.open.remote())
    assert got(api, ref) == "through"


def async_calls_run_at_once(api):
    """Calls of an async actor run at once: one can wait for what another does."""
    actor = _async(api)
    refs = [actor.waits.remote(n) for n in range(50)]
    got(api, actor.open.remote())
    assert got(api, refs) == list(range(50))


def async_calls_share_one_thread(api):
    """All calls of an async actor run on one event loop, in one thread."""
    actor = _async(api)
    assert len(set(got(api, [actor.thread.remote() for _ in range(5)]))) == 1


def max_concurrency_limits_async_calls(api):
    """``max_concurrency`` limits how many calls of an async actor run at once."""
    actor = _async(api, max_concurrency=2)
    got(api, [actor.steps.remote() for _ in range(8)])
    assert got(api, actor.most_inside.remote()) == 2


def one_async_call_at_a_time(api):
    """With ``max_concurrency=1`` the calls of an async actor run one after the other."""
    actor = _async(api, max_concurrency=1)
    got(api, [actor.steps.remote() for _ in range(5)])
    assert got(api, actor.most_inside.remote()) == 1


def plain_methods_of_async_actors(api):
    """An async actor may have plain methods: they run on its loop, too."""
    assert got(api, _async(api).plain.remote(5)) == 5


def an_async_error_is_the_calls(api):
    """What an async method raises is raised by ``get``; the actor lives on."""
    actor = _async(api)
    with pytest.raises(KeyError):
        got(api, actor.fail.remote())
    assert got(api, actor.plain.remote(1)) == 1


def refs_are_awaited_in_async_actors(api):
    """An async method can await refs."""

    @api.remote
    def f(x):
        return 2 * x

    @api.remote
    class Actor:
        async def call(self):
            return await f.remote(1), await asyncio.gather(f.remote(2), f.remote(3))

    assert got(api, Actor.remote().call.remote()) == (2, [4, 6])


def awaited_errors_in_async_actors(api):
    """A ref that an async method awaits raises the task's error there."""

    @api.remote
    def fails():
        raise KeyError("bad")

    @api.remote
    class Actor:
        async def call(self):
            try:
                await fails.remote()
            except KeyError:
                return "caught"

    assert got(api, Actor.remote().call.remote()) == "caught"


def async_actors_call_each_other(api):
    """Two async actors can call each other and back, without a deadlock."""

    @api.remote
    class Actor:
        async def bounce(self, others, depth):
            if not depth:
                return 0
            return 1 + await others[0].bounce.remote(others[::-1], depth - 1)

    one, other = Actor.remote(), Actor.remote()
    assert got(api, one.bounce.remote([other, one], 4)) == 4


def background_work_goes_on(api):
    """A task of asyncio that a method has started goes on after the call."""

    @api.remote
    class Actor:
        async def begin(self):
            self.later = asyncio.create_task(asyncio.sleep(0.01, "later"))

        async def result(self):
            return await self.later

    actor = Actor.remote()
    got(api, actor.begin.remote())
    assert got(api, actor.result.remote()) == "later"


def the_context_of_each_call(api):
    """Each of the calls that run at once has a task id of its own."""

    @api.remote
    class Actor:
        async def ids(self):
            before = api.get_runtime_context().get_task_id()
            await asyncio.sleep(0.005)
            return before, api.get_runtime_context().get_task_id()

    actor = Actor.remote()
    pairs = got(api, [actor.ids.remote() for _ in range(3)])
    assert all(before == after for before, after in pairs)
    assert len(set(pairs)) == 3


def async_actors_overtake(api):
    """A call of an async actor that waits for its argument does not hold up those after it."""
    door = gate(api)

    @api.remote
    def late():
        api.get(door.enter.remote())
        return "late"

    actor = _async(api)
    ref = actor.plain.remote(late.remote())
    entered(api, door)
    assert got(api, actor.plain.remote("early")) == "early"
    api.get(door.open.remote())
    assert got(api, ref) == "late"


def async_constructors_come_first(api):
    """No call runs before the constructor is done."""
    door = gate(api)

    @api.remote
    class Actor:
        def __init__(self):
            api.get(door.enter.remote())
            self.made = True

        async def call(self):
            return self.made

    ref = Actor.remote().call.remote()
    entered(api, door)
    assert api.wait([ref], timeout=0.05) == ([], [ref])
    api.get(door.open.remote())
    assert got(api, ref) is True


def async_calls_die_with_their_actor(api):
    """All calls that run in an async actor raise ActorDiedError when it is killed."""
    actor = _async(api)
    refs = [actor.waits.remote() for _ in range(3)]
    got(api, actor.plain.remote(1))
    api.kill(actor)
    for ref in refs:
        with pytest.raises(api.exceptions.ActorDiedError):
            got(api, ref)


def exit_actor_in_an_async_method(api):
    """``exit_actor`` ends an async actor, too."""

    @api.remote
    class Actor:
        async def leave(self):
            exit_actor(api)

        async def f(self):
            return 1

    actor = Actor.remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.f.remote())


def async_actors_cannot_be_in_order(api):
    """``allow_out_of_order_execution=False`` of an async actor raises ValueError."""
    with pytest.raises(ValueError):
        _async(api, allow_out_of_order_execution=False)


def async_actors_restart(api):
    """An async actor is restarted like others, and then has a new loop."""
    actor = _async(api, max_restarts=1, max_task_retries=-1)
    got(api, actor.open.remote())
    api.kill(actor, no_restart=False)
    until(lambda: not got(api, actor.is_open.remote()))
    ref = actor.waits.remote("again")
    got(api, actor.open.remote())
    assert got(api, ref) == "again"


def async_generators_of_calls(api):
    """An async method that yields gives a generator of refs."""

    @api.remote
    class Actor:
        async def count(self, n):
            for i in range(n):
                await asyncio.sleep(0)
                yield i

    assert [got(api, ref) for ref in Actor.remote().count.remote(3)] == [0, 1, 2]


def a_thousand_calls_at_once(api):
    """Without ``max_concurrency``, a thousand calls of an async actor can be under way at once."""
    door = gate(api)
    refs = [door.enter.remote() for _ in range(999)]
    entered(api, door, 999)
    assert api.wait(refs, timeout=0)[0] == []
    got(api, door.open.remote())
    assert got(api, refs) == [None] * 999
