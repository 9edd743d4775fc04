"""The connection to a node breaks, and neither is dead: to the node, the leases that its lost client had are over."""

from __future__ import annotations

from rustyray.core.owner.deaths import LOST_PATIENCE
from rustyray.model import ids
from rustyray.model.messages import LeaseElsewhere, LeaseGranted, Unblocked
from rustyray.model.plans import TaskPlan
from tests.unit.core_owner.owner import NODE, OTHER_NODE, Owner, plan

ABROAD = ids.worker_id(OTHER_NODE, 1)
LEASE = 1
HERE = ids.worker_id(NODE, 1)


def pushed_abroad(count: int) -> tuple[Owner, TaskPlan, list[bytes]]:
    """So many tasks that a worker of another node has."""
    owner, function = Owner(), plan(max_retries=1)
    first = owner.submit(function)
    owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:other"))
    assert owner.grant(ABROAD, OTHER_NODE) == LEASE
    owner.done(ABROAD, first, seconds=0.0001)  # it is short: the next ones are pushed one behind the other
    tasks = [owner.submit(function) for _ in range(count)]
    owner.flush()
    assert owner.pushed(ABROAD) == [first, *tasks]
    return owner, function, tasks


def run_here(owner: Owner, count: int) -> list[bytes]:
    """Have a worker of this node do what it is given, until so many tasks are done."""
    done: list[bytes] = []
    while len(done) < count:
        if HERE not in owner.core.sched.by_worker:
            owner.grant(HERE)
        owner.flush()
        for task in owner.pushed(HERE):
            owner.done(HERE, task)
            done.append(task)
        owner.wait(0.01)
    return done


def test_what_runs_may_come_to_its_end_and_the_rest_runs_elsewhere() -> None:
    owner, function, tasks = pushed_abroad(3)
    owner.lose(OTHER_NODE)
    owner.done(ABROAD, tasks[0])
    owner.say(ABROAD, Unblocked(LEASE))
    more = owner.submit(function)
    owner.flush()
    assert owner.value(tasks[0]) == b"v"
    assert owner.pushed(ABROAD) == []
    owner.wait(LOST_PATIENCE + 1)
    assert LEASE not in owner.core.sched.leases
    assert sorted(run_here(owner, 3)) == sorted([*tasks[1:], more])
    assert owner.pushed(ABROAD) == []


def test_its_worker_may_be_given_anew_before() -> None:
    owner, _, tasks = pushed_abroad(1)
    owner.lose(OTHER_NODE)
    other = owner.submit(plan("g", cpus=0.5))
    owner.say(NODE, LeaseElsewhere(owner.asked()[0], OTHER_NODE, "sim:other"))
    (request,) = owner.asked(OTHER_NODE)
    owner.say(OTHER_NODE, LeaseGranted(request, LEASE + 1, ABROAD, "sim:worker", 7))
    assert list(owner.core.sched.leases) == [LEASE + 1]
    assert owner.pushed(ABROAD) == [other]
    owner.die(ABROAD)
    assert sorted(run_here(owner, 2)) == sorted([*tasks, other])
