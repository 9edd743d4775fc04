"""What an owner remembers of its tasks: each attempt from its submission to its end, and why it failed."""

from __future__ import annotations

from rustyray.core.owner.telling import events
from rustyray.core.past import REMEMBERED
from rustyray.core.telling import Teller
from rustyray.model.events import Event, Query
from rustyray.model.ids import task_of
from rustyray.model.messages import ActorState
from rustyray.model.plans import RetryPolicy
from tests.unit.core_owner.owner import ME, NODE, WORKERS, Owner, plan


def told(owner: Owner, *kinds: str, about: str = "", limit: int = 10_000, age: float = float("inf")) -> list[Event]:
    return events(owner.core, Teller("driver", ME, NODE, Query(limit, kinds, about, age), owner.now))


def story(owner: Owner, *kinds: str, **more: str) -> list[str]:
    return [event.what for event in told(owner, *kinds, **more)]  # type: ignore[arg-type]


def test_a_task_from_its_submission_to_its_end() -> None:
    owner = Owner()
    task = owner.submit(plan())
    assert story(owner, "task") == ["submitted"]
    owner.now += 1
    owner.grant()
    assert story(owner, "task") == ["submitted", "pushed"]
    owner.now += 1
    owner.done(WORKERS[0], task)
    told_ = told(owner, "task")
    assert [(event.what, event.time) for event in told_] == [("submitted", 100), ("pushed", 101), ("finished", 102)]
    assert {(event.name, event.task, event.role) for event in told_} == {("f", task_of(task).hex(), "driver")}
    assert told_[-1].worker == WORKERS[0].hex()


def test_a_result_that_is_kept_for_its_lineage_is_told_the_same() -> None:
    owner = Owner()
    task = owner.submit(plan(returns=2))
    owner.now += 1
    owner.grant()
    owner.done(WORKERS[0], task, value=[b"a", b"b"])
    assert story(owner, "task") == ["submitted", "pushed", "finished"]


def test_each_attempt_and_why_it_failed() -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=1, retry=RetryPolicy(on_error=True, initial=1.0)))
    owner.grant()
    owner.now += 1
    owner.fail(WORKERS[0], task)
    owner.wait(3)
    if owner.asked():
        owner.grant(WORKERS[1])
    worker = next(lease.worker for lease in owner.core.sched.leases.values() if lease.inflight)
    owner.now += 1
    owner.fail(worker, task)
    found = told(owner, "task")
    assert [event.what for event in found] == [
        "submitted",
        "pushed",
        "attempt failed",
        "retry",
        "pushed",
        "failed",
    ]
    assert [event.attempt for event in found] == [0, 0, 0, 1, 1, 1]
    assert found[2].cause == found[-1].cause == "boom"


def test_a_cancelled_task_and_a_lost_worker() -> None:
    owner = Owner()
    kept, cancelled = owner.submit(plan(max_retries=0)), owner.submit(plan())
    owner.core.cancels.cancel(cancelled, False, False, owner.now)
    owner.settle()
    owner.grant()
    owner.die(WORKERS[0])
    assert "cancelled" in story(owner, "task", about=task_of(cancelled).hex())
    assert story(owner, "task", about=task_of(kept).hex()) == ["submitted", "pushed", "failed"]
    assert [event.cause for event in told(owner, "worker")] == ["it was killed by signal 9 (SIGKILL)"]


def test_an_actors_life_as_its_caller_sees_it() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1)
    owner.alive(actor)
    owner.actor_is(actor, ActorState.RESTARTING)
    owner.alive(actor, WORKERS[1], 1)
    owner.actor_is(actor, ActorState.DEAD, 1, reason="enough")
    assert story(owner, "actor") == ["alive", "restarting", "alive", "died"]
    assert told(owner, "actor")[-1].cause == "enough"


def test_only_what_was_asked_for() -> None:
    owner = Owner()
    first = owner.submit(plan())
    owner.now += 10
    second = owner.submit(plan())
    assert [event.task for event in told(owner, "task", age=5)] == [task_of(second).hex()]
    assert [event.task for event in told(owner, "task", about=task_of(first).hex())] == [task_of(first).hex()]
    assert [event.task for event in told(owner, "task", limit=1)] == [task_of(second).hex()]
    assert told(owner, "node") == [] == told(owner, limit=0)


def test_memory_is_bounded() -> None:
    owner = Owner()
    owner.checks = False
    fast = plan()
    owner.submit(fast)
    owner.grant()
    for _ in range(REMEMBERED):
        task = owner.core.submit(fast, b"x" * 100, None, None, None, b"", owner.now)
        owner.flush()
        owner.done(WORKERS[0], *(owner.pushed(WORKERS[0]) or [task + b"\0\0\0\0"]))
    assert len(owner.core.history.ended) <= REMEMBERED
    assert len(owner.core.history.pushed) <= REMEMBERED
