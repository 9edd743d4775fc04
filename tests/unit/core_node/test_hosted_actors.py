"""Actors on a node: from the head's wish to the end of the process."""

from __future__ import annotations

import pytest

from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorStarted,
    ClusterView,
    LeaseGranted,
    NodeInfo,
    ReclaimLeases,
    ReturnLease,
    Shutdown,
    StartActor,
    StopActor,
    StopWorker,
    WorkerDied,
    WorkerStays,
)
from rustyray.model.resources import resource_set
from rustyray.model.values import Failed, Fault, FaultKind
from tests.unit.core_node.world import DRIVER, OTHER, STRANGER, World


def running(world: World, number: int = 1, cpus: float = 0) -> tuple[bytes, bytes]:
    """An actor that is up, and its worker."""
    actor = world.start_actor(number, cpus=cpus)
    (worker,) = world.ready_all()
    world.say(worker, ActorStarted(actor, 0, worker, "", 0))
    world.take(HEAD, ActorStarted)
    return actor, worker


def test_an_actor_gets_a_worker_of_its_own_and_the_head_hears_of_it() -> None:
    world = World()
    actor = world.start_actor(1)
    (worker,) = world.ready_all()
    assert world.one(worker, StartActor).spec.actor == actor
    world.say(worker, ActorStarted(actor, 0, worker, "", 0))
    started = world.one(HEAD, ActorStarted)
    assert (started.actor, started.worker, started.failed) == (actor, worker, None)
    assert (started.address, started.pid) == (f"unix:@{worker.hex()}", 1)


def test_it_takes_an_idle_worker_if_there_is_one() -> None:
    world = World(prestart=1)
    (worker,) = world.ready_all()
    world.start_actor(1)
    world.one(worker, StartActor)
    assert not world.forked


def test_by_default_it_needs_a_cpu_to_be_placed_and_none_to_run() -> None:
    world = World(cpus=1)
    lease = world.lease()
    world.start_actor(1)
    assert not world.forked
    world.one(DRIVER, ReclaimLeases)
    world.say(DRIVER, ReturnLease(lease.lease))
    (worker,) = world.ready_all()
    world.one(worker, StartActor)
    assert world.free() == 1


def test_it_is_given_no_worker_that_may_own_what_others_need() -> None:
    """A worker that has run tasks may own what they put or submitted, which would end with the actor."""
    world = World(cpus=2)
    lease = world.lease()
    world.say(DRIVER, ReturnLease(lease.lease))
    world.start_actor(1)
    (fresh,) = world.ready_all()
    assert not world.take(lease.worker, StartActor)
    world.one(fresh, StartActor)
    world.request(2)
    assert world.one(DRIVER, LeaseGranted).worker == lease.worker


def test_a_worker_that_comes_back_passes_an_actor_that_waits_for_a_fresh_one() -> None:
    world = World(cpus=2)
    lease = world.lease()
    world.start_actor(1)
    world.request(2)
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.one(DRIVER, LeaseGranted).worker == lease.worker
    assert world.ready_all()


def test_many_fit_where_one_cpu_is_free() -> None:
    world = World(cpus=1)
    for number in range(5):
        world.start_actor(number)
    assert len(world.forked) == 5


def test_what_it_holds_is_free_when_its_process_has_ended() -> None:
    world = World(cpus=2)
    actor, worker = running(world, cpus=2)
    assert world.free() == 0
    world.say(worker, ActorExited(actor, 0, "exit_actor was called"))
    assert world.free() == 0
    assert world.one(HEAD, ActorExited).reason == "exit_actor was called"
    world.end(worker)
    assert world.free() == 2
    assert world.one(HEAD, WorkerDied).intended


def test_its_process_has_time_for_atexit_hooks_and_no_more() -> None:
    world = World(limits=NodeLimits(kill=4.0))
    actor, worker = running(world)
    world.say(worker, ActorExited(actor, 0, "exit_actor was called"))
    assert not world.take(worker, StopWorker), "it ends by itself"
    world.wait(1.9)
    assert not world.ended
    world.wait(2.2)
    assert world.ended == [(worker, False), (worker, True)]


