"""What a task waits for is told in words."""

from __future__ import annotations

from rustyray.core.owner.waits import states
from rustyray.model.ids import object_id, task_id
from rustyray.model.messages import ActorState, LeaseWaits
from rustyray.model.plans import RetryPolicy
from tests.unit.core_owner.owner import NODE, WORKERS, Owner, plan


def waits(owner: Owner, name: str) -> str:
    return next(state.waits_for for state in states(owner.core, owner.now) if state.name == name)


def test_for_arguments() -> None:
    owner = Owner()
    first = owner.submit(plan("f"))
    owner.submit(plan("g"), deps=[first])
    assert waits(owner, "g") == "the result of f, its argument"


def test_for_objects_of_others() -> None:
    owner = Owner()
    theirs = object_id(task_id(WORKERS[3], 1), 0)
    owner.core.refs.adopt(theirs, "sim:owner")
    owner.submit(plan("g"), deps=[theirs])
    assert waits(owner, "g") == f"object {theirs.hex()} of worker {WORKERS[3].hex()}, its argument"


def test_for_a_worker_and_why() -> None:
    owner = Owner()
    owner.submit(plan("f", cpus=64))
    assert waits(owner, "f") == f"a worker with CPU: 64, asked of node {NODE.hex()}"
    owner.say(NODE, LeaseWaits(owner.asked()[0], "no node has as much"))
    assert waits(owner, "f").endswith("(no node has as much)")


def test_for_its_turn() -> None:
    owner = Owner()
    quick = plan("f")
    first = owner.submit(quick)
    owner.grant()
    owner.done(WORKERS[0], first, seconds=1e-6)
    for _ in range(3):
        owner.submit(quick)
    owner.flush()
    told = [state.waits_for for state in states(owner.core, owner.now)]
    assert f"its turn behind 1 other tasks on worker {WORKERS[0].hex()}" in told
    assert "" in told


def test_for_the_next_attempt_and_since_when() -> None:
    owner = Owner()
    task = owner.submit(plan("f", retry=RetryPolicy(on_error=True, initial=10.0)))
    owner.grant()
    owner.now += 5
    owner.fail(WORKERS[0], task)
    owner.now += 1
    (state,) = states(owner.core, owner.now)
    assert (state.waits_for, state.state, state.seconds, state.attempt) == (
        "its next attempt",
        "waiting to retry",
        1,
        1,
    )


def test_for_an_actor() -> None:
    owner = Owner()
    actor = owner.create(max_restarts=1, max_task_retries=-1)
    owner.call(actor, max_task_retries=-1)
    assert waits(owner, "m") == "its actor to start"
    assert waits(owner, "__init__") == "its actor to be created"
    owner.alive(actor)
    owner.call(actor, "n")
    owner.flush()
    assert (waits(owner, "m"), waits(owner, "n")) == ("", "1 earlier calls of its actor")
    owner.lose(WORKERS[0])
    owner.actor_is(actor, ActorState.RESTARTING, reason="it crashed")
    assert waits(owner, "m") == "its actor to be restarted: it crashed"
