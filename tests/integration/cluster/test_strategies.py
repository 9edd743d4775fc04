"""Which nodes tasks and actors run on, when the program says so; on both engines."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from rustyray.exceptions import ActorUnschedulableError, TaskUnschedulableError
from rustyray.util.scheduling_strategies import (
    DoesNotExist,
    Exists,
    In,
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    NotIn,
)
from tests.integration.cluster.meeting import meet, where
from tests.integration.drivers import eventually


@rustyray.remote
class Actor:
    def where(self) -> str:
        return rustyray.get_runtime_context().get_node_id()


def on(node: str, soft: bool = False) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft)


def test_tasks_and_actors_run_on_the_node_that_they_are_sent_to(nodes: list[str]) -> None:
    for node in (*nodes, *reversed(nodes)):
        refs = [where.options(scheduling_strategy=on(node)).remote() for _ in range(5)]
        assert rustyray.get(refs) == [node] * 5
        actor = Actor.options(scheduling_strategy=on(node)).remote()
        assert rustyray.get(actor.where.remote()) == node


def test_a_full_node_is_waited_for(nodes: list[str]) -> None:
    refs = [where.options(scheduling_strategy=on(nodes[1])).remote(0.1) for _ in range(6)]
    assert rustyray.get(refs) == [nodes[1]] * 6


def test_tasks_are_spread(nodes: list[str], tmp_path: Path) -> None:
    refs = [meet.options(scheduling_strategy="SPREAD").remote(str(tmp_path), 3) for _ in range(3)]
    assert {node for node, _ in rustyray.get(refs)} == set(nodes)
    actors = [Actor.options(scheduling_strategy="SPREAD").remote() for _ in range(6)]
    assert Counter(rustyray.get([actor.where.remote() for actor in actors])) == dict.fromkeys(nodes, 2)


def test_without_a_strategy_tasks_stay_near(nodes: list[str]) -> None:
    here = rustyray.get_runtime_context().get_node_id()
    assert rustyray.get([where.remote() for _ in range(2)]) == [here, here]
    assert rustyray.get(where.options(scheduling_strategy="DEFAULT").remote()) == here


def test_nested_tasks_decide_for_themselves(nodes: list[str]) -> None:
    @rustyray.remote(num_cpus=0)
    def outer(node: str) -> tuple[str, str]:
        here = rustyray.get_runtime_context().get_node_id()
        return here, rustyray.get(where.options(scheduling_strategy=on(node)).remote())

    first, second, third = nodes
    assert rustyray.get(outer.options(scheduling_strategy=on(second)).remote(third)) == (second, third)
    assert rustyray.get(outer.options(scheduling_strategy=on(third)).remote(first)) == (third, first)


@pytest.mark.stress
def test_a_node_that_never_was(nodes: list[str]) -> None:
    nowhere = "00ff" * 4
    with pytest.raises(TaskUnschedulableError, match=f"only run on node {nowhere}, which is not part of the cluster"):
        rustyray.get(where.options(scheduling_strategy=on(nowhere)).remote())
    with pytest.raises(ActorUnschedulableError, match=f"only run on node {nowhere}"):
        rustyray.get(Actor.options(scheduling_strategy=on(nowhere)).remote().where.remote())
    assert rustyray.get(where.options(scheduling_strategy=on(nowhere, soft=True)).remote()) in nodes
    soft = Actor.options(scheduling_strategy=on(nowhere, soft=True)).remote()
    assert rustyray.get(soft.where.remote()) in nodes


# --- nodes that differ ------------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 2, "labels": {"zone": "a"}})
    yield made
    made.shutdown()


def test_labels_say_where(cluster: Cluster) -> None:
    b = cluster.add_node(num_cpus=2, labels={"zone": "b", "disk": "ssd"}).node_id
    c = cluster.add_node(num_cpus=2, labels={"zone": "c"}).node_id
    assert cluster.head_node is not None
    a = cluster.head_node.node_id
    cases: list[tuple[dict[str, In | Exists], set[str]]] = [
        ({"zone": In("b")}, {b}),
        ({"zone": In("b", "c")}, {b, c}),
        ({"zone": NotIn("a", "b")}, {c}),
        ({"disk": Exists()}, {b}),
        ({"disk": DoesNotExist(), "zone": NotIn("a")}, {c}),
        ({"zone": In("a")}, {a}),
    ]
    for hard, allowed in cases:
        strategy = NodeLabelSchedulingStrategy(hard)
        assert rustyray.get(where.options(scheduling_strategy=strategy).remote()) in allowed
        actor = Actor.options(scheduling_strategy=strategy).remote()
        assert rustyray.get(actor.where.remote()) in allowed
    preferring = NodeLabelSchedulingStrategy({"zone": In("b", "c")}, soft={"zone": In("c")})
    assert rustyray.get(where.options(scheduling_strategy=preferring).remote()) == c
    wishing = NodeLabelSchedulingStrategy({"zone": In("b")}, soft={"zone": In("z")})
    assert rustyray.get(where.options(scheduling_strategy=wishing).remote()) == b


def test_a_node_with_the_label_is_waited_for(cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    ref = where.options(scheduling_strategy=NodeLabelSchedulingStrategy({"zone": In("z")})).remote()
    assert rustyray.wait([ref], timeout=0.2) == ([], [ref])
    assert "on labels zone in z" in capfd.readouterr().err
    node = cluster.add_node(num_cpus=1, labels={"zone": "z"})
    assert rustyray.get(ref, timeout=20) == node.node_id


def test_a_node_that_dies_takes_what_may_run_nowhere_else(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=4)
    hard = where.options(scheduling_strategy=on(node.node_id)).remote(1000)
    soft = where.options(scheduling_strategy=on(node.node_id, soft=True), num_cpus=0).remote(0.2)
    keeper = Actor.options(scheduling_strategy=on(node.node_id), max_restarts=3).remote()
    mover = Actor.options(scheduling_strategy=on(node.node_id, soft=True), max_restarts=3).remote()
    assert rustyray.get([keeper.where.remote(), mover.where.remote()]) == [node.node_id] * 2
    os.kill(node.pid, signal.SIGKILL)
    with pytest.raises(TaskUnschedulableError, match=f"only run on node {node.node_id}, which is dead"):
        rustyray.get(hard, timeout=20)
    with pytest.raises(ActorUnschedulableError, match=f"only run on node {node.node_id}"):
        rustyray.get(keeper.where.options(max_task_retries=-1).remote(), timeout=20)
    assert rustyray.get(soft, timeout=20) in {node.node_id, cluster.head_node.node_id}  # type: ignore[union-attr]

    def moved() -> bool:
        try:
            return rustyray.get(mover.where.remote()) == cluster.head_node.node_id  # type: ignore[union-attr]
        except rustyray.exceptions.RayActorError:
            return False

    assert eventually(moved, 20)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="'SPRED'"):
        where.options(scheduling_strategy="SPRED")
    with pytest.raises(TypeError, match="scheduling_strategy must be"):
        where.options(scheduling_strategy=3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="the NodeID of one of nodes"):
        NodeAffinitySchedulingStrategy("somewhere", soft=False)
    with pytest.raises(TypeError, match="in hexadecimal"):
        NodeAffinitySchedulingStrategy(b"12345678", soft=False)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="labels must be a dict"):
        NodeLabelSchedulingStrategy({"zone": "a"})  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="the values of a label"):
        In()
