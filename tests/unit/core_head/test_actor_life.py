"""An actor's life as the head decides it, and as others hear of it."""

from __future__ import annotations

import pytest

from rustyray.core.head import HeadLimits
from rustyray.model import ids
from rustyray.model.messages import (
    ActorExited,
    ActorInfo,
    ActorStarted,
    ActorState,
    Heartbeat,
    KillActor,
    RegisterNode,
    StopActor,
    WatchActor,
    WorkerDied,
)
from rustyray.model.resources import resource_set
from rustyray.model.values import Failed, Fault, FaultKind
from tests.unit.core_head.world import DRIVER, NODES, OTHER_DRIVER, World, make_info, make_spec

ONE, TWO, THREE = NODES
PENDING, ALIVE, RESTARTING, DEAD = ActorState
WATCHER = ids.worker_id(ONE, 77)


def kill(no_restart: bool = True, graceful: bool = False, number: int = 1) -> KillActor:
    return KillActor(ids.task_id(DRIVER, number), no_restart, graceful, "killed by kill()")


def crash(world: World, worker: bytes, reason: str = "it was killed by signal 9 (SIGKILL)") -> None:
    world.say(ids.node_of(worker), WorkerDied(worker, reason))


def test_its_creator_hears_of_every_step() -> None:
    world = World()
    actor = world.create(make_spec())
    info = world.one(DRIVER, ActorInfo)
    assert (info.actor, info.state, info.request, info.handle_meta) == (actor, PENDING, 1, b"meta")
    _, _, worker = world.come_up()
    info = world.one(DRIVER, ActorInfo)
    assert (info.state, info.worker, info.address, info.pid) == (ALIVE, worker, "unix:@w", 7)
    assert (info.owner_address, info.max_task_retries) == ("unix:@owner", 3)


def test_others_hear_of_it_from_when_they_ask() -> None:
    world = World()
    actor = world.create(make_spec())
    world.come_up()
    world.say(WATCHER, WatchActor(actor))
    world.say(DRIVER, kill())
    assert world.news(WATCHER) == [ALIVE, DEAD]
    world.say(WATCHER, WatchActor(actor))
    assert world.news(WATCHER) == [DEAD]


def test_news_comes_once_even_to_who_asked_twice() -> None:
    world = World()
    actor = world.create(make_spec())
    for _ in range(3):
        world.say(WATCHER, WatchActor(actor))
    world.come_up()
    assert world.news(WATCHER) == [PENDING, PENDING, PENDING, ALIVE]


def test_a_lost_watcher_is_told_no_more() -> None:
    world = World()
    actor = world.create(make_spec())
    world.say(WATCHER, WatchActor(actor))
    world.lose(WATCHER)
    world.take(WATCHER, ActorInfo)
    world.come_up()
    assert not world.news(WATCHER)


def test_creating_it_twice_creates_it_once() -> None:
    world = World()
    world.create(make_spec())
    world.create(make_spec())
    assert len(world.starting()) == 1
    assert world.news() == [PENDING, PENDING]


# --- crashes and restarts ---------------------------------------------------------------------------------------------


def test_a_crash_is_the_end_by_default() -> None:
    world = World()
    world.create(make_spec())
    _, _, worker = world.come_up()
    crash(world, worker)
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.state is DEAD
    assert info.fault is not None
    assert info.fault.kind is FaultKind.ACTOR_DIED
    assert "Counter" in info.fault.message
    assert "SIGKILL" in info.fault.message
    assert (info.fault.worker, info.fault.pid, info.fault.node) == (worker, 7, ONE)
    assert not world.take(ONE, StopActor), "there is nothing left to stop"


def test_it_restarts_as_often_as_it_may() -> None:
    world = World()
    world.create(make_spec(max_restarts=2))
    for incarnation in range(3):
        _, _, worker = world.come_up(incarnation + 1)
        assert world.take(DRIVER, ActorInfo)[-1].incarnation == incarnation
        crash(world, worker)
    infos = world.take(DRIVER, ActorInfo)
    assert infos[-1].state is DEAD
    assert infos[-1].fault is not None
    assert "it may be restarted 2 times, and has been" in infos[-1].fault.message


def test_watchers_hear_why_it_restarts() -> None:
    world = World()
    world.create(make_spec(max_restarts=1))
    _, _, worker = world.come_up()
    crash(world, worker)
    info = world.take(DRIVER, ActorInfo)[-1]
    assert (info.state, info.incarnation, info.worker) == (RESTARTING, 1, b"")
    assert info.fault is not None
    assert info.fault.kind is FaultKind.ACTOR_UNAVAILABLE
    assert "SIGKILL" in info.fault.message


def test_minus_one_is_without_end() -> None:
    world = World()
    world.create(make_spec(max_restarts=-1))
    for number in range(1, 50):
        _, _, worker = world.come_up(number)
        crash(world, worker)
    assert world.news()[-1] is RESTARTING


