"""An illegal step is a bug of the runtime's own; its message tells what led to it."""

from __future__ import annotations

import pytest

from rustyray.core.owner.records import DONE, IllegalTaskStep
from rustyray.model.ids import task_of
from rustyray.model.messages import Done, Results
from tests.unit.core_owner.owner import BOOM, WORKERS, Owner, plan

A = WORKERS[0]


def test_an_illegal_step_tells_its_story_without_the_messages_contents() -> None:
    owner = Owner()
    task = task_of(owner.submit(plan(max_retries=0)))
    owner.grant(A)
    owner.core.sched.by_worker[A].inflight[task].state = DONE  # as a bug would
    with pytest.raises(IllegalTaskStep) as caught:
        owner.core.on_message(A, Results([Done(task, [BOOM], True)], 0.1), owner.now)
    told = str(caught.value)
    assert task.hex() in told
    assert "LeaseGranted" in told
    assert told.endswith(f"Results from {A.hex()}")
    assert "boom" not in told
