"""Who holds which object: local refs, arguments, values inside values, borrowers, and borrowers of those."""

from __future__ import annotations

import pytest

from rustyray.core.owner.lent import keep, kept_after
from rustyray.model import ids
from rustyray.model.messages import (
    BorrowAck,
    BorrowAdd,
    BorrowRelease,
    Done,
    GetObjects,
    NodeDied,
    ObjectReady,
    Results,
    StoreFree,
    WorkerDied,
)
from rustyray.model.values import Failed, Fault, FaultKind, Packed, Stored, Value
from tests.unit.core_owner.owner import ME, NODE, OTHER_NODE, WORKERS, Owner, plan, ref_to

A, B, C = WORKERS[:3]


def theirs(owner: bytes = B, number: int = 1) -> bytes:
    """An object of another process."""
    return ids.object_id(ids.task_id(owner, number), 0)


def borrowed(owner: Owner, object_: bytes) -> None:
    """``object_`` came in a value that this process put aside: it is registered with its owner once."""
    owner.core.refs.adopt(object_, "sim:b")
    owner.say(C, ObjectReady(theirs(C, 99), Packed(b"", None, [ref_to(object_, "sim:b")])))


# --- at home ----------------------------------------------------------------------------------------------------------


def test_an_object_lives_as_long_as_its_last_local_ref() -> None:
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.core.refs.adopt(object_, "")
    owner.drop(object_)
    assert object_ in owner.core.objects
    owner.drop(object_)
    assert object_ not in owner.core.objects


def test_a_task_holds_its_arguments_until_it_is_done() -> None:
    owner = Owner()
    argument, nested = owner.core.put(b"v"), owner.core.put(b"w")
    result = owner.submit(plan(), [argument], [ref_to(nested)])
    owner.drop(argument, nested)
    owner.grant(A)
    assert {argument, nested} <= {*owner.core.objects}
    owner.done(A, result)
    assert {*owner.core.objects} == {result}


@pytest.mark.parametrize(
    "value",
    [
        lambda info: Packed(b"list", None, [info]),
        lambda info: Stored(NODE, 5000, [info]),
        lambda info: Failed(b"raised", "f", "", refs=[info]),
    ],
    ids=["list", "stored", "exception"],
)
def test_what_holds_a_ref_inside_keeps_it_alive(value: object) -> None:
    owner = Owner()
    inner = owner.core.put(b"v")
    outer = owner.core.put(value(ref_to(inner)))  # type: ignore[operator]
    owner.drop(inner)
    assert inner in owner.core.objects
    owner.drop(outer)
    assert not owner.core.objects


def test_a_stored_value_is_freed_in_its_node() -> None:
    owner = Owner()
    object_ = owner.core.put(Stored(NODE, 5000))
    owner.drop(object_)
    owner.flush()
    assert owner.one(NODE, StoreFree).objects == [object_]


def test_what_a_worker_that_died_may_have_stored_is_freed_too() -> None:
    owner = Owner()
    result = owner.submit(plan(max_retries=0))
    owner.grant(A)
    owner.die(A)
    assert owner.fault(result) is FaultKind.WORKER_CRASHED
    owner.flush()
    assert owner.one(NODE, StoreFree).objects == [result]


# --- lending ----------------------------------------------------------------------------------------------------------


def test_a_worker_that_keeps_an_argument_is_a_borrower() -> None:
    owner = Owner()
    argument = owner.core.put(b"v")
    result = owner.submit(plan(), None, [ref_to(argument)])
    owner.grant(A)
    owner.drop(argument)
    owner.say(A, Results([Done(ids.task_of(result), b"", False, [argument])], 0.0))
    assert argument in owner.core.objects
    owner.say(A, BorrowRelease([argument], [1]))
    assert argument not in owner.core.objects


def test_whoever_gets_a_value_borrows_the_refs_inside() -> None:
    owner = Owner()
    inner = owner.core.put(b"v")
    outer = owner.core.put(Packed(b"", None, [ref_to(inner)]))
    owner.say(A, BorrowAdd(1, B, [outer]))
    owner.say(B, GetObjects([outer]))
    assert owner.one(B, ObjectReady).object == outer
    owner.drop(inner, outer)
    owner.say(B, BorrowRelease([outer], [1]))
    assert {*owner.core.objects} == {inner}
    owner.say(B, BorrowRelease([inner], [1]))
    assert not owner.core.objects


