"""``rustyray.util.state``: what there is, listed, chosen and counted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray import util
from rustyray.exceptions import RayActorError
from rustyray.util import state
from rustyray.util.state.common import (
    GetApiOptions,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from tests.integration.drivers import eventually

pytestmark = pytest.mark.usefixtures("shared")


@rustyray.remote(max_retries=1, retry_exceptions=[KeyError])
def lookup(key: str) -> str:
    return {"a": "b"}[key]


@rustyray.remote
class Broken:
    def __init__(self) -> None:
        raise ValueError

    def fail(self) -> None: ...


@rustyray.remote
class Board:
    def __init__(self) -> None:
        self.kept: list[Any] = []

    def keep(self, size: int) -> list[Any]:
        self.kept.append(rustyray.put(np.ones(size, np.uint8)))
        return list(self.kept)

    def fail(self) -> None:
        raise ValueError("no")


def test_tasks_with_what_became_of_them() -> None:
    good, bad = lookup.remote("a"), lookup.remote("c")
    board = Board.remote()
    failing = board.fail.remote()
    rustyray.get([good, board.keep.remote(1)])
    for ref, error in ((bad, KeyError), (failing, ValueError)):
        with pytest.raises(error):
            rustyray.get(ref)
    never = rustyray.remote(resources={"unobtainium": 1})(len).remote("a")

    def told(ref: rustyray.ObjectRef[Any]) -> state.TaskState:
        found = state.get_task(ref)
        assert found is not None
        return found

    named = lookup.options(name="a name of its own").remote("a")
    rustyray.get(named)
    assert (told(good).name, told(good).func_or_class_name) == ("lookup", "lookup")
    assert (told(named).name, told(named).func_or_class_name) == ("a name of its own", "lookup")
    assert (told(good).state, told(good).type, told(good).attempt_number) == ("FINISHED", "NORMAL_TASK", 0)
    assert told(good).worker_pid == next(w.pid for w in state.list_workers() if w.worker_id == told(good).worker_id)
    assert (told(bad).state, told(bad).attempt_number, told(bad).error_message) == ("FAILED", 1, "KeyError: 'c'")
    assert (told(failing).name, told(failing).type) == ("Board.fail", "ACTOR_TASK")
    assert told(never).state == "PENDING_NODE_ASSIGNMENT"
    assert eventually(lambda: "unobtainium" in told(never).waits_for, 10)
    creation = state.get_task(board._actor_id.hex())
    assert creation is not None
    assert (creation.name, creation.type, creation.state) == ("Board.__init__", "ACTOR_CREATION_TASK", "FINISHED")
    killed, broken = Board.options(resources={"unobtainium": 1}).remote(), Broken.remote()
    rustyray.kill(killed)
    with pytest.raises(rustyray.exceptions.ActorDiedError):
        rustyray.get(broken.fail.remote())
    creations = [state.get_task(actor._actor_id.hex()) for actor in (killed, broken)]
    assert [(task.state, task.error_type) for task in creations if task] == [("FAILED", "ACTOR_CREATION_FAILED")] * 2
    failed = state.list_tasks(filters=[("STATE", "=", "failed"), ("type", "=", "NORMAL_TASK")])
    assert bad.task_id().hex() in [task.task_id for task in failed]
    assert {task.state for task in failed} == {"FAILED"}
    assert len(state.list_tasks(limit=2)) == 2
    counts = state.summarize_tasks()["cluster"]["summary"]
    assert counts["Board.fail"] == {
        "func_or_class_name": "Board.fail",
        "type": "ACTOR_TASK",
        "state_counts": {"FAILED": 1},
    }
    rustyray.cancel(never)


def test_actors_alive_and_dead() -> None:
    board = Board.options(name="told", num_cpus=1).remote()
    rustyray.get(board.keep.remote(1))
    row = state.get_actor(board._actor_id.hex())
    assert row is not None
    assert (row.class_name, row.state, row["name"], row.get("nothing")) == ("Board", "ALIVE", "told", None)
    assert row.required_resources == {"CPU": 1}
    assert [one.actor_id for one in state.list_actors(filters=[("name", "=", "told")])] == [row.actor_id]
    rustyray.kill(board)
    with pytest.raises(RayActorError):
        rustyray.get(board.keep.remote(1))
    dead = state.get_actor(row.actor_id)
    assert dead is not None
    assert dead.state == "DEAD"
    assert "killed" in str(dead.death_cause)
    assert state.summarize_actors()["cluster"]["summary"]["Board"]["state_counts"]["DEAD"] >= 1


def test_objects_and_their_owners() -> None:
    mine = rustyray.put(np.ones(200_000, np.uint8))
    board = Board.remote()
    theirs = rustyray.get(board.keep.remote(300_000))[0]
    here = rustyray.get_runtime_context().get_node_id()
    [row] = state.get_objects(mine.hex())
    assert (row.type, row.reference_type, row.node_ids) == ("DRIVER", "LOCAL_REFERENCE", [here])
    assert row.object_size >= 200_000
    [row] = state.get_objects(theirs.hex())
    assert row.type == "WORKER"
    assert row.pid == next(one.pid for one in state.list_workers() if one.worker_id == row.owner)
    assert state.summarize_objects()["cluster"]["total_size_mb"] > 0.4


def test_the_rest() -> None:
    [node] = state.list_nodes(detail=True)
    assert (node.is_head_node, node.resources_total["CPU"]) == (True, 4)
    assert state.get_node(node.node_id) is not None
    job = state.get_job(rustyray.get_runtime_context().get_job_id())
    assert job is not None
    assert (job.status, job.type, job.namespace) == ("RUNNING", "DRIVER", "util")
    group = util.placement_group([{"CPU": 1}], name="pair")
    assert group.wait(30)
    row = state.get_placement_group(group.id.hex())
    assert row is not None
    assert (row.state, row.name, row.bundles[0]["node_id"]) == ("CREATED", "pair", node.node_id)
    util.remove_placement_group(group)
    assert state.get_worker("0" * 24) is None


def test_environments_that_workers_have() -> None:
    @rustyray.remote(runtime_env={"env_vars": {"COLOR": "green"}})
    class Painter:
        def node(self) -> str:
            return rustyray.get_runtime_context().get_node_id()

    painter = Painter.remote()
    node = rustyray.get(painter.node.remote())
    [row] = state.list_runtime_envs(filters=[("node_id", "=", node)])
    assert (row.runtime_env, row.success, row.ref_cnt) == ({"env_vars": {"COLOR": "green"}}, True, 1)
    rustyray.kill(painter)
    assert eventually(lambda: not state.list_runtime_envs(), 10)


def test_a_client_asks_for_the_same_by_name() -> None:
    client = state.StateApiClient()
    board = Board.options(name="asked").remote()
    rustyray.get(board.keep.remote(1))
    wanted = ListApiOptions(filters=[("name", "=", "asked")])
    [row] = client.list(StateResource.ACTORS, wanted, raise_on_missing_output=True)
    assert row.actor_id == board._actor_id.hex()
    assert client.get(StateResource.ACTORS, row.actor_id, GetApiOptions(timeout=20)) == row
    counts = client.summary(SummaryResource.ACTORS, options=SummaryApiOptions())
    assert counts["cluster"]["summary"]["Board"]["state_counts"]["ALIVE"] >= 1
    for resource in StateResource:
        assert isinstance(client.list(resource, ListApiOptions(), raise_on_missing_output=True), list)
        if resource not in (StateResource.RUNTIME_ENVS, StateResource.CLUSTER_EVENTS):
            assert client.get(resource, "0" * 24, None) in (None, [])
    with pytest.raises(ValueError, match="runtime_envs have no ids"):
        client.get(StateResource.RUNTIME_ENVS, "0", None)
    with pytest.raises(ValueError, match="not connected to"):
        state.StateApiClient("10.0.0.1:6379")


def test_wrong_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="has no field 'size'"):
        state.list_objects(filters=[("size", "=", 1)])
    with pytest.raises(ValueError, match="a filter is"):
        state.list_tasks(filters=[("state", ">", 1)])
    with pytest.raises(ValueError, match="1 or more"):
        state.list_tasks(limit=0)
    with pytest.raises(ValueError, match="not connected to"):
        state.list_tasks(address="10.0.0.1:6379")


def test_who_did_not_answer_is_named() -> None:
    from rustyray.runtime.engine import Inspection

    found = Inspection()
    found.silent = [("worker", b"\1"), ("node", b"\2")]
    state.choosing.complete(found, ("head",))
    with pytest.raises(state.RayStateApiException, match="node 02 did not answer in time"):
        state.choosing.complete(found, ("head", "node"))


def test_what_happened_to_the_cluster() -> None:
    board = Board.remote()
    rustyray.get(board.keep.remote(1))
    actor = board._actor_id.hex()

    def told() -> list[state.ClusterEventState]:
        happened = state.list_cluster_events(filters=[("source_type", "=", "ACTOR")], limit=10_000)
        return [event for event in happened if event.custom_fields.get("actor") == actor]

    assert {event.severity for event in told()} == {"INFO"}
    rustyray.kill(board)
    assert eventually(lambda: any(one.severity == "ERROR" and "killed" in one.message for one in told()), 10)
    with pytest.raises(
        ValueError, match=r"workers write to their driver's output, .*; submission_id=… names a program"
    ):
        state.get_log(actor_id=actor)
