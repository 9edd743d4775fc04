"""Actors, seen by who made or calls them: order, at most once, restarts, handles."""

from __future__ import annotations

from rustyray.core.owner.calls import TOGETHER
from rustyray.core.owner.lent import kept_after
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorState,
    BorrowAck,
    BorrowRelease,
    CreateActor,
    HeadError,
    KillActor,
    PushCalls,
    WatchActor,
)
from rustyray.model.plans import ActorPlan
from rustyray.model.values import Fault, FaultKind, Packed
from tests.unit.core_owner.owner import WORKERS, Owner, plan, ref_to

A, B = WORKERS[:2]
STRANGERS_ACTOR = ids.task_id(WORKERS[7], 1)


def test_calls_wait_for_the_actor_and_go_in_order() -> None:
    owner = Owner()
    actor = owner.create()
    calls = [owner.call(actor) for _ in range(3)]
    assert owner.pushed(A) == []
    owner.alive(actor)
    assert owner.pushed(A) == calls


def test_a_lone_call_goes_at_once_and_others_gather() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    calls = [owner.call(actor) for _ in range(3)]
    assert owner.pushed(A) == calls[:1]
    owner.flush()
    assert owner.pushed(A) == calls[1:]


def test_a_call_whose_argument_is_late_holds_up_those_behind_it() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    argument = owner.submit(plan())
    late = owner.call(actor, deps=[argument])
    behind = owner.call(actor)
    owner.flush()
    assert owner.pushed(A) == []
    owner.grant(B)
    owner.done(B, argument)
    assert owner.pushed(A) == [late, behind]


def test_calls_with_large_arguments_go_in_several_messages() -> None:
    owner = Owner()
    owner.checks = False
    actor = owner.create()
    argument = owner.submit(plan())
    owner.grant(B)
    owner.done(B, argument, value=bytes(1 << 20))
    calls = [owner.call(actor, deps=[argument, argument]) for _ in range(100)]
    owner.alive(actor)
    messages = [message for to, message in owner.sent if isinstance(message, PushCalls)]
    assert [call.id + ids.FIRST_RETURN for message in messages for call in message.calls] == calls
    assert [len(message.calls) for message in messages] == [16] * 6 + [4]
    assert TOGETHER == 2 * 16 << 20


def test_what_does_not_fit_into_a_message_is_an_error_and_those_behind_it_pass() -> None:
    owner = Owner()
    owner.checks = False
    actor = owner.create()
    owner.alive(actor)
    argument = owner.submit(plan())
    owner.grant(B)
    owner.done(B, argument, value=bytes(1 << 20))
    heavy = owner.call(actor, deps=[argument] * 129)
    behind = owner.call(actor, deps=[argument] * 128)
    task = owner.submit(plan("g"), deps=[argument] * 129)
    owner.flush()
    assert owner.pushed(A) == [behind]
    for refused in (heavy, task):
        assert owner.fault(refused) is FaultKind.SYSTEM
        assert "its 129 refs are 135 MB together, and 134 MB at most" in str(owner.value(refused))


def test_a_call_whose_argument_failed_lets_those_behind_it_pass() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    argument = owner.submit(plan())
    late = owner.call(actor, deps=[argument])
    behind = owner.call(actor)
    owner.grant(B)
    owner.fail(B, argument)
    assert owner.fault_or_error(late) == "boom"
    assert owner.pushed(A) == [behind]


# --- deaths and restarts ----------------------------------------------------------------------------------------------


def test_a_call_in_flight_is_not_repeated_unless_asked() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1)
    owner.alive(actor)
    call = owner.call(actor)
    owner.lose(A)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    assert owner.fault(call) is FaultKind.ACTOR_UNAVAILABLE
    owner.alive(actor, B, 1)
    assert owner.pushed(B) == []


def test_retried_calls_keep_their_order_and_start_from_number_zero() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1, max_task_retries=2)
    owner.alive(actor)
    calls = [owner.call(actor, max_task_retries=2) for _ in range(3)]
    owner.flush()
    owner.done(A, calls[0])
    owner.lose(A)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    calls.append(owner.call(actor, max_task_retries=2))
    owner.alive(actor, B, 1)
    pushed = [call for message in owner.take(B, PushCalls) for call in message.calls]
    assert [call.id + ids.FIRST_RETURN for call in pushed] == calls[1:]
    assert [(call.seq, call.attempt) for call in pushed] == [(0, 1), (1, 1), (2, 0)]


