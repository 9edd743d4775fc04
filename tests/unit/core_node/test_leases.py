"""Who gets a worker, when, and how leases end."""

from __future__ import annotations

import pytest

from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    Blocked,
    CancelLease,
    KillWorker,
    LeaseFailed,
    LeaseGranted,
    LeaseWaits,
    ReclaimLeases,
    RequestLease,
    ReturnLease,
    Shutdown,
    WorkerDied,
)
from rustyray.model.resources import resource_set
from rustyray.model.values import FaultKind
from tests.unit.core_node.world import DRIVER, JOB, NODE, STRANGER, World


def test_a_request_forks_one_worker_and_is_granted_when_it_is_ready() -> None:
    world = World()
    world.request(1)
    assert len(world.forked) == 1
    assert world.free() == 1
    assert not world.take(DRIVER, LeaseGranted)
    (worker,) = world.ready_all()
    granted = world.one(DRIVER, LeaseGranted)
    assert (granted.request, granted.worker, granted.pid) == (1, worker, 1)
    assert granted.address == f"unix:@{worker.hex()}"


def test_a_returned_worker_serves_the_next_request_without_a_fork() -> None:
    world = World()
    lease = world.lease()
    world.say(DRIVER, ReturnLease(lease.lease))
    world.request(2)
    assert world.one(DRIVER, LeaseGranted).worker == lease.worker
    assert not world.forked


def test_the_worker_used_last_is_used_first() -> None:
    world = World(cpus=3)
    leases = [world.lease(number) for number in range(3)]
    for lease in leases:
        world.say(DRIVER, ReturnLease(lease.lease))
    world.request(9)
    assert world.one(DRIVER, LeaseGranted).worker == leases[2].worker


def test_never_more_forks_under_way_than_claims_that_miss_a_worker() -> None:
    world = World(cpus=4)
    for number in range(10):
        world.request(number)
    assert len(world.forked) == 4
    world.ready(world.forked[0])
    assert len(world.forked) == 4


def test_forks_under_way_are_limited() -> None:
    world = World(cpus=50, limits=NodeLimits(max_starting=3))
    for number in range(10):
        world.request(number)
    assert len(world.forked) == 3
    world.ready(world.forked[0])
    assert len(world.forked) == 4


def test_a_worker_that_comes_free_serves_who_waits_for_a_fork() -> None:
    world = World(cpus=2)
    lease = world.lease(1)
    world.request(2)
    assert len(world.forked) == 1
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.one(DRIVER, LeaseGranted).request == 2
    world.ready_all()
    world.request(3)
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_requests_are_served_in_order() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    for number in (2, 3, 4):
        world.request(number)
    order = []
    for _ in range(3):
        world.say(DRIVER, ReturnLease(lease.lease))
        lease = world.one(DRIVER, LeaseGranted)
        order.append(lease.request)
    assert order == [2, 3, 4]


def test_fractions_add_up_exactly() -> None:
    world = World(cpus=1)
    for number in range(12):
        world.request(number, 0.1)
    assert len(world.forked) == 10
    assert world.free() == 0


def test_a_request_that_does_not_fit_lets_others_pass() -> None:
    world = World(cpus=2)
    world.lease(1)
    world.request(2, cpus=2)
    world.request(3, cpus=1)
    world.ready_all()
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_but_not_for_ever() -> None:
    world = World(cpus=2, limits=NodeLimits(starving=1.0))
    first, second = world.lease(1), world.lease(2)
    world.request(3, cpus=2)
    world.wait(1.1)
    world.request(4)
    world.say(DRIVER, ReturnLease(first.lease))
    assert not world.take(DRIVER, LeaseGranted), "one CPU is free, and kept for the request that starves"
    world.say(DRIVER, ReturnLease(second.lease))
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_who_starves_blocks_only_what_it_waits_for() -> None:
    world = World(cpus=2, limits=NodeLimits(starving=1.0), GPU=1)
    world.lease(1)
    world.request(2, cpus=2)
    world.wait(1.1)
    world.request(3, cpus=0, GPU=1)
    world.ready_all()
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_a_demand_that_no_node_has_waits_with_one_warning() -> None:
    world = World(cpus=2)
    world.say(DRIVER, RequestLease(1, JOB, resource_set({"CPU": 1, "GPU": 4})))
    waits = world.one(DRIVER, LeaseWaits)
    assert waits.request == 1
    assert waits.reason == (
        f"no node can ever give a worker with CPU: 1, GPU: 4: node {NODE.hex()} has CPU: 2 and is the only "
        "one; the request waits until a node that has it joins"
    )
    world.wait(10)
    world.request(2)
    world.ready_all()
    assert world.one(DRIVER, LeaseGranted).request == 2, "it holds nobody up, even when it has waited for long"
    assert not world.take(DRIVER, LeaseWaits)


def test_a_cancelled_request_is_never_granted() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.request(2)
    world.request(3)
    world.say(DRIVER, CancelLease(2))
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_cancelling_while_a_worker_is_forked_gives_the_resources_back() -> None:
    world = World(cpus=1)
    world.request(1)
    assert world.free() == 0
    world.say(DRIVER, CancelLease(1))
    assert world.free() == 1
    world.ready_all()
    assert not world.take(DRIVER, LeaseGranted)


def test_a_grant_stands_when_its_cancellation_comes_too_late() -> None:
    world = World()
    lease = world.lease(1)
    world.say(DRIVER, CancelLease(1))
    assert world.free() == 1
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.free() == 2


