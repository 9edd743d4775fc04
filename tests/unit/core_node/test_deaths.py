"""What remains of a client when it is gone: nothing, and everybody who must know is told."""

from __future__ import annotations

from rustyray.core.node import NodeLimits
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    CancelLease,
    JobFinished,
    LeaseGranted,
    LeaseOver,
    NodeDied,
    OwnerDied,
    Registered,
    RequestLease,
    ReturnLease,
    StoreCreated,
    WorkerDied,
    WorkerStays,
)
from rustyray.model.values import FaultKind
from tests.unit.core_node.world import DRIVER, JOB, NODE, OTHER, STRANGER, World

SECOND_DRIVER = ids.worker_id(NODE, 1000)


def test_a_dead_workers_resources_come_back_exactly_once() -> None:
    world = World(cpus=2)
    lease = world.lease()
    world.end(lease.worker)
    world.end(lease.worker)
    world.say(DRIVER, ReturnLease(lease.lease))
    assert world.free() == 2


def test_clients_and_the_head_are_told_how_a_worker_died() -> None:
    world = World(cpus=2)
    first, second = world.lease(1), world.lease(2)
    world.core.process_ended(first.worker, "it was killed for memory", world.now, FaultKind.OUT_OF_MEMORY)
    world.settle()
    for peer in (DRIVER, second.worker, HEAD):
        died = world.one(peer, WorkerDied)
        assert (died.worker, died.reason, died.kind) == (
            first.worker,
            "it was killed for memory",
            FaultKind.OUT_OF_MEMORY,
        )


def test_what_a_dead_worker_asked_for_ends_with_it() -> None:
    """Its nested tasks run for nobody."""
    world = World(cpus=3)
    outer = world.lease(1)
    inner = world.lease(1, owner=outer.worker)
    world.request(2, cpus=3, owner=outer.worker)
    world.end(outer.worker, "it was killed by signal 9 (SIGKILL)")
    assert world.one(inner.worker, LeaseOver) == LeaseOver(inner.lease, True)
    assert not world.ended
    world.wait(1.0)
    assert world.ended == [(inner.worker, True)]
    world.end(inner.worker)
    died = world.take(DRIVER, WorkerDied)[-1]
    assert "the owner of its task is gone: it was killed by signal 9 (SIGKILL)" in died.reason
    assert died.intended
    assert world.free() == 3


def test_a_worker_whose_owner_is_gone_is_used_again_when_its_task_has_ended() -> None:
    world = World(cpus=3)
    outer = world.lease(1)
    inner = world.lease(1, owner=outer.worker, cpus=2)
    world.end(outer.worker)
    assert world.free() == 1
    world.say(inner.worker, WorkerStays())
    assert world.free() == 3
    world.wait(10.0)
    assert not world.ended
    assert world.lease(2).worker == inner.worker


def test_a_dead_workers_late_messages_are_ignored() -> None:
    world = World(cpus=2)
    lease = world.lease()
    world.end(lease.worker)
    world.request(1, owner=lease.worker)
    assert world.create(1, 1, writer=lease.worker) is None
    assert not world.forked
    assert not world.take(lease.worker, StoreCreated)


def test_a_remote_owner_whose_connection_is_lost_loses_its_leases_but_may_come_back() -> None:
    world = World(cpus=1)
    lease = world.lease(1, owner=STRANGER)
    world.lose(STRANGER)
    assert world.one(lease.worker, LeaseOver) == LeaseOver(lease.lease, False)
    world.wait(1.0)
    assert world.ended == [(lease.worker, True)]
    world.end(lease.worker)
    world.request(2, owner=STRANGER)
    world.ready_all()
    assert world.one(STRANGER, LeaseGranted).request == 2


def test_a_remote_owner_that_is_dead_may_not() -> None:
    world = World(cpus=1)
    lease = world.lease(1, owner=STRANGER)
    world.say(HEAD, OwnerDied(STRANGER, "it crashed"))
    assert world.one(lease.worker, LeaseOver).dead
    assert world.one(DRIVER, OwnerDied).worker == STRANGER
    world.end(lease.worker)
    world.request(2, owner=STRANGER)
    assert not world.forked


