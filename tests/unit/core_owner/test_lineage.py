"""Lineage: what is kept so that results which are lost with a node can be made again, and how much of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rustyray.core.owner import lineage
from rustyray.model import ids
from rustyray.model.messages import ActorState, LeaseElsewhere, NodeDied, PushTasks, StoreFree
from rustyray.model.values import Fault, FaultKind, Packed, Stored
from tests.unit.core_owner.owner import NODE, OTHER_NODE, WORKERS, Owner, plan, ref_to

A, B = WORKERS[:2]


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


def test_nothing_is_kept_of_tasks_whose_results_are_gone() -> None:
    """With arguments or without, made once or again, and what fails when it is made again, too."""
    owner = Owner()
    argument = owner.core.put(b"v")
    results = [owner.submit(plan()), owner.submit(plan(max_retries=1), [argument]), owner.submit(plan(), [argument])]
    owner.grant(A)
    for result in results:
        stored(owner, result, A)
    assert len(owner.core.tasks.lineage.kept) == 3
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert not owner.core.tasks.lineage.kept  # they are being made again
    stored(owner, results[0], A, NODE)
    stored(owner, results[1], A, NODE)
    owner.fail(A, results[2])
    assert len(owner.core.tasks.lineage.kept) == 1  # the second has no retries left
    owner.drop(argument, *results)
    assert not owner.core.tasks.lineage.kept
    assert not owner.core.objects


def test_beyond_the_cap_the_oldest_cannot_be_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was freed or is made anew counts once, and not any more."""
    monkeypatch.setattr(lineage, "LINEAGE_CAP", 3 * 204)  # of a task with arguments, as `Owner.submit` has them
    owner = Owner()
    argument = owner.core.put(b"v")
    gone = [owner.submit(plan(), [argument]) for _ in range(5)]
    owner.grant(A)
    for result in gone:
        stored(owner, result, A)
        owner.drop(result)
    kept = [owner.submit(plan(), [argument]) for _ in range(4)]
    for result in kept:
        stored(owner, result, A)
    owner.pushed(A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    assert owner.fault(kept[0]) is FaultKind.OBJECT_LOST
    assert "its lineage was dropped" in str(owner.value(kept[0]))
    assert owner.pushed(A) == kept[1:]


def test_long_chains_are_made_again_and_let_go_of() -> None:
    """Longer than the interpreter's stack is deep."""
    owner, length = Owner(), 2000
    owner.checks = False
    last = owner.submit(plan())
    owner.grant(A)
    stored(owner, last, A)
    for _ in range(length):
        before, last = last, owner.submit(plan(), [last])
        stored(owner, last, A)
        owner.drop(before)
    owner.pushed(A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    made = 0
    while waiting := owner.pushed(A):
        for object_ in waiting:
            made += 1
            stored(owner, object_, A, NODE)
        owner.flush()
    assert made == length + 1
    assert owner.value(last) == Stored(NODE, 5000)
    owner.core.check()
    owner.drop(last)
    owner.core.check()
    assert not owner.core.objects


def test_a_call_that_is_made_again_goes_before_those_that_wait_for_its_result() -> None:
    """They were on their way when the actor died, and are the first to be sent to the next one."""
    owner = Owner()
    actor = owner.create(max_restarts=1, max_task_retries=2)
    owner.alive(actor)
    made = [owner.call(actor, "make", 2) for _ in range(2)]
    for object_ in made:
        stored(owner, object_, A)
    used = owner.call(actor, "use", 2, [made[1]])
    other = owner.call(actor, "other", 2, [made[0]])
    assert owner.pushed(A) == [*made, used, other]
    owner.lose(A)
    owner.say(NODE, NodeDied(OTHER_NODE, "power"))
    owner.actor_is(actor, ActorState.RESTARTING, 1)
    owner.alive(actor, B, 1)
    owner.flush()
    assert owner.pushed(B) == made
    for object_ in made:
        stored(owner, object_, B, NODE)
    owner.flush()
    assert owner.pushed(B) == [used, other]
