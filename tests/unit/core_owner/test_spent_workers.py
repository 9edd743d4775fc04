"""Workers that run a function only so often: what the executor, the owner and the node make of the last time."""

from __future__ import annotations

from rustyray.core.jobs import Stop
from rustyray.model import ids
from rustyray.model.messages import (
    CancelTask,
    Done,
    LeaseOver,
    PushTasks,
    Results,
    ReturnLease,
    WorkerDied,
    WorkerSpent,
    WorkerStays,
)
from rustyray.model.plans import TaskPlan
from rustyray.model.values import FaultKind
from tests.unit.core_node.world import DRIVER, World
from tests.unit.core_owner.owner import NODE, WORKERS, Owner
from tests.unit.core_owner.test_executor import LEASE, OWNER, Hands, task
from tests.unit.core_owner.test_executor import NODE as MY_NODE

A, B = WORKERS[:2]


def limited(name: str = "f", max_calls: int = 3) -> TaskPlan:
    return TaskPlan(name.encode(), b"code", name, {"CPU": 10_000}, max_calls=max_calls)


# --- the executor -----------------------------------------------------------------------------------------------------


def pushed(hands: Hands, *numbers: int, lease: int = LEASE, max_calls: int = 2) -> None:
    tasks = [task(number) for number in numbers]
    hands.core.on_message(OWNER, PushTasks(lease, tasks, {"CPU": 10_000}, None, max_calls))
    hands.core.check()


def test_after_the_last_run_it_says_so_and_ends() -> None:
    hands = Hands()
    pushed(hands, 1, 2, 3)
    hands.number()
    hands.number()
    assert not hands.core.queue
    assert [effect for effect in hands.out if isinstance(effect, Stop)] == [hands.out[-1]]
    assert hands.out[-1].graceful  # type: ignore[attr-defined]
    assert hands.out[-1].may_stay  # type: ignore[attr-defined]
    (spent,) = [effect.message for effect in hands.out if getattr(effect, "to", b"") == MY_NODE]  # type: ignore[attr-defined]
    assert isinstance(spent, WorkerSpent)
    (results,) = hands.sent(OWNER)
    assert isinstance(results, Results)
    assert results.spent
    assert len(results.done) == 2


def test_runs_count_across_leases_and_failed_ones_too() -> None:
    hands = Hands()
    pushed(hands, 1)
    hands.core.finished(hands.next(), b"v", True, None, 0.0)
    hands.core.flush()
    pushed(hands, 2, lease=LEASE + 1)
    hands.number()
    assert hands.core.spent


def test_what_is_pushed_to_it_afterwards_does_not_run() -> None:
    hands = Hands()
    pushed(hands, 1, max_calls=1)
    hands.number()
    hands.out.clear()
    pushed(hands, 2, max_calls=1)
    assert not hands.core.queue
    assert not hands.out


def test_other_functions_do_not_count() -> None:
    hands = Hands()
    hands.push(1, 2, 3)
    assert hands.rest() == [1, 2, 3]
    assert not hands.core.spent


def test_one_that_is_spent_never_says_that_it_stays() -> None:
    """Its node would give it to somebody else."""
    hands = Hands()
    pushed(hands, 1, max_calls=1)
    job = hands.next()
    hands.core.on_message(MY_NODE, LeaseOver(LEASE, False))
    hands.core.finished(job, b"v", False, None, 0.0)
    hands.core.on_message(MY_NODE, LeaseOver(LEASE, False))
    assert [type(message) for message in hands.sent(MY_NODE)] == [WorkerSpent]


# --- the owner --------------------------------------------------------------------------------------------------------


def learned(owner: Owner, plan: TaskPlan) -> None:
    """The function has run once and took no time: it is pushed ahead from now on."""
    first = owner.submit(plan)
    owner.grant(A)
    owner.done(A, first, seconds=0.0001)
    owner.sent.clear()


def test_it_is_pushed_no_more_than_one_process_may_run() -> None:
    owner = Owner()
    plan = limited()
    learned(owner, plan)
    refs = [owner.submit(plan) for _ in range(9)]
    owner.flush()
    owner.done(A, refs[0], seconds=0.0001)
    assert len(owner.pushed(A)) <= 1 + 3


def test_what_a_spent_worker_has_not_begun_goes_elsewhere_and_no_attempt_is_charged() -> None:
    owner = Owner()
    plan = limited()
    learned(owner, plan)
    refs = [owner.submit(plan) for _ in range(4)]
    owner.flush()
    owner.done(A, refs[0], seconds=0.0001)
    assert refs[1] in owner.pushed(A)
    owner.say(A, Results([Done(ids.task_of(refs[1]), b"v")], 0.0001, True))
    assert not owner.take(NODE, ReturnLease), "its worker tells the node itself"
    owner.die(A, "it has run f as often as it may")
    owner.grant(B)
    assert owner.pushed(B) == [refs[2], refs[3]]
    owner.done(B, refs[2], refs[3], seconds=0.0001)
    assert owner.value(refs[2]) == owner.value(refs[3]) == b"v"


def test_one_of_them_that_was_cancelled_does_not_run_again() -> None:
    owner = Owner()
    plan = limited()
    learned(owner, plan)
    refs = [owner.submit(plan) for _ in range(4)]
    owner.flush()
    owner.done(A, refs[0], seconds=0.0001)
    owner.core.cancels.cancel(refs[2], False, True, owner.now)
    owner.settle()
    assert owner.one(A, CancelTask).task == ids.task_of(refs[2])
    owner.say(A, Results([Done(ids.task_of(refs[1]), b"v")], 0.0001, True))
    assert owner.fault(refs[2]) is FaultKind.TASK_CANCELLED
    owner.grant(B)
    assert owner.pushed(B) == [refs[3]]


# --- the node ---------------------------------------------------------------------------------------------------------


def test_the_nodes_worker_keeps_what_it_holds_until_it_has_ended() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.say(lease.worker, WorkerSpent("it has run f twice"))
    assert world.free() == 0
    assert not world.ended
    world.end(lease.worker, "it exited with code 0")
    assert world.free() == 1
    assert world.one(DRIVER, WorkerDied).intended


def test_one_that_stays_for_what_it_owns_holds_nothing_and_is_given_nothing() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.say(lease.worker, WorkerSpent("it has run f twice"))
    world.say(lease.worker, WorkerStays())
    assert world.free() == 1
    assert world.lease(2).worker != lease.worker


def test_one_that_does_not_end_is_killed() -> None:
    world = World(cpus=1)
    lease = world.lease(1)
    world.say(lease.worker, WorkerSpent("it has run f twice"))
    world.wait(10.0)
    assert (lease.worker, True) in world.ended
