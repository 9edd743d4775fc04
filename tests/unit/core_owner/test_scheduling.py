"""How an owner gets workers and keeps them busy: leases, pipelining, taking work back."""

from __future__ import annotations

import pytest

from rustyray.core.owner.scheduling import KEEP_IDLE, STALL
from rustyray.model import ids
from rustyray.model.messages import (
    CancelLease,
    DefineFunction,
    GiveBack,
    LeaseElsewhere,
    LeaseFailed,
    LeaseGranted,
    LeaseWaits,
    NodeDied,
    PushTasks,
    ReclaimLeases,
    RequestLease,
    ReturnLease,
    TakeBack,
    Unblocked,
)
from rustyray.model.values import Fault, FaultKind
from tests.unit.core_owner.owner import NODE, OTHER_NODE, WORKERS, Owner, plan

A, B, C = WORKERS[:3]


def known(owner: Owner, name: str = "f", seconds: float = 0.0001, worker: bytes = A) -> None:
    """A function that has run once, for so many seconds; the worker is leased and idle afterwards."""
    function = plan(name)
    first = owner.submit(function)
    owner.grant(worker)
    owner.done(worker, first, seconds=seconds)
    owner.pushed(worker)
    owner.sent.clear()
    PLANS[owner] = function


PLANS: dict[Owner, object] = {}


def submit(owner: Owner, count: int) -> list[bytes]:
    function = PLANS[owner]
    return [owner.submit(function) for _ in range(count)]  # type: ignore[arg-type]


def test_a_task_asks_for_a_worker_and_is_pushed_with_its_code_first() -> None:
    owner = Owner()
    first = owner.submit(plan())
    assert owner.one(NODE, RequestLease).resources == {"CPU": 10_000}
    owner.grant(A)
    to_worker = [message for to, message in owner.sent if to == A]
    assert [type(message) for message in to_worker] == [DefineFunction, PushTasks]
    assert owner.pushed(A) == [first]


def test_code_travels_once_per_worker() -> None:
    owner = Owner()
    known(owner)
    submit(owner, 2)
    owner.flush()
    assert not owner.take(A, DefineFunction)


def test_an_unknown_function_runs_one_at_a_time_on_each_worker() -> None:
    owner = Owner()
    function = plan()
    objects = [owner.submit(function) for _ in range(3)]
    owner.grant(A)
    assert owner.pushed(A) == objects[:1]
    owner.grant(B)
    assert owner.pushed(B) == objects[1:2]


def test_short_tasks_are_pushed_ahead() -> None:
    owner = Owner()
    known(owner, seconds=0.0001)
    objects = submit(owner, 10)
    assert owner.pushed(A) == objects[:1]  # a lone task is never held back
    owner.flush()
    assert owner.pushed(A) == objects[1:]


def test_long_tasks_are_not_pushed_ahead() -> None:
    owner = Owner()
    known(owner, seconds=0.5)
    objects = submit(owner, 3)
    owner.flush()
    assert owner.pushed(A) == objects[:1]


def test_an_idle_lease_stays_warm_and_then_goes_back() -> None:
    owner = Owner()
    known(owner)
    owner.wait(KEEP_IDLE - 0.01)
    assert not owner.take(NODE, ReturnLease)
    owner.wait(0.02)
    assert owner.one(NODE, ReturnLease).reusable


def test_reclaimed_leases_go_back_as_soon_as_they_are_idle() -> None:
    owner = Owner()
    known(owner)
    (busy,) = submit(owner, 1)
    owner.say(NODE, ReclaimLeases())
    assert not owner.take(NODE, ReturnLease)
    owner.done(A, busy)
    assert owner.one(NODE, ReturnLease).reusable


def test_requests_are_cancelled_when_nothing_waits_any_more() -> None:
    owner = Owner()
    known(owner)
    objects = submit(owner, 3)
    owner.flush()
    owner.done(A, *objects)
    requests = {message.request for message in owner.take(NODE, RequestLease)}
    assert {message.request for message in owner.take(NODE, CancelLease)} == requests