def test_a_value_that_is_asked_for_early_is_sent_when_it_is_there() -> None:
    owner = Owner()
    result = owner.submit(plan())
    owner.grant(A)
    owner.say(B, GetObjects([result]))
    assert not owner.take(B, ObjectReady)
    owner.done(A, result, value=b"late")
    assert owner.one(B, ObjectReady).value == b"late"


def test_who_waits_for_a_value_that_nobody_holds_any_more_is_told() -> None:
    """The one that passed the ref on died before it could register the one that waits."""
    owner = Owner()
    result = owner.submit(plan())
    owner.say(A, BorrowAdd(1, A, [result]))
    owner.say(B, GetObjects([result]))
    owner.drop(result)
    assert not owner.take(B, ObjectReady)
    owner.die(A)
    answer = owner.one(B, ObjectReady).value
    assert isinstance(answer, Fault)
    assert answer.kind is FaultKind.OBJECT_FREED


def test_a_release_that_overtakes_its_registration_cancels_it() -> None:
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.say(A, BorrowAdd(1, A, [object_]))  # the middle one, which holds it until we acknowledge
    owner.say(C, BorrowRelease([object_], [1]))
    owner.drop(object_)
    assert object_ in owner.core.objects
    owner.say(A, BorrowAdd(2, C, [object_]))
    owner.say(A, BorrowRelease([object_], [1]))
    assert not owner.core.objects


def test_a_release_whose_registration_never_comes_keeps_nothing_alive() -> None:
    """The middle one died before it could register the receiver, which has let go meanwhile."""
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.say(C, BorrowRelease([object_], [1]))
    owner.drop(object_)
    assert not owner.core.objects


def test_a_dead_borrower_holds_nothing() -> None:
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.say(A, BorrowAdd(1, B, [object_]))
    owner.drop(object_)
    owner.die(B)
    assert not owner.core.objects
    assert owner.one(A, BorrowAck).request == 1


def test_all_borrowers_of_a_dead_node_hold_nothing() -> None:
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.say(A, BorrowAdd(1, ids.worker_id(OTHER_NODE, 1), [object_]))
    owner.say(A, BorrowAdd(2, ids.worker_id(OTHER_NODE, 2), [object_]))
    owner.drop(object_)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert not owner.core.objects


# --- borrowing --------------------------------------------------------------------------------------------------------


def test_the_last_ref_to_a_borrowed_object_gives_back_all_registrations() -> None:
    owner = Owner()
    borrowed(owner, theirs())
    borrowed(owner, theirs())
    owner.drop(theirs())
    assert not owner.take(B, BorrowRelease)
    owner.drop(theirs())
    assert owner.one(B, BorrowRelease).counts == [2]


def test_who_passes_a_borrowed_ref_on_holds_it_until_the_owner_knows() -> None:
    owner = Owner()
    borrowed(owner, theirs())
    owner.core.refs.register(C, [ref_to(theirs(), "sim:b")])
    owner.drop(theirs())
    add = owner.one(B, BorrowAdd)
    assert (add.borrower, add.objects) == (C, [theirs()])
    assert not owner.take(B, BorrowRelease)
    assert owner.core.unfinished.is_needed()  # this process is still needed
    owner.say(B, BorrowAck(add.request))
    assert owner.one(B, BorrowRelease).counts == [1]
    assert not owner.core.unfinished.is_needed()


def test_refs_that_a_task_keeps_are_reported_to_its_caller() -> None:
    owner = Owner()
    owner.core.refs.adopt(theirs(), "sim:b")
    assert kept_after(owner.core.refs, [ref_to(theirs(), "sim:b"), ref_to(theirs(number=2), "sim:b")], A) == [theirs()]


def test_refs_that_a_constructor_keeps_are_registered_by_its_process_itself() -> None:
    owner = Owner()
    owner.core.refs.adopt(theirs(), "sim:b")
    keep(owner.core.refs, [ref_to(theirs(), "sim:b"), ref_to(theirs(number=2), "sim:b")])
    owner.settle()
    add = owner.one(B, BorrowAdd)
    assert (add.borrower, add.objects) == (ME, [theirs()])
    owner.drop(theirs())
    assert owner.core.refs.passed_on
    assert not owner.take(B, BorrowRelease)
    owner.say(B, BorrowAck(add.request))
    assert not owner.core.refs.passed_on
    assert owner.one(B, BorrowRelease).counts == [1]


