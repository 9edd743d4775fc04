"""Messages about actors that come late, early or twice, and what is remembered of the dead."""

from __future__ import annotations

import pytest

from rustyray.core.head import base, registry
from rustyray.model import ids
from rustyray.model.messages import (
    ActorExited,
    ActorInfo,
    ActorStarted,
    ActorState,
    CreateActor,
    KillActor,
    RegisterNode,
    StopActor,
    WatchActor,
    WorkerDied,
)
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_head.world import DRIVER, NODES, World, make_info, make_spec

ONE, TWO, THREE = NODES
PENDING, ALIVE, RESTARTING, DEAD = ActorState
WATCHER = ids.worker_id(ONE, 77)


def kill(no_restart: bool = True, graceful: bool = False, number: int = 1) -> KillActor:
    return KillActor(ids.task_id(DRIVER, number), no_restart, graceful, "killed by kill()")


def crash(world: World, worker: bytes, reason: str = "it was killed by signal 9 (SIGKILL)") -> None:
    world.say(ids.node_of(worker), WorkerDied(worker, reason))


def test_news_of_an_old_incarnation_changes_nothing_and_what_lives_on_of_it_is_stopped() -> None:
    world = World()
    actor = world.create(make_spec(max_restarts=1))
    _, node, worker = world.come_up()
    crash(world, worker)
    world.news()
    world.say(node, ActorStarted(actor, 0, ids.worker_id(node, 9), "unix:@w", 9))
    stop = world.one(node, StopActor)
    assert stop.incarnation == 0
    world.say(node, ActorExited(actor, 0, "late"))
    crash(world, worker)
    assert not world.news()


def test_a_start_that_is_reported_twice_is_told_once() -> None:
    world = World()
    world.create(make_spec())
    actor, node, worker = world.come_up()
    world.say(node, ActorStarted(actor, 0, worker, "unix:@w", 7))
    assert world.news() == [PENDING, ALIVE]


@pytest.mark.parametrize("failed", [None, Fault(FaultKind.WORKER_CRASHED, "it was killed")])
def test_a_start_whose_end_was_told_first_is_a_loss(failed: Fault | None) -> None:
    """Its node says again what it had said on a connection that broke; the end of the process came on the next one."""
    world = World()
    actor = world.create(make_spec(max_restarts=1))
    ((node, _),) = world.starting()
    worker = ids.worker_id(node, 9)
    crash(world, worker)
    world.say(node, ActorStarted(actor, 0, worker, "unix:@w", 9, failed))
    assert world.news() == [PENDING, RESTARTING]
    world.say(node, ActorStarted(actor, 0, worker, "unix:@w", 9, failed))
    assert world.come_up()[2] != worker
    assert world.news() == [ALIVE]


def test_who_is_told_to_end_before_its_node_has_heard_of_it_is_not_over_until_the_node_says_so() -> None:
    """The node says again who it is, as it was not answered; the start is still on its way there, and would run."""
    world = World()
    actor = world.create(make_spec())
    ((node, _),) = world.starting()
    world.say(DRIVER, kill(graceful=True))
    world.take(node, StopActor)
    world.say(node, RegisterNode(make_info(node), 2, [], [DRIVER]))
    assert world.news() == [PENDING]
    assert world.one(node, StopActor).graceful
    world.say(node, ActorExited(actor, 0, "killed by kill()"))
    assert world.news() == [DEAD]


def test_a_watch_that_comes_before_the_creation_waits_for_it() -> None:
    world = World()
    spec = make_spec()
    world.say(WATCHER, WatchActor(spec.actor))
    assert not world.news(WATCHER)
    world.create(spec)
    world.come_up()
    assert world.news(WATCHER) == [PENDING, ALIVE]


def test_a_kill_that_comes_before_the_creation_is_not_lost() -> None:
    world = World()
    world.say(WATCHER, kill())
    world.create(make_spec())
    assert world.news() == [PENDING, DEAD]


def test_what_its_owner_kills_before_the_creation_is_not_created_any_more() -> None:
    world = World()
    world.say(WATCHER, WatchActor(make_spec().actor))
    world.say(DRIVER, kill())
    assert world.news(WATCHER)[-1] is DEAD
    assert world.news()[-1] is DEAD, "its owner knows that it need not say so again"
    world.say(WATCHER, WatchActor(make_spec().actor))
    assert world.news(WATCHER) == [DEAD]
    world.create(make_spec())  # said before, and late
    assert world.news() == [DEAD]
    assert not world.starting()


def test_a_graceful_end_waits_for_the_creation() -> None:
    world = World()
    world.say(DRIVER, kill(graceful=True))
    world.create(make_spec())
    assert world.news() == [PENDING, DEAD]


def test_who_waits_for_a_creation_that_cannot_come_is_told() -> None:
    world = World()
    owner = ids.worker_id(ONE, 50)
    actor = ids.task_id(owner, 1)
    world.say(WATCHER, WatchActor(actor))
    crash(world, owner)
    world.say(WATCHER, WatchActor(actor))
    assert world.news(WATCHER) == [DEAD, DEAD]


def test_what_the_dead_say_is_ignored() -> None:
    world = World()
    owner = ids.worker_id(ONE, 50)
    crash(world, owner)
    world.say(owner, CreateActor(1, make_spec(owner=owner)))
    assert not world.starting()
    assert not world.take(owner, ActorInfo)


def test_the_dead_are_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "DEAD_REMEMBERED", 3)
    monkeypatch.setattr(base, "REMEMBERED", 3)
    world = World()
    for number in range(5):
        world.create(make_spec(number))
        _, _, worker = world.come_up(number + 1)
        crash(world, worker)
    assert list(world.head._actors.registry.dead) == [ids.task_id(DRIVER, number) for number in (2, 3, 4)]
    assert world.head._base.why_gone(ids.worker_id(ONE, 2)) is None
    assert world.head._base.why_gone(ids.worker_id(ONE, 3)) is not None


def test_a_dead_actor_keeps_no_code_and_no_arguments() -> None:
    world = World()
    actor = world.create(make_spec())
    world.say(DRIVER, kill())
    spec = world.head._actors.registry.dead[actor].spec
    assert (spec.blob, spec.args, spec.deps) == (b"", b"", None)
