"""Attempts: what is tried again, how often, when; poison among innocents."""

from __future__ import annotations

import pytest

from rustyray.model import ids
from rustyray.model.messages import (
    Arg,
    Done,
    GetObjects,
    Items,
    KilledForMemory,
    ObjectReady,
    PushTasks,
    Results,
    ReturnLease,
    StoreFree,
)
from rustyray.model.plans import RetryPolicy
from rustyray.model.streams import STREAMING
from rustyray.model.values import Fault, FaultKind, Stored, Value
from tests.unit.core_owner.owner import BOOM, NODE, OTHER_NODE, WORKERS, Owner, plan

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


def test_so_does_one_whose_result_nobody_wants_any_more() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.die(A)
    owner.drop(result)
    owner.grant(B)
    owner.done(B, result, value=[Stored(NODE, 4096, attempt=1)])
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


@pytest.mark.parametrize(("initial", "delay"), [(0.0, 0.0), (1.0, 7.0)])
def test_attempts_without_end_never_wait_longer_than_the_most(initial: float, delay: float) -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=-1, retry=RetryPolicy(True, initial=initial, factor=2.0, maximum=7.0)))
    record = owner.core.objects[result].record
    assert record is not None
    for _ in range(1100):
        if not owner.core.sched.leases:
            owner.grant(A)
        owner.fail(A, result)
        owner.wait(7.0)
    assert record.task.attempt == 1100
    assert record.plan.retry.delay(1100) == delay


def test_nor_does_one_whose_argument_is_lost_again_and_again() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=-1), [owner.core.put(b"argument")])
    record = owner.core.objects[result].record
    assert record is not None
    for _ in range(12):
        if not owner.core.sched.leases:
            owner.grant(A)
        owner.fail(A, result, Fault(FaultKind.OBJECT_LOST, "it is not in the store"))
        owner.wait(65.0)
    assert record.task.attempt == 12


def test_where_anothers_argument_was_not_found_its_owner_is_asked_before_the_next_attempt() -> None:
    """The owner may have had it made again, elsewhere."""
    owner = Owner()
    theirs = ids.task_id(B, 1) + ids.FIRST_RETURN
    owner.core.refs.adopt(theirs, "sim:b")
    object_ = owner.submit(plan(), [theirs])
    assert owner.one(B, GetObjects).objects == [theirs]
    owner.say(B, ObjectReady(theirs, Stored(NODE, 100)))
    owner.grant(A)
    owner.fail(A, object_, Fault(FaultKind.OBJECT_LOST, "not in the store", node=NODE))
    owner.wait(2.0)
    assert owner.one(B, GetObjects).objects == [theirs]
    owner.say(B, ObjectReady(theirs, Stored(OTHER_NODE, 100, attempt=1)))
    owner.grant(A, OTHER_NODE if owner.asked(OTHER_NODE) else NODE)
    [message] = owner.take(A, PushTasks)[-1:]
    assert message.tasks[0].deps == [Arg(theirs, Stored(OTHER_NODE, 100, attempt=1), "sim:b")]


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


def one_behind_the_other(owner: Owner) -> list[bytes]:
    """Two tasks on worker A, which may be tried twice: one runs, the other was sent ahead."""
    function = plan(max_retries=1)
    first = owner.submit(function)
    owner.grant(A)
    owner.done(A, first)
    objects = [owner.submit(function) for _ in range(2)]
    owner.flush()
    assert owner.pushed(A)[-2:] == objects
    return objects


def test_what_was_behind_it_comes_under_another_number_and_may_be_tried_as_often() -> None:
    """The worker, of which only the connection is lost, may still run it: a late result is not taken for the new."""
    owner = Owner()
    running, behind = one_behind_the_other(owner)
    owner.lose(A)
    owner.wait(1.5)
    owner.grant(B)
    owner.done(B, running)
    (task,) = [task for message in owner.take(B, PushTasks) for task in message.tasks if task.id == ids.task_of(behind)]
    assert (task.attempt, task.max_attempts) == (1, 3)
    owner.die(B)
    owner.grant(C)
    assert owner.pushed(C) == [behind]
    owner.done(C, behind)
    assert owner.value(behind) == b"v"


def test_so_does_what_was_behind_it_where_the_node_has_given_the_worker_away_and_to_us() -> None:
    """The worker, which lives, may have run it meanwhile."""
    owner = Owner()
    running, behind = one_behind_the_other(owner)
    other = owner.submit(plan(cpus=2))
    owner.grant(A)
    owner.take(A, PushTasks)
    owner.done(A, other)
    owner.grant(B)
    owner.done(B, running)
    (task,) = [task for message in owner.take(B, PushTasks) for task in message.tasks if task.id == ids.task_of(behind)]
    assert (task.attempt, task.max_attempts) == (1, 3)


def test_a_stream_that_ends_without_all_its_items_is_made_again_while_it_may() -> None:
    """They were lost with a connection, of which its end comes before the news."""
    owner = Owner()
    result = owner.submit(plan(returns=STREAMING, max_retries=1))
    end: list[Value] = [b"", (1).to_bytes(4, "big")]
    owner.grant(A)
    assert attempts(owner, A) == [0]
    owner.say(A, Results([Done(ids.task_of(result), end)], 0.0))
    assert attempts(owner, A) == [1]
    owner.say(A, Results([Done(ids.task_of(result), end, attempt=1)], 0.0))
    assert owner.fault(result) is FaultKind.WORKER_CRASHED


def test_the_end_of_a_stream_that_was_given_up_is_not_that_of_the_one_which_runs_now() -> None:
    """Its worker was only cut off from others, came back by another lease, and has the task again."""
    owner = Owner()
    result = owner.submit(plan(returns=STREAMING, max_retries=1))
    late = Results([Done(ids.task_of(result), [b"", (1).to_bytes(4, "big")])], 0.0)
    owner.grant(A)
    assert attempts(owner, A) == [0]
    owner.say(A, late)
    assert attempts(owner, A) == [1]
    owner.say(A, late)
    owner.say(A, Items(ids.task_of(result), 1, 0, [b"v"]))
    assert owner.value(result) is None
    owner.say(A, Results([Done(ids.task_of(result), [b"", (1).to_bytes(4, "big")], attempt=1)], 0.0))
    assert owner.value(result) == b""
    assert attempts(owner, A) == []
