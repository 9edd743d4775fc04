"""Actors: classes whose instances live elsewhere."""

import os
import time

import pytest

from rustyray.testing.conformance.helpers import alive, book, entered, gate, got, until


def _counter(api, **options):
    class Counter:
        def __init__(self, start=0):
            self.count = start

        def add(self, amount=1):
            self.count += amount
            return self.count

        def pid(self):
            return os.getpid()

    return api.remote(**options)(Counter) if options else api.remote(Counter)


def an_actor_keeps_its_state(api):
    """An actor keeps its state from call to call."""
    counter = _counter(api).remote(10)
    assert got(api, [counter.add.remote() for _ in range(3)]) == [11, 12, 13]


def actors_have_states_of_their_own(api):
    """Two actors of a class share nothing."""
    one, other = _counter(api).remote(), _counter(api).remote(100)
    assert got(api, [one.add.remote(), other.add.remote()]) == [1, 101]


def an_actor_lives_in_one_process(api):
    """All calls of an actor run in one process, which is not the driver's."""
    counter = _counter(api).remote()
    pids = got(api, [counter.pid.remote() for _ in range(5)])
    assert len(set(pids)) == 1
    assert pids[0] != os.getpid()


def a_class_cannot_be_called(api):
    """Calling an actor class directly raises TypeError."""
    with pytest.raises(TypeError):
        _counter(api)()


def a_method_cannot_be_called(api):
    """Calling a method of a handle directly raises TypeError."""
    with pytest.raises(TypeError):
        _counter(api).remote().add()


def a_missing_method_is_an_attribute_error(api):
    """A handle has no attributes but the methods of its class."""
    with pytest.raises(AttributeError):
        _ = _counter(api).remote().no_such_method


def constructors_check_their_arguments(api):
    """Arguments that do not fit the constructor raise TypeError in ``.remote()``."""
    with pytest.raises(TypeError):
        _counter(api).remote(1, 2, 3)


def methods_check_their_arguments(api):
    """Arguments that do not fit a method raise TypeError in ``.remote()``."""
    with pytest.raises(TypeError):
        _counter(api).remote().add.remote(1, 2)


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
    counter = _counter(api).remote()

    @api.remote
    def adds(handle):
        return api.get(handle.add.remote(5))

    assert got(api, adds.remote(counter)) == 5
    assert got(api, counter.add.remote()) == 6


def handles_inside_containers(api):
    """A handle inside an argument or a result works, too."""
    counter = _counter(api).remote()

    @api.remote
    def back(handles):
        return handles

    again = got(api, back.remote({"a": [counter]}))["a"][0]
    assert got(api, again.add.remote()) == 1


def actors_make_actors(api):
    """An actor can make actors and hand out their handles."""
    inner_class = _counter(api)

    @api.remote
    class Parent:
        def __init__(self):
            self.child = inner_class.remote(7)

        def give(self):
            return self.child

    parent = Parent.remote()
    assert got(api, got(api, parent.give.remote()).add.remote()) == 8


def an_actor_ends_with_its_last_handle(api):
    """An actor ends when the last handle goes."""
    counter = _counter(api).remote()
    pid = got(api, counter.pid.remote())
    del counter
    until(lambda: not alive(pid) or not got(api, api.put(True)))


def calls_before_the_last_handle_went_run(api):
    """Calls that were made before the last handle went still run."""
    seen = book(api)

    @api.remote
    class Actor:
        def call(self, n):
            api.get(seen.write.remote(n))

    actor = Actor.remote()
    refs = [actor.call.remote(n) for n in range(5)]
    del actor
    got(api, refs)
    assert got(api, seen.read.remote()) == [0, 1, 2, 3, 4]


def kill_ends_an_actor(api):
    """``kill`` ends an actor at once: what runs and what waits raises ActorDiedError."""
    door = gate(api)

    @api.remote
    class Actor:
        def call(self):
            api.get(door.enter.remote())

    actor = Actor.remote()
    refs = [actor.call.remote(), actor.call.remote()]
    entered(api, door)
    api.kill(actor)
    for ref in refs:
        with pytest.raises(api.exceptions.ActorDiedError):
            got(api, ref)


def kill_is_for_handles(api):
    """``kill`` of anything but a handle raises ValueError or TypeError."""
    with pytest.raises((ValueError, TypeError)):
        api.kill(api.put(1))


def exit_actor_ends_the_actor_that_calls_it(api):
    """``exit_actor`` ends its actor; later calls raise ActorDiedError."""

    @api.remote
    class Actor:
        def leave(self):
            (api.actor if api.__name__ == "ray" else api).exit_actor()

        def f(self):
            return 1

    actor = Actor.remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.f.remote())


def num_returns_of_methods(api):
    """``@method(num_returns=2)`` gives two refs for each call."""

    @api.remote
    class Actor:
        @api.method(num_returns=2)
        def pair(self):
            return 1, 2

    a, b = Actor.remote().pair.remote()
    assert got(api, [a, b]) == [1, 2]


def num_returns_of_a_call(api):
    """``handle.method.options(num_returns=2)`` is for that call."""

    @api.remote
    class Actor:
        def pair(self):
            return 1, 2

    actor = Actor.remote()
    a, b = actor.pair.options(num_returns=2).remote()
    assert got(api, [a, b]) == [1, 2]
    assert got(api, actor.pair.remote()) == (1, 2)


def actors_inherit(api):
    """An actor class has the methods of its bases."""

    class Base:
        def base(self):
            return "base"

        def both(self):
            return "base"

    @api.remote
    class Derived(Base):
        def both(self):
            return "derived"

    actor = Derived.remote()
    assert got(api, [actor.base.remote(), actor.both.remote()]) == ["base", "derived"]


def static_and_class_methods(api):
    """Static methods and class methods can be called through a handle."""

    @api.remote
    class Actor:
        @staticmethod
        def static(x):
            return x

        @classmethod
        def of_class(cls, x):
            return x + 1

    actor = Actor.remote()
    assert got(api, [actor.static.remote(1), actor.of_class.remote(1)]) == [1, 2]


def refs_as_arguments_of_constructors(api):
    """A ref given to the constructor arrives as its value."""
    counter = _counter(api).remote(api.put(41))
    assert got(api, counter.add.remote()) == 42


def ray_ready(api):
    """``handle.__ray_ready__`` is a method that is done when the actor is there."""
    assert got(api, _counter(api).remote().__ray_ready__.remote()) is True


def ray_call(api):
    """``handle.__ray_call__`` runs a function with the instance."""
    counter = _counter(api).remote(3)
    assert got(api, counter.__ray_call__.remote(lambda self, x: self.count + x, 4)) == 7


def ray_terminate(api):
    """``handle.__ray_terminate__`` ends the actor after the calls before it."""
    counter = _counter(api).remote()
    ref = counter.add.remote()
    counter.__ray_terminate__.remote()
    assert got(api, ref) == 1

    def ended():
        try:
            got(api, counter.add.remote())
        except api.exceptions.ActorDiedError:
            return True
        return False

    until(ended)


def equal_handles(api):
    """Handles of one actor have the same id wherever they are."""
    counter = _counter(api).remote()

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
