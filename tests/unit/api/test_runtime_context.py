"""What `get_runtime_context` answers in a driver, a task and an actor."""

from __future__ import annotations

from typing import Any

import pytest

import rustyray
from rustyray.api.ids import JobID, NodeID, PlacementGroupID, TaskID
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
    }
    here = rustyray.get_runtime_context()
    with pytest.raises(RuntimeError, match=r"is_canceled\(\) is for tasks and actors"):
        here.is_canceled()
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
    assert rustyray.get(ask.remote())["task_name"] == "answers"


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


def old_answers() -> dict[str, Any]:
    here = rustyray.get_runtime_context()
    names = ("job_id", "node_id", "task_id", "actor_id", "current_placement_group_id")
    with pytest.warns(DeprecationWarning, match="is deprecated: use get_") as warned:
        found = {"all": here.get(), **{name: getattr(here, name) for name in names}}
    with pytest.warns(DeprecationWarning, match="use get_accelerator_ids"):
        assert here.get_resource_ids() == here.get_accelerator_ids()
    assert len(warned) == 6
    assert str(warned[1].message) == "RuntimeContext.job_id is deprecated: use get_job_id()"
    return found


def test_what_older_programs_ask(engine: FakeEngine) -> None:
    ids = {"job_id": JobID(JOB), "node_id": NodeID(NODE)}
    assert old_answers() == ids | {
        "all": ids | {"namespace": "anonymous"},
        "task_id": None,
        "actor_id": None,
        "current_placement_group_id": PlacementGroupID.nil(),
    }
    ref = rustyray.remote(old_answers).remote()
    told, task = rustyray.get(ref), {"task_id": TaskID(ref.task_id())}
    assert told["all"] == ids | task | {"namespace": "anonymous"}
    assert {"task_id": told["task_id"]} == task

    class Old:
        def ask(self) -> dict[str, Any]:
            return old_answers()

    actor = rustyray.remote(Old).remote()
    told = rustyray.get(actor.ask.remote())
    assert told["all"]["actor_id"] == told["actor_id"] == actor._actor_id


def test_asking_starts_a_runtime() -> None:
    assert rustyray.get_runtime_context().get_node_id() == NODE.hex()
    assert rustyray.is_initialized()


def test_the_cluster_is_described(engine: FakeEngine) -> None:
    context.set_engine(None)
    rustyray.init(num_cpus=3, memory=1)
    assert rustyray.nodes() == [{"NodeID": NODE.hex(), "Alive": True}]
    assert rustyray.cluster_resources() == rustyray.available_resources() == {"CPU": 3.0, "memory": 1.0}
