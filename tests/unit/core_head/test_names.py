"""Named actors: one per name and namespace, for as long as they live."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import (
    ActorInfo,
    ActorState,
    FindActor,
    HeadError,
    KillActor,
    ListActors,
    NamedActors,
    WorkerDied,
)
from tests.unit.core_head.world import DRIVER, NODES, World, make_spec

SEEKER = ids.worker_id(NODES[0], 60)


def names(world: World, namespace: str = "ns", everywhere: bool = False) -> list[tuple[str, str]]:
    world.say(SEEKER, ListActors(9, namespace, everywhere))
    return world.one(SEEKER, NamedActors).names


def test_a_named_actor_is_found_and_watched() -> None:
    world = World()
    actor = world.create(make_spec(name="counter"))
    world.say(SEEKER, FindActor(3, "counter", "ns"))
    found = world.one(SEEKER, ActorInfo)
    assert (found.request, found.actor, found.handle_meta) == (3, actor, b"meta")
    world.come_up()
    assert world.news(SEEKER) == [ActorState.ALIVE]


def test_who_is_not_there_is_not_found() -> None:
    world = World()
    world.create(make_spec(name="counter"))
    world.say(SEEKER, FindActor(3, "counter", "elsewhere"))
    error = world.one(SEEKER, HeadError)
    assert (error.request, error.kind) == (3, "no_such_actor")
    assert error.message == "no living actor is named 'counter' in namespace 'elsewhere'"


def test_a_name_is_taken_once_per_namespace() -> None:
    world = World()
    world.create(make_spec(1, name="counter"))
    world.create(make_spec(2, name="counter"))
    error = world.one(DRIVER, HeadError)
    assert (error.request, error.kind) == (2, "name_taken")
    world.create(make_spec(3, name="counter", namespace="other"))
    assert not world.take(DRIVER, HeadError)
    assert names(world, everywhere=True) == [("ns", "counter"), ("other", "counter")]
    assert names(world) == [("ns", "counter")]


def test_get_if_exists_answers_who_is_there_already() -> None:
    world = World()
    first = world.create(make_spec(1, name="counter"), get_if_exists=True)
    world.create(make_spec(2, name="counter"), get_if_exists=True)
    assert [(info.request, info.actor) for info in world.take(DRIVER, ActorInfo)] == [(1, first), (2, first)]
    assert len(world.starting()) == 1


def test_death_frees_the_name() -> None:
    world = World()
    world.create(make_spec(1, name="counter"))
    _, node, worker = world.come_up()
    world.say(node, WorkerDied(worker, "crash"))
    assert names(world) == []
    world.create(make_spec(2, name="counter"))
    assert not world.take(DRIVER, HeadError)


def test_a_restart_keeps_it() -> None:
    world = World()
    world.create(make_spec(1, name="counter", max_restarts=1))
    _, node, worker = world.come_up()
    world.say(node, WorkerDied(worker, "crash"))
    assert names(world) == [("ns", "counter")]


def test_kill_frees_it_at_once_and_so_does_a_graceful_end() -> None:
    world = World()
    for number, graceful in ((1, False), (2, True)):
        actor = world.create(make_spec(number, name="counter"))
        world.come_up(number)
        world.say(DRIVER, KillActor(actor, True, graceful, "enough"))
        assert names(world) == []


def test_an_old_actors_end_does_not_free_its_successors_name() -> None:
    world = World()
    old = world.create(make_spec(1, name="counter"))
    _, node, worker = world.come_up()
    world.say(DRIVER, KillActor(old, True, True, "enough"))
    world.create(make_spec(2, name="counter"))
    world.say(node, WorkerDied(worker, "crash"))
    assert names(world) == [("ns", "counter")]


def test_nameless_actors_are_not_listed() -> None:
    world = World()
    world.create(make_spec())
    assert names(world, everywhere=True) == []
