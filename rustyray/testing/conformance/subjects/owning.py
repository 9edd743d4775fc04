"""Ownership: who owns an object, who borrows it, and what becomes of it when its owner dies."""

import os

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import got, until


def _kept(api):
    """A ref to a handle, in a list, of an actor that holds all widgets: as long as they are held, so is the object."""

    @api.remote(num_cpus=0, resources={"widget": 4})
    class Kept:
        def ready(self):
            return True

    handle = Kept.remote()
    got(api, handle.ready.remote())
    return api.put([handle])


def _is_kept(api):
    return api.available_resources().get("widget", 0) == 0


def _is_freed(api):
    return api.available_resources().get("widget") == 4


def _holder(api):
    """An actor that keeps what it is given, and lets it go."""

    class Holder:
        def keep(self, held):
            self.held = held

        def read(self):
            return api.get(self.held[0])

        def lend(self, other):
            api.get(other.keep.remote(self.held))

        def drop(self):
            del self.held

        def make(self, value):
            return [api.put(value)]

        def submit(self, function, *args):
            return [function.remote(*args)]

        def die(self):
            os._exit(1)

    return api.remote(num_cpus=0)(Holder).remote()


def _dead(api, actor):
    """The actor's process has ended."""
    with pytest.raises(api.exceptions.RayActorError):
        got(api, actor.die.remote())


def objects_go_with_their_last_ref(api):
    """An object is freed, with what is in it, when nobody holds a ref of it."""
    ref = _kept(api)
    until(lambda: _is_kept(api))
    del ref
    until(lambda: _is_freed(api))


def a_borrower_keeps_an_object(api):
    """An actor that holds a ref keeps the object, though its owner dropped its own; then it is freed."""
    holder = _holder(api)
    got(api, holder.keep.remote([_kept(api)]))
    until(lambda: _is_kept(api))
    got(api, holder.drop.remote())
    until(lambda: _is_freed(api))


def borrowers_lend_on(api):
    """A borrower can lend a ref on: the object stays while any of them holds it."""
    first, second = _holder(api), _holder(api)
    got(api, first.keep.remote([_kept(api)]))
    got(api, first.lend.remote(second))
    got(api, first.drop.remote())
    assert _is_kept(api)
    got(api, second.drop.remote())
    until(lambda: _is_freed(api))


def a_borrowers_death_gives_back(api):
    """When a borrower dies, what it held is freed if nobody else holds it."""
    holder = _holder(api)
    got(api, holder.keep.remote([_kept(api)]))
    until(lambda: _is_kept(api))
    _dead(api, holder)
    until(lambda: _is_freed(api))


def refs_in_refs_are_kept(api):
    """A ref inside an object inside an object keeps what it is to."""
    outer = api.put([api.put([api.put("innermost")])])
    inner = got(api, outer)[0]
    del outer
    assert got(api, got(api, inner)[0]) == "innermost"


def a_returned_ref_is_the_tasks_own(api):
    """What a task has put and returned in a list is kept for its caller, small or large."""

    @api.remote
    def make(value):
        return [api.put(value)]

    assert got(api, got(api, make.remote("small"))[0]) == "small"
    assert got(api, got(api, make.remote(np.ones(50_000)))[0]).sum() == 50_000


def an_exception_can_hold_a_ref(api):
    """A ref that is an attribute of an exception works where the exception arrives."""

    class Holds(Exception):
        def __init__(self, ref):
            super().__init__("holds a ref")
            self.ref = ref

    @api.remote
    def fails(refs):
        raise Holds(refs[0])

    ref = api.put("held")
    with pytest.raises(Holds) as raised:
        got(api, fails.remote([ref]))
    del ref
    assert got(api, raised.value.ref) == "held"


def a_closure_holds_a_ref(api):
    """A ref in the closure of a remote function keeps its object as long as the function is there."""
    ref = api.put(np.ones(50_000))

    @api.remote
    def total():
        return api.get(ref).sum()  # noqa: F821 # deleted below, on purpose

    first = total.remote()
    del ref
    assert got(api, [first, total.remote()]) == [50_000, 50_000]


def whoever_puts_owns(api):
    """The process that has put an object owns it: when that dies, ``get`` raises OwnerDiedError."""
    holder = _holder(api)
    ref = got(api, holder.make.remote(np.ones(50_000)))[0]
    _dead(api, holder)
    with pytest.raises(api.exceptions.OwnerDiedError):
        until(lambda: got(api, ref) is None)


def whoever_submits_owns(api):
    """The process that submitted a task owns its value, wherever it was computed: with that it is lost."""

    @api.remote(num_cpus=1)
    def compute():
        return np.ones(50_000)

    holder = _holder(api)
    ref = got(api, holder.submit.remote(compute))[0]
    api.wait([ref], timeout=60)
    _dead(api, holder)
    with pytest.raises(api.exceptions.OwnerDiedError):
        until(lambda: got(api, ref) is None)


def an_actors_results_are_its_callers(api):
    """What an actor's call returned belongs to its caller: it outlives the actor."""
    holder = _holder(api)

    @api.remote
    class Maker:
        def make(self):
            return np.ones(50_000)

        def die(self):
            os._exit(1)

    maker = Maker.remote()
    ref = maker.make.remote()
    api.wait([ref], timeout=60)
    _dead(api, maker)
    assert got(api, ref).sum() == 50_000
    _dead(api, holder)


def owner_died_is_an_object_lost(api):
    """OwnerDiedError is an ObjectLostError, which knows the id of the object."""
    holder = _holder(api)
    ref = got(api, holder.make.remote(1))[0]
    _dead(api, holder)
    with pytest.raises(api.exceptions.ObjectLostError) as raised:
        until(lambda: got(api, ref) is None)
    assert raised.value.object_ref_hex == ref.hex()


def a_dead_owners_refs_fail_tasks(api):
    """A task whose argument's owner has died fails with that error, and does not run."""
    holder = _holder(api)
    ref = got(api, holder.make.remote(np.ones(50_000)))[0]
    _dead(api, holder)

    @api.remote
    def uses(value):
        return value

    with pytest.raises(api.exceptions.OwnerDiedError):
        until(lambda: got(api, uses.remote(ref)) is None)


def children_of_a_dead_owner_end(api):
    """Actors that a dead actor has made are dead, too."""

    @api.remote(num_cpus=0)
    class Child:
        def alive(self):
            return True

    @api.remote(num_cpus=0)
    class Parent:
        def __init__(self):
            self.child = Child.remote()

        def lend(self):
            return [self.child]

        def die(self):
            os._exit(1)

    parent = Parent.remote()
    child = got(api, parent.lend.remote())[0]
    assert got(api, child.alive.remote())
    _dead(api, parent)
    with pytest.raises(api.exceptions.RayActorError):
        until(lambda: not got(api, child.alive.remote()))


def a_task_may_return_what_it_was_lent(api):
    """A task can return a ref that it was given: it is the same object, and stays."""

    @api.remote
    def back(refs):
        return refs

    ref = api.put("there")
    [again] = got(api, back.remote([ref]))
    assert again == ref
    del ref
    assert got(api, again) == "there"


def arguments_stay_until_their_task_has_run(api):
    """A ref that was given to a task and dropped at once is there when the task runs."""

    @api.remote
    def total(array):
        return array.sum()

    refs = [total.remote(api.put(np.full(50_000, n))) for n in range(4)]
    assert got(api, refs) == [50_000 * n for n in range(4)]