def test_a_crash_in_the_constructor_counts_and_is_tried_again() -> None:
    world = World()
    world.create(make_spec(max_restarts=1))
    ((node, start),) = world.starting()
    lost = Fault(FaultKind.WORKER_CRASHED, "it exited with code 1")
    world.say(node, ActorStarted(start.spec.actor, 0, ids.worker_id(node, 1), "", 0, lost))
    ((node, start),) = world.starting()
    assert start.incarnation == 1
    world.say(node, ActorStarted(start.spec.actor, 1, ids.worker_id(node, 2), "", 0, lost))
    assert world.news() == [PENDING, RESTARTING, DEAD]


def test_who_keeps_crashing_before_it_is_up_has_to_wait() -> None:
    world = World(limits=HeadLimits(first_delay=1.0, last_delay=4.0))
    world.create(make_spec(max_restarts=-1))
    waits = []
    for number in range(6):
        waited = 0.0
        while not (starting := world.starting()):
            world.wait(0.5)
            waited += 0.5
            world.say(ONE, RegisterNode(make_info(ONE)))
        ((node, start),) = starting
        waits.append(waited)
        lost = Fault(FaultKind.WORKER_CRASHED, "it exited with code 1")
        world.say(node, ActorStarted(start.spec.actor, number, ids.worker_id(node, number), "", 0, lost))
    assert waits == [0, 0, 1, 2, 4, 4]


def test_a_constructor_that_raises_is_the_end_whatever_max_restarts_says() -> None:
    world = World()
    actor = world.create(make_spec(max_restarts=-1))
    ((node, start),) = world.starting()
    cause = Failed(b"pickled", "Counter.__init__", "ZeroDivisionError: division by zero")
    worker = ids.worker_id(node, 1)
    world.say(node, ActorStarted(actor, start.incarnation, worker, "unix:@w", 5, cause))
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.state is DEAD
    assert info.fault is not None
    assert info.fault.kind is FaultKind.ACTOR_INIT_FAILED
    assert info.fault.cause == cause
    assert (info.fault.worker, info.fault.pid) == (worker, 5)


def test_a_node_that_cannot_start_workers_is_the_end_too() -> None:
    world = World()
    actor = world.create(make_spec(max_restarts=-1))
    fault = Fault(FaultKind.SYSTEM, "node cannot start workers")
    world.starting()
    world.say(ONE, ActorStarted(actor, 0, b"", "", 0, fault))
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.fault is not None
    assert (info.fault.kind, "node cannot start workers" in info.fault.message) == (FaultKind.ACTOR_INIT_FAILED, True)


def test_leaving_by_its_own_wish_is_no_failure() -> None:
    world = World()
    world.create(make_spec(max_restarts=-1))
    actor, node, _ = world.come_up()
    world.say(node, ActorExited(actor, 0, "exit_actor was called"))
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.state is DEAD
    assert info.fault is not None
    assert "exit_actor was called" in info.fault.message


# --- kill -------------------------------------------------------------------------------------------------------------


def test_kill_is_final_at_once() -> None:
    world = World()
    world.create(make_spec(max_restarts=-1))
    actor, node, worker = world.come_up()
    world.say(WATCHER, kill())
    assert world.news() == [PENDING, ALIVE, DEAD]
    stop = world.one(node, StopActor)
    assert (stop.actor, stop.incarnation, stop.graceful) == (actor, 0, False)
    crash(world, worker)
    world.say(WATCHER, kill())
    assert not world.news()
    assert not world.starting()


def test_kill_that_allows_a_restart_restarts() -> None:
    world = World()
    world.create(make_spec(max_restarts=1))
    _, node, worker = world.come_up()
    for _ in range(2):
        world.say(WATCHER, kill(no_restart=False))
    world.one(node, StopActor)
    crash(world, worker)
    assert world.news() == [PENDING, ALIVE, RESTARTING]
    assert world.starting()[0][1].incarnation == 1


def test_kill_that_allows_a_restart_is_final_when_none_is_left() -> None:
    world = World()
    world.create(make_spec())
    world.come_up()
    world.say(WATCHER, kill(no_restart=False))
    assert world.news()[-1] is DEAD


def test_a_start_withdrawn_by_a_kill_that_allows_a_restart_is_made_again() -> None:
    world = World()
    actor = world.create(make_spec(max_restarts=1))
    ((node, _),) = world.starting()
    world.say(WATCHER, kill(no_restart=False))
    world.say(node, ActorExited(actor, 0, "killed"))
    assert world.starting()[0][1].incarnation == 1


