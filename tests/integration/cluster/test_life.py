"""Clusters from their start to their end: who may join, what stays when a program leaves, and that all goes at last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.engines.native.standing.places import DIRECTORY_VARIABLE
from rustyray.runtime import context
from tests.integration.cluster.meeting import meet
from tests.integration.drivers import driver, eventually
from tests.integration.runtime.processes import alive


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Connected; the head has one CPU."""
    made = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    yield made
    made.shutdown()


@rustyray.remote
def where() -> str:
    return rustyray.get_runtime_context().get_node_id()


@rustyray.remote(num_cpus=0)
class Board:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def pin(self, note: str) -> list[str]:
        self.notes.append(note)
        return self.notes


PROGRAM = """
import sys
import rustyray

with rustyray.init(address=sys.argv[1], namespace="office") as session:
    board = rustyray.get_actor("board")
    print(rustyray.get(board.pin.remote("another program")), session.address_info["node_id"])
"""


def test_it_stays_when_a_program_leaves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Programs that join see the same nodes and detached actors; what else was the program's ends with it."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "places"))
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "namespace": "tests"})
    try:
        node = cluster.add_node(num_cpus=1)
        assert not rustyray.is_initialized()
        with rustyray.init(address=cluster.address) as session:
            assert session.namespace == "tests"
            assert session.address_info["address"] == rustyray.get_runtime_context().gcs_address == cluster.address
            first_job = session.address_info["job_id"]
            there = Board.options(name="board", namespace="office", lifetime="detached").remote()
            assert rustyray.get(there.pin.remote("first")) == ["first"]
            mine = Board.options(name="mine").remote()
            assert rustyray.get(mine.pin.remote("first")) == ["first"]
        assert not rustyray.is_initialized()
        cluster.wait_for_nodes()
        assert alive(node.pid)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "auto"], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert cluster.head_node is not None
        assert done.stdout.split()[-3:] == ["'another", "program']", cluster.head_node.node_id]
        later = cluster.add_node(num_cpus=1, resources={"later": 1})
        with rustyray.init(address=cluster.address, namespace="office") as session:
            assert session.address_info["job_id"] != first_job
            found: rustyray.ActorHandle[Board] = rustyray.get_actor("board")
            assert rustyray.get(found.pin.remote("second"))[-1] == "second"
            with pytest.raises(ValueError, match="mine"):
                rustyray.get_actor("mine", namespace="tests")
            assert rustyray.get(where.options(resources={"later": 1}).remote()) == later.node_id
    finally:
        cluster.shutdown()
    assert not alive(node.pid)
    assert os.listdir(tmp_path / "places") == []
    with pytest.raises(ConnectionError, match="no cluster runs on this machine"):
        rustyray.init(address="auto")
    cluster.shutdown()  # as often as one likes


LEFT_UP = """
import rustyray
from rustyray.cluster_utils import Cluster

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
rustyray.init(address=cluster.address)
assert rustyray.get(rustyray.put(1)) == 1
"""


def test_it_ends_with_a_program_that_leaves_it_up(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LEFT_UP],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, DIRECTORY_VARIABLE: str(tmp_path)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("leaves", [True, False], ids=["while the program leaves", "while nodes end"])
def test_it_ends_though_that_is_interrupted(cluster: Cluster, leaves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cluster.head_node is not None
    node = cluster.head_node.pid
    if leaves:
        engine: Any = context.own_engine()
        engine.pump.interrupt()
    else:
        monkeypatch.setattr(Zygote, "end_node", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        cluster.shutdown()
    assert not rustyray.is_initialized()
    assert not alive(node)


def test_each_program_finds_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two at once in one process have to be told apart by their addresses; others' are not looked at."""
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "places"))

    def program(tell: Callable[[object], None]) -> None:
        Cluster(initialize_head=True, head_node_args={"num_cpus": 5})
        tell("up")
        while True:
            signal.pause()

    with driver(program) as other:
        assert other.hear() == "up"
        with pytest.raises(ConnectionError, match="no cluster runs on this machine"):
            rustyray.init(address="auto")
        one, two = (Cluster(initialize_head=True, head_node_args={"num_cpus": cpus}) for cpus in (1, 2))
        try:
            with pytest.raises(ConnectionError, match=f"more than one .*{two.address}"):
                rustyray.init(address="auto")
            with rustyray.init(address=two.address):
                assert rustyray.cluster_resources()["CPU"] == 2
                one.shutdown()
                assert rustyray.cluster_resources()["CPU"] == 2
            with rustyray.init(address="auto"):
                assert rustyray.cluster_resources()["CPU"] == 2
        finally:
            one.shutdown()
            two.shutdown()


