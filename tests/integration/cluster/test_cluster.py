"""Several nodes, each a process of its own: where things run, and what happens when nodes go."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.cluster_utils import Cluster, ClusterNode
from rustyray.exceptions import ActorDiedError, ActorUnavailableError, ObjectLostError, OwnerDiedError
from tests.integration.cluster.meeting import meet
from tests.integration.drivers import eventually


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Connected; the head has one CPU."""
    made = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    yield made
    made.shutdown()


def here() -> str:
    return rustyray.get_runtime_context().get_node_id()


@rustyray.remote
def where() -> str:
    return here()


@rustyray.remote
class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count

    def where(self) -> tuple[str, int]:
        return here(), os.getpid()

    def large(self, size: int) -> bytes:
        return bytes(size)

    def ask(self, other: rustyray.ActorHandle[Counter]) -> int:
        return rustyray.get(other.add.remote())


def patiently(call: Callable[[], Any], timeout: float = 20) -> Any:
    """What the call says once the actor is there again."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return rustyray.get(call())
        except ActorUnavailableError:
            if time.monotonic() > deadline:
                raise


# --- where things run -------------------------------------------------------------------------------------------------


def test_tasks_go_where_there_is_room(cluster: Cluster, tmp_path: Path) -> None:
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    found = rustyray.get([meet.remote(str(tmp_path), 3) for _ in range(3)])
    assert {node for node, _ in found} == {node.node_id for node in cluster.list_all_nodes()}


def test_resources_and_labels_are_the_nodes_own(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=2, num_gpus=1, resources={"license": 3}, labels={"zone": "b"})
    assert rustyray.get(where.options(resources={"license": 1}).remote()) == node.node_id
    assert rustyray.get(where.options(num_gpus=1).remote()) == node.node_id
    total = rustyray.cluster_resources()
    assert (total["CPU"], total["GPU"], total["license"]) == (3, 1, 3)
    about = {about["NodeID"]: about for about in rustyray.nodes()}
    assert about[node.node_id]["Labels"] == {"zone": "b", "ray.io/node-id": node.node_id}
    assert about[node.node_id]["Pid"] == node.pid
    assert about[node.node_id]["RayletSocketName"] == f"tcp:{node.address}"
    assert f"127.0.0.1:{about[node.node_id]['NodeManagerPort']}" == node.address


def test_a_task_waits_for_a_node_that_can_run_it(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    ref = where.options(resources={"license": 1}).remote()
    assert rustyray.wait([ref], timeout=0.2) == ([], [ref])
    node = cluster.add_node(num_cpus=1, resources={"license": 1})
    assert rustyray.get(ref) == node.node_id
    capsys.readouterr()  # it was said that no node could


def test_actors_call_one_another_across_nodes(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=2, resources={"there": 2})
    far = Counter.options(resources={"there": 1}).remote()
    near = Counter.remote()
    assert rustyray.get(far.where.remote())[0] == node.node_id
    assert rustyray.get(near.where.remote())[0] != node.node_id
    assert rustyray.get(far.ask.remote(near)) == 1
    assert rustyray.get(near.ask.remote(far)) == 1
    assert rustyray.get([far.add.remote() for _ in range(100)]) == list(range(2, 102))


def test_named_actors_are_found_from_every_node(cluster: Cluster) -> None:
    @rustyray.remote(resources={"there": 1})
    def finds() -> int:
        found: rustyray.ActorHandle[Counter] = rustyray.get_actor("counter")
        return rustyray.get(found.add.remote())

    cluster.add_node(num_cpus=1, resources={"there": 1})
    counter = Counter.options(name="counter").remote()
    assert rustyray.get(finds.remote()) == 1
    assert rustyray.get(counter.add.remote()) == 2


def test_nested_tasks_and_refs_cross_nodes(cluster: Cluster) -> None:
    @rustyray.remote(resources={"there": 1})
    def outer(inside: list[rustyray.ObjectRef[int]]) -> tuple[str, int, rustyray.ObjectRef[str]]:
        return here(), sum(rustyray.get(inside)), where.options(num_cpus=0).remote()

    node = cluster.add_node(num_cpus=1, resources={"there": 1})
    found, total, inner = rustyray.get(outer.remote([rustyray.put(number) for number in range(5)]))
    assert (found, total) == (node.node_id, 10)
    assert rustyray.get(inner) in {one.node_id for one in cluster.list_all_nodes()}


def test_large_values_cross_nodes(cluster: Cluster) -> None:
    cluster.add_node(num_cpus=1, resources={"there": 2})
    far = Counter.options(resources={"there": 1}).remote()
    assert len(rustyray.get(far.large.remote(10_000_000))) == 10_000_000

    @rustyray.remote(resources={"there": 1}, num_cpus=0)
    def size(value: bytes) -> int:
        return len(value)

    assert rustyray.get(size.remote(rustyray.put(bytes(3_000_000)))) == 3_000_000


def kill(node: ClusterNode, *workers: int) -> None:
    """As when a machine fails; its workers are gone as well then."""
    os.kill(node.pid, signal.SIGKILL)
    assert eventually(lambda: not any(map(runs, workers)), 10)


def test_large_values_are_shared_memory_on_every_node(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=2, resources={"there": 2})

    @rustyray.remote(resources={"there": 1}, num_cpus=0)
    def total(array: Any) -> tuple[str, float, bool]:
        return here(), float(array.sum()), array.flags.writeable

    numpy = pytest.importorskip("numpy")
    array = numpy.arange(1_000_000)
    ref = rustyray.put(array)
    found = rustyray.get([total.remote(ref) for _ in range(4)])
    assert found == [(node.node_id, float(array.sum()), False)] * 4

    @rustyray.remote(resources={"there": 1})
    def make() -> Any:
        return numpy.arange(500_000)

    made = rustyray.get(make.remote())
    assert (made == numpy.arange(500_000)).all()
    assert not made.flags.writeable


@pytest.mark.parametrize("far", [True, False])
def test_what_is_freed_is_free_on_every_node(far: bool) -> None:
    """Each store has room for few of the values, which are made on one node and read on the other."""
    args: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 20_000_000}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args=args)
    try:
        cluster.add_node(**args, resources={"there": 2})
        reader = {"there": 1.0}
        for number in range(20):
            if far:
                ref = large.options(resources=reader).remote(4_000_000, number)
                assert rustyray.get(ref)[-1] == number
            else:
                ref = rustyray.put(bytes(4_000_000 - 1) + bytes([number]))
                assert rustyray.get(last.options(resources=reader).remote(ref)) == number
    finally:
        cluster.shutdown()


@rustyray.remote
def large(size: int, number: int) -> bytes:
    return bytes(size - 1) + bytes([number])


@rustyray.remote
def last(value: bytes) -> int:
    return value[-1]


def test_spare_copies_make_room(cluster: Cluster) -> None:
    """What was pulled is kept for the next reader, and evicted when there is no room."""
    cluster.add_node(num_cpus=1, resources={"there": 1}, object_store_memory=20_000_000)
    refs = [rustyray.put(bytes(4_000_000 - 1) + bytes([number])) for number in range(10)]
    there = {"there": 1.0}
    for _ in range(2):
        found = [rustyray.get(last.options(resources=there).remote(ref)) for ref in refs]
        assert found == list(range(10))


async def awaited(ref: rustyray.ObjectRef[Any]) -> Any:
    return await ref


@rustyray.remote
def same(value: Any) -> Any:
    return value


@rustyray.remote
def fetched(refs: list[rustyray.ObjectRef[Any]]) -> Any:
    return rustyray.get(refs[0])


READ: dict[str, Callable[[rustyray.ObjectRef[Any]], Any]] = {
    "get": lambda ref: rustyray.get(ref, timeout=30),
    "future": lambda ref: ref.future().result(30),
    "await": lambda ref: asyncio.run(awaited(ref)),
    "task": lambda ref: rustyray.get(same.options(num_cpus=0).remote(ref), timeout=30),
    "borrower": lambda ref: rustyray.get(fetched.options(num_cpus=0).remote([ref]), timeout=30),
}


@pytest.mark.parametrize("how", READ)
def test_a_value_that_is_pulled_from_a_node_that_dies_is_made_again(cluster: Cluster, tmp_path: Path, how: str) -> None:
    """Whoever reads it may be faster than the news."""

    @rustyray.remote(resources={"there": 1}, max_retries=3)
    def make(path: str) -> tuple[str, bytes]:
        with open(path, "a", encoding="ascii") as file:
            file.write("x")
        return here(), bytes(5_000_000)

    first = cluster.add_node(num_cpus=1, resources={"there": 1})
    made = tmp_path / "made"
    ref = make.remote(str(made))
    rustyray.wait([ref])
    second = cluster.add_node(num_cpus=1, resources={"there": 1})
    os.kill(first.pid, signal.SIGKILL)
    node, value = READ[how](ref)
    assert (node, len(value), made.read_text()) == (second.node_id, 5_000_000, "xx")


# --- nodes that go ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("graceful", [True, False])
def test_a_removed_node_is_gone(cluster: Cluster, graceful: bool) -> None:
    node = cluster.add_node(num_cpus=1, resources={"there": 1})
    _, pid = rustyray.get(Counter.options(resources={"there": 1}).remote().where.remote())
    cluster.remove_node(node, allow_graceful=graceful)
    cluster.wait_for_nodes()
    assert eventually(lambda: not runs(node.pid) and not runs(pid), 5)
    assert [about["Alive"] for about in rustyray.nodes()] == [True, False]
    assert rustyray.nodes()[1]["DeathReasonMessage"]
    assert rustyray.cluster_resources()["CPU"] == 1
    with pytest.raises(ValueError, match="was removed already"):
        cluster.remove_node(node)


def runs(pid: int) -> bool:
    """Whether the process is there, and not only its number."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_tasks_of_a_dead_node_run_elsewhere(cluster: Cluster, tmp_path: Path) -> None:
    @rustyray.remote(num_cpus=0, resources={"there": 1}, max_retries=3)
    def slow(path: str) -> str:
        first = not os.path.exists(path)
        with open(path, "a", encoding="ascii"):
            pass
        while first:
            time.sleep(0.01)
        return here()

    node = cluster.add_node(num_cpus=1, resources={"there": 1})
    begun = tmp_path / "begun"
    ref = slow.remote(str(begun))
    assert eventually(begun.exists, 10)
    other = cluster.add_node(num_cpus=1, resources={"there": 1})
    kill(node)
    assert rustyray.get(ref, timeout=20) == other.node_id


