"""Ray clusters that others have started, by their addresses; the plugin's topologies; what does not go with Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray import exceptions as x
from tests.integration.drivers import eventually

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.rustyray(leaks="off")]  # Ray's own

GCS, CLIENTS = "127.0.0.1:26479", "ray://127.0.0.1:26480"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A head of Ray's own, with two CPUs."""
    told = tmp_path_factory.mktemp("head") / "told"
    ports = ["--port=26479", "--ray-client-server-port=26480"]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-cpus=2", *ports]
    with pytest.MonkeyPatch.context() as patch, told.open("w") as output:
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "false")  # else what the server of clients forks may not come up
        quiet = ["--include-dashboard=false", "--disable-usage-stats"]
        process = subprocess.Popen([*command, *quiet], stdout=output, stderr=output)
        try:
            assert eventually(lambda: "Ray runtime started" in told.read_text() or process.poll() is not None)
            assert process.poll() is None, told.read_text()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


@pytest.mark.parametrize("address", ["auto", GCS, CLIENTS])
@pytest.mark.usefixtures("head")
def test_a_program_joins(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", GCS)  # what "auto" finds, among all that run on this machine
    environment = {"env_vars": {"JOINED": "yes"}}
    with rustyray.init(address=address, engine="ray", namespace="joined", runtime_env=environment):
        assert rustyray.get_runtime_context().namespace == "joined"
        assert rustyray.cluster_resources()["CPU"] == 2
        _use_tasks()
        _use_actors()
    assert not rustyray.is_initialized()


def _use_tasks() -> None:
    @rustyray.remote
    def variable(name: str) -> str | None:
        return os.environ.get(name)

    @rustyray.remote
    def add(value: int) -> int:
        return value + 1

    @rustyray.remote
    def inside(refs: list[Any]) -> int:
        return int(rustyray.get(refs[0])) + rustyray.get(add.remote(1))

    @rustyray.remote
    def fails() -> None:
        raise KeyError("bad")

    assert rustyray.get(variable.remote("JOINED"), timeout=60) == "yes"
    ref = rustyray.put(40)
    assert rustyray.get(add.remote(add.remote(1)), timeout=60) == 3
    assert rustyray.get(inside.remote([ref]), timeout=60) == 42
    assert rustyray.wait([ref], timeout=60) == ([ref], [])
    with pytest.raises(KeyError):
        rustyray.get(fails.remote(), timeout=60)


def _use_actors() -> None:
    @rustyray.remote
    class Counter:
        def __init__(self, start: int) -> None:
            self.count = start

        def add(self) -> int:
            self.count += 1
            return self.count

    @rustyray.remote
    def calls(handle: Any) -> Any:
        return rustyray.get(handle.add.remote())

    counter = Counter.options(name="counter").remote(1)
    assert rustyray.get(counter.add.remote(), timeout=60) == 2
    assert rustyray.get(calls.remote(counter), timeout=60) == 3
    found: Any = rustyray.get_actor("counter")
    assert rustyray.get(found.add.remote(), timeout=60) == 4
    rustyray.kill(counter)

    def dead() -> bool:
        try:
            rustyray.get(found.add.remote(), timeout=60)
        except x.ActorDiedError:
            return True
        return False

    assert eventually(dead)


@pytest.mark.usefixtures("head")
def test_generators_need_more_than_a_client() -> None:
    @rustyray.remote
    def count() -> Iterator[int]:
        yield 1

    with rustyray.init(address=CLIENTS), pytest.raises(RuntimeError, match="not currently supported when using Ray Cl"):
        count.remote()


def test_what_ray_does_not_do_is_refused() -> None:
    for options in ({"_tracing_startup_hook": print}, {"enforce_memory": True}):
        with pytest.raises(ValueError, match="does not go with engine='ray'"):
            rustyray.init(engine="ray", **options)
    with pytest.raises(ConnectionError, match="nobody listens"):
        rustyray.init(engine="ray", address="127.0.0.1:1")
    assert not rustyray.is_initialized()


SUITE = """
    import pytest
    import rustyray

    @rustyray.remote
    def where():
        return rustyray.get_runtime_context().get_node_id()

    @pytest.mark.rustyray(topology=["ray", "ray:2"], num_cpus=1, leaks="off")
    def test_nodes(rustyray_runtime, request):
        count = 2 if "ray:2" in request.node.name else 1
        assert rustyray.cluster_resources()["CPU"] == count == len(rustyray.nodes())
        assert rustyray.get(where.remote(), timeout=60) in {node["NodeID"] for node in rustyray.nodes()}

    @pytest.mark.rustyray(topology="ray", leaks="off")
    def test_failing(rustyray_runtime):
        raise LookupError(rustyray.get(where.remote()))

    def test_after(rustyray_local):
        assert rustyray.get(where.remote())
"""


def test_topologies_of_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = pytester.runpytest_subprocess("-p", "rustyray", "-p", "no:cacheprovider", "-W", "ignore", "-v")
    result.assert_outcomes(passed=3, failed=1)
