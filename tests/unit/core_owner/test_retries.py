"""Attempts: what is tried again, how often, when; poison among innocents; lineage."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rustyray.model import ids
from rustyray.model.messages import (
    Done,
    KilledForMemory,
    LeaseElsewhere,
    NodeDied,
    PushTasks,
    Results,
    ReturnLease,
    StoreFree,
)
from rustyray.model.plans import RetryPolicy
from rustyray.model.values import Fault, FaultKind, Packed, Stored
from tests.unit.core_owner.owner import BOOM, NODE, OTHER_NODE, WORKERS, Owner, plan, ref_to

A, B, C = WORKERS[:3]


def attempts(owner: Owner, worker: bytes) -> list[int]:
    return [task.attempt for message in owner.take(worker, PushTasks) for task in message.tasks]


def test_a_task_whose_worker_died_is_tried_again_until_its_retries_are_used_up() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=2))
    for attempt, worker in enumerate((A, B, C)):
        owner.grant(worker)
        assert attempts(owner, worker) == [attempt]
        owner.die(worker)
    assert owner.fault(result) is FaultKind.WORKER_CRASHED
    assert "SIGKILL" in str(owner.value(result))


def test_who_was_killed_for_others_to_have_memory_is_tried_again_later_and_it_does_not_count() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=1))
    for attempt, worker in enumerate((A, B)):
        owner.grant(worker)
        (task,) = [task for message in owner.take(worker, PushTasks) for task in message.tasks]
        assert (task.attempt, task.max_attempts) == (attempt, attempt + 2)
        owner.say(NODE, KilledForMemory(worker, "it used 5 GB", False))
        owner.die(worker)
        owner.wait(0.2 * 2**attempt)
        assert not owner.asked(), "others are to be done before"
        owner.wait(0.4 * 2**attempt)
    owner.grant(C)
    owner.die(C)
    owner.grant(WORKERS[3])
    owner.die(WORKERS[3])
    assert owner.fault(result) is FaultKind.WORKER_CRASHED, "now one that counts is used up"


def test_an_attempt_that_may_have_stored_its_result_and_died_leaves_nothing() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.die(A)
    owner.grant(B)
    owner.done(B, result)
    owner.flush()
    (freed,) = owner.take(NODE, StoreFree)
    assert (freed.objects, freed.anywhere, freed.attempts) == ([result], True, [1])


def test_who_was_killed_for_its_own_memory_uses_up_its_attempts() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=1))
    for worker in (A, B):
        owner.grant(worker)
        owner.say(NODE, KilledForMemory(worker, "it used 5 GB", True))
        owner.die(worker)
        owner.wait(2.0)
    assert owner.fault(result) is FaultKind.OUT_OF_MEMORY
    assert "it used 5 GB" in str(owner.value(result))


def test_what_must_not_be_tried_again_fails_with_the_numbers() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=0))
    owner.grant(A)
    owner.say(NODE, KilledForMemory(A, "it used 5 GB", False))
    owner.die(A)
    assert owner.fault(result) is FaultKind.OUT_OF_MEMORY


def test_without_end_means_without_end() -> None:
    owner = Owner()
    owner.submit(plan(max_retries=-1))
    for number in range(1, 20):
        worker = ids.worker_id(NODE, number)
        owner.grant(worker)
        owner.die(worker)
    assert owner.asked()


def test_an_exception_of_the_application_is_not_retried_unless_asked() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.fail(A, result)
    assert owner.value(result) == BOOM


def test_retry_exceptions_tries_again_with_growing_back_off() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=2, retry=RetryPolicy(True, initial=1.0, factor=2.0)))
    owner.grant(A)
    for attempt, delay in enumerate((1.0, 2.0)):
        assert attempts(owner, A) == [attempt]
        owner.fail(A, result)
        owner.wait(delay / 2 - 0.01)
        if not owner.core.sched.leases:
            assert not attempts(owner, A)
        owner.wait(delay / 2 + 0.02)
        if not owner.core.sched.leases:
            owner.grant(A)
    owner.fail(A, result)
    assert owner.value(result) == BOOM


@pytest.mark.parametrize("verdict", [True, False])
def test_a_predicate_decides_outside_the_core(verdict: bool) -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=1, retry=RetryPolicy(lambda error: verdict)))
    owner.grant(A)
    attempts(owner, A)
    owner.fail(A, result)
    (question,) = owner.questions
    assert (question.task, question.failed) == (ids.task_of(result), BOOM)
    owner.core.judged(question.task, verdict, owner.now)
    owner.settle()
    assert attempts(owner, A) == ([1] if verdict else [])
    assert owner.value(result) == (None if verdict else BOOM)


def test_a_question_that_is_answered_after_a_cancellation_changes_nothing() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=1, retry=RetryPolicy(lambda error: True)))
    owner.grant(A)
    owner.fail(A, result)
    owner.core.cancels.cancel(result, False, False, owner.now)
    owner.core.judged(ids.task_of(result), True, owner.now)
    owner.settle()
    assert owner.fault(result) is FaultKind.TASK_CANCELLED


def test_poison_among_innocents_blames_only_the_poison() -> None:
    """The first in flight was running and used up an attempt; those behind it go again, each alone, for nothing."""
    owner = Owner()
    function = plan(max_retries=1)
    first = owner.submit(function)
    owner.grant(A)
    owner.done(A, first)
    objects = [owner.submit(function) for _ in range(4)]
    owner.flush()
    assert owner.pushed(A)[-4:] == objects
    owner.die(A)
    owner.grant(B)
    assert owner.pushed(B) == objects[:1]
    owner.die(B)
    assert owner.fault(objects[0]) is FaultKind.WORKER_CRASHED
    owner.grant(C)
    for innocent in objects[1:]:
        assert owner.pushed(C) == [innocent]
        owner.done(C, innocent)
    assert [owner.value(object_) for object_ in objects[1:]] == [b"v"] * 3


def test_a_result_of_an_attempt_that_was_given_up_is_ignored_and_freed() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.die(A)
    owner.grant(B)
    owner.say(A, Results([Done(ids.task_of(result), [Stored(NODE, 5000)])], 0.0))
    assert owner.value(result) is None
    owner.flush()
    assert owner.one(NODE, StoreFree).objects == [result]
    owner.done(B, result)
    assert owner.value(result) == b"v"


def test_a_connection_that_broke_is_given_up_when_the_node_says_nothing() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.lose(A)
    assert not owner.take(NODE, ReturnLease)
    owner.wait(1.5)
    assert not owner.one(NODE, ReturnLease).reusable
    owner.grant(B)
    owner.done(B, result)
    assert owner.value(result) == b"v"


# --- lineage ----------------------------------------------------------------------------------------------------------


def stored(owner: Owner, result: bytes, worker: bytes, node: bytes = OTHER_NODE) -> None:
    owner.done(worker, result, value=[Stored(node, 5000)])


def test_a_stored_result_whose_node_died_is_made_again_with_its_arguments() -> None:
    owner = Owner()
    argument = owner.core.put(Packed(b"", None, [ref_to(owner.core.put(b"inner"))]))
    result = owner.submit(plan(max_retries=1), [argument])
    owner.drop(argument)
    owner.grant(A)
    stored(owner, result, A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert owner.value(result) is None
    assert owner.pushed(A)[-1] == result
    stored(owner, result, A, NODE)
    owner.drop(result)
    assert argument not in owner.core.objects


@pytest.mark.parametrize("retries", [0, 1])
def test_what_a_lost_value_contained_is_let_go(retries: int) -> None:
    owner = Owner()
    inner = owner.core.put(b"inner")
    result = owner.submit(plan(max_retries=retries))
    owner.grant(A)
    owner.done(A, result, value=[Stored(OTHER_NODE, 5000, [ref_to(inner)])])
    owner.drop(inner)
    assert inner in owner.core.objects
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert inner not in owner.core.objects


def test_what_lies_on_other_nodes_is_freed_there() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    stored(owner, result, A)
    owner.drop(result)
    owner.flush()
    assert owner.one(NODE, StoreFree) == StoreFree([result], OTHER_NODE, attempts=[0])


def test_what_depends_on_a_lost_result_is_made_after_it() -> None:
    owner = Owner()
    first = owner.submit(plan("one"))
    second = owner.submit(plan("two"), [first])
    owner.drop(first)
    owner.grant(A)
    stored(owner, first, A)
    stored(owner, second, A)
    owner.pushed(A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert owner.pushed(A) == [first]
    owner.done(A, first)
    assert owner.pushed(A) == [second]
    owner.done(A, second)
    assert owner.value(second) == b"v"


def test_what_waits_for_another_argument_waits_for_the_lost_one_too() -> None:
    owner = Owner()
    first, late = owner.submit(plan("one")), owner.submit(plan("late"))
    owner.grant(A)
    owner.grant(B)
    by_task = {object_: worker for worker in (A, B) for object_ in owner.pushed(worker)}
    both = owner.submit(plan("both"), [first, late])
    stored(owner, first, by_task[first])
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    again = next(worker for worker in (A, B) if first in owner.pushed(worker))
    owner.done(by_task[late], late)
    assert owner.pushed(A) == owner.pushed(B) == []
    owner.done(again, first)
    owner.flush()
    assert [*owner.pushed(A), *owner.pushed(B)] == [both]


@pytest.mark.parametrize("order", ["failure first", "news first"])
def test_a_task_whose_argument_was_lost_with_a_node_is_tried_again_with_one_that_was_made_anew(order: str) -> None:
    owner = Owner()
    argument = owner.submit(plan("one"))
    owner.grant(A)
    stored(owner, argument, A)
    task = owner.submit(plan("two"), [argument])
    owner.flush()
    owner.pushed(A)
    lost = Fault(FaultKind.OBJECT_LOST, "it is not in the store")
    steps: list[Callable[[], None]] = [
        lambda: owner.fail(A, task, lost),
        lambda: owner.say(NODE, NodeDied(OTHER_NODE, "power")),
    ]
    for step in steps if order == "failure first" else reversed(steps):
        step()
    owner.flush()
    owner.done(A, argument, value=b"anew")
    owner.wait(1.1)
    owner.grant(B)
    (pushed,) = owner.one(B, PushTasks).tasks
    assert [arg.value for arg in pushed.deps or ()] == [b"anew"]
    owner.done(B, task)
    assert owner.value(task) == b"v"


def test_what_cannot_be_had_at_all_fails_in_the_end() -> None:
    owner = Owner()
    argument = owner.submit(plan("one"))
    owner.grant(A)
    stored(owner, argument, A)
    task = owner.submit(plan("two", max_retries=2), [argument])
    for _ in range(3):
        assert owner.value(task) is None
        owner.fail(A, task, Fault(FaultKind.OBJECT_LOST, "it is not in the store"))
        owner.wait(5)
        if owner.asked():
            owner.grant(A)
    assert owner.fault(task) is FaultKind.OBJECT_LOST


def test_all_workers_of_a_node_that_died_are_lost_together() -> None:
    """What one had does not go to another, and one that is idle may be given up on the way."""
    owner = Owner()
    workers = [ids.worker_id(OTHER_NODE, number) for number in (1, 2, 3)]
    tasks = [owner.submit(plan(name, max_retries=1)) for name in ("one", "two")]
    other = owner.submit(plan("idle", cpus=2))
    for worker in workers:
        owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:two"))
        owner.grant(worker, OTHER_NODE)
    by_task = {object_: worker for worker in workers for object_ in owner.pushed(worker)}
    owner.done(by_task[other], other)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert [owner.value(object_) for object_ in tasks] == [None, None]
    assert not owner.core.sched.leases
    assert not any(owner.pushed(worker) for worker in workers)


def test_a_put_object_whose_node_died_is_lost() -> None:
    owner = Owner()
    object_ = owner.core.put(Stored(OTHER_NODE, 5000))
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert owner.fault(object_) is FaultKind.OBJECT_LOST
    assert "it was put" in str(owner.value(object_))


def test_a_result_without_retries_left_cannot_be_made_again() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=1))
    owner.grant(A)
    stored(owner, result, A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    stored(owner, result, A, ids.node_of(WORKERS[0]))
    owner.drop(result)
    assert not owner.core.objects


def test_lineage_goes_with_a_result_that_is_freed_while_it_is_settled() -> None:
    """Its only holder is a task that has an error for another argument, and so lets go of it at once."""
    owner = Owner()
    argument = owner.core.put(b"v")
    big = owner.submit(plan("big"), [argument])
    bad = owner.submit(plan("bad"))
    last = owner.submit(plan("last"), [bad, big])
    owner.drop(argument, big, bad)
    owner.grant(A)
    owner.grant(B)
    owner.fail(B, bad)
    stored(owner, big, A, NODE)
    assert owner.fault_or_error(last) == "boom"
    owner.drop(last)
    assert not owner.core.objects
