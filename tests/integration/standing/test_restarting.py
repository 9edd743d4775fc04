"""Nodes that stand still until they are taken for dead, and go on: each ends, and another takes its place."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import rustyray
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing.asking import describe
from rustyray.engines.native.standing.places import ProcessFile, started
from rustyray.model.messages import NodeInfo
from rustyray.model.strategies import NODE_LABEL
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands

pytestmark = pytest.mark.stress

#: ``rustyray start --head`` with a head that is impatient, and whose nodes are.
START_HEAD = """
import sys
from functools import partial
from rustyray.commands import main
from rustyray.core.head import HeadCore, HeadLimits
from rustyray.engines.native.standing import head_process
head_process.HeadCore = partial(HeadCore, HeadLimits(suspect=1.5, dead=2.5))
sys.argv = ["rustyray", "start", "--head", "--port=0", *sys.argv[1:]]
main()
"""


@pytest.fixture
def cluster(commands: Commands) -> Commands:
    commands.driver(START_HEAD, "--num-cpus=1")
    return commands


def nodes(cluster: Commands) -> dict[str, NodeInfo]:
    known = cluster.place().cluster()
    assert known is not None
    found = describe(known)
    assert found is not None
    return {info.node.hex(): info for info in found}


def node_processes(cluster: Commands) -> list[ProcessFile]:
    return [process for process in cluster.place().processes() if process.node]


@contextmanager
def taken_for_dead(cluster: Commands, node: ProcessFile) -> Iterator[None]:
    """It stands still meanwhile; at the end it goes on."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        assert eventually(lambda: not nodes(cluster)[node.node].alive)
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


def successor(cluster: Commands, node: ProcessFile) -> NodeInfo:
    """Waits until there is one."""

    def reason() -> str:
        return nodes(cluster)[node.node].reason

    assert eventually(lambda: "has taken its place" in reason()), reason()
    after = reason().split("; node ")[1].split(" ")[0]
    return nodes(cluster)[after]


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


@rustyray.remote(resources={"far": 0.5}, max_restarts=1, max_task_retries=1, num_cpus=0)
class Far:
    def about(self) -> tuple[int, str]:
        return os.getpid(), rustyray.get_runtime_context().get_node_id()


@rustyray.remote(resources={"far": 0.001}, num_cpus=0)
def zeros() -> bytes:
    return bytes(1_000_000)


@rustyray.remote(max_restarts=-1, num_cpus=0)
class Keeper:
    def where(self) -> str:
        return rustyray.get_runtime_context().get_node_id()


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_another_node_takes_the_place_and_has_the_same_to_offer(cluster: Commands) -> None:
    cluster.run(
        "start",
        f"--address={cluster.address}",
        "--num-cpus=2",
        '--resources={"far": 1}',
        "--labels=zone=a",
        "--object-store-memory=80000000",
    )
    near, far = node_processes(cluster)
    cluster.run("job", "submit", "--submission-id=stays", "--no-wait", "--", "sleep", "60")
    with rustyray.init(address=cluster.address):
        actor = Far.remote()
        worker, where = rustyray.get(actor.about.remote())
        assert where == far.node
        big = zeros.remote()
        rustyray.wait([big], fetch_local=False)
        with taken_for_dead(cluster, far):
            assert far.is_alive()
            assert started(worker)
        info = successor(cluster, far)
        before = nodes(cluster)[far.node]
        assert (info.total, info.hostname) == (before.total, before.hostname)
        assert info.labels == before.labels | {NODE_LABEL: info.node.hex()}
        assert info.address != before.address
        assert kernel.wait_for_end(worker, 5), "a worker of the old one still runs"
        assert rustyray.get(actor.about.remote(), timeout=30)[1] == info.node.hex()
        assert len(rustyray.get(big, timeout=30)) == 1_000_000, "what lay there is made again"
        events = [event for event in rustyray.events(about=far.node) if event.kind == "node"]
        assert {"declared dead", "refused", "replaced"} <= {event.what for event in events}
    assert info.pid == far.pid, "to who looks after it it is the same process"
    assert far.is_alive()
    assert {process.node for process in node_processes(cluster)} == {near.node, info.node.hex()}
    log = Path(cluster.place().log(f"node-{far.node}")).read_text(encoding="utf-8")
    assert "another takes its place in 0.5 s" in log
    assert f"node {info.node.hex()} takes the place of node {far.node}" in log
    assert "stays  RUNNING" in cluster.run("job", "list")
    at_work = children(far.pid)
    os.kill(far.pid, signal.SIGKILL)
    assert all(kernel.wait_for_end(child, 5) for child in at_work)
    assert f"{far.node}  dead" in cluster.run("status")
    running = cluster.place().processes()
    assert cluster.run("stop").startswith("Stopped 2 processes.")
    assert not any(process.is_alive() for process in running)


def test_a_driver_of_the_refused_node_is_told_why_and_can_join_the_next(cluster: Commands) -> None:
    (only,) = node_processes(cluster)
    with rustyray.init(address=cluster.address, namespace="here"):
        Keeper.options(name="known", lifetime="detached").remote()
        ref = rustyray.remote(time.sleep).remote(600)
        with taken_for_dead(cluster, only):
            pass
        with pytest.raises(rustyray.exceptions.RayError, match=r"silent for .* another takes its place in 0\.5 s"):
            rustyray.get(ref, timeout=30)
    info = successor(cluster, only)
    with rustyray.init(address=cluster.address, namespace="here"):
        assert rustyray.get_runtime_context().get_node_id() == info.node.hex()
        assert rustyray.get(rustyray.get_actor("known").where.remote(), timeout=30) == info.node.hex()


@pytest.mark.parametrize(
    ("number", "moment"),
    [(signal.SIGKILL, moment) for moment in (0.0, 0.02, 0.1, 0.3, 0.6, 0.8)]
    + [(signal.SIGTERM, moment) for moment in (0.02, 0.1, 0.7)],
)
def test_whenever_it_is_ended_on_the_way_nothing_is_left(
    cluster: Commands, number: signal.Signals, moment: float
) -> None:
    cluster.run("start", f"--address={cluster.address}", "--num-cpus=2", '--resources={"far": 1}')
    _, far = node_processes(cluster)
    with rustyray.init(address=cluster.address):
        worker, _ = rustyray.get(Far.remote().about.remote())
        with taken_for_dead(cluster, far):
            pass
        time.sleep(moment)  # any moment will do: this is where they differ
        os.kill(far.pid, number)
        assert kernel.wait_for_end(far.pid, 10)
        assert kernel.wait_for_end(worker, 5)
    assert len(node_processes(cluster)) == 1
    assert cluster.run("stop").startswith("Stopped 2 processes.")
