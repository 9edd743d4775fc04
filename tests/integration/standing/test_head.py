"""Heads that are killed and come back: what was running goes on, and what they knew is known again."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rustyray
from rustyray.core.effects import Keep
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing.stores import StoreError, open_store
from rustyray.experimental import internal_kv
from rustyray.util import state
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands, kill_head

redis_server = shutil.which("redis-server")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A Redis server of the test's own."""
    if redis_server is None:
        pytest.skip("there is no redis-server here (in Debian, the package of that name has it)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [redis_server, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        url = f"redis://127.0.0.1:{port}/0"
        try:
            open_store(url).close()
            yield url
        finally:
            server.terminate()


#: On Redis it takes as long as the claim of the killed head does to run out; one such test is enough every day.
usually_sqlite = pytest.mark.parametrize(
    "store", ["sqlite", pytest.param("redis", marks=pytest.mark.stress)], indirect=True
)


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "redis":
        return str(request.getfixturevalue("redis_url"))
    return f"sqlite:{tmp_path / 'head.db'}"


@pytest.fixture
def kept(commands: Commands, store: str) -> Commands:
    """A cluster whose head has a store, with a node of two CPUs."""
    commands.run("start", "--head", "--port=0", "--num-cpus=2", f"--store={store}")
    return commands


JOIN = "import rustyray; rustyray.init(address="


@rustyray.remote
class Counter:
    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count

    def pid(self) -> int:
        return os.getpid()


def test_all_goes_on_when_the_head_is_killed_and_started_again(kept: Commands, store: str) -> None:
    address = kept.address
    with rustyray.init(address=address, namespace="here"):
        known = Counter.options(name="known", lifetime="detached").remote()
        mine = Counter.remote()
        assert rustyray.get([known.add.remote(), mine.add.remote()]) == [1, 1]
        pid = rustyray.get(known.pid.remote())
        running = rustyray.remote(time.sleep).remote(2)
        assert not internal_kv._internal_kv_put("color", "green", namespace="shop")
        kill_head(kept)
        assert rustyray.get([known.add.remote(), mine.add.remote()]) == [2, 2], "calls do not need the head"
        assert rustyray.get(rustyray.remote(len).remote("abc")) == 3, "nor do tasks"
        said = kept.run("start", "--head", f"--store={store}")
        assert f"The head is back at {address}" in said
        assert rustyray.get_actor("known")._actor_id == known._actor_id
        assert internal_kv._internal_kv_get("color", namespace="shop") == b"green"
        assert rustyray.get([known.add.remote(), known.pid.remote()]) == [3, pid]
        late = Counter.options(num_cpus=0).remote()
        assert rustyray.get(late.add.remote()) == 1
        assert rustyray.get(running) is None
        assert [node["Alive"] for node in rustyray.nodes()] == [True]
    with rustyray.init(address=address, namespace="here"):
        assert rustyray.get(rustyray.get_actor("known").add.remote()) == 4
        rustyray.kill(rustyray.get_actor("known"))
    assert kernel.wait_for_end(pid, 10)


@usually_sqlite
def test_what_is_asked_while_the_head_is_away_waits_for_it(kept: Commands, store: str) -> None:
    with rustyray.init(address=kept.address):
        kill_head(kept)
        actor = Counter.options(num_cpus=0).remote()
        ref = actor.add.remote()
        assert rustyray.wait([ref], timeout=0.5) == ([], [ref])
        for listing in (state.list_placement_groups, state.list_nodes, state.list_actors):
            assert listing(timeout=0.1, raise_on_missing_output=False) == []
            with pytest.raises(state.RayStateApiException, match=r"head .*not answer"):
                listing(timeout=0.1)
        kept.run("start", "--head", f"--store={store}")
        assert rustyray.get(ref, timeout=20) == 1
        assert [node.state for node in state.list_nodes()] == ["ALIVE"]


@usually_sqlite
def test_what_ended_while_the_head_was_away_is_found_out(kept: Commands, store: str) -> None:
    with rustyray.init(address=kept.address, namespace="here"):
        again = Counter.options(name="again", lifetime="detached", max_restarts=1, num_cpus=0).remote()
        once = Counter.options(name="once", lifetime="detached", num_cpus=0).remote()
        pids = rustyray.get([again.pid.remote(), once.pid.remote()])
        kill_head(kept)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            assert kernel.wait_for_end(pid, 10)
        kept.run("start", "--head", f"--store={store}")

        def says(actor: rustyray.ActorHandle[Counter]) -> object:
            try:
                return rustyray.get(actor.pid.remote(), timeout=20)
            except rustyray.exceptions.RayActorError as error:
                return type(error).__name__

        assert eventually(lambda: says(again) not in (pids[0], "ActorUnavailableError"))
        assert isinstance(says(again), int)
        assert says(once) == "ActorDiedError"


@usually_sqlite
def test_a_node_that_died_with_the_head_is_dead_and_another_is_started_beside_the_next_head(
    kept: Commands, store: str
) -> None:
    """Although one that was started by itself still runs."""
    kept.run("start", f"--address={kept.address}", "--num-cpus=1")
    victim = kept.place().processes()[1]
    kill_head(kept)
    os.kill(victim.pid, signal.SIGKILL)
    assert kernel.wait_for_end(victim.pid, 10)
    assert "Node " in kept.run("start", "--head", f"--store={store}", "--num-cpus=3")
    assert eventually(lambda: "2 nodes, 1 dead" in kept.run("status"))
    assert "3/3 CPU" in kept.run("status")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="the limits of another process cannot be set here")