def test_a_grant_that_crosses_the_cancellation_goes_back() -> None:
    owner = Owner()
    function = plan()
    first = owner.submit(function)
    second = owner.submit(function)
    late = owner.asked()[-1]
    owner.grant(A)
    owner.done(A, first)
    owner.done(A, second)
    assert owner.take(NODE, CancelLease)
    owner.say(NODE, LeaseGranted(late, 77, B, "sim:b", 8))
    assert owner.one(NODE, ReturnLease).lease == 77
    assert B not in owner.core.sched.by_worker


def test_settling_one_task_may_push_the_next_to_the_same_worker() -> None:
    """The next was waiting for the first; the count of idle workers stays right (`check` compares)."""
    owner = Owner()
    function = plan()
    first = owner.submit(function)
    second = owner.submit(function, [first])
    owner.grant(A)
    owner.done(A, first)
    assert owner.pushed(A) == [first, second]
    owner.done(A, second)
    owner.wait(2 * KEEP_IDLE)
    assert len(owner.take(NODE, ReturnLease)) == 1


def test_what_must_not_run_twice_is_not_sent_ahead() -> None:
    """Nobody could tell whether it had begun, once the worker is dead."""
    owner = Owner()
    function = plan(max_retries=0)
    first = owner.submit(function)
    owner.grant(A)
    owner.done(A, first, seconds=0.0001)
    owner.pushed(A)
    second, third = [owner.submit(function) for _ in range(2)]
    owner.flush()
    assert owner.pushed(A)[-1:] == [second]
    owner.die(A)
    assert owner.fault(second) is FaultKind.WORKER_CRASHED
    owner.grant(B)
    assert owner.pushed(B) == [third]


# --- taking work back -------------------------------------------------------------------------------------------------


def pipelined(owner: Owner, count: int = 5) -> list[bytes]:
    """``count`` tasks on worker A, the first of which turns out to be long."""
    known(owner)
    objects = submit(owner, count)
    owner.flush()
    assert owner.pushed(A) == objects
    return objects


def test_a_stalled_worker_makes_the_owner_ask_for_another_and_share() -> None:
    owner = Owner()
    objects = pipelined(owner)
    owner.wait(2 * STALL)
    owner.grant(B)
    taken = owner.one(A, TakeBack)
    back = [ids.task_of(object_) for object_ in objects[-taken.count :]]
    owner.say(A, GiveBack(taken.lease, back, False))
    assert owner.pushed(B)[0] == objects[-taken.count]


@pytest.mark.parametrize("crosses_the_push", [False, True])
def test_work_pushed_after_a_vain_request_is_taken_back_too(crosses_the_push: bool) -> None:
    """The request crossed a result; the worker then got more, and its next task is a long one."""
    owner = Owner()
    objects = pipelined(owner, 3)
    owner.wait(2 * STALL)
    owner.grant(B)
    taken = owner.one(A, TakeBack)
    owner.done(A, *objects[:2])
    if not crosses_the_push:
        owner.say(A, GiveBack(taken.lease, [], False))
    more = submit(owner, 4)
    owner.flush()
    if crosses_the_push:
        owner.say(A, GiveBack(taken.lease, [], False))
    on_a = [object_ for object_ in owner.pushed(A) if object_ in more]
    assert on_a
    owner.pushed(B)
    owner.done(B, *[object_ for object_ in more if object_ not in on_a])
    owner.wait(2 * STALL)
    assert owner.take(A, TakeBack)


def test_what_was_taken_back_for_an_idle_worker_does_not_return_to_the_busy_one() -> None:
    owner = Owner()
    objects = pipelined(owner, 3)
    owner.wait(2 * STALL)
    owner.grant(B)
    taken = owner.one(A, TakeBack)
    owner.done(A, objects[0])
    owner.say(A, GiveBack(taken.lease, [ids.task_of(objects[-1])], False))
    assert owner.pushed(B) == objects[-1:]
    assert owner.pushed(A) == []


def test_no_work_is_taken_back_for_a_worker_whose_connection_is_gone() -> None:
    owner = Owner()
    objects = pipelined(owner, 4)
    owner.wait(STALL / 2)
    owner.wait(2 * STALL)
    owner.core.on_peer_lost(B, "end of file", owner.now)  # before it is ours: no matter
    lease = owner.grant(B)
    owner.take(A, TakeBack)
    owner.lose(B)
    owner.say(A, GiveBack(owner.leases[A], [ids.task_of(objects[-1])], False))
    assert (lease, owner.pushed(B)) == (2, [])
    owner.done(A, objects[0])
    assert not owner.take(A, TakeBack)
    assert owner.core.next_deadline() is not None
    owner.wait(0.5)  # its deadlines move on