def test_the_first_node_is_the_head(capfd: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster()
    with pytest.raises(RuntimeError, match="the cluster has no nodes"):
        cluster.connect()
    nothing: dict[str, Any] = {
        "include_dashboard": False,
        "dashboard_port": 8265,
        "redis_password": "x",
        "_node_ip_address": "::1",
    }
    assert cluster.add_node(num_cpus=1, log_to_driver=False, **nothing) is cluster.head_node
    cluster.connect(namespace="named")
    assert rustyray.get_runtime_context().namespace == "named"
    assert rustyray.get(where.remote()) == cluster.head_node.node_id
    rustyray.get(rustyray.remote(print).remote("not heard"))
    assert capfd.readouterr().out == ""
    with pytest.raises(TypeError, match="a node has no option 'include_dashboard'"):
        cluster.add_node(include_dashboard=True)
    cluster.shutdown()
    assert not rustyray.is_initialized()


def test_what_workers_print_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    rustyray.get(rustyray.remote(print).remote("heard"))
    cluster.shutdown()
    assert capfd.readouterr().out.endswith(") heard\n")


def test_init_starts_several_nodes(tmp_path: Path) -> None:
    with rustyray.init(num_cpus=1, num_nodes=3):
        assert len(set(rustyray.get([meet.remote(str(tmp_path), 3) for _ in range(3)]))) == 3
        pids = [about["Pid"] for about in rustyray.nodes()]
    assert eventually(lambda: not any(map(alive, pids)), 5)


@pytest.mark.rustyray(topology="cluster:2", num_cpus=1)
def test_a_topology_of_nodes(rustyray_local: object) -> None:
    assert [about["Alive"] for about in rustyray.nodes()] == [True, True]


def test_bad_input(cluster: Cluster) -> None:
    with pytest.raises(ValueError, match="initialize_head=True as well"):
        Cluster(connect=True)
    with pytest.raises(TypeError, match=r"no option 'num_cpu' \(did you mean 'num_cpus'\?\)"):
        cluster.add_node(num_cpu=1)
    with pytest.raises(ValueError, match="num_cpus"):
        cluster.add_node(num_cpus=-1)
    with pytest.raises(TypeError, match="has no setting 'partitions'"):
        cluster.add_node(_system_config={"partitions": True})
    assert cluster.head_node is not None
    with pytest.raises(ValueError, match="the head node cannot be removed"):
        cluster.remove_node(cluster.head_node)
    with pytest.raises(RuntimeError, match="is running in this process already"):
        Cluster(initialize_head=True, connect=True)
    with pytest.raises(RuntimeError, match="is running in this process already"):
        rustyray.init(address=cluster.address)
    session = rustyray.init(address=cluster.address, ignore_reinit_error=True)
    assert session.address_info["node_id"] == cluster.head_node.node_id
    assert len(rustyray.nodes()) == 1


def test_no_node_joins_one_that_is_dead(cluster: Cluster) -> None:
    assert cluster.head_node is not None
    os.kill(cluster.head_node.pid, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RuntimeError, match=r"no node can join: the first one, which has the head, is gone: .*SIGKILL"):
        cluster.add_node()
    assert time.monotonic() - began < 10
    with pytest.raises(RuntimeError, match="does not answer"):
        cluster.wait_for_nodes()
    # Whether the driver hears of it before the task is submitted or after.
    with pytest.raises((RuntimeError, rustyray.exceptions.RaySystemError), match="is gone"):
        rustyray.get(where.remote())


def test_what_a_connection_cannot_ask_for() -> None:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        with pytest.raises(ValueError, match="nodes have their num_cpus already"):
            rustyray.init(address=cluster.address, num_cpus=2)
        with pytest.raises(ConnectionError, match=r"no cluster at 127.0.0.1:1 is known"):
            rustyray.init(address="127.0.0.1:1")
        cluster.worker_nodes.remove(cluster.add_node(num_cpus=1))
        with pytest.raises(TimeoutError, match="should not be"):
            cluster.wait_for_nodes(timeout=0.1)
    finally:
        cluster.shutdown()
    with pytest.raises(RuntimeError, match="it was shut down"):
        cluster.add_node() if cluster.head_node else cluster.wait_for_nodes()


def of_init() -> None:
    rustyray.init(num_cpus=1, num_nodes=3)


def of_cluster() -> None:
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
    for _ in range(2):
        cluster.add_node(num_cpus=1)


@pytest.mark.parametrize("start", [of_init, of_cluster])
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_no_node_outlives_the_program(
    signum: int, start: Callable[[], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(DIRECTORY_VARIABLE, str(tmp_path / "places"))
    (tmp_path / "places").mkdir(0o700)
    (tmp_path / "meeting").mkdir()

    def program(tell: Any, folder: str) -> None:
        start()
        pids = {about["Pid"] for about in rustyray.nodes()}
        workers = rustyray.get([meet.remote(folder, 3) for _ in range(3)])
        tell(pids | {pid for _, pid in workers})
        rustyray.get(meet.remote(folder, 100))

    with driver(program, str(tmp_path / "meeting")) as running:
        pids = running.hear()
        assert len(pids) == 6
        running.kill(signum)
        assert eventually(lambda: not any(map(alive, pids)), 10)
    assert eventually(lambda: os.listdir(tmp_path / "places") == [], 5)
