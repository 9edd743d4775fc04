"""A node that is asked to look inside asks its processes, and waits for them no longer than it was told to."""

from __future__ import annotations

from rustyray.model.events import Query
from rustyray.model.messages import Inspect, InspectClient, Inspected, Report
from tests.unit.core_node.world import DRIVER, NODE, World

ASKED = Inspect(5, Query(events=100), 2.0)


def answer(world: World, worker: bytes) -> None:
    number = world.one(worker, InspectClient).request
    world.say(worker, Inspected(number, [Report("worker", worker, NODE, world.now)]))


def test_it_answers_when_all_have_answered() -> None:
    world = World()
    worker = world.lease(1).worker
    world.say(DRIVER, ASKED)
    assert not world.take(DRIVER, Inspected)
    answer(world, worker)
    told = world.one(DRIVER, Inspected)
    assert (told.request, [report.role for report in told.reports], told.silent) == (5, ["node", "worker"], [])
    assert {"lease", "worker"} <= {event.kind for event in told.reports[0].events}


def test_without_workers_it_answers_at_once() -> None:
    world = World()
    world.say(DRIVER, ASKED)
    assert [report.process for report in world.one(DRIVER, Inspected).reports] == [NODE]


def test_it_names_those_that_are_silent() -> None:
    world = World()
    worker = world.lease(1).worker
    world.say(DRIVER, ASKED)
    world.wait(1.9)
    assert not world.take(DRIVER, Inspected)
    world.wait(0.2)
    assert world.one(DRIVER, Inspected).silent == [worker]
    answer(world, worker)  # too late
    assert not world.take(DRIVER, Inspected)


def test_it_does_not_wait_for_the_dead() -> None:
    world = World()
    worker = world.lease(1).worker
    world.say(DRIVER, ASKED)
    world.end(worker, "it was killed by signal 9 (SIGKILL)")
    told = world.one(DRIVER, Inspected)
    assert (len(told.reports), told.silent) == (1, [])


def test_a_worker_that_asks_is_not_asked() -> None:
    world = World()
    worker = world.lease(1).worker
    world.say(worker, ASKED)
    assert not world.take(worker, InspectClient)
    number = world.one(DRIVER, InspectClient).request
    world.say(DRIVER, Inspected(number, [Report("driver", DRIVER, NODE, world.now)]))
    assert [report.role for report in world.one(worker, Inspected).reports] == ["node", "driver"]


def test_nobody_is_told_who_is_gone() -> None:
    world = World()
    first, second = world.lease(1).worker, world.lease(2).worker
    world.say(first, ASKED)
    world.end(first)
    world.take(second, InspectClient)
    world.wait(3)
    assert not world.take(first, Inspected)