def test_a_worker_that_blocks_gets_nothing_until_it_runs_again() -> None:
    """Pipelining cannot deadlock: the first task may wait for one queued behind it, which now runs elsewhere."""
    owner = Owner()
    objects = pipelined(owner, 3)
    lease = owner.core.sched.by_worker[A].id
    owner.say(A, GiveBack(lease, [ids.task_of(object_) for object_ in objects[1:]], True))
    assert owner.pushed(A) == []
    owner.grant(B)
    assert owner.pushed(B) == objects[1:2]
    owner.done(B, objects[1])
    assert owner.pushed(B) == objects[2:]
    owner.done(B, objects[2])
    owner.say(A, Unblocked(lease))
    owner.done(A, objects[0])
    more = submit(owner, 2)
    assert {*owner.pushed(A), *owner.pushed(B)} == {*more}


def test_a_result_that_crosses_take_back_counts_and_the_rest_comes_back_once() -> None:
    owner = Owner()
    objects = pipelined(owner, 4)
    owner.wait(2 * STALL)
    owner.grant(B)
    taken = owner.one(A, TakeBack)
    owner.done(A, *objects[:3])
    owner.say(A, GiveBack(taken.lease, [ids.task_of(objects[3])], False))
    assert [*owner.pushed(A), *owner.pushed(B)] == [objects[3]]
    assert [owner.value(object_) for object_ in objects[:3]] == [b"v"] * 3


def test_code_is_sent_again_over_a_new_connection() -> None:
    owner = Owner()
    known(owner)
    owner.lose(A)
    owner.wait(1.5)
    submit(owner, 1)
    owner.grant(A)
    assert owner.one(A, DefineFunction).fn == b"f"


# --- other nodes ------------------------------------------------------------------------------------------------------


def test_a_request_follows_to_another_node() -> None:
    owner = Owner()
    first = owner.submit(plan())
    owner.say(NODE, LeaseElsewhere(owner.one(NODE, RequestLease).request, OTHER_NODE, "sim:two"))
    assert owner.take(OTHER_NODE, RequestLease)[0].hops == 1
    worker = ids.worker_id(OTHER_NODE, 1)
    owner.grant(worker, OTHER_NODE)
    assert owner.pushed(worker) == [first]


def test_what_was_asked_of_a_node_that_died_is_asked_again() -> None:
    owner = Owner()
    owner.submit(plan())
    owner.say(NODE, LeaseElsewhere(owner.one(NODE, RequestLease).request, OTHER_NODE, "sim:two"))
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    owner.wait(1.0)
    assert len(owner.take(NODE, RequestLease)) == 1


def test_a_node_that_cannot_be_reached_is_not_asked_in_a_tight_circle() -> None:
    owner = Owner()
    owner.submit(plan())
    owner.say(NODE, LeaseElsewhere(owner.one(NODE, RequestLease).request, OTHER_NODE, "sim:two"))
    owner.lose(OTHER_NODE)
    assert not owner.take(NODE, RequestLease)
    owner.wait(1.0)
    assert len(owner.take(NODE, RequestLease)) == 1


def test_an_infeasible_request_warns_once() -> None:
    owner = Owner()
    function = plan(cpus=99)
    owner.submit(function)
    owner.submit(function)
    for message in owner.take(NODE, RequestLease):
        owner.say(NODE, LeaseWaits(message.request, "no node has 99 CPUs"))
    assert owner.warnings == ["no node has 99 CPUs"]


def test_a_refused_request_fails_what_waits_for_it() -> None:
    owner = Owner()
    first = owner.submit(plan())
    fault = Fault(FaultKind.SYSTEM, "no worker can be started")
    owner.say(NODE, LeaseFailed(owner.one(NODE, RequestLease).request, fault))
    assert owner.fault(first) is FaultKind.SYSTEM