def test_a_dead_node_takes_all_its_owners_with_it() -> None:
    world = World(cpus=2)
    lease = world.lease(1, owner=STRANGER)
    world.say(HEAD, NodeDied(OTHER, "its cable was pulled"))
    assert world.one(lease.worker, LeaseOver).dead
    assert world.one(DRIVER, NodeDied).reason == "its cable was pulled"
    world.say(HEAD, NodeDied(OTHER, "again"))
    assert not world.take(DRIVER, NodeDied)


def test_only_the_head_declares_deaths() -> None:
    world = World()
    world.say(DRIVER, NodeDied(OTHER, "x"))
    world.say(DRIVER, OwnerDied(STRANGER, "x"))
    assert not world.take(DRIVER, NodeDied)
    assert not world.take(DRIVER, OwnerDied)


def test_another_drivers_end_is_its_jobs_end_and_no_more() -> None:
    world = World(cpus=2)
    world.join(SECOND_DRIVER)
    lease = world.lease(1, owner=SECOND_DRIVER)
    mine = world.lease(1)
    world.lose(SECOND_DRIVER)
    assert world.one(lease.worker, LeaseOver).dead
    assert world.one(HEAD, JobFinished).driver == SECOND_DRIVER
    assert world.one(DRIVER, WorkerDied).worker == SECOND_DRIVER
    assert world.one(HEAD, WorkerDied).worker == SECOND_DRIVER
    assert not world.stopped
    assert mine.worker not in [worker for worker, _ in world.ended]


def test_the_embedded_drivers_end_is_the_nodes() -> None:
    world = World(cpus=2, prestart=1)
    world.ready_all()
    world.lease(1)
    world.request(2)
    (starting,) = world.forked
    world.lose(DRIVER)
    assert world.stopped
    assert len(world.ended) == 2
    assert (starting, True) in world.ended
    assert world.core.next_deadline() is None


def test_a_node_whose_driver_did_not_register_ends_with_it_too() -> None:
    world = World.__new__(World)
    World.__init__(world)
    world.lose(DRIVER)
    assert world.stopped


def test_a_client_that_never_registered_leaves_nothing_either() -> None:
    world = World()
    world.say(STRANGER, RequestLease(1, JOB, {"CPU": 10_000}))
    world.say(STRANGER, CancelLease(1))
    world.lose(STRANGER)
    world.lose(STRANGER)
    assert world.free() == 2


def test_a_driver_is_answered_with_its_job() -> None:
    world = World(cpus=2, store_pages=4)
    answer = world.one(DRIVER, Registered)
    assert (answer.worker, answer.node, answer.job, answer.namespace) == (DRIVER, NODE, JOB, "ns")
    assert (answer.arena_size, answer.resources) == (4 * 4096, {"CPU": 20_000})


def test_a_lost_worker_is_not_told_of_deaths() -> None:
    world = World(cpus=2, limits=NodeLimits(lost_grace=1.0))
    first, second = world.lease(1), world.lease(2)
    world.lose(first.worker)
    world.end(second.worker)
    assert not world.take(first.worker, WorkerDied)


def test_who_comes_later_is_told_of_the_nodes_that_died_before() -> None:
    """A node that stood still does not know yet that it counts as dead: its processes call the new worker."""
    world = World(cpus=2)
    before = world.lease(1)
    world.say(HEAD, NodeDied(OTHER, "it was silent for 10 s"))
    after = world.lease(2)
    assert after.worker != before.worker
    for worker in (before.worker, after.worker):
        assert world.one(worker, NodeDied) == NodeDied(OTHER, "it was silent for 10 s")
    guest = ids.worker_id(b"node-ten", 7)  # its own node tells it
    world.request(3, owner=guest)
    assert not world.take(guest, NodeDied)
