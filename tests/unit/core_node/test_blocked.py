"""Workers whose task waits in ``get`` lend their CPUs."""

from __future__ import annotations

from rustyray.model.messages import Blocked, LeaseGranted, Resumed, ReturnLease
from tests.unit.core_node.world import DRIVER, World


def test_a_blocked_worker_lends_its_cpu_so_that_what_it_waits_for_can_run() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.request(2, owner=lease.worker)
    assert not world.forked
    world.say(lease.worker, Blocked())
    world.ready_all()
    assert world.one(lease.worker, LeaseGranted).request == 2


def test_it_keeps_its_gpu() -> None:
    world = World(cpus=1, GPU=1)
    lease = world.lease(1, GPU=1)
    world.say(lease.worker, Blocked())
    assert (world.free("CPU"), world.free("GPU")) == (1, 0)


def test_it_takes_its_cpu_back_at_once_even_below_zero() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.say(lease.worker, Blocked())
    nested = world.lease(1, owner=lease.worker)
    world.say(lease.worker, Resumed())
    assert world.free() == -1
    world.request(2)
    assert not world.take(DRIVER, LeaseGranted)
    world.say(lease.worker, ReturnLease(nested.lease))
    assert world.free() == 0
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.one(DRIVER, LeaseGranted).request == 2


def test_saying_it_twice_counts_once() -> None:
    world = World(cpus=2)
    lease = world.lease(1)
    for _ in range(2):
        world.say(lease.worker, Blocked())
    assert world.free() == 2
    for _ in range(2):
        world.say(lease.worker, Resumed())
    assert world.free() == 1


def test_a_blocked_worker_that_dies_gives_its_cpu_back_only_once() -> None:
    world = World(cpus=2)
    lease = world.lease(1)
    world.say(lease.worker, Blocked())
    world.end(lease.worker)
    assert world.free() == 2


def test_a_lease_returned_while_its_worker_seems_blocked_is_settled() -> None:
    """The worker's `Resumed` and its owner's `ReturnLease` come on two connections."""
    world = World(cpus=1)
    lease = world.lease(1)
    world.say(lease.worker, Blocked())
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.free() == 1
    world.say(lease.worker, Resumed())
    assert world.free() == 1


def test_an_actor_lends_its_cpu_too() -> None:
    world = World(cpus=2)
    world.start_actor(1, cpus=2)
    (worker,) = world.ready_all()
    assert world.free() == 0
    world.say(worker, Blocked())
    assert world.free() == 2
