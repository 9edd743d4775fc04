"""Whose work is ended when memory runs low."""

from __future__ import annotations

import pytest

from rustyray.core.effects import Effect, MeasureMemory
from rustyray.core.node import NodeLimits
from rustyray.core.node.memory import Memory
from rustyray.model.messages import HEAD, ActorStarted, KilledForMemory, LeaseOver, RequestLease, WorkerDied
from rustyray.model.resources import resource_set
from rustyray.model.values import FaultKind
from tests.unit.core_node.world import DRIVER, JOB, STRANGER, World

MB = 10**6
LIMITS = NodeLimits(memory_interval=0.25, memory_threshold=0.9)


class Measured(World):
    """Its host answers when `measure` says so."""

    def __init__(self, limits: NodeLimits = LIMITS) -> None:
        self.asked: list[float] = []
        super().__init__(cpus=4, limits=limits, memory=1000 * MB)

    def note(self, effect: Effect) -> None:
        if isinstance(effect, MeasureMemory):
            self.asked.append(self.now)
        super().note(effect)

    def measure(self, used: int, workers: dict[bytes, int]) -> None:
        amounts = {worker: size * MB for worker, size in workers.items()}
        self.core.measured(Memory(used * MB, 1000 * MB, amounts), self.now)
        self.settle()

    def work(self, number: int, retriable: bool = True, memory: int = 0) -> bytes:
        """A worker with a task, begun a second after the one before."""
        self.wait(1.0)
        demand = resource_set({"CPU": 1, "memory": memory * MB})
        self.say(DRIVER, RequestLease(number, JOB, demand, retriable=retriable))
        self.ready_all()
        return self.last()

    def last(self) -> bytes:
        return list(self.core._desk.leases.values())[-1].worker

    @property
    def killed(self) -> list[bytes]:
        return [worker for worker, force in self.ended if force]


@pytest.fixture
def world() -> Measured:
    return Measured()


def test_it_is_measured_seldom_while_there_is_much_and_often_when_there_is_little(world: Measured) -> None:
    world.wait(0.3)
    assert len(world.asked) == 1
    world.measure(100, {})
    world.wait(0.9)
    assert len(world.asked) == 1
    world.wait(0.2)
    assert len(world.asked) == 2
    world.measure(800, {})
    world.wait(0.3)
    assert len(world.asked) == 3


def test_or_never() -> None:
    world = Measured(NodeLimits())
    world.wait(10.0)
    assert not world.asked


def test_nobody_is_killed_below_the_threshold(world: Measured) -> None:
    first = world.work(1)
    world.measure(899, {first: 899})
    assert not world.killed


def test_the_newest_is_killed_and_its_owner_is_told_why(world: Measured) -> None:
    first, second = world.work(1), world.work(2)
    world.measure(950, {first: 500, second: 300})
    assert world.killed == [second]
    told = world.one(DRIVER, KilledForMemory)
    assert (told.worker, told.counts) == (second, False)
    for part in ("used 950 MB of 1e+03 MB", "threshold of 90%", "300 MB", "500 MB"):
        assert part in told.reason
    world.end(second, "it was killed by signal 9 (SIGKILL)")
    assert world.one(DRIVER, WorkerDied).kind == FaultKind.OUT_OF_MEMORY


def test_one_after_the_other(world: Measured) -> None:
    first, second = world.work(1), world.work(2)
    world.measure(950, {first: 500, second: 300})
    world.measure(950, {first: 500, second: 300})
    assert world.killed == [second]
    world.end(second)
    world.measure(950, {first: 500})
    assert world.killed == [second, first]


def test_what_may_be_retried_goes_before_what_may_not(world: Measured) -> None:
    first, second = world.work(1), world.work(2, retriable=False)
    world.measure(950, {first: 300, second: 300})
    assert world.killed == [first]


def test_and_work_that_nobody_waits_for_before_all(world: Measured) -> None:
    world.say(STRANGER, RequestLease(1, JOB, resource_set({"CPU": 1})))
    world.ready_all()
    orphan = world.last()
    world.work(2)
    world.lose(STRANGER)
    assert world.take(orphan, LeaseOver)
    world.measure(950, dict.fromkeys(world.core._pool.workers, 300))
    assert world.killed == [orphan]


def test_who_uses_little_is_spared(world: Measured) -> None:
    first, second = world.work(1), world.work(2)
    world.measure(950, {first: 500, second: 49})
    assert world.killed == [first]
    assert world.one(DRIVER, KilledForMemory).counts, "there was nobody whom it could have made room for"


def test_an_actor_dies_of_it_too(world: Measured) -> None:
    actor = world.start_actor(1)
    (worker,) = world.ready_all()
    world.say(worker, ActorStarted(actor, 0, worker, "unix:@w", 1))
    world.measure(950, {worker: 900})
    assert world.killed == [worker]
    world.end(worker)
    died = world.one(HEAD, WorkerDied)
    assert died.kind == FaultKind.OUT_OF_MEMORY
    assert "used 950 MB" in died.reason


def test_whoever_asked_for_less_than_it_uses_is_killed_when_that_is_enforced() -> None:
    world = Measured(NodeLimits(memory_interval=0.25, enforce_memory=True))
    first, second, third = world.work(1, memory=100), world.work(2, memory=300), world.work(3)
    world.measure(500, {first: 150, second: 150, third: 150})
    assert world.killed == [first]
    told = world.one(DRIVER, KilledForMemory)
    assert told.counts
    assert "used 150 MB" in told.reason
    assert "memory=100000000" in told.reason


def test_it_is_not_unless_that_is_asked_for(world: Measured) -> None:
    first = world.work(1, memory=100)
    world.measure(500, {first: 150})
    assert not world.killed
