"""Tasks with large arguments are wanted where those are; others never notice."""

from __future__ import annotations

from rustyray.core.owner.scheduling import LARGE
from rustyray.model import ids
from rustyray.model.messages import GiveBack, LeaseElsewhere, NodeDied, RequestLease, ReturnLease
from rustyray.model.strategies import Strategy
from rustyray.model.values import Stored
from tests.unit.core_owner.owner import NODE, OTHER_NODE, WORKERS, Owner, plan

A, B = WORKERS[:2]
FAR = ids.worker_id(OTHER_NODE, 1)
THIRD = b"node-3rd"
NEAR = Strategy(near=OTHER_NODE)


def stored(owner: Owner, node: bytes, size: int) -> bytes:
    return owner.core.put(Stored(node, size))


def wanted(owner: Owner, *sizes: tuple[bytes, int]) -> Strategy | None:
    """The strategy of the request for a worker for a task with such arguments."""
    owner.sent.clear()
    owner.submit(plan(), [stored(owner, node, size) for node, size in sizes])
    return owner.one(NODE, RequestLease).strategy


def test_large_arguments_draw_it_to_their_node() -> None:
    assert wanted(Owner(), (OTHER_NODE, LARGE)) == NEAR
    assert wanted(Owner(), (OTHER_NODE, LARGE - 1)) is None
    assert wanted(Owner(), (OTHER_NODE, LARGE // 2), (OTHER_NODE, LARGE // 2)) == NEAR


def test_the_node_with_most_of_them_counts() -> None:
    both = [(OTHER_NODE, 2 * LARGE), (THIRD, 3 * LARGE), (OTHER_NODE, 2 * LARGE)]
    assert wanted(Owner(), *both) == NEAR
    assert wanted(Owner(), *both, (NODE, 4 * LARGE)) is None, "on equal terms it stays here"


def test_a_task_that_waits_for_its_argument_goes_where_that_was_made() -> None:
    owner = Owner()
    first = owner.submit(plan("make"))
    owner.grant(A)
    second = owner.submit(plan("use"), [first])
    owner.sent.clear()
    owner.done(A, first, value=[Stored(OTHER_NODE, LARGE)])
    assert owner.one(NODE, RequestLease).strategy == NEAR
    request = owner.asked()[0]
    owner.say(NODE, LeaseElsewhere(request, OTHER_NODE, "sim:other"))
    assert owner.one(OTHER_NODE, RequestLease).strategy == NEAR
    owner.grant(FAR, OTHER_NODE)
    assert owner.pushed(FAR) == [second]


def test_those_with_and_without_do_not_share_workers() -> None:
    owner = Owner()
    plain = owner.submit(plan())
    owner.grant(A)
    assert owner.pushed(A) == [plain]
    large = [owner.submit(plan(), [stored(owner, OTHER_NODE, LARGE)]) for _ in range(2)]
    owner.done(A, plain)
    assert owner.pushed(A) == []
    owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:other"))
    owner.grant(FAR, OTHER_NODE)
    assert owner.pushed(FAR) == large[:1]
    owner.say(FAR, GiveBack(owner.leases[FAR], [ids.task_of(large[0])], False))
    assert owner.pushed(FAR) == large[:1], "what comes back is queued where it was"


def test_what_is_here_is_kept_from_workers_that_are_not() -> None:
    owner = Owner()
    owner.submit(plan())
    owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:other"))
    owner.grant(FAR, OTHER_NODE)
    assert wanted(owner, (NODE, LARGE)) == Strategy(near=NODE)


def test_a_node_that_is_known_is_asked_itself_after_what_idles_there_is_returned() -> None:
    owner = Owner()
    plain = owner.submit(plan())
    owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:other"))
    lease = owner.grant(FAR, OTHER_NODE)
    owner.done(FAR, plain)
    owner.sent.clear()
    owner.submit(plan(), [stored(owner, OTHER_NODE, LARGE)])
    there = [message for to, message in owner.sent if to == OTHER_NODE]
    assert there == [ReturnLease(lease), RequestLease(3, b"\0\0\0\1", plan().resources, 1, False, NEAR)]
    owner.lose(OTHER_NODE)
    owner.wait(1.0)
    assert owner.one(NODE, RequestLease).strategy == NEAR, "it may be gone"


def test_a_strategy_of_the_users_counts_more() -> None:
    owner = Owner()
    of = plan()
    of.strategy = Strategy(spread=True)
    owner.submit(of, [stored(owner, OTHER_NODE, LARGE)])
    assert owner.one(NODE, RequestLease).strategy == Strategy(spread=True)


def test_the_class_of_a_node_that_died_goes_with_it() -> None:
    owner = Owner()
    task = owner.submit(plan(), [stored(owner, OTHER_NODE, LARGE)])
    owner.grant(A)
    owner.done(A, task)
    assert len(owner.core.sched.classes) == 2
    owner.wait(1.0)
    owner.say(NODE, NodeDied(OTHER_NODE, "it is gone"))
    assert len(owner.core.sched.classes) == 1
