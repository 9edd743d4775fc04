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
    """A second actor with the name of a living one raises ActorAlreadyExistsError, which is a ValueError."""
    assert issubclass(api.exceptions.ActorAlreadyExistsError, ValueError)
    kept = _named(api, name="unique").remote()
    with pytest.raises(api.exceptions.ActorAlreadyExistsError):
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


def a_name_that_is_no_string(api):
    """A name that is not a string raises TypeError."""
    with pytest.raises(TypeError):
        _named(api, name=1).remote()


def handles_found_by_name_are_the_actors(api):
    """``get_actor`` gives a handle of the same actor, with the state that others gave it."""

    @api.remote
    class Counter:
        def __init__(self):
            self.count = 0

        def add(self):
            self.count += 1
            return self.count

    kept = Counter.options(name="same").remote()
    got(api, kept.add.remote())
    found = api.get_actor("same")
    assert found._actor_id.hex() == kept._actor_id.hex()
    assert got(api, found.add.remote()) == 2
    api.kill(found)


def a_found_handle_does_not_keep_the_actor(api):
    """A handle from ``get_actor`` does not keep the actor alive."""
    kept = _named(api, name="weak").remote()
    found = api.get_actor("weak")
    got(api, found.get.remote())
    del kept
    with pytest.raises(api.exceptions.ActorDiedError):
        until(lambda: got(api, found.get.remote()))


def a_name_is_taken_before_the_actor_runs(api):
    """A name is taken as soon as ``.remote()`` returned, though the actor may still wait for resources."""
    kept = _named(api, name="early", resources={"unobtainium": 1}).remote()
    with pytest.raises(ValueError):
        _named(api, name="early").remote()
    assert api.get_actor("early")._actor_id.hex() == kept._actor_id.hex()
    api.kill(kept)


def dead_actors_are_not_found(api):
    """``get_actor`` does not find an actor that was killed."""
    kept = _named(api, name="killed").remote()
    got(api, kept.get.remote())
    api.kill(kept)
    with pytest.raises(ValueError):
        until(lambda: api.get_actor("killed") and None)


def dead_actors_are_not_listed(api):
    """``list_named_actors`` leaves out the dead."""
    kept = _named(api, name="no longer").remote()
    got(api, kept.get.remote())
    api.kill(kept)
    until(lambda: "no longer" not in api.util.list_named_actors())


def other_namespaces_are_listed_on_demand(api):
    """``list_named_actors`` has this namespace's names; with ``all_namespaces=True`` those of the others, too."""
    kept = _named(api, name="abroad", namespace="elsewhere").remote()
    got(api, kept.get.remote())
    assert "abroad" not in api.util.list_named_actors()
    assert {"name": "abroad", "namespace": "elsewhere"} in api.util.list_named_actors(all_namespaces=True)
    api.kill(kept)


def actors_without_names_are_not_listed(api):
    """An actor without a name is in no list of names, and its own name is empty."""
    before = api.util.list_named_actors(all_namespaces=True)

    @api.remote
    class Actor:
        def name(self):
            return api.get_runtime_context().get_actor_name()

    actor = Actor.remote()
    assert not got(api, actor.name.remote())
    assert [one for one in api.util.list_named_actors(all_namespaces=True) if one not in before] == []


def names_are_given_in_tasks(api):
    """An actor that a task makes with a name is found by the driver."""
    actor_class = _named(api, name="made in a task", lifetime="detached")

    @api.remote
    def make():
        return api.get(actor_class.remote("made").get.remote())

    assert got(api, make.remote()) == "made"
    found = api.get_actor("made in a task")
    assert got(api, found.get.remote()) == "made"
    api.kill(found)


def children_share_the_namespace(api):
    """Tasks and actors are in the namespace of their driver."""

    @api.remote
    def here():
        return api.get_runtime_context().namespace

    assert got(api, here.remote()) == api.get_runtime_context().namespace == "conformance"


def an_empty_namespace_is_refused(api):
    """An empty namespace raises ValueError."""
    with pytest.raises(ValueError):
        _named(api, name="nowhere", namespace="").remote()


def get_if_exists_after_a_death(api):
    """``get_if_exists`` makes a new actor where the one with the name is dead."""
    first = _named(api, name="maybe again", get_if_exists=True).remote(1)
    got(api, first.get.remote())
    api.kill(first)

    def gone():
        try:
            api.get_actor("maybe again")
        except ValueError:
            return True
        return False

    until(gone)
    second = _named(api, name="maybe again", get_if_exists=True).remote(2)
    assert got(api, second.get.remote()) == 2
    api.kill(second)


def tasks_race_for_a_name(api):
    """Of tasks that race with ``get_if_exists`` one makes the actor, and all get the same."""
    actor_class = _named(api, name="raced for", get_if_exists=True, lifetime="detached", num_cpus=0)

    @api.remote
    def race(n):
        return api.get(actor_class.remote(n).get.remote())

    assert len(set(got(api, [race.remote(n) for n in range(4)]))) == 1
    api.kill(api.get_actor("raced for"))


def a_restarted_actor_keeps_its_name(api):
    """An actor keeps its name when it is restarted."""
    kept = _named(api, name="restarted", max_restarts=1, max_task_retries=-1).remote(3)
    got(api, kept.get.remote())
    api.kill(kept, no_restart=False)
    assert got(api, api.get_actor("restarted").get.remote()) == 3
    api.kill(kept)


def detached_actors_may_have_no_name(api):
    """A detached actor need not have a name: it stays as long as it is not killed."""
    kept = _named(api, lifetime="detached").remote(4)
    assert got(api, kept.get.remote()) == 4
    api.kill(kept)
