"""The node's orderly end."""

from __future__ import annotations

from rustyray.core.node import NodeLimits
from rustyray.model.messages import Shutdown, ShutdownDone, StopWorker
from tests.unit.core_node.world import DRIVER, STRANGER, World


def test_workers_are_told_and_when_all_have_ended_the_node_reports_and_ends() -> None:
    world = World(cpus=2)
    workers = [world.lease(number).worker for number in (1, 2)]
    world.say(DRIVER, Shutdown(5.0))
    assert all(world.take(worker, StopWorker) for worker in workers)
    assert not world.ended
    world.wait(0.05)
    for worker in workers:
        assert not world.stopped
        world.end(worker)
    done = world.one(DRIVER, ShutdownDone)
    assert done.lines == ["2 worker processes ended in 50.0 ms"]
    assert done.forced == []
    assert world.stopped
    assert world.core.next_deadline() is None


def test_a_worker_that_does_not_listen_gets_term_soon_and_kill_after_the_grace() -> None:
    world = World(limits=NodeLimits(term=0.1))
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(2.0))
    world.wait(0.1)
    assert world.ended == [(worker, False)]
    world.wait(1.8)
    assert world.ended == [(worker, False)]
    world.wait(0.2)
    assert world.ended == [(worker, False), (worker, True)]
    world.end(worker)
    (forced,) = world.one(DRIVER, ShutdownDone).forced
    assert worker.hex() in forced
    assert "pid 1" in forced


def test_without_grace_all_are_killed_at_once() -> None:
    world = World()
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(0.0))
    assert world.ended == [(worker, True)]
    world.end(worker)
    assert world.stopped


def test_a_worker_that_is_just_starting_is_ended_at_once() -> None:
    world = World(prestart=1)
    world.say(DRIVER, Shutdown(5.0))
    assert world.ended == [(world.forked[0], True)]
    world.end(world.forked[0])
    assert world.one(DRIVER, ShutdownDone).forced == []


def test_with_no_workers_it_is_done_at_once() -> None:
    world = World()
    world.say(DRIVER, Shutdown(5.0))
    world.one(DRIVER, ShutdownDone)
    assert world.stopped


def test_a_second_call_may_shorten_the_grace() -> None:
    world = World()
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(60.0))
    world.say(DRIVER, Shutdown(0.0))
    assert world.ended == [(worker, True)]
    world.end(worker)
    world.one(DRIVER, ShutdownDone)


def test_a_shorter_grace_counts_from_the_second_call() -> None:
    world = World()
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(60.0))
    world.wait(1.0)
    world.say(DRIVER, Shutdown(2.0))
    world.wait(1.9)
    assert (worker, True) not in world.ended
    world.wait(0.2)
    assert world.ended[-1] == (worker, True)


def test_what_is_left_in_the_store_is_reported() -> None:
    world = World()
    world.put(1, 1)
    world.say(DRIVER, Shutdown(1.0))
    assert world.one(DRIVER, ShutdownDone).lines[1] == "1 objects (4096 bytes) were still in the store"


def test_only_a_driver_may_shut_the_node_down() -> None:
    world = World()
    world.say(STRANGER, Shutdown(0.0))
    assert not world.stopped


def test_a_driver_that_dies_meanwhile_hurries_it() -> None:
    world = World()
    worker = world.lease().worker
    world.say(DRIVER, Shutdown(60.0))
    world.lose(DRIVER)
    assert world.ended == [(worker, True)]
    assert world.stopped
