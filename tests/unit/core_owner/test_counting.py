"""What an owner counts adds up at any time, and costs nothing for each task."""

from __future__ import annotations

from rustyray.core.owner.counting import stats
from rustyray.core.owner.history import Latency
from rustyray.model.messages import ActorState
from rustyray.model.plans import RetryPolicy
from rustyray.model.stats import LatencyStats, TaskStats
from rustyray.model.values import Stored
from tests.unit.core_owner.owner import NODE, WORKERS, Owner, plan


def test_tasks_are_in_one_place_at_a_time() -> None:
    owner = Owner()
    first, second = owner.submit(plan()), owner.submit(plan())
    owner.submit(plan(), deps=[first])
    assert stats(owner.core).tasks == TaskStats(submitted=3, queued=2, waiting=1)
    owner.grant()
    assert stats(owner.core).tasks == TaskStats(submitted=3, queued=1, waiting=1, pushed=1)
    owner.done(WORKERS[0], first)
    told = stats(owner.core)
    assert told.tasks == TaskStats(submitted=3, queued=1, waiting=0, pushed=1, finished=1)
    assert told.leases == 1
    owner.core.cancels.cancel(second, False, False, owner.now)
    owner.settle()
    assert told.latency.count == 1


def test_retries_failures_and_cancellations() -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=1, retry=RetryPolicy(on_error=True, initial=0.0)))
    owner.grant()
    owner.fail(WORKERS[0], task)
    assert stats(owner.core).tasks == TaskStats(submitted=1, pushed=1, retried=1)
    owner.fail(WORKERS[0], task)
    assert stats(owner.core).tasks == TaskStats(submitted=1, failed=1, retried=1)
    other = owner.submit(plan(cpus=2))
    owner.core.cancels.cancel(other, False, False, owner.now)
    owner.settle()
    assert stats(owner.core).tasks == TaskStats(submitted=2, failed=1, cancelled=1, retried=1)


def test_a_result_that_is_made_again_was_submitted_once() -> None:
    owner = Owner()
    task = owner.submit(plan())
    owner.grant()
    owner.done(WORKERS[0], task, value=[Stored(NODE, 1000)])
    assert stats(owner.core).objects.stored_bytes == 1000
    owner.core.tasks.lineage.lost(task, owner.core.objects[task], "its node died", owner.now)
    owner.settle()
    told = stats(owner.core).tasks
    assert (told.submitted, told.finished, told.rebuilt) == (1, 1, 1)
    owner.done(WORKERS[0], task)
    told = stats(owner.core).tasks
    assert (told.submitted, told.finished, told.rebuilt) == (1, 2, 1)


def test_calls_are_counted_apart_and_constructors_not_at_all() -> None:
    owner = Owner()
    actor = owner.create()
    call = owner.call(actor)
    assert stats(owner.core).calls == TaskStats(submitted=1, queued=1)
    owner.alive(actor)
    assert stats(owner.core).calls == TaskStats(submitted=1, pushed=1)
    owner.done(WORKERS[0], call)
    owner.actor_is(actor, ActorState.DEAD)
    told = stats(owner.core)
    assert (told.calls, told.tasks) == (TaskStats(submitted=1, finished=1), TaskStats())


def test_late_results_count_for_nothing() -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=0))
    owner.grant()
    owner.done(WORKERS[0], task, task)
    assert stats(owner.core).tasks == TaskStats(submitted=1, finished=1)


def test_quantiles_of_latencies() -> None:
    latency = Latency()
    for _ in range(99):
        latency.add(3e-6)
    latency.add(1.0)
    told = latency.stats()
    assert told.count == 100
    assert told.quantile(0.5) == told.quantile(0.99) == 4e-6
    assert told.quantile(1.0) == 2**20 / 1e6
    assert LatencyStats().quantile(0.5) == 0
    latency.add(1e30)