def test_its_process_may_stay_for_what_it_owns_but_holds_and_gets_nothing() -> None:
    world = World(cpus=2, limits=NodeLimits(kill=4.0))
    actor, worker = running(world, cpus=2)
    world.say(worker, ActorExited(actor, 0, "exit_actor was called"))
    world.say(worker, WorkerStays())
    assert world.free() == 2
    world.wait(10.0)
    assert not world.ended
    granted = world.lease(1, owner=worker)
    assert granted.worker != worker, "it may still have tasks to do"
    world.say(worker, ReturnLease(granted.lease))
    world.end(worker)
    assert world.one(HEAD, WorkerDied).intended
    assert not world.take(HEAD, ActorStarted)


def test_a_process_that_stays_ends_with_the_node() -> None:
    world = World()
    actor, worker = running(world)
    world.say(worker, ActorExited(actor, 0, "over"))
    world.say(worker, WorkerStays())
    world.say(DRIVER, Shutdown(5.0))
    world.one(worker, StopWorker)
    world.say(worker, WorkerStays())
    world.wait(5.0)
    assert (worker, True) in world.ended


@pytest.mark.parametrize("own", [False, True], ids=["as it was told", "by its own wish"])
def test_an_actor_that_ends_with_its_node_may_live_on_elsewhere(own: bool) -> None:
    world = World()
    actor, worker = running(world)
    world.say(DRIVER, Shutdown(5.0))
    told = world.one(worker, StopWorker).reason
    world.say(worker, ActorExited(actor, 0, "exit_actor() was called" if own else told))
    world.end(worker)
    assert len(world.take(HEAD, ActorExited)) == own


def test_no_more_processes_stay_than_allowed() -> None:
    world = World(limits=NodeLimits(max_kept=1, kill=4.0))
    hosted = [running(world, number) for number in (1, 2)]
    for actor, worker in hosted:
        world.say(worker, ActorExited(actor, 0, "over"))
        world.say(worker, WorkerStays())
    world.one(hosted[0][1], StopWorker)
    assert not world.take(hosted[1][1], StopWorker)


def test_a_constructor_that_raises_ends_the_process() -> None:
    world = World()
    actor = world.start_actor(1)
    (worker,) = world.ready_all()
    failed = Failed(b"", "Counter.__init__", "ZeroDivisionError")
    world.say(worker, ActorStarted(actor, 0, worker, "", 0, failed))
    assert world.one(HEAD, ActorStarted).failed is failed
    assert not world.take(worker, StopWorker), "it ends by itself"
    world.wait(5.0)
    assert world.ended == [(worker, False), (worker, True)], "or else is ended"
    world.end(worker)
    assert not world.take(HEAD, ActorStarted), "the head has been told"


@pytest.mark.parametrize("ready", [False, True])
def test_a_process_that_dies_in_the_constructor_is_a_loss(ready: bool) -> None:
    world = World(limits=NodeLimits(max_failed_starts=1))
    actor = world.start_actor(1)
    worker = world.forked[0]
    if ready:
        world.ready_all()
    world.end(worker, "it was killed by signal 9 (SIGKILL)")
    failed = world.one(HEAD, ActorStarted).failed
    assert isinstance(failed, Fault)
    assert failed.kind is (FaultKind.WORKER_CRASHED if ready else FaultKind.SYSTEM)
    assert "SIGKILL" in failed.message
    assert actor not in [key[0] for key in world.core._actors.hosted]


def test_the_death_of_a_running_actor_is_told_as_its_workers() -> None:
    world = World()
    _, worker = running(world)
    world.end(worker, "it was killed by signal 9 (SIGKILL)")
    died = world.one(HEAD, WorkerDied)
    assert (died.worker, died.intended) == (worker, False)


def test_a_kill_ends_the_process_at_once() -> None:
    world = World()
    actor, worker = running(world)
    world.say(HEAD, StopActor(actor, 0, False, "killed"))
    assert world.ended == [(worker, True)]


def test_a_graceful_stop_is_the_workers_to_carry_out() -> None:
    world = World()
    actor, worker = running(world)
    world.say(HEAD, StopActor(actor, 0, True, "its last handle went out of scope"))
    assert world.one(worker, StopActor).graceful
    assert not world.ended
    world.say(worker, ActorExited(actor, 0, "its last handle went out of scope"))
    world.one(HEAD, ActorExited)


