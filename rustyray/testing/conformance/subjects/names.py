"""Names and namespaces of actors."""

import pytest

from rustyray.testing.conformance.helpers import got, until


def _named(api, **options):
    class Actor:
        def __init__(self, value=None):
            self.value = value

        def get(self):
            return self.value

    return api.remote(Actor).options(**options)


def get_actor_finds_a_name(api):
    """``get_actor`` gives a handle of the living actor with that name."""
    kept = _named(api, name="found").remote(1)
    assert got(api, api.get_actor("found").get.remote()) == 1
    api.kill(kept)


def a_name_nobody_has(api):
    """``get_actor`` raises ValueError when no living actor has the name."""
    with pytest.raises(ValueError):
        api.get_actor("nobody")


def names_are_unique(api):
    """A second actor with the name of a living one raises ValueError."""
    kept = _named(api, name="unique").remote()
    with pytest.raises(ValueError):
        _named(api, name="unique").remote()
    api.kill(kept)


def a_name_is_free_again(api):
    """The name of a dead actor can be had again."""
    first = _named(api, name="free").remote(1)
    got(api, first.get.remote())
    api.kill(first)

    def again():
        try:
            return _named(api, name="free").remote(2)
        except ValueError:
            return None

    second = until(again)
    assert got(api, second.get.remote()) == 2
    api.kill(second)


def get_if_exists_makes_or_finds(api):
    """With ``get_if_exists=True`` a name is made if nobody has it, and found otherwise; new arguments are ignored."""
    one = _named(api, name="maybe", get_if_exists=True).remote(1)
    other = _named(api, name="maybe", get_if_exists=True).remote(2)
    assert got(api, [one.get.remote(), other.get.remote()]) == [1, 1]
    api.kill(one)


def get_if_exists_needs_a_name(api):
    """``get_if_exists`` without a name raises ValueError."""
    with pytest.raises(ValueError):
        _named(api, get_if_exists=True).remote()


def an_empty_name_is_refused(api):
    """An empty name raises ValueError."""
    with pytest.raises(ValueError):
        _named(api, name="").remote()


def namespaces_keep_names_apart(api):
    """The same name can be there once in each namespace."""
    here = _named(api, name="apart").remote("here")
    there = _named(api, name="apart", namespace="elsewhere").remote("there")
    assert got(api, api.get_actor("apart").get.remote()) == "here"
    assert got(api, api.get_actor("apart", namespace="elsewhere").get.remote()) == "there"
    api.kill(here)
    api.kill(there)


def names_of_other_namespaces_are_not_found(api):
    """``get_actor`` looks in this program's namespace only."""
    there = _named(api, name="far", namespace="elsewhere").remote()
    with pytest.raises(ValueError):
        api.get_actor("far")
    api.kill(there)


def named_is_not_detached(api):
    """An actor with a name ends with its last handle, like any other."""
    kept = _named(api, name="not detached").remote()
    got(api, kept.get.remote())
    del kept

    def gone():
        try:
            api.get_actor("not detached")
        except ValueError:
            return True
        return False

    until(gone)


def detached_actors_stay(api):
    """A detached actor stays when its last handle went, until it is killed."""
    made = _named(api, name="detached", lifetime="detached").remote(5)
    got(api, made.get.remote())
    del made
    again = api.get_actor("detached")
    assert got(api, again.get.remote()) == 5
    api.kill(again)


def a_lifetime_that_is_none(api):
    """``lifetime`` is "detached" or left out; anything else raises ValueError."""
    with pytest.raises(ValueError):
        _named(api, name="odd", lifetime="forever").remote()


def an_actor_knows_its_name(api):
    """An actor can ask for its name and the namespace."""

    @api.remote
    class Actor:
        def who(self):
            here = api.get_runtime_context()
            return here.get_actor_name(), here.namespace

    kept = Actor.options(name="knows").remote()
    assert got(api, kept.who.remote()) == ("knows", "conformance")
    api.kill(kept)


def names_are_found_in_tasks(api):
    """A task finds an actor by its name."""
    kept = _named(api, name="from a task").remote("found")

    @api.remote
    def find():
        return api.get(api.get_actor("from a task").get.remote())

    assert got(api, find.remote()) == "found"
    api.kill(kept)


def named_actors_are_listed(api):
    """``util.list_named_actors`` lists the living actors' names."""
    kept = _named(api, name="listed").remote()
    got(api, kept.get.remote())
    assert "listed" in api.util.list_named_actors()
    assert {"name": "listed", "namespace": "conformance"} in api.util.list_named_actors(all_namespaces=True)
    api.kill(kept)
