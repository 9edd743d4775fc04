"""``stats()`` and ``rustyray.util.state``: what is counted, what runs, and what is stuck."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import rustyray
from rustyray.util import state
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start


@rustyray.remote
def double(x: int) -> int:
    return 2 * x


@rustyray.remote(max_retries=0)
def fails() -> None:
    raise ValueError("no")


@rustyray.remote
def sleeps(seconds: float) -> None:
    time.sleep(seconds)


@rustyray.remote
def waits(refs: list[rustyray.ObjectRef[None]]) -> None:
    rustyray.get(refs)


@rustyray.remote
def passes(value: None) -> None:
    return value


@rustyray.remote(max_restarts=1)
class Actor:
    def pid(self) -> int:
        return os.getpid()

    def crash(self) -> None:
        os._exit(1)


def seen(look: Callable[[], bool]) -> None:
    assert eventually(look, 20)


@pytest.mark.usefixtures("local")
def test_all_is_counted() -> None:
    rustyray.get([double.remote(n) for n in range(100)])
    failed = fails.remote()
    with pytest.raises(ValueError, match="no"):
        rustyray.get(failed)
    large = rustyray.put(np.ones(100_000))
    actor = Actor.remote()
    rustyray.get(actor.pid.remote())
    told = rustyray.stats()
    assert (told.tasks.submitted, told.tasks.finished, told.tasks.failed) == (101, 100, 1)
    assert (told.calls.submitted, told.calls.finished) == (1, 1)
    assert sum(process.ran for process in told.processes) == 102
    assert told.objects.stored == 1
    assert told.store.used >= told.objects.stored_bytes >= 800_000
    assert told.head is not None
    assert told.head.actors == {"ALIVE": 1}
    assert told.head.nodes == {"ALIVE": 1}
    assert told.nodes[0].workers["ACTOR"] == 1
    assert told.nodes[0].granted >= told.nodes[0].leases
    assert told.latency.quantile(0.5) <= told.latency.quantile(1.0) < 60
    assert not told.silent
    assert json.loads(json.dumps(told.to_dict()))["tasks"]["failed"] == 1
    del large


@pytest.mark.usefixtures("local")
def test_restarts_of_actors_are_counted() -> None:
    actor = Actor.options(max_task_retries=0).remote()
    rustyray.get(actor.pid.remote())
    actor.crash.remote()

    def restarted() -> bool:
        head = rustyray.stats().head
        return head is not None and (head.restarts, head.actors) == (1, {"ALIVE": 1})

    seen(restarted)


@pytest.mark.usefixtures("local")
def test_what_runs_and_what_it_waits_for() -> None:
    slow = sleeps.remote(60)
    waiting, later = waits.remote([slow]), passes.remote(slow)
    never = double.options(resources={"unobtainium": 1}).remote(1)

    def all_there() -> bool:
        return {task.state for task in state.list_tasks()} >= {
            "RUNNING",
            "PENDING_ARGS_AVAIL",
            "PENDING_NODE_ASSIGNMENT",
        }

    seen(lambda: sum(task.state == "RUNNING" for task in state.list_tasks()) == 2 and all_there())
    found = {task.task_id: task for task in state.list_tasks()}
    assert len(found) == 4
    told = found[waiting.task_id().hex()]
    assert told.state == "RUNNING"
    assert found[slow.task_id().hex()].name == "sleeps"
    assert told.waits_for == f"the result of {__name__}.sleeps"
    assert found[slow.task_id().hex()].waits_for == ""
    assert found[later.task_id().hex()].waits_for.endswith("its argument")
    assert "unobtainium" in found[never.task_id().hex()].waits_for
    assert not state.stuck_tasks(longer_than=3600)
    lines = state.who_waits()
    assert any("waits for the result of " in line and "sleeps" in line for line in lines), lines
    assert {task.task_id for task in state.stuck_tasks(longer_than=0)} == set(found)
    runs = [run.task_id for worker in state.list_workers() for run in worker.runs]
    assert set(runs) == {waiting.task_id().hex(), slow.task_id().hex()}
    for ref in (slow, waiting, later, never):
        rustyray.cancel(ref, force=True)


@pytest.mark.usefixtures("local")
def test_nodes_and_workers_are_ready() -> None:
    rustyray.get(double.remote(1))
    (node,) = state.list_nodes()
    assert (node.state, node.state_message) == ("ALIVE", None)
    assert node.silent < 60
    assert any(worker.answers and worker.pid for worker in state.list_workers())


@pytest.mark.stress
@pytest.mark.native_only("a simulated worker cannot stand still")
def test_a_worker_that_stands_still_is_told_of(start: Start) -> None:
    start(num_cpus=1)
    ref = sleeps.remote(60)
    seen(lambda: any(worker.runs for worker in state.list_workers()))
    stopped = next(worker for worker in state.list_workers() if worker.runs)
    os.kill(stopped.pid, signal.SIGSTOP)
    try:
        assert rustyray.stats(timeout=4.0).silent == [f"worker {stopped.worker_id}"]
        (task,) = [task for task in state.list_tasks(timeout=4.0) if task.task_id == ref.task_id().hex()]
        assert task.waits_for == f"worker {stopped.worker_id}, which does not answer"
        told = {worker.worker_id: worker.answers for worker in state.list_workers(timeout=4.0)}
        assert told[stopped.worker_id] is False
    finally:
        os.kill(stopped.pid, signal.SIGKILL)


def test_a_generator_waits_for_somebody_to_read(start: Start) -> None:
    start(num_cpus=1)

    @rustyray.remote(num_returns="streaming", _generator_backpressure_num_objects=2)
    def items() -> Iterator[int]:
        yield from range(5)

    stream = items.remote()
    why = "somebody to read: 2 items are unread, as many as may be"
    assert eventually(
        lambda: [task.waits_for for task in state.list_tasks(filters=[("state", "=", "RUNNING")])] == [why]
    )
    assert [line for line in state.who_waits() if line.endswith(f"waits for {why}")]
    assert [rustyray.get(ref) for ref in stream] == list(range(5))