@pytest.mark.parametrize("times", [1, 2])
def test_doubled_messages_change_nothing(times: int) -> None:
    world = World(cpus=2)
    for _ in range(times):
        world.request(1)
    world.ready_all()
    lease = world.one(DRIVER, LeaseGranted)
    for _ in range(times):
        world.say(DRIVER, ReturnLease(lease.lease))
    assert world.free() == 2


def test_only_the_owner_returns_its_lease() -> None:
    world = World()
    lease = world.lease()
    world.say(STRANGER, ReturnLease(lease.lease))
    assert world.free() == 1


def test_a_worker_that_its_owner_saw_fail_is_not_used_again() -> None:
    world = World(cpus=1)
    lease = world.lease()
    world.say(DRIVER, ReturnLease(lease.lease, reusable=False))
    assert world.ended == [(lease.worker, True)]
    assert world.free() == 0, "its process still runs"
    world.end(lease.worker, "it was killed by signal 9 (SIGKILL)")
    assert world.free() == 1


def test_holders_of_leases_are_asked_for_idle_ones_when_others_wait() -> None:
    world = World(cpus=2)
    driver_lease = world.lease(1)
    other = world.lease(1, owner=driver_lease.worker)
    assert not world.take(DRIVER, ReclaimLeases)
    world.request(2, owner=STRANGER)
    assert len(world.take(DRIVER, ReclaimLeases)) == 1
    assert len(world.take(driver_lease.worker, ReclaimLeases)) == 1
    world.request(3, owner=STRANGER)
    assert not world.take(DRIVER, ReclaimLeases), "it has just been asked"
    world.wait(0.01)
    world.request(4, owner=driver_lease.worker)
    assert len(world.take(DRIVER, ReclaimLeases)) == 1
    assert not world.take(driver_lease.worker, ReclaimLeases), "who waits knows best what it holds"
    assert other.worker != driver_lease.worker


def test_who_gets_a_lease_while_others_wait_is_told_at_once() -> None:
    world = World(cpus=1)
    first = world.lease(1)
    world.request(2)
    assert not world.take(DRIVER, ReclaimLeases), "only it waits itself"
    world.request(1, owner=STRANGER)
    world.one(DRIVER, ReclaimLeases)
    world.say(DRIVER, ReturnLease(first.lease))
    second = world.one(DRIVER, LeaseGranted)
    world.one(DRIVER, ReclaimLeases)
    world.say(DRIVER, ReturnLease(second.lease))
    world.one(STRANGER, LeaseGranted)
    assert not world.take(STRANGER, ReclaimLeases), "nobody waits any more"


def test_an_actor_that_waits_for_its_place_counts_among_the_others() -> None:
    world = World(cpus=1)
    world.lease(1)
    world.start_actor(1)
    world.one(DRIVER, ReclaimLeases)


def test_holders_are_asked_again_while_somebody_waits() -> None:
    world = World(cpus=1, limits=NodeLimits(starving=1.0))
    world.lease(1)
    world.request(1, owner=STRANGER)
    assert len(world.take(DRIVER, ReclaimLeases)) == 1
    world.wait(3.5)
    assert len(world.take(DRIVER, ReclaimLeases)) == 3


def test_who_starves_beside_its_own_tasks_of_another_kind_is_told_to_return_workers() -> None:
    world = World(cpus=2, limits=NodeLimits(starving=1.0))
    first, second = world.lease(1), world.lease(2)
    world.request(3, cpus=2)
    world.wait(0.9)
    assert not world.take(DRIVER, ReclaimLeases), "it gives back by itself what is idle"
    world.wait(0.2)
    world.one(DRIVER, ReclaimLeases)
    for lease in (first, second):
        world.say(DRIVER, ReturnLease(lease.lease))
    assert world.one(DRIVER, LeaseGranted).request == 3


def test_who_waits_for_more_of_the_same_keeps_what_it_has() -> None:
    world = World(cpus=1, limits=NodeLimits(starving=1.0))
    world.lease(1)
    world.request(2)
    world.wait(3.5)
    assert not world.take(DRIVER, ReclaimLeases)


def test_demands_for_nothing_are_bounded_but_do_not_deadlock() -> None:
    world = World(cpus=1, limits=NodeLimits(max_demanding_nothing=2))
    for number in range(4):
        world.request(number, cpus=0)
    workers = world.ready_all()
    assert len(world.take(DRIVER, LeaseGranted)) == 2
    world.say(workers[0], Blocked())
    world.ready_all()
    assert world.one(DRIVER, LeaseGranted).request == 2


def test_lease_numbers_of_two_nodes_differ() -> None:
    assert World().lease().lease >> 32 == int.from_bytes(NODE[-3:], "big")


def test_only_the_owner_may_have_a_leased_worker_killed() -> None:
    world = World()
    lease = world.lease()
    world.say(STRANGER, KillWorker(lease.worker, "cancelled"))
    assert not world.ended
    world.say(DRIVER, KillWorker(lease.worker, "cancelled by force"))
    assert world.ended == [(lease.worker, True)]
    world.end(lease.worker, "it was killed by signal 9 (SIGKILL)")
    died = world.one(DRIVER, WorkerDied)
    assert died.intended
    assert died.reason == "cancelled by force (it was killed by signal 9 (SIGKILL))"
    assert world.free() == 2


def test_requests_are_refused_while_the_node_shuts_down() -> None:
    world = World(cpus=1)
    world.lease(1)
    world.request(2)
    world.say(DRIVER, Shutdown(5.0))
    assert world.one(DRIVER, LeaseFailed).fault.kind is FaultKind.SHUT_DOWN
    world.request(3)
    refused = world.one(DRIVER, LeaseFailed)
    assert (refused.request, refused.fault.kind) == (3, FaultKind.SHUT_DOWN)