def test_a_head_whose_disk_is_full_says_what_to_do(
    commands: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files that must not grow stand in for the disk."""
    path = tmp_path / "head.db"
    store = f"sqlite:{path}"
    commands.run("start", "--head", "--port=0", "--num-cpus=2", f"--store={store}")
    address = commands.address
    with rustyray.init(address=address):
        head = commands.place().processes()[0]
        resource.prlimit(head.pid, resource.RLIMIT_FSIZE, (4096, 4096))
        ref = Counter.options(num_cpus=0).remote().add.remote()
        assert rustyray.wait([ref], timeout=1) == ([], [ref])
        said = capsys.readouterr().err
        log = Path(commands.place().log("head")).read_text(encoding="utf-8")
        for text in (said, log, commands.try_("status").stderr, commands.try_driver(f"{JOIN}'{address}')").stderr):
            assert f"the head of the cluster at {address} has ended: the store {path} cannot be used: " in text
            assert "see whether its disk is full, or broken, and run 'rustyray start --head --store=" in text
            assert "nodes wait for it for 60 s" in text
        assert "Traceback" not in log
        assert "The head is back" in commands.run("start", "--head", f"--store={store}")
        assert rustyray.get(ref, timeout=20) == 1
    kill_head(commands)
    silent = commands.try_("status").stderr
    assert "does not answer: start another one in its place" in silent, "what the head before has said is past"


@pytest.mark.stress
def test_a_store_serves_one_head_at_a_time(kept: Commands, store: str) -> None:
    refused = kept.try_("start", "--head", "--port=0", f"--store={store}")
    assert refused.returncode == 1
    assert "in use by another head" in refused.stderr or "runs already" in refused.stderr


def test_without_a_store_nodes_refuse_to_be_of_another_cluster(cluster: Commands) -> None:
    """They have another session and key: nobody's nodes are taken over by accident."""
    kill_head(cluster)
    port = cluster.address.rpartition(":")[2]
    cluster.run("start", "--head", f"--port={port}", "--num-cpus=1")
    assert "1 nodes, 0 dead" in cluster.run("status", f"--address=127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("store", "sentence"),
    [
        ("file:/tmp/x", "names no store: write sqlite:PATH or redis://host:port/number"),
        ("sqlite:/nowhere/at/all.db", "the store /nowhere/at/all.db cannot be opened: No such file or directory"),
        ("redis://127.0.0.1:1/0", "the store redis://127.0.0.1:1/0 cannot be used"),
    ],
)
def test_a_store_that_cannot_be_used_is_named(commands: Commands, store: str, sentence: str) -> None:
    refused = commands.try_("start", "--head", "--port=0", f"--store={store}")
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_values_come_back_in_the_order_in_which_they_were_first_written(store: str) -> None:
    first = open_store(store)
    first.claim()
    first.belong_to("session")
    first.write([Keep("a", b"1", b"one"), Keep("a", b"2", b"two"), Keep("b", b"1", b"three")])
    first.write([Keep("a", b"1", b"changed"), Keep("a", b"2", None)])
    first.close()
    second = open_store(store)
    second.claim()
    assert second.session() == "session"
    assert second.load() == [b"changed", b"three"]
    second.write([Keep("c", b"1", b"four")])
    second.close()
    third = open_store(store)
    third.claim()
    assert third.load() == [b"changed", b"three", b"four"]
    third.close()


def test_a_store_is_claimed_by_one(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_store(store)
    first.claim()
    first.write([Keep("a", b"1", b"one")])
    first.renew()
    monkeypatch.setattr("rustyray.engines.native.standing.stores.CLAIM_WAIT", 0.0)
    other = open_store(store) if store.startswith("redis") else None
    with pytest.raises(StoreError, match="in use by another head"):
        (other or open_store(store)).claim()
    first.close()