def test_refs_that_a_task_keeps_whose_caller_is_dead_are_registered_by_the_task_itself() -> None:
    owner = Owner()
    owner.core.refs.adopt(theirs(), "sim:b")
    owner.die(A)
    assert kept_after(owner.core.refs, [ref_to(theirs(), "sim:b")], A) is None
    owner.settle()
    add = owner.one(B, BorrowAdd)
    assert (add.borrower, add.objects) == (ME, [theirs()])
    owner.say(B, BorrowAck(add.request))
    owner.drop(theirs())
    assert owner.one(B, BorrowRelease).counts == [1]


# --- owners that die --------------------------------------------------------------------------------------------------


def wait_for(owner: Owner, object_: bytes) -> None:
    owner.core.refs.adopt(object_, "sim:b")
    owner.core.watch(object_)
    owner.settle()


@pytest.mark.parametrize("what", [WorkerDied(B, "it crashed"), NodeDied(NODE, "it crashed")], ids=["process", "node"])
def test_an_object_that_is_waited_for_is_lost_with_its_owner(what: WorkerDied | NodeDied) -> None:
    owner = Owner(ids.worker_id(OTHER_NODE, 1))
    wait_for(owner, theirs())
    assert owner.one(B, GetObjects).objects == [theirs()]
    owner.say(OTHER_NODE, what)
    owner.lose(B)
    assert owner.ready == [theirs()]
    assert owner.fault(theirs()) is FaultKind.OWNER_DIED
    assert "it crashed" in str(owner.value(theirs()))


def test_a_task_that_waits_for_a_dead_owners_object_fails() -> None:
    owner = Owner()
    owner.core.refs.adopt(theirs(), "sim:b")
    result = owner.submit(plan(), [theirs()])
    owner.die(B)
    assert owner.fault(result) is FaultKind.OWNER_DIED


def test_a_value_that_is_here_outlives_its_owner() -> None:
    owner = Owner()
    wait_for(owner, theirs())
    owner.say(B, ObjectReady(theirs(), b"v"))
    owner.die(B)
    assert owner.value(theirs()) == b"v"


def test_what_an_owner_that_is_dead_already_owned_is_lost_at_once() -> None:
    owner = Owner()
    owner.die(B)
    wait_for(owner, theirs())
    assert owner.fault(theirs()) is FaultKind.OWNER_DIED


def test_an_owner_that_cannot_be_reached_is_asked_again_and_then_its_objects_are_lost() -> None:
    """It died before this process was told of deaths."""
    owner = Owner()
    wait_for(owner, theirs())
    owner.take(B, GetObjects)
    owner.lose(B)
    owner.wait(1.5)
    assert owner.one(B, GetObjects).objects == [theirs()]
    owner.lose(B)
    owner.wait(1.5)
    assert owner.fault(theirs()) is FaultKind.OWNER_DIED
    assert owner.ready == [theirs()]


def test_an_owner_behind_a_broken_connection_answers_the_second_question() -> None:
    owner = Owner()
    wait_for(owner, theirs())
    owner.lose(B)
    owner.wait(1.5)
    owner.say(B, ObjectReady(theirs(), b"v"))
    assert owner.value(theirs()) == b"v"
    owner.core.refs.register(C, [ref_to(theirs(), "sim:b")])
    owner.lose(B)
    owner.wait(1.5)
    adds = owner.take(B, BorrowAdd)
    assert adds[0] == adds[1]
    owner.lose(B)
    owner.wait(1.5)
    assert not owner.core.unfinished.is_needed()


def test_an_object_whose_refs_are_all_gone_was_freed() -> None:
    owner = Owner()
    owner.say(B, GetObjects([ids.object_id(ids.task_id(ME, 7), 0)]))
    value: Value = owner.one(B, ObjectReady).value
    assert isinstance(value, Fault)
    assert value.kind is FaultKind.OBJECT_FREED


def test_a_long_chain_of_objects_is_freed_at_once() -> None:
    owner = Owner()
    owner.checks = False
    last = owner.core.put(b"v")
    for _ in range(3000):
        before, last = last, owner.core.put(Packed(b"", None, [ref_to(last)]))
        owner.drop(before)
    assert len(owner.core.objects) == 3001
    owner.drop(last)
    assert not owner.core.objects


def test_a_failure_ends_a_long_chain_of_tasks_at_once() -> None:
    owner = Owner()
    owner.checks = False
    tasks = [owner.submit(plan())]
    for _ in range(3000):
        tasks.append(owner.submit(plan(), [tasks[-1]]))
    owner.grant()
    owner.fail(WORKERS[0], tasks[0])
    assert {owner.fault_or_error(task) for task in tasks} == {"boom"}
    owner.core.check()
    owner.drop(*tasks)
    assert not owner.core.objects