def test_a_call_made_while_it_restarts_uses_up_a_retry_or_fails() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1)
    owner.alive(actor)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    assert owner.fault(owner.call(actor)) is FaultKind.ACTOR_UNAVAILABLE
    patient = owner.call(actor, max_task_retries=1)
    owner.alive(actor, B, 1)
    assert owner.pushed(B) == [patient]


def test_the_end_of_the_actor_ends_its_calls() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    sent = owner.call(actor)
    waiting = owner.call(actor, deps=[owner.submit(plan())])
    owner.lose(A)
    owner.actor_is(actor, ActorState.DEAD, reason="it crashed")
    for call in (sent, waiting, owner.call(actor)):
        assert owner.fault(call) is FaultKind.ACTOR_DIED
        assert "it crashed" in str(owner.value(call))


def test_old_news_is_ignored() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=3)
    owner.alive(actor, B, incarnation=2)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    call = owner.call(actor)
    assert owner.pushed(B) == [call]


def test_behind_a_broken_connection_nothing_is_pushed_until_the_head_has_spoken() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    lost = owner.call(actor)
    owner.pushed(A)
    owner.lose(A)
    assert owner.one(HEAD, WatchActor).actor == actor
    later = owner.call(actor)
    owner.flush()
    assert owner.pushed(A) == []
    owner.wait(1.5)  # its node does not say that it is dead
    owner.alive(actor)
    assert owner.fault(lost) is FaultKind.ACTOR_UNAVAILABLE
    assert owner.pushed(A) == [later]


def test_kill_ends_the_calls_of_who_kills_at_once() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    owner.core.kill_actor(actor, True, owner.now)
    owner.settle()
    assert owner.fault(call) is FaultKind.ACTOR_DIED
    assert owner.one(HEAD, KillActor) == KillActor(actor, True, False, "killed with rustyray.kill")


# --- creation ---------------------------------------------------------------------------------------------------------


def with_argument(owner: Owner, argument: bytes, request: int = 1) -> bytes:
    of = ActorPlan(b"c", b"code", "C", [], {}, {}, max_restarts=1)
    actor = owner.core.create_actor(of, b"a", None, [ref_to(argument)], [argument], request, "", owner.now)
    owner.settle()
    return actor


def test_the_creation_waits_for_its_arguments_and_holds_them_for_restarts() -> None:
    owner = Owner()
    argument = owner.submit(plan())
    actor = with_argument(owner, argument)
    assert not owner.take(HEAD, CreateActor)
    owner.grant(B)
    owner.done(B, argument)
    owner.drop(argument)
    assert owner.one(HEAD, CreateActor).spec.actor == actor
    owner.alive(actor)
    assert argument in owner.core.objects
    owner.actor_is(actor, ActorState.DEAD)
    assert argument not in owner.core.objects


def test_an_argument_that_failed_ends_the_actor_before_it_began() -> None:
    owner = Owner()
    argument = owner.submit(plan())
    actor = with_argument(owner, argument, request=5)
    call = owner.call(actor)
    owner.grant(B)
    owner.fail(B, argument)
    assert owner.fault(call) is FaultKind.ACTOR_INIT_FAILED
    assert owner.one(owner.core.me, HeadError).request == 5
    kill = owner.one(HEAD, KillActor)  # others may have a handle, and ask about it
    assert (kill.actor, kill.no_restart, kill.graceful) == (actor, True, False)


def test_who_is_killed_before_its_arguments_are_there_is_not_created() -> None:
    owner = Owner()
    argument = owner.submit(plan())
    actor = with_argument(owner, argument)
    call = owner.call(actor)
    owner.core.kill_actor(actor, True, owner.now)
    owner.settle()
    assert owner.fault(call) is FaultKind.ACTOR_DIED
    owner.drop(argument)
    assert argument not in owner.core.objects
    owner.grant(B)
    owner.done(B, argument)
    assert not owner.take(HEAD, CreateActor)
    assert owner.one(HEAD, KillActor).actor == actor
    assert not owner.core.arguments.pending


