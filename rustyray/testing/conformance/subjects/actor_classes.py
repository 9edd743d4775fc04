"""Actor classes: their options, their methods, and the arguments of both."""

import pytest

from rustyray.testing.conformance.helpers import book, counting, got


def a_class_cannot_be_called(api):
    """Calling an actor class directly raises TypeError."""
    with pytest.raises(TypeError):
        counting(api)()


def a_method_cannot_be_called(api):
    """Calling a method of a handle directly raises TypeError."""
    with pytest.raises(TypeError):
        counting(api).remote().add()


def a_missing_method_is_an_attribute_error(api):
    """A handle has no attributes but the methods of its class."""
    with pytest.raises(AttributeError):
        _ = counting(api).remote().no_such_method


def constructors_check_their_arguments(api):
    """Arguments that do not fit the constructor raise TypeError in ``.remote()``."""
    with pytest.raises(TypeError):
        counting(api).remote(1, 2, 3)


def methods_check_their_arguments(api):
    """Arguments that do not fit a method raise TypeError in ``.remote()``."""
    with pytest.raises(TypeError):
        counting(api).remote().add.remote(1, 2)


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


def options_leave_the_class_as_it_is(api):
    """``.options(…)`` returns a changed copy; the class keeps its own options."""

    @api.remote(num_cpus=1)
    class Actor:
        def cpus(self):
            return api.get_runtime_context().get_assigned_resources().get("CPU")

    assert got(api, [Actor.options(num_cpus=2).remote().cpus.remote(), Actor.remote().cpus.remote()]) == [2, 1]


def an_unknown_actor_option_is_refused(api):
    """An option that actors do not have raises ValueError."""

    class Actor:
        pass

    with pytest.raises(ValueError):
        api.remote(max_retries=1)(Actor)
    with pytest.raises(ValueError):
        api.remote(Actor).options(num_cpu=1)


def attributes_are_not_seen_from_outside(api):
    """The attributes of the instance are not attributes of the handle."""
    counter = counting(api).remote()
    got(api, counter.add.remote())
    with pytest.raises(AttributeError):
        _ = counter.count


def methods_without_returns(api):
    """A method with ``num_returns=0`` runs, and its call returns None."""
    counter = counting(api).remote()
    assert counter.add.options(num_returns=0).remote() is None
    assert got(api, counter.add.remote()) == 2


def a_plain_class_stays_as_it_is(api):
    """``remote(Class)`` leaves the class itself usable."""

    class Plain:
        def f(self):
            return "f"

    remote = api.remote(Plain)
    assert Plain().f() == "f"
    assert got(api, remote.remote().f.remote()) == "f"


def ray_ready(api):
    """``handle.__ray_ready__`` is a method that is done when the actor is there."""
    assert got(api, counting(api).remote().__ray_ready__.remote()) is True


def ray_call(api):
    """``handle.__ray_call__`` runs a function with the instance."""
    counter = counting(api).remote(3)
    assert got(api, counter.__ray_call__.remote(lambda self, x: self.count + x, 4)) == 7


def a_ref_as_an_argument_of_a_method(api):
    """A ref that is an argument of a method arrives as its value; inside a list it stays a ref."""
    counter = counting(api).remote()
    assert got(api, counter.add.remote(counter.add.remote(amount=api.put(2)))) == 4

    @api.remote
    class Actor:
        def is_ref(self, refs):
            return isinstance(refs[0], api.ObjectRef)

    assert got(api, Actor.remote().is_ref.remote([api.put(1)])) is True


def refs_as_arguments_of_constructors(api):
    """A ref given to the constructor arrives as its value."""
    counter = counting(api).remote(api.put(41))
    assert got(api, counter.add.remote()) == 42


def arguments_of_methods_are_copies(api):
    """An actor cannot change its caller's objects, nor its caller the actor's."""
    seen, mine = book(api), [1]
    got(api, seen.write.remote(mine))
    mine.append(2)
    assert got(api, seen.read.remote()) == [[1]]
    got(api, seen.read.remote()).append("lost")
    assert got(api, seen.read.remote()) == [[1]]


def an_actor_makes_actors_of_its_own_class(api):
    """A class that was made inside a function may make actors of itself, with arguments, in its methods."""

    @api.remote(num_cpus=0)
    class Tree:
        def __init__(self, depth, width=2):
            self.branches = [Tree.remote(depth - 1) for _ in range(width)] if depth else []

        def count(self):
            return 1 + sum(api.get([branch.count.remote() for branch in self.branches]))

    assert got(api, Tree.remote(1).count.remote()) == 3
    assert got(api, Tree.remote(1, width=1).count.remote()) == 2
