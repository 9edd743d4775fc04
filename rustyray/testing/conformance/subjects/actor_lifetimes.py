"""How actors begin and end: placement, the last handle, kill, exit."""

import os

import pytest

from rustyray.testing.conformance.helpers import book, counting, dead, entered, exit_actor, gate, got, until


def an_actor_ends_with_its_last_handle(api):
    """An actor ends when the last handle goes, and gives back what it held."""
    wide = counting(api, num_cpus=4)
    actor = wide.remote()
    got(api, actor.add.remote())
    del actor
    assert got(api, wide.remote().add.remote()) == 1


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
    """``kill`` of anything but a handle raises ValueError."""
    for wrong in (api.put(1), "actor", None):
        with pytest.raises(ValueError):
            api.kill(wrong)


def exit_actor_ends_the_actor_that_calls_it(api):
    """``exit_actor`` ends its actor; later calls raise ActorDiedError."""

    @api.remote
    class Actor:
        def leave(self):
            exit_actor(api)

        def f(self):
            return 1

    actor = Actor.remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote())
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.f.remote())


def ray_terminate(api):
    """``handle.__ray_terminate__`` ends the actor after the calls before it."""
    actor = counting(api).remote()
    ref = actor.add.remote()
    actor.__ray_terminate__.remote()
    assert got(api, ref) == 1
    dead(api, actor)


def a_handle_elsewhere_keeps_the_actor(api):
    """An actor stays while a task holds a handle of it, though its maker dropped its own."""
    door = gate(api)

    @api.remote
    def holds(handle):
        api.get(door.enter.remote())
        return api.get(handle.add.remote())

    actor = counting(api).remote()
    ref = holds.remote(actor)
    entered(api, door)
    del actor
    api.get(door.open.remote())
    assert got(api, ref) == 1


def kill_again_does_nothing(api):
    """Killing an actor that is dead does nothing."""
    actor = counting(api).remote()
    got(api, actor.add.remote())
    api.kill(actor)
    api.kill(actor)
    dead(api, actor)


def kill_ends_the_process(api):
    """The process of an actor that was killed ends."""

    @api.remote(num_cpus=1, resources={"widget": 4})
    class Actor:
        def call(self):
            return "there"

    actor = Actor.remote()
    got(api, actor.call.remote())
    api.kill(actor)
    assert got(api, Actor.remote().call.remote()) == "there"


def results_outlive_their_actor(api):
    """What an actor returned stays when the actor is dead."""
    actor = counting(api).remote(4)
    ref = actor.add.remote()
    got(api, ref)
    api.kill(actor)
    dead(api, actor)
    assert got(api, ref) == 5


def _runs_at_exit_alone(api, actor, tmp_path):
    """What touches a file at the actor's end runs when that leaves, and not when it is killed."""
    killed, left = actor.remote(tmp_path / "killed"), actor.remote(tmp_path / "left")
    got(api, [killed.ready.remote(), left.ready.remote()])
    api.kill(killed)
    left.leave.remote()
    until((tmp_path / "left").exists)
    dead(api, killed)
    assert not (tmp_path / "killed").exists()


def kill_skips_exit_handlers(api, tmp_path):
    """``kill`` runs no ``atexit`` handlers; ``exit_actor`` runs them."""

    @api.remote
    class Actor:
        def __init__(self, path):
            import atexit

            atexit.register(path.touch)

        def ready(self):
            return True

        def leave(self):
            exit_actor(api)

    _runs_at_exit_alone(api, Actor, tmp_path)


def shutdown_hooks(api, tmp_path):
    """``__ray_shutdown__`` runs when an actor ends by ``exit_actor``, and not when it is killed."""

    @api.remote
    class Actor:
        def __init__(self, path):
            self.path = path

        def __ray_shutdown__(self):
            self.path.touch()

        def ready(self):
            return True

        def leave(self):
            exit_actor(api)

    _runs_at_exit_alone(api, Actor, tmp_path)


def exit_actor_outside_of_actors(api):
    """``exit_actor`` outside of an actor raises TypeError."""
    with pytest.raises(TypeError):
        exit_actor(api)


def exit_actor_is_not_restarted(api):
    """An actor that ended by ``exit_actor`` is not restarted, whatever ``max_restarts`` it has."""

    @api.remote(max_restarts=-1, max_task_retries=-1)
    class Actor:
        def leave(self):
            exit_actor(api)

        def pid(self):
            return os.getpid()

    actor = Actor.remote()
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, actor.leave.remote())
    dead(api, actor)


def _parent(api, **options):
    child = counting(api, **options)

    class Parent:
        def __init__(self):
            self.child = child.remote()

        def give(self):
            return self.child

    return api.remote(Parent)


def children_end_with_their_owner(api):
    """An actor ends when the process that made it ends, though others hold handles."""
    parent = _parent(api).remote()
    child = got(api, parent.give.remote())
    assert got(api, child.add.remote()) == 1
    api.kill(parent)
    dead(api, child)


def detached_children_stay(api):
    """A detached actor outlives the process that made it."""
    parent = _parent(api, name="a detached child", lifetime="detached").remote()
    child = got(api, parent.give.remote())
    got(api, child.add.remote())
    api.kill(parent)
    dead(api, parent)
    assert got(api, child.add.remote()) == 2
    api.kill(child)


def actors_hold_no_cpu(api):
    """An actor that asks for nothing holds no CPU while it lives: there can be more actors than CPUs."""
    actors = [counting(api).remote(n) for n in range(6)]
    assert got(api, [actor.add.remote() for actor in actors]) == [1, 2, 3, 4, 5, 6]


def actors_hold_what_they_ask_for(api):
    """An actor that asks for CPUs holds them until it ends; another waits for them."""
    wide = counting(api, num_cpus=4)
    first = wide.remote()
    got(api, first.add.remote())
    second = wide.remote()
    ref = second.add.remote()
    assert api.wait([ref], timeout=0.1) == ([], [ref])
    api.kill(first)
    assert got(api, ref) == 1


def actors_need_a_cpu_to_be_placed(api):
    """An actor that asks for nothing is placed only where there is a free CPU."""
    door = gate(api)

    @api.remote(num_cpus=4)
    class Wide:
        def call(self):
            return 1

    wide = Wide.remote()
    got(api, wide.call.remote())
    ref = counting(api).remote().add.remote()
    assert api.wait([ref], timeout=0.1) == ([], [ref])
    free = counting(api, num_cpus=0).remote()
    assert got(api, free.add.remote()) == 1
    api.kill(wide)
    assert got(api, ref) == 1
    api.kill(door)


def an_impossible_actor_waits(api):
    """An actor that no node has the resources for waits; it is no error."""
    actor = counting(api, resources={"unobtainium": 1}).remote()
    ref = actor.add.remote()
    assert api.wait([ref], timeout=0.1) == ([], [ref])
    api.kill(actor)
    with pytest.raises(api.exceptions.RayActorError):
        got(api, ref)