def test_a_taken_name_ends_it() -> None:
    owner = Owner()
    actor = owner.create(name="n", request=3)
    owner.say(HEAD, HeadError(3, "name_taken", "the name 'n' is taken"))
    assert owner.fault(owner.call(actor)) is FaultKind.ACTOR_DIED
    owner.drop(ids.handle_id(actor))
    assert not owner.take(HEAD, KillActor)


def test_an_existing_actor_takes_the_place_of_the_new_one() -> None:
    owner = Owner()
    actor = owner.create(name="n", request=3)
    owner.say(HEAD, ActorInfo(STRANGERS_ACTOR, ActorState.ALIVE, 0, A, "sim:a", 1, request=3))
    assert actor not in owner.core.calls.links
    owner.drop(ids.handle_id(actor))
    assert not owner.take(HEAD, KillActor)
    owner.core.check()


def test_news_right_behind_the_answer_to_a_look_up_is_not_missed() -> None:
    owner = Owner()
    owner.say(HEAD, ActorInfo(STRANGERS_ACTOR, ActorState.PENDING, request=5))
    owner.say(HEAD, ActorInfo(STRANGERS_ACTOR, ActorState.ALIVE, 0, A, "sim:a", 1))
    call = owner.call(STRANGERS_ACTOR)
    assert owner.pushed(A) == [call]
    assert not owner.take(HEAD, WatchActor), "who looked it up watches it already"


# --- handles ----------------------------------------------------------------------------------------------------------


def test_the_last_handle_ends_the_actor_but_not_its_pending_calls() -> None:
    owner = Owner()
    actor = owner.create()
    calls = [owner.call(actor), owner.call(actor, deps=[owner.submit(plan())])]
    owner.drop(ids.handle_id(actor))
    owner.alive(actor)
    owner.grant(B)
    owner.done(B, owner.pushed(B)[0])
    assert owner.pushed(A) == calls
    owner.done(A, calls[0])
    assert not owner.take(HEAD, KillActor)
    owner.done(A, calls[1])
    assert owner.one(HEAD, KillActor) == KillActor(actor, True, True, "its last handle went out of scope")


def test_a_handle_inside_a_value_counts() -> None:
    owner = Owner()
    actor = owner.create()
    value = owner.core.put(Packed(b"", None, [ref_to(ids.handle_id(actor))]))
    owner.drop(ids.handle_id(actor))
    assert not owner.take(HEAD, KillActor)
    owner.drop(value)
    assert owner.take(HEAD, KillActor)


def test_a_borrowed_handle_is_held_until_its_calls_are_done() -> None:
    owner = Owner()
    handle = ids.handle_id(STRANGERS_ACTOR)
    owner.core.refs.adopt(handle, "sim:them")
    call = owner.call(STRANGERS_ACTOR)
    assert owner.one(HEAD, WatchActor).actor == STRANGERS_ACTOR
    assert kept_after(owner.core.refs, [ref_to(handle, "sim:them")], B) == [handle]
    owner.drop(handle)
    owner.alive(STRANGERS_ACTOR, A)
    assert owner.pushed(A) == [call]
    assert not owner.take(WORKERS[7], BorrowRelease)
    owner.done(A, call)
    assert owner.one(WORKERS[7], BorrowRelease).counts == [1]
    assert not owner.take(WORKERS[7], BorrowAck)


def test_calls_of_a_stored_result_that_die_with_the_actor_free_what_it_may_have_stored() -> None:
    owner = Owner()
    actor = owner.create()
    owner.alive(actor)
    call = owner.call(actor)
    fault = Fault(FaultKind.ACTOR_DIED, "it crashed", actor=actor)
    owner.lose(A)
    owner.say(HEAD, ActorInfo(actor, ActorState.DEAD, 0, fault=fault))
    assert owner.core.freeing.untold
    owner.drop(call)


def test_so_do_those_that_waited_for_another_attempt() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1, max_task_retries=1)
    owner.alive(actor)
    call = owner.call(actor, max_task_retries=1)
    assert owner.pushed(A) == [call]
    owner.lose(A)
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    never_sent = owner.call(actor, max_task_retries=1)
    owner.actor_is(actor, ActorState.DEAD, 1)
    assert owner.fault(call) is owner.fault(never_sent) is FaultKind.ACTOR_DIED
    (freed,) = owner.core.freeing.untold.values()
    assert list(freed) == [call]