def test_actors_of_a_dead_node_restart_elsewhere(cluster: Cluster) -> None:
    first = cluster.add_node(num_cpus=1, resources={"there": 1})
    counter = Counter.options(resources={"there": 1}, max_restarts=1).remote()
    assert rustyray.get(counter.add.remote()) == 1
    _, pid = rustyray.get(counter.where.remote())
    second = cluster.add_node(num_cpus=1, resources={"there": 1})
    kill(first, pid)
    assert patiently(counter.where.remote)[0] == second.node_id
    assert rustyray.get(counter.add.remote()) == 1


def test_an_actor_that_does_not_restart_dies_with_its_node(cluster: Cluster) -> None:
    node = cluster.add_node(num_cpus=1, resources={"there": 1})
    counter = Counter.options(resources={"there": 1}).remote()
    _, pid = rustyray.get(counter.where.remote())
    kill(node, pid)
    with pytest.raises(ActorDiedError, match=f"node {node.node_id} died"):
        rustyray.get(counter.add.remote(), timeout=20)


def test_objects_are_lost_with_their_owner(cluster: Cluster) -> None:
    @rustyray.remote(resources={"there": 1})
    class Owner:
        def make(self) -> tuple[int, list[rustyray.ObjectRef[Any]]]:
            return os.getpid(), [rustyray.put(7), rustyray.put(bytes(2_000_000))]

    node = cluster.add_node(num_cpus=1, resources={"there": 1})
    owner = Owner.remote()
    pid, refs = rustyray.get(owner.make.remote())
    assert rustyray.get(refs[0]) == 7
    kill(node, pid)
    with pytest.raises((OwnerDiedError, ObjectLostError)):
        rustyray.get(refs[1], timeout=20)
