"""The pool: how many processes there are, and how each one comes and goes."""

from __future__ import annotations

from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    ActorStarted,
    LeaseFailed,
    LeaseGranted,
    ReturnLease,
    StopWorker,
    WorkerDied,
    WorkerReady,
    WorkerStays,
)
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_node.world import DRIVER, World

QUICK = NodeLimits(soft_idle=1, idle=1.0, kill=4.0)


def two_idle() -> tuple[World, list[bytes]]:
    """Two idle workers where one is enough; the first has been idle for longer."""
    world = World(cpus=2, limits=QUICK)
    leases = [world.lease(1), world.lease(2)]
    for lease in leases:
        world.say(DRIVER, ReturnLease(lease.lease))
    return world, [lease.worker for lease in leases]


def test_prestarted_workers_are_used_first() -> None:
    world = World(cpus=2, prestart=2)
    workers = world.ready_all()
    world.wait(0.01)
    workers += world.ready_all()
    assert len(workers) == 2
    world.request(1)
    assert world.one(DRIVER, LeaseGranted).worker == workers[1]
    assert not world.forked


def test_workers_are_prestarted_one_by_one_unless_somebody_waits() -> None:
    world = World(cpus=3, prestart=3)
    assert len(world.forked) == 1
    world.wait(1)
    assert len(world.forked) == 1, "the second waits for the first"
    world.ready_all()
    assert not world.forked
    world.request(1)
    world.request(2)
    assert len(world.forked) == 1, "who waits has its worker started at once"
    world.ready_all()
    world.wait(0.01)
    assert len(world.forked) == 1
    world.ready_all()
    world.wait(1)
    assert not world.forked, "there are three"


def test_a_prestarted_worker_on_its_way_counts_for_who_waits() -> None:
    world = World(cpus=2, prestart=1)
    world.request(1)
    assert len(world.forked) == 1
    world.request(2)
    assert len(world.forked) == 2


def test_idle_workers_above_the_limit_are_asked_to_leave_the_oldest_first() -> None:
    world, workers = two_idle()
    world.wait(0.9)
    assert not world.take(workers[0], StopWorker)
    world.wait(0.2)
    assert world.one(workers[0], StopWorker).if_unneeded
    world.end(workers[0])
    died = world.one(DRIVER, WorkerDied)
    assert died.intended
    world.wait(10)
    assert not world.take(workers[1], StopWorker)


def test_a_worker_that_others_need_stays_and_works_again() -> None:
    world, workers = two_idle()
    world.wait(1.1)
    world.say(workers[0], WorkerStays())
    world.request(3)
    world.request(4)
    assert sorted(granted.worker for granted in world.take(DRIVER, LeaseGranted)) == sorted(workers)


def test_a_worker_that_stays_is_asked_again_later() -> None:
    world, workers = two_idle()
    world.wait(1.1)
    assert len(world.take(workers[0], StopWorker)) == 1
    world.say(workers[0], WorkerStays())
    world.wait(1.1)
    asked = world.take(workers[0], StopWorker) + world.take(workers[1], StopWorker)
    assert len(asked) == 1


def test_a_worker_that_was_asked_to_leave_is_not_leased_meanwhile() -> None:
    world, workers = two_idle()
    world.wait(1.1)
    world.request(3)
    world.request(4)
    assert world.one(DRIVER, LeaseGranted).worker == workers[1]
    assert len(world.forked) == 1


def test_a_worker_that_does_not_answer_is_told_then_ended_by_force() -> None:
    world, workers = two_idle()
    world.wait(1.1)
    world.take(workers[0], StopWorker)
    world.wait(4.0)
    assert not world.one(workers[0], StopWorker).if_unneeded
    world.wait(2.0)
    assert world.ended == [(workers[0], False)]
    world.wait(2.0)
    assert world.ended == [(workers[0], False), (workers[0], True)]


def test_a_worker_that_left_is_not_ended_again() -> None:
    world, workers = two_idle()
    world.wait(1.1)
    world.end(workers[0])
    world.wait(20)
    assert not world.ended


def test_a_start_that_fails_is_made_again_but_not_for_ever() -> None:
    world = World(cpus=1, limits=NodeLimits(max_failed_starts=3))
    world.request(1)
    for _ in range(3):
        (worker,) = world.forked
        world.forked.clear()
        world.end(worker, "it exited with code 1")
    fault = world.one(DRIVER, LeaseFailed).fault
    assert fault.kind is FaultKind.SYSTEM
    assert "3 in a row" in fault.message
    assert "it exited with code 1" in fault.message
    assert not world.forked
    assert world.free() == 1


def test_a_later_request_may_try_again() -> None:
    world = World(cpus=1, limits=NodeLimits(max_failed_starts=1))
    world.request(1)
    world.end(world.forked.pop())
    assert world.take(DRIVER, LeaseFailed)
    assert world.lease(2).request == 2


def test_a_start_that_succeeds_ends_the_row() -> None:
    world = World(cpus=2, limits=NodeLimits(max_failed_starts=2))
    world.request(1)
    world.end(world.forked.pop())
    world.ready_all()
    world.request(2)
    world.end(world.forked.pop())
    assert not world.take(DRIVER, LeaseFailed)


def test_a_start_that_hangs_is_ended_and_counts_as_failed() -> None:
    world = World(cpus=1, limits=NodeLimits(start_timeout=5.0, max_failed_starts=1))
    world.request(1)
    (worker,) = world.forked
    world.wait(5.0)
    assert world.ended == [(worker, True)]
    world.end(worker, "it was killed by signal 9 (SIGKILL)")
    assert "it was not ready within 5 s" in world.one(DRIVER, LeaseFailed).fault.message


def test_an_actor_that_gets_no_worker_fails_to_start() -> None:
    world = World(cpus=1, limits=NodeLimits(max_failed_starts=1))
    actor = world.start_actor(1)
    world.end(world.forked.pop())
    (started,) = world.take(HEAD, ActorStarted)
    assert started.actor == actor
    assert isinstance(started.failed, Fault)
    assert started.failed.kind is FaultKind.SYSTEM


def test_who_claims_to_be_a_worker_and_was_never_forked_is_none() -> None:
    world = World()
    stranger = world.lease().worker[:-4] + b"\0\0\1\0"
    world.say(stranger, WorkerReady(stranger, 1, "unix:@x"))
    world.request(2)
    assert len(world.forked) == 1


def test_a_worker_whose_connection_is_lost_is_waited_for_and_then_killed() -> None:
    world = World(limits=NodeLimits(lost_grace=1.0))
    lease = world.lease()
    world.lose(lease.worker)
    assert world.free() == 1, "what it uses is free when its process has ended"
    world.wait(1.0)
    assert world.ended[-1] == (lease.worker, True)
    world.end(lease.worker, "it was killed by signal 11 (SIGSEGV)")
    died = world.one(DRIVER, WorkerDied)
    assert (died.reason, died.intended) == ("it was killed by signal 11 (SIGSEGV)", False)
    assert world.free() == 2