def test_a_graceful_end_waits_for_the_actor() -> None:
    world = World()
    world.create(make_spec(max_restarts=-1))
    actor, node, worker = world.come_up()
    for _ in range(2):
        world.say(DRIVER, kill(graceful=True))
    assert world.one(node, StopActor).graceful
    assert world.news()[-1] is ALIVE
    world.say(node, ActorExited(actor, 0, "its last handle went out of scope"))
    assert world.news() == [DEAD]
    crash(world, worker)
    assert not world.starting()


def test_a_crash_on_the_way_to_a_graceful_end_is_the_end() -> None:
    world = World()
    world.create(make_spec(max_restarts=-1))
    _, _, worker = world.come_up()
    world.say(DRIVER, kill(graceful=True))
    crash(world, worker)
    assert world.news()[-1] is DEAD


def test_a_kill_may_follow_a_graceful_end() -> None:
    world = World()
    world.create(make_spec())
    world.come_up()
    world.say(DRIVER, kill(graceful=True))
    world.say(DRIVER, kill())
    assert world.news()[-1] is DEAD


@pytest.mark.parametrize("graceful", [True, False])
def test_an_actor_without_a_place_ends_at_once(graceful: bool) -> None:
    world = World()
    world.create(make_spec(GPU=1))
    world.say(DRIVER, kill(graceful=graceful))
    assert world.news()[-1] is DEAD
    world.say(TWO, RegisterNode(make_info(TWO, GPU=1)))
    assert not world.starting()


# --- owners and nodes -------------------------------------------------------------------------------------------------


def test_it_ends_with_its_owner_unless_detached() -> None:
    world = World()
    owner = ids.worker_id(ONE, 50)
    world.create(make_spec(1, owner=owner))
    world.create(make_spec(2, owner=owner, detached=True))
    first, second = [start.spec.actor for _, start in world.starting()]
    for actor in (first, second):
        world.say(WATCHER, WatchActor(actor))
    crash(world, owner)
    infos = world.take(WATCHER, ActorInfo)
    assert [(info.actor, info.state) for info in infos] == [(first, PENDING), (second, PENDING), (first, DEAD)]
    assert infos[-1].fault is not None
    assert f"its owner {owner.hex()} died" in infos[-1].fault.message
    assert world.one(ONE, StopActor).actor == first


def test_its_nodes_death_moves_it() -> None:
    world = World(nodes=2)
    world.create(make_spec(max_restarts=1, owner=OTHER_DRIVER))
    _, node, _ = world.come_up()
    assert node == ONE
    world.lose(ONE)
    ((node, start),) = world.starting()
    assert (node, start.incarnation) == (TWO, 1)
    assert world.news(OTHER_DRIVER) == [PENDING, ALIVE, RESTARTING]


def test_a_node_that_dies_before_it_is_up_costs_no_restart() -> None:
    world = World(nodes=2)
    world.create(make_spec(owner=OTHER_DRIVER))
    ((node, _),) = world.starting()
    world.lose(node)
    ((node, start),) = world.starting()
    assert (node, start.incarnation) == (TWO, 1)
    assert world.news(OTHER_DRIVER) == [PENDING]


def test_its_owners_nodes_death_ends_it() -> None:
    world = World(nodes=2)
    world.create(make_spec(1))
    world.create(make_spec(2, owner=OTHER_DRIVER))
    world.say(WATCHER[:-1] + b"\1", WatchActor(ids.task_id(OTHER_DRIVER, 2)))
    world.lose(TWO)
    assert world.news(WATCHER[:-1] + b"\1")[-1] is DEAD
    assert world.news(DRIVER)[-1] is PENDING


def test_an_actor_that_its_node_gives_back_goes_elsewhere_at_no_charge() -> None:
    world = World(2, cpus=1)
    spec = make_spec(1, cpus=1)
    world.create(spec)
    ((node, start),) = world.starting()
    other = NODES[1 - NODES.index(node)]
    gone = ActorStarted(spec.actor, start.incarnation, b"", "", 0, Fault(FaultKind.UNSCHEDULABLE, "no room"))
    world.say(node, Heartbeat(node, 1, resource_set({"CPU": 0}), 0))
    world.say(node, gone)
    ((there, again),) = world.starting()
    assert (there, again.incarnation) == (other, start.incarnation + 1)
    world.say(node, gone)  # doubled
    assert not world.starting()
    world.say(there, ActorStarted(spec.actor, again.incarnation, ids.worker_id(there, 1), "unix:@w", 7))
    assert world.news()[-1] is ActorState.ALIVE


def test_an_actor_that_is_given_back_while_it_is_told_to_end_is_dead() -> None:
    world = World(2, cpus=1)
    spec = make_spec(1, cpus=1)
    world.create(spec)
    ((node, start),) = world.starting()
    world.say(DRIVER, kill(graceful=True))
    world.say(node, ActorStarted(spec.actor, start.incarnation, b"", "", 0, Fault(FaultKind.UNSCHEDULABLE, "no room")))
    assert not world.starting()
    assert world.news()[-1] is ActorState.DEAD
