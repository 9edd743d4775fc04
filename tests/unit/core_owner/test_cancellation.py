"""Cancelling races with everything; whichever comes first decides, once."""

from __future__ import annotations

import pytest

from rustyray.core.owner.cancelling import FORCE_PATIENCE
from rustyray.core.owner.scheduling import STALL
from rustyray.model import ids
from rustyray.model.messages import HEAD, ActorState, CancelTask, GiveBack, KillActor, KillWorker, TakeBack
from rustyray.model.plans import RetryPolicy
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_owner.owner import BOOM, NODE, WORKERS, Owner, plan

A, B = WORKERS[:2]
CANCELLED = Fault(FaultKind.TASK_CANCELLED, "while it ran")


def cancel(owner: Owner, object_: bytes, *, force: bool = False, recursive: bool = True) -> None:
    owner.core.cancels.cancel(object_, force, recursive, owner.now)
    owner.settle()


def running(owner: Owner, max_retries: int = 3, retry: RetryPolicy | None = None) -> bytes:
    object_ = owner.submit(plan(max_retries=max_retries, retry=retry))
    owner.grant(A)
    owner.pushed(A)
    return object_


def test_a_queued_task_never_runs() -> None:
    owner = Owner()
    object_ = owner.submit(plan())
    cancel(owner, object_)
    assert owner.fault(object_) is FaultKind.TASK_CANCELLED
    assert owner.core.sched.classes
    assert not any(target.queue for target in owner.core.sched.classes.values())


def test_a_task_that_waits_for_its_arguments_never_runs() -> None:
    owner = Owner()
    first = owner.submit(plan())
    second = owner.submit(plan(), [first])
    cancel(owner, second)
    owner.grant(A)
    owner.done(A, first)
    assert owner.pushed(A) == [first]
    assert owner.fault(second) is FaultKind.TASK_CANCELLED


def test_a_running_task_is_interrupted_and_not_tried_again() -> None:
    owner = Owner()
    object_ = running(owner, retry=RetryPolicy(True))
    cancel(owner, object_)
    assert owner.one(A, CancelTask) == CancelTask(ids.task_of(object_), False, True)
    owner.fail(A, object_, BOOM)
    assert owner.fault(object_) is FaultKind.TASK_CANCELLED


def test_a_result_that_was_under_way_wins() -> None:
    owner = Owner()
    object_ = running(owner)
    cancel(owner, object_)
    owner.done(A, object_)
    assert owner.value(object_) == b"v"


def test_a_finished_task_is_not_cancelled() -> None:
    owner = Owner()
    object_ = running(owner)
    owner.done(A, object_)
    cancel(owner, object_)
    assert owner.value(object_) == b"v"
    assert not owner.take(A, CancelTask)


@pytest.mark.parametrize(
    ("force", "kind"), [(False, FaultKind.TASK_CANCELLED), (True, FaultKind.WORKER_CRASHED)], ids=["polite", "force"]
)
def test_the_death_of_the_worker_ends_a_cancelled_task(force: bool, kind: FaultKind) -> None:
    owner = Owner()
    object_ = running(owner)
    cancel(owner, object_, force=force)
    owner.die(A)
    assert owner.fault(object_) is kind
    assert not owner.asked()


def test_force_may_follow_a_polite_request() -> None:
    owner = Owner()
    object_ = running(owner)
    cancel(owner, object_)
    cancel(owner, object_, force=True)
    assert [message.force for message in owner.take(A, CancelTask)] == [False, True]


def test_where_the_worker_does_not_end_itself_its_node_does() -> None:
    """It may be in code that holds the interpreter's lock, or stand still."""
    owner = Owner()
    object_ = running(owner)
    cancel(owner, object_, force=True)
    owner.wait(FORCE_PATIENCE / 2)
    assert not owner.take(NODE, KillWorker)
    owner.wait(FORCE_PATIENCE)
    assert owner.one(NODE, KillWorker).worker == A
    owner.die(A)
    owner.wait(3 * FORCE_PATIENCE)
    assert not owner.take(NODE, KillWorker)


def test_a_task_that_comes_back_cancelled_is_not_run_elsewhere() -> None:
    owner = Owner()
    function = plan()
    first = owner.submit(function)
    owner.grant(A)
    owner.done(A, first, seconds=0.0001)
    objects = [owner.submit(function) for _ in range(3)]
    owner.flush()
    owner.pushed(A)
    owner.wait(2 * STALL)
    cancel(owner, objects[2])
    owner.grant(B)
    taken = owner.one(A, TakeBack)
    owner.say(A, GiveBack(taken.lease, [ids.task_of(objects[2])], False))
    assert owner.fault(objects[2]) is FaultKind.TASK_CANCELLED
    assert objects[2] not in owner.pushed(B)


def test_a_task_that_waits_to_be_tried_again_is_cancelled_at_once() -> None:
    owner = Owner()
    object_ = running(owner, retry=RetryPolicy(True, initial=5.0))
    owner.fail(A, object_)
    cancel(owner, object_)
    assert owner.fault(object_) is FaultKind.TASK_CANCELLED
    owner.wait(20.0)
    assert owner.pushed(A) == []


def test_children_are_cancelled_with_their_parent() -> None:
    owner = Owner()
    parent = ids.task_id(WORKERS[5], 1)
    child = owner.core.submit(plan(), b"", None, None, None, parent, owner.now) + ids.FIRST_RETURN
    other = owner.submit(plan())
    owner.settle()
    owner.core.cancels.children(parent, False, owner.now)
    owner.settle()
    assert owner.fault(child) is FaultKind.TASK_CANCELLED
    assert owner.value(other) is None


def test_a_cancelled_call_that_was_not_sent_never_runs() -> None:
    owner = Owner()
    actor = owner.create()
    first, second = owner.call(actor), owner.call(actor)
    cancel(owner, first)
    owner.alive(actor)
    assert owner.pushed(A) == [second]
    assert owner.fault(first) is FaultKind.TASK_CANCELLED


def test_a_call_that_was_sent_is_for_its_actor_to_cancel() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1, max_task_retries=3)
    owner.alive(actor)
    call = owner.call(actor, max_task_retries=3)
    cancel(owner, call)
    assert owner.one(A, CancelTask).task == ids.task_of(call)
    owner.lose(A)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    assert owner.value(call) is not None  # and not tried again


def test_an_actor_all_of_whose_calls_are_cancelled_may_end() -> None:
    owner = Owner()
    actor = owner.create()
    call = owner.call(actor)
    owner.drop(ids.handle_id(actor))
    cancel(owner, call)
    owner.alive(actor)
    assert owner.one(HEAD, KillActor).graceful
