"""Several results of one task: some are lost, not wanted, or made by an attempt that fails."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import BorrowRelease, Done, ObjectLost, Results, StoreFree
from rustyray.model.values import Failed, Fault, FaultKind, Stored
from tests.unit.core_owner.owner import BOOM, NODE, OTHER_NODE, WORKERS, Owner, plan, ref_to

A = WORKERS[0]


def two_results(owner: Owner, *deps: bytes, max_retries: int = 3) -> tuple[bytes, bytes]:
    """Both are stored, and the first one is lost; its task runs again, for the second time."""
    first = owner.submit(plan(returns=2, max_retries=max_retries), list(deps))
    owner.grant(A)
    twice(owner, first, 0)
    owner.say(NODE, ObjectLost(first, NODE, 0, "its bytes are bad"))
    owner.flush()
    return first, ids.object_id(ids.task_of(first), 1)


def twice(owner: Owner, first: bytes, attempt: int, node: bytes = NODE) -> None:
    owner.done(A, first, value=[Stored(node, 5000, attempt=attempt), Stored(node, 5000, attempt=attempt)])
    owner.flush()


def test_a_result_that_was_not_lost_is_there_when_another_one_of_its_task_has_been_made_again() -> None:
    owner = Owner()
    first, second = two_results(owner)
    twice(owner, first, 1)
    assert not owner.take(NODE, StoreFree), "the store has the new one in the place of the old one"
    assert owner.value(second) == Stored(NODE, 5000, attempt=1)
    owner.drop(second)
    owner.flush()
    freed = owner.one(NODE, StoreFree)
    assert (freed.objects, freed.anywhere, freed.attempts) == ([second], True, [1])


def test_the_copy_of_it_that_was_made_elsewhere_goes() -> None:
    owner = Owner()
    first, second = two_results(owner)
    twice(owner, first, 1, OTHER_NODE)
    assert owner.one(NODE, StoreFree) == StoreFree([second], OTHER_NODE, attempts=[1])
    assert owner.value(second) == Stored(NODE, 5000, attempt=0)


def test_it_can_be_made_again_although_the_other_one_is_not_needed_any_more() -> None:
    owner = Owner()
    argument = owner.core.put(b"argument")
    first, second = two_results(owner, argument)
    owner.drop(argument, first)
    twice(owner, first, 1)
    owner.pushed(A)
    owner.say(NODE, ObjectLost(second, NODE, 1, "its bytes are bad"))
    owner.flush()
    assert owner.pushed(A) == [first]
    owner.drop(second)
    twice(owner, first, 2)
    assert argument not in owner.core.objects


def test_it_is_kept_when_the_other_one_cannot_be_made_again() -> None:
    owner = Owner()
    argument = owner.core.put(b"argument")
    first, second = two_results(owner, argument, max_retries=1)
    owner.drop(argument)
    owner.die(A)
    owner.flush()
    assert owner.fault(first) is FaultKind.WORKER_CRASHED
    assert [freed.objects for freed in owner.take(NODE, StoreFree)] == [[first]]
    assert argument not in owner.core.objects
    owner.say(NODE, ObjectLost(second, NODE, 0, "its bytes are bad"))
    assert owner.fault(second) is FaultKind.OBJECT_LOST


def test_nothing_is_kept_of_a_task_that_has_used_up_its_retries() -> None:
    owner = Owner()
    first, second = two_results(owner, max_retries=1)
    twice(owner, first, 1)
    owner.drop(second)
    owner.drop(first)
    assert not owner.core.tasks.lineage.kept


def test_nor_for_a_result_that_would_not_be_made_again() -> None:
    owner = Owner()
    argument = owner.core.put(b"argument")
    first = owner.submit(plan(returns=2), [argument])
    owner.drop(argument)
    owner.grant(A)
    owner.done(A, first, value=[Stored(NODE, 5000), b"small"])
    owner.drop(first)
    assert not owner.core.tasks.lineage.kept
    assert argument not in owner.core.objects
    owner.drop(ids.object_id(ids.task_of(first), 1))


def fails(owner: Owner, first: bytes, error: Failed | Fault, made: Stored) -> None:
    """It has made the first result, and not the second."""
    owner.say(A, Results([Done(ids.task_of(first), [error, made], True)], 0.0))
    owner.flush()


def test_what_was_made_before_an_error_is_there() -> None:
    owner = Owner()
    first = owner.submit(plan(returns=2))
    owner.grant(A)
    fails(owner, first, BOOM, Stored(NODE, 5000))
    assert owner.value(first) == Stored(NODE, 5000)
    assert owner.value(ids.object_id(ids.task_of(first), 1)) == BOOM
    assert not owner.take(NODE, StoreFree)
    owner.drop(first)
    owner.flush()
    assert owner.one(NODE, StoreFree).objects == [first]


def test_what_was_made_before_it_was_cancelled_goes_with_what_is_in_it() -> None:
    owner = Owner()
    first = owner.submit(plan(returns=2))
    owner.grant(A)
    inside = ids.task_id(WORKERS[7], 1) + ids.FIRST_RETURN
    owner.core.cancels.cancel(first, False, False, owner.now)
    made = Stored(NODE, 5000, refs=[ref_to(inside)])
    fails(owner, first, Fault(FaultKind.TASK_CANCELLED, "it was cancelled"), made)
    assert owner.fault(first) is FaultKind.TASK_CANCELLED
    assert owner.one(NODE, StoreFree) == StoreFree([first], NODE, attempts=[0])
    assert owner.one(WORKERS[7], BorrowRelease).objects == [inside]


def test_what_was_made_again_before_an_error_takes_the_place_of_what_is_there() -> None:
    owner = Owner()
    lost, second = two_results(owner)
    owner.say(A, Results([Done(ids.task_of(lost), [BOOM, Stored(NODE, 5000, attempt=1)], True)], 0.0))
    owner.flush()
    assert owner.value(lost) == Stored(NODE, 5000, attempt=1)
    assert owner.value(second) == Stored(NODE, 5000, attempt=0)
    first = owner.submit(plan(returns=2))
    twice(owner, first, 0)
    owner.say(NODE, ObjectLost(ids.object_id(ids.task_of(first), 1), NODE, 0, "its bytes are bad"))
    owner.flush()
    fails(owner, first, BOOM, Stored(NODE, 5000, attempt=1))
    assert owner.value(first) == Stored(NODE, 5000, attempt=1)
    assert not owner.take(NODE, StoreFree), "the store has it in the place of the old one"
