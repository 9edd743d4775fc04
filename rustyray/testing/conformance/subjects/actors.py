"""Actors: classes whose instances live elsewhere."""

import os
import time

import pytest

from rustyray.testing.conformance.helpers import book, counting, entered, gate, got


def an_actor_keeps_its_state(api):
    """An actor keeps its state from call to call."""
    counter = counting(api).remote(10)
    assert got(api, [counter.add.remote() for _ in range(3)]) == [11, 12, 13]


def actors_have_states_of_their_own(api):
    """Two actors of a class share nothing."""
    one, other = counting(api).remote(), counting(api).remote(100)
    assert got(api, [one.add.remote(), other.add.remote()]) == [1, 101]


def an_actor_lives_in_one_process(api):
    """All calls of an actor run in one process, which is not the driver's."""
    counter = counting(api).remote()
    pids = got(api, [counter.pid.remote() for _ in range(5)])
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()


def calls_run_in_order(api):
    """The calls of one submitter run in the order in which it made them."""
    seen = book(api)
    got(api, [seen.write.remote(n) for n in range(200)])
    assert got(api, seen.read.remote()) == list(range(200))


def a_call_waits_for_those_before_it(api):
    """A call whose arguments are ready does not overtake one before it that waits for its arguments."""
    door, seen = gate(api), book(api)

    @api.remote
    def late():
        api.get(door.enter.remote())
        return "first"

    refs = [seen.write.remote(late.remote()), seen.write.remote("second")]
    entered(api, door)
    api.get(door.open.remote())
    got(api, refs)
    assert got(api, seen.read.remote()) == ["first", "second"]


def one_call_at_a_time(api):
    """A plain actor runs one call at a time."""

    @api.remote
    class Actor:
        def __init__(self):
            self.inside = 0

        def call(self):
            self.inside += 1
            time.sleep(0.002)
            inside, self.inside = self.inside, self.inside - 1
            return inside

    actor = Actor.remote()
    assert got(api, [actor.call.remote() for _ in range(10)]) == [1] * 10


def threads_run_calls_at_once(api):
    """With ``max_concurrency`` an actor runs so many calls at once, in threads."""
    door = gate(api)

    @api.remote(max_concurrency=3)
    class Actor:
        def call(self):
            api.get(door.enter.remote())

    actor = Actor.remote()
    refs = [actor.call.remote() for _ in range(3)]
    entered(api, door, 3)
    api.get(door.open.remote())
    got(api, refs)


def handles_can_be_passed_on(api):
    """A handle can be passed to a task, which can call the actor."""
    counter = counting(api).remote()

    @api.remote
    def adds(handle):
        return api.get(handle.add.remote(5))

    assert got(api, adds.remote(counter)) == 5
    assert got(api, counter.add.remote()) == 6


def handles_inside_containers(api):
    """A handle inside an argument or a result works, too."""
    counter = counting(api).remote()

    @api.remote
    def back(handles):
        return handles

    again = got(api, back.remote({"a": [counter]}))["a"][0]
    assert got(api, again.add.remote()) == 1


def actors_make_actors(api):
    """An actor can make actors and hand out their handles."""
    inner_class = counting(api)

    @api.remote
    class Parent:
        def __init__(self):
            self.child = inner_class.remote(7)

        def give(self):
            return self.child

    parent = Parent.remote()
    assert got(api, got(api, parent.give.remote()).add.remote()) == 8


def equal_handles(api):
    """Handles of one actor have the same id wherever they are."""
    counter = counting(api).remote()

    @api.remote
    def back(handles):
        return handles[0]

    assert got(api, back.remote([counter]))._actor_id.hex() == counter._actor_id.hex()


def an_actor_can_call_itself_later(api):
    """``current_actor`` is a handle of the actor itself."""

    @api.remote
    class Actor:
        def again(self):
            return [api.get_runtime_context().current_actor.f.remote()]

        def f(self):
            return "f"

    actor = Actor.remote()
    assert got(api, got(api, actor.again.remote())[0]) == "f"


def a_method_may_submit_tasks(api):
    """A method can submit tasks and wait for them."""

    @api.remote
    def f(x):
        return x * 2

    @api.remote
    class Actor:
        def call(self):
            return api.get([f.remote(1), f.remote(2)])

    assert got(api, Actor.remote().call.remote()) == [2, 4]


def a_methods_error_leaves_the_actor_alive(api):
    """A method that raises fails its call only: the actor lives on with its state."""

    @api.remote
    class Actor:
        def __init__(self):
            self.calls = 0

        def call(self, good):
            self.calls += 1
            if not good:
                raise KeyError("bad")
            return self.calls

    actor = Actor.remote()
    with pytest.raises(KeyError):
        got(api, actor.call.remote(False))
    assert got(api, actor.call.remote(True)) == 2


def a_constructors_error_ends_the_actor(api):
    """When the constructor raises, calls raise ActorDiedError that says what it raised."""

    @api.remote
    class Actor:
        def __init__(self):
            raise KeyError("no way to begin")

        def call(self):
            return 1

    with pytest.raises(api.exceptions.ActorDiedError, match="no way to begin"):
        got(api, Actor.remote().call.remote())


def making_an_actor_does_not_wait(api):
    """``.remote()`` of a class does not wait for the constructor."""
    door = gate(api)

    @api.remote
    class Actor:
        def __init__(self):
            api.get(door.enter.remote())

        def call(self):
            return "made"

    ref = Actor.remote().call.remote()
    assert api.wait([ref], timeout=0) == ([], [ref])
    api.get(door.open.remote())
    assert got(api, ref) == "made"


def each_submitter_has_an_order(api):
    """Calls of several submitters mix, but those of each one are in its order."""
    seen = book(api)

    @api.remote
    def writes(who):
        api.get([seen.write.remote((who, n)) for n in range(20)])

    got(api, [writes.remote(who) for who in range(3)])
    lines = got(api, seen.read.remote())
    for who in range(3):
        assert [n for writer, n in lines if writer == who] == list(range(20))


def a_closure_can_hold_a_handle(api):
    """A handle in a task's closure works in the task."""
    counter = counting(api).remote()

    @api.remote
    def adds():
        return api.get(counter.add.remote())

    assert got(api, adds.remote()) == 1


def an_actor_knows_its_id(api):
    """An actor finds its own id in the runtime context; it is that of its handles."""

    @api.remote
    class Actor:
        def mine(self):
            return api.get_runtime_context().get_actor_id()

    actor = Actor.remote()
    assert got(api, actor.mine.remote()) == actor._actor_id.hex()
