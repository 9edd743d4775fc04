"""Large objects between real nodes: whole, several at once, to many nodes, and past one that is killed."""

from __future__ import annotations

import hashlib
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

STORE = 200 << 20
MEGABYTE = 1 << 20


def digest(array: np.ndarray) -> str:
    return hashlib.sha256(array.data).hexdigest()


@rustyray.remote
def make(seed: int, size: int) -> np.ndarray:
    return noise(seed, size)


@rustyray.remote(max_retries=3)
def reads(array: np.ndarray) -> str:
    return digest(array)


@rustyray.remote
def adds(array: np.ndarray) -> tuple[str, np.ndarray]:
    return rustyray.get_runtime_context().get_node_id(), array + 1


@rustyray.remote
def where(*arguments: object) -> str:
    return rustyray.get_runtime_context().get_node_id()


@rustyray.remote
def until_there(path: str, array: np.ndarray) -> str:
    while not os.path.exists(path):
        time.sleep(0.01)
    return rustyray.get_runtime_context().get_node_id()


def noise(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size, np.uint8)


def at(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node, soft=False)


def others() -> list[str]:
    mine = rustyray.get_runtime_context().get_node_id()
    return [about["NodeID"] for about in rustyray.nodes() if about["NodeID"] != mine]


@pytest.mark.parametrize("size", [MEGABYTE, 2 * MEGABYTE - 200, 2 * MEGABYTE, 41 * MEGABYTE + 7])
def test_an_object_comes_whole(size: int) -> None:
    with rustyray.init(num_cpus=1, num_nodes=2, object_store_memory=STORE):
        ref = make.options(scheduling_strategy=at(others()[0])).remote(size, size)
        assert digest(rustyray.get(ref)) == digest(noise(size, size))


def test_several_objects_come_at_once_from_and_to_several_nodes() -> None:
    with rustyray.init(num_cpus=1, num_nodes=3, object_store_memory=STORE):
        sizes = [(number * 977 + 13) * 2000 for number in range(1, 7)]
        refs = [make.options(scheduling_strategy=at(node)).remote(size, size) for size in sizes for node in others()]
        mine = [rustyray.put(noise(size, size)) for size in sizes]
        there = [reads.options(scheduling_strategy=at(node)).remote(ref) for ref in mine for node in others()]
        want = [digest(noise(size, size)) for size in sizes for _ in others()]
        assert [digest(array) for array in rustyray.get(refs)] == want
        assert rustyray.get(there) == want


def test_a_broadcast_reaches_all_nodes() -> None:
    with rustyray.init(num_cpus=1, num_nodes=6, object_store_memory=STORE):
        array = noise(1, 30 * MEGABYTE)
        ref = rustyray.put(array)
        there = [reads.options(scheduling_strategy=at(node)).remote(ref) for node in others()]
        assert rustyray.get(there) == [digest(array)] * 5


@pytest.mark.parametrize("after", [0.0, 0.01, 0.03, 0.06])
def test_a_broadcast_goes_on_past_a_node_that_is_killed(after: float) -> None:
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1, "object_store_memory": STORE})
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=STORE) for _ in range(5)]
    try:
        array = noise(2, 60 * MEGABYTE)
        ref = rustyray.put(array)
        soft = [NodeAffinitySchedulingStrategy(node.node_id, soft=True) for node in nodes]
        there = [reads.options(scheduling_strategy=strategy).remote(ref) for strategy in soft]
        killer = threading.Timer(after, os.kill, (nodes[0].pid, signal.SIGKILL))
        killer.start()
        assert rustyray.get(there, timeout=60) == [digest(array)] * 5
        killer.join()
    finally:
        cluster.shutdown()


def test_tasks_go_where_their_large_arguments_are() -> None:
    with rustyray.init(num_cpus=1, num_nodes=3, object_store_memory=STORE):
        for node in others():
            large = make.options(scheduling_strategy=at(node)).remote(1, 5 * MEGABYTE)
            small = make.options(scheduling_strategy=at(node)).remote(2, 500_000)
            rustyray.wait([large, small], num_returns=2)
            for _ in range(5):
                assert rustyray.get(where.remote(large)) == node
            assert rustyray.get(where.remote(large, small, small)) == node
            for _ in range(5):
                moved = adds.options(num_returns=2).remote(large)
                assert rustyray.get(moved[0]) == node
                large = moved[1]
        assert rustyray.get(where.remote(small)) not in others()
        mine = rustyray.put(noise(3, 5 * MEGABYTE))
        assert rustyray.get(where.remote(mine)) not in others()


def test_tasks_go_elsewhere_while_the_node_of_their_arguments_is_busy(tmp_path: Path) -> None:
    with rustyray.init(num_cpus=1, num_nodes=3, object_store_memory=STORE):
        node = others()[0]
        large = make.options(scheduling_strategy=at(node)).remote(1, 5 * MEGABYTE)
        rustyray.wait([large])
        tasks = [until_there.remote(str(tmp_path / "go"), large) for _ in range(3)]
        first = rustyray.wait(tasks, timeout=0.3)[0]
        assert not first
        (tmp_path / "go").touch()
        found = rustyray.get(tasks)
        assert node in found
        assert len(set(found)) == 3
