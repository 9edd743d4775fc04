"""News of a death may be faster than what the dead process said last: its own connection's end comes after that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rustyray.core.owner import references
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorState,
    BorrowAdd,
    BorrowRelease,
    GetObjects,
    NodeDied,
    ObjectReady,
    WatchActor,
    WorkerDied,
)
from rustyray.model.values import FaultKind, Packed
from tests.unit.core_owner.owner import NODE, WORKERS, Owner, plan, ref_to

A, B = WORKERS[:2]
GONE = WorkerDied(A, "it was killed by signal 9 (SIGKILL)")
STRANGERS_ACTOR = ids.task_id(WORKERS[7], 1)


def test_a_result_that_comes_after_the_news_of_the_death_counts() -> None:
    owner = Owner()
    tasks = [owner.submit(plan("one", max_retries=0))]
    owner.grant(A)
    owner.say(NODE, GONE)
    owner.done(A, *tasks)
    owner.lose(A)
    assert owner.value(tasks[0]) == b"v"
    assert not owner.core.sched.leases


def test_meanwhile_nothing_is_pushed_there() -> None:
    owner = Owner()
    function = plan(max_retries=0)
    first = owner.submit(function)
    owner.grant(A)
    owner.pushed(A)
    owner.say(NODE, GONE)
    second = owner.submit(function)
    owner.done(A, first)
    owner.flush()
    assert owner.pushed(A) == []
    owner.lose(A)
    owner.grant(B)
    assert owner.pushed(B) == [second]


@pytest.mark.parametrize("order", ["news first", "end first"])
def test_without_a_result_it_failed_as_soon_as_both_are_known(order: str) -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=0))
    owner.grant(A)
    steps: list[Callable[[], None]] = [lambda: owner.say(NODE, GONE), lambda: owner.lose(A)]
    for step in steps if order == "news first" else reversed(steps):
        assert owner.value(task) is None
        step()
    assert owner.fault(task) is FaultKind.WORKER_CRASHED


def test_a_connection_that_never_ends_is_not_waited_for_for_ever() -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=0))
    owner.grant(A)
    owner.say(NODE, GONE)
    owner.wait(1.9)
    assert owner.value(task) is None
    owner.wait(0.2)
    assert owner.fault(task) is FaultKind.WORKER_CRASHED
    owner.lose(A)
    assert owner.core.next_deadline() is None


def test_the_nodes_end_is_the_end_of_all_waiting() -> None:
    owner = Owner()
    task = owner.submit(plan(max_retries=0))
    owner.grant(A)
    owner.say(NODE, GONE)
    owner.say(NODE, NodeDied(NODE, "power"))
    assert owner.fault(task) is FaultKind.WORKER_CRASHED


def lent() -> tuple[Owner, bytes]:
    """An object that A alone holds."""
    owner = Owner()
    object_ = owner.core.put(b"v")
    owner.say(B, BorrowAdd(1, A, [object_]))
    owner.drop(object_)
    return owner, object_


def test_what_a_borrower_passed_on_before_it_died_is_kept() -> None:
    owner, object_ = lent()
    owner.say(NODE, GONE)
    owner.say(A, BorrowAdd(1, B, [object_]))
    owner.lose(A)
    assert object_ in owner.core.objects
    owner.say(B, BorrowRelease([object_], [1]))
    assert not owner.core.objects


@pytest.mark.parametrize("order", ["news first", "end first"])
def test_what_it_did_not_pass_on_is_freed_as_soon_as_both_are_known(order: str) -> None:
    owner, object_ = lent()
    steps: list[Callable[[], None]] = [lambda: owner.say(NODE, GONE), lambda: owner.lose(A)]
    for step in steps if order == "news first" else reversed(steps):
        assert object_ in owner.core.objects
        step()
    assert not owner.core.objects


def test_a_borrower_whose_connection_never_ends_is_not_waited_for_for_ever() -> None:
    owner, object_ = lent()
    owner.say(NODE, GONE)
    owner.wait(1.9)
    assert object_ in owner.core.objects
    owner.wait(0.2)
    assert not owner.core.objects


def test_where_nothing_was_asked_or_lent_nothing_is_waited_for() -> None:
    owner = Owner()
    owner.core.put(b"v")
    owner.say(NODE, GONE)
    assert owner.core.next_deadline() is None


def test_a_value_that_was_asked_for_may_still_come() -> None:
    owner = Owner(WORKERS[5])
    theirs = ids.object_id(ids.task_id(A, 1), 0)
    owner.core.refs.adopt(theirs, "sim:a")
    owner.core.watch(theirs)
    owner.settle()
    owner.one(A, GetObjects)
    owner.say(NODE, GONE)
    owner.say(A, ObjectReady(theirs, b"v"))
    owner.lose(A)
    assert owner.value(theirs) == b"v"


# --- actors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [ActorState.DEAD, ActorState.RESTARTING])
def test_results_of_calls_count_that_come_after_the_heads_news(state: ActorState) -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1)
    owner.alive(actor)
    answered, lost = owner.call(actor), owner.call(actor)
    owner.flush()
    owner.actor_is(actor, state, int(state == ActorState.RESTARTING))
    owner.done(A, answered)
    assert owner.value(lost) is None
    owner.lose(A)
    assert owner.value(answered) == b"v"
    died = FaultKind.ACTOR_DIED if state == ActorState.DEAD else FaultKind.ACTOR_UNAVAILABLE
    assert owner.fault(lost) is died


def test_all_that_the_head_says_meanwhile_holds_in_order() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=2, max_task_retries=1)
    owner.alive(actor)
    call = owner.call(actor, max_task_retries=1)
    owner.pushed(A)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    owner.alive(actor, B, 1)
    later = owner.call(actor)
    owner.flush()
    assert owner.pushed(A) == owner.pushed(B) == []
    owner.lose(A)
    assert owner.pushed(B) == [call, later]


def test_an_actor_whose_connection_never_ends_is_given_up() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    owner.actor_is(actor, ActorState.DEAD)
    owner.wait(2.1)
    assert owner.fault(call) is FaultKind.ACTOR_DIED
    assert owner.core.next_deadline() is None


@pytest.mark.parametrize("order", ["process first", "actor first"])
def test_an_actor_of_which_the_head_said_that_it_lives_before_it_knew_is_dead_at_once(order: str) -> None:
    """Its connection ended, the head was asked, and answered before the death: what was said on the old one is all."""
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    owner.lose(A)
    owner.alive(actor)
    steps: list[Callable[[], None]] = [lambda: owner.say(NODE, GONE), lambda: owner.actor_is(actor, ActorState.DEAD)]
    for step in steps if order == "process first" else reversed(steps):
        assert owner.value(call) is None
        step()
    assert owner.fault(call) is FaultKind.ACTOR_DIED


def test_news_of_an_actor_that_owes_nothing_holds_at_once() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    owner.done(A, owner.call(actor))
    owner.actor_is(actor, ActorState.DEAD)
    assert owner.fault(owner.call(actor)) is FaultKind.ACTOR_DIED


@pytest.mark.parametrize("order", ["worker first", "head first"])
def test_the_actor_itself_says_that_it_is_over(order: str) -> None:
    """Its process may go on, for what it owns or for its ``atexit`` hooks: nobody waits for that."""
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    steps: list[Callable[[], None]] = [
        lambda: owner.say(A, ActorExited(actor, 0, "exit_actor() was called")),
        lambda: owner.actor_is(actor, ActorState.DEAD, reason="exit_actor() was called"),
    ]
    for step in steps if order == "worker first" else reversed(steps):
        assert owner.value(call) is None
        step()
    assert owner.fault(call) is FaultKind.ACTOR_DIED


def test_behind_that_nothing_is_pushed() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    owner.done(A, owner.call(actor))
    owner.pushed(A)
    owner.say(A, ActorExited(actor, 0, "exit_actor() was called"))
    owner.call(actor)
    owner.flush()
    owner.alive(actor)  # what the head said before it knew
    assert owner.pushed(A) == []


def test_an_actor_that_said_so_is_dead_even_if_the_heads_news_is_late() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    owner.say(A, ActorExited(actor, 0, "exit_actor() was called"))
    owner.lose(A)
    owner.wait(1.5)
    assert owner.fault(call) is FaultKind.ACTOR_DIED
    assert "exit_actor() was called" in str(owner.value(call))


def test_nothing_is_pushed_to_it_either_when_the_head_was_asked_again_and_did_not_know() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    owner.call(actor)
    owner.say(A, ActorExited(actor, 0, "exit_actor() was called"))
    owner.lose(A)
    owner.wait(1.5)
    owner.pushed(A)
    late = owner.call(actor)
    owner.alive(actor)
    owner.flush()
    assert owner.pushed(A) == []
    owner.lose(A)
    owner.wait(5)
    assert owner.value(late) is None
    owner.actor_is(actor, ActorState.DEAD)
    assert owner.fault(late) is FaultKind.ACTOR_DIED


# --- dead actors are forgotten ----------------------------------------------------------------------------------------


def test_dead_actors_leave_nothing_when_their_handles_are_gone() -> None:
    owner = Owner()
    for number in range(5):
        actor = owner.create(request=number + 1)
        owner.alive(actor)
        owner.done(A, owner.call(actor))
        if number % 2:  # dead before or after the last handle
            owner.drop(ids.handle_id(actor))
            owner.actor_is(actor, ActorState.DEAD)
        else:
            owner.actor_is(actor, ActorState.DEAD)
            assert owner.fault(owner.call(actor)) is FaultKind.ACTOR_DIED
            owner.drop(ids.handle_id(actor))
    assert not owner.core.calls.links
    assert not owner.core.calls.by_worker


def test_a_borrowed_actor_is_forgotten_too() -> None:
    owner = Owner()
    handle = ids.handle_id(STRANGERS_ACTOR)
    owner.core.refs.adopt(handle, "sim:them")
    call = owner.call(STRANGERS_ACTOR)
    owner.alive(STRANGERS_ACTOR, A)
    owner.done(A, call)
    owner.actor_is(STRANGERS_ACTOR, ActorState.DEAD)
    assert owner.fault(owner.call(STRANGERS_ACTOR)) is FaultKind.ACTOR_DIED
    owner.drop(handle)
    assert not owner.core.calls.links


def test_a_handle_that_is_not_counted_asks_the_head_again() -> None:
    owner = Owner()
    owner.core.kill_actor(STRANGERS_ACTOR, True, owner.now)
    for _ in range(2):
        call = owner.call(STRANGERS_ACTOR)
        assert owner.one(HEAD, WatchActor).actor == STRANGERS_ACTOR
        owner.actor_is(STRANGERS_ACTOR, ActorState.DEAD)
        assert owner.fault(call) is FaultKind.ACTOR_DIED
        assert not owner.core.calls.links


def test_the_dead_are_remembered_but_not_all_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "REMEMBERED", 2)
    owner = Owner()
    for worker in WORKERS[:3]:
        owner.die(worker)
    assert {*owner.core.refs.dead} == {*WORKERS[1:3]}


# --- retirement -------------------------------------------------------------------------------------------------------


def test_who_retires_is_needed_for_what_others_hold_and_for_nothing_else() -> None:
    owner = Owner()
    mine, lent = owner.core.put(b"v"), owner.core.put(Packed(b"", None, [ref_to(owner.core.put(b"inner"))]))
    owner.say(A, BorrowAdd(1, B, [lent]))
    owner.core.retire()
    owner.settle()
    assert mine not in owner.core.objects
    assert owner.core.unfinished.is_needed()
    owner.drop(mine, lent)  # refs of its own that die late
    assert lent in owner.core.objects
    owner.say(B, BorrowRelease([lent], [1]))
    assert not owner.core.objects or not owner.core.unfinished.is_needed()


def test_it_is_needed_until_its_tasks_and_actors_have_ended() -> None:
    owner = Owner()
    task = owner.submit(plan())
    actor = owner.create()
    owner.core.retire()
    owner.settle()
    owner.grant(A)
    assert owner.core.unfinished.is_needed()
    owner.done(A, task)
    assert owner.core.unfinished.is_needed()
    owner.actor_is(actor, ActorState.DEAD)
    assert not owner.core.unfinished.is_needed()
