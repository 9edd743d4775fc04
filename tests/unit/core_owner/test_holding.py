"""What a program has under way is told, and can be ended."""

from __future__ import annotations

from rustyray.core.owner import holding
from rustyray.model.messages import CancelTask
from rustyray.model.values import Fault
from tests.unit.core_owner.owner import Owner, plan


def test_refs_and_tasks_that_are_not_done() -> None:
    owner = Owner()
    first = owner.submit(plan("f"))
    owner.submit(plan("g"), deps=[first])
    held = holding.held(owner.core)
    assert sorted(held["refs"].values()) == ["a ref to the result of f", "a ref to the result of g"]
    assert sorted(held["tasks"].values()) == [
        "f, queued, waits for a worker with CPU: 1, asked of node 6e6f64652d6f6e65",
        "g, waiting for arguments, waits for the result of f, its argument",
    ]
    assert held["actors"] == {}


def test_a_task_is_cancelled_and_no_second_time() -> None:
    owner = Owner()
    ref = owner.submit(plan("f"))
    (task,) = holding.held(owner.core)["tasks"]
    assert holding.let_go(owner.core, "tasks", task, owner.now)
    owner.settle()
    assert isinstance(owner.core.objects[ref].value, Fault)
    assert holding.held(owner.core)["tasks"] == {}
    assert not holding.let_go(owner.core, "tasks", task, owner.now)
    assert not holding.let_go(owner.core, "refs", ref, owner.now)
    assert not [message for _, message in owner.sent if isinstance(message, CancelTask)]
