"""What `get_runtime_context` answers in a driver, a task and an actor."""

from __future__ import annotations

from typing import Any

import pytest

import rustyray
from rustyray.runtime import context
from tests.unit.api.fake_engine import DRIVER, JOB, NODE, FakeEngine


def answers() -> dict[str, Any]:
    here = rustyray.get_runtime_context()
    return {
        "job": here.get_job_id(),
        "node": here.get_node_id(),
        "worker": here.get_worker_id(),
        "task": here.get_task_id(),
        "task_name": here.get_task_name(),
        "function": here.get_task_function_name(),
        "actor": here.get_actor_id(),
        "actor_name": here.get_actor_name(),
        "resources": here.get_assigned_resources(),
        "restarted": here.was_current_actor_reconstructed,
        "canceled": here.is_canceled(),
    }


class Asker:
    def __init__(self) -> None:
        self.at_start = answers()

    def ask(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.at_start, answers()

    def restarted(self) -> bool:
        task = context.current_task.get()
        assert task is not None
        assert task.hosted is not None
        task.hosted.incarnation = 1
        return rustyray.get_runtime_context().was_current_actor_reconstructed


def test_in_a_driver(engine: FakeEngine) -> None:
    assert answers() == {
        "job": JOB.hex(),
        "node": NODE.hex(),
        "worker": DRIVER.hex(),
        "task": None,
        "task_name": None,
        "function": None,
        "actor": None,
        "actor_name": None,
        "resources": {},
        "restarted": False,
        "canceled": False,
    }
    here = rustyray.get_runtime_context()
    assert (here.namespace, here.gcs_address, here.get_session_name()) == ("anonymous", "fake:", "one")
    with pytest.raises(RuntimeError, match="current_actor is for methods of an actor"):
        _ = here.current_actor


def test_in_a_task(engine: FakeEngine) -> None:
    ask = rustyray.remote(answers)
    ref = ask.options(name="asking", num_cpus=0.5).remote()
    told = rustyray.get(ref)
    assert told["task"] == ref.task_id().hex()
    assert (told["task_name"], told["function"]) == ("asking", f"{__name__}.answers")
    assert told["resources"] == {"CPU": 0.5}
    assert (told["actor"], told["actor_name"]) == (None, None)
    assert rustyray.get(ask.remote())["task_name"] == f"{__name__}.answers"


def test_in_an_actor(engine: FakeEngine) -> None:
    asker = rustyray.remote(Asker).options(name="asker").remote()
    ref = asker.ask.remote()
    at_start, now = rustyray.get(ref)
    assert at_start["actor"] == now["actor"] == asker._actor_id.hex()
    assert at_start["function"] == f"{__name__}.Asker.__init__"
    assert (now["task"], now["function"]) == (ref.task_id().hex(), f"{__name__}.Asker.ask")
    assert now["actor_name"] == "asker"
    assert now["restarted"] is False
    assert rustyray.get(asker.restarted.remote()) is True
    nameless = rustyray.remote(Asker).remote()
    assert rustyray.get(nameless.ask.remote())[1]["actor_name"] == ""


def test_a_cancelled_task_can_ask(engine: FakeEngine) -> None:
    task = context.TaskContext(JOB, b"t" * 20, "f")
    token = context.current_task.set(task)
    try:
        assert not rustyray.get_runtime_context().is_canceled()
        task.cancelled = True
        assert rustyray.get_runtime_context().is_canceled()
    finally:
        context.current_task.reset(token)


def test_asking_starts_a_runtime() -> None:
    assert rustyray.get_runtime_context().get_node_id() == NODE.hex()
    assert rustyray.is_initialized()


def test_the_cluster_is_described(engine: FakeEngine) -> None:
    context.set_engine(None)
    rustyray.init(num_cpus=3, memory=1)
    assert rustyray.nodes() == [{"NodeID": NODE.hex(), "Alive": True}]
    assert rustyray.cluster_resources() == rustyray.available_resources() == {"CPU": 3.0, "memory": 1.0}