def test_a_kill_may_follow_a_graceful_stop() -> None:
    world = World()
    actor, worker = running(world)
    world.say(HEAD, StopActor(actor, 0, True, "asked"))
    world.say(HEAD, StopActor(actor, 0, False, "killed"))
    assert world.ended == [(worker, True)]


def test_a_start_that_waits_is_withdrawn() -> None:
    world = World(cpus=1)
    lease = world.lease()
    actor = world.start_actor(1)
    world.say(HEAD, StopActor(actor, 0, True, "killed"))
    assert world.one(HEAD, ActorExited).reason == "killed"
    world.say(DRIVER, ReturnLease(lease.lease))
    assert not world.take(lease.worker, StartActor)


def test_a_start_whose_worker_is_being_forked_is_withdrawn() -> None:
    world = World(cpus=1)
    actor = world.start_actor(1, cpus=1)
    assert world.free() == 0
    world.say(HEAD, StopActor(actor, 0, False, "killed"))
    assert world.free() == 1
    world.request(1)
    world.ready_all()
    world.one(DRIVER, LeaseGranted)


def test_doubled_and_old_messages_change_nothing() -> None:
    world = World()
    actor, worker = running(world)
    world.start_actor(1)
    world.say(worker, ActorStarted(actor, 0, worker, "", 0))
    world.say(STRANGER, ActorExited(actor, 0, "not its worker"))
    assert not world.forked
    assert not world.ended
    assert not world.take(HEAD, ActorStarted)
    assert not world.take(HEAD, ActorExited)


def test_what_is_not_here_is_said_to_have_ended_once() -> None:
    world = World()
    actor, _ = running(world)
    for _ in range(2):
        world.say(HEAD, StopActor(actor, 7, False, "of another incarnation"))
    assert world.one(HEAD, ActorExited).incarnation == 7
    assert not world.ended


def test_a_newer_incarnation_takes_the_olds_place() -> None:
    world = World()
    actor, worker = running(world)
    world.start_actor(1, incarnation=1)
    assert world.ended == [(worker, True)]
    (fresh,) = world.ready_all()
    world.end(worker)
    world.say(fresh, ActorStarted(actor, 1, fresh, "", 0))
    assert world.one(HEAD, ActorStarted).incarnation == 1


def test_a_start_that_comes_while_the_node_ends_is_refused() -> None:
    world = World()
    world.lease()
    world.say(DRIVER, Shutdown(5.0))
    world.start_actor(1)
    failed = world.one(HEAD, ActorStarted).failed
    assert isinstance(failed, Fault)
    assert failed.kind is FaultKind.SHUT_DOWN


@pytest.mark.parametrize("cpus", [0, 4], ids=["that waits for its process", "that waits for resources"])
def test_a_start_is_refused_when_the_node_ends_and_may_be_stopped_after_that(cpus: float) -> None:
    world = World(cpus=2)
    world.start_actor(2)  # its process keeps the node from ending at once
    actor = world.start_actor(1, cpus=cpus)
    world.say(DRIVER, Shutdown(5.0))
    assert {started.actor for started in world.take(HEAD, ActorStarted)} >= {actor}
    world.say(HEAD, StopActor(actor, 0, False, "its owner has ended"))
    assert not world.take(HEAD, ActorExited)


def test_only_the_head_starts_and_stops_actors() -> None:
    world = World()
    actor, _ = running(world)
    world.say(DRIVER, StopActor(actor, 0, False, "no"))
    assert not world.ended


def test_an_actor_that_waits_for_room_goes_back_to_the_head_when_another_node_has_some() -> None:
    world = World(1)
    world.lease(1)
    world.start_actor(1, cpus=1)
    world.start_actor(2, cpus=1)
    room = NodeInfo(OTHER, "tcp:other", True, resource_set({"CPU": 4}), resource_set({"CPU": 1}))
    world.say(HEAD, ClusterView([room]))
    told = world.one(HEAD, ActorStarted)  # for one of them
    assert isinstance(told.failed, Fault)
    assert told.failed.kind is FaultKind.UNSCHEDULABLE
    assert len(world.core._actors.hosted) == 1
