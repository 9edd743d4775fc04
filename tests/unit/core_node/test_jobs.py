"""A node that several drivers share: whose worker is whose, and what the end of a job or a driver leaves."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Effect, ForkWorker
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    DescribeJob,
    JobAccepted,
    JobDescribed,
    JobFinished,
    JobOver,
    JobSetup,
    LeaseFailed,
    LeaseGranted,
    RegisterDriver,
    RequestLease,
    ReturnLease,
    Shutdown,
    ShutdownDone,
    StopWorker,
)
from rustyray.model.resources import UNIT
from tests.unit.core_node.world import DRIVER, JOB, NODE, STRANGER, World

OTHER_JOB = b"\0\0\0\2"
OTHER_DRIVER = ids.worker_id(NODE, 1 << 31)
SETUP = JobSetup("host", ["/lib"], ["program"], "/home", {"A": "1"}, 0o022)


def request(world: World, driver: bytes, job: bytes, number: int) -> None:
    world.say(driver, RequestLease(number, job, {"CPU": UNIT}))


def join_other(world: World) -> None:
    world.say(OTHER_DRIVER, RegisterDriver(2, "", SETUP))
    world.say(HEAD, JobAccepted(OTHER_DRIVER, OTHER_JOB, "other"))


def test_a_worker_serves_the_job_that_it_was_started_for() -> None:
    world = World(cpus=2, shared=True)
    (first,) = world.ready_all()
    request(world, DRIVER, JOB, 1)
    lease = world.one(DRIVER, LeaseGranted)
    assert lease.worker == first
    world.say(DRIVER, ReturnLease(lease.lease))
    join_other(world)
    request(world, OTHER_DRIVER, OTHER_JOB, 1)
    assert world.take(OTHER_DRIVER, LeaseGranted) == []
    (second,) = world.ready_all()
    assert world.one(OTHER_DRIVER, LeaseGranted).worker == second


def test_what_a_worker_takes_over_comes_with_its_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(shared=True)
    asked: list[Effect] = []
    monkeypatch.setattr(world, "note", asked.append)
    join_other(world)
    jobs = [effect.job for effect in asked if isinstance(effect, ForkWorker)]
    assert jobs == [JobDescribed(OTHER_JOB, OTHER_DRIVER, "other", SETUP)]


def test_a_node_asks_the_head_about_a_job_from_elsewhere() -> None:
    world = World(shared=True)
    world.ready_all()
    request(world, STRANGER, OTHER_JOB, 1)
    request(world, STRANGER, OTHER_JOB, 2)
    assert world.one(HEAD, DescribeJob) == DescribeJob(OTHER_JOB)
    assert world.forked == []
    world.say(HEAD, JobDescribed(OTHER_JOB, STRANGER, "far", SETUP))
    assert len(world.forked) == 2


def test_requests_for_a_job_that_is_over_fail_and_give_back_what_they_held() -> None:
    world = World(cpus=1, shared=True)
    world.ready_all()
    request(world, STRANGER, OTHER_JOB, 1)
    request(world, STRANGER, OTHER_JOB, 2)
    world.say(HEAD, JobOver(OTHER_JOB, "its driver is done"))
    failed = world.take(STRANGER, LeaseFailed)
    assert [message.request for message in failed] == [1, 2]
    assert "its driver is done" in failed[0].fault.message
    request(world, DRIVER, JOB, 1)
    assert world.one(DRIVER, LeaseGranted).request == 1


def test_idle_workers_leave_with_their_job_and_busy_ones_when_they_are_idle() -> None:
    world = World(cpus=2, shared=True)
    request(world, DRIVER, JOB, 1)
    request(world, DRIVER, JOB, 2)
    world.ready_all()
    idle, busy = world.take(DRIVER, LeaseGranted)
    world.say(DRIVER, ReturnLease(idle.lease))
    world.say(HEAD, JobOver(JOB, "done"))
    assert world.one(idle.worker, StopWorker).if_unneeded
    assert world.take(busy.worker, StopWorker) == []
    world.say(DRIVER, ReturnLease(busy.lease))
    assert world.one(busy.worker, StopWorker).if_unneeded


def test_no_driver_can_end_a_shared_node_but_its_host_can() -> None:
    world = World(shared=True)
    workers = world.ready_all()
    world.say(DRIVER, Shutdown(0.0))
    assert not world.stopped
    assert world.one(DRIVER, ShutdownDone) == ShutdownDone([], [])
    assert world.one(HEAD, JobFinished) == JobFinished(JOB, DRIVER)
    world.core.shut_down(0.0, world.now)
    world.settle()
    for worker in workers:
        world.end(worker)
    assert world.stopped
