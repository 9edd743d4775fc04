"""`store=`: the head keeps what it knows in SQLite or Redis, and the tests see no difference."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from pytest_rustyray.keeper.redis_server import PROGRAM, redis_server
from tests.integration.plugin.conftest import Suite

SUITE = """
    import os
    from pathlib import Path

    import pytest
    import rustyray

    @rustyray.remote
    class Counter:
        def __init__(self):
            self.count = 0
        def add(self):
            self.count += 1
            return self.count
        def pid(self):
            return os.getpid()

    def stat(pid):
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return name.partition("(")[2], int(rest.split()[1])

    def children(parent):
        pids = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        return {pid: stat(pid)[0] for pid in pids if stat(pid)[1] == parent}

    def note_and_check(session):
        node = rustyray.nodes()[0]["Pid"]
        keeper = stat(node)[1]
        started = children(keeper)
        with open("pids", "a") as file:
            for pid in (keeper, *started, rustyray.get(Counter.remote().pid.remote())):
                file.write(f"{pid}\\n")
        folder = Path(session.address_info["session_dir"]).parents[1]
        if os.environ["STORE"] == "sqlite":
            written = (folder / "head.db").read_bytes() + (folder / "head.db-wal").read_bytes()
            assert b"counter" in written  # the name of the actor
        else:
            assert not (folder / "head.db").exists()
        assert ("redis-server" in started.values()) == (os.environ["STORE"] == "redis")

    @pytest.mark.parametrize("number", [1, 2])
    def test_each_has_a_head_of_its_own(rustyray_local, number):
        counter = Counter.options(name="counter", lifetime="detached").remote()
        assert rustyray.get(rustyray.get_actor("counter").add.remote()) == 1
        note_and_check(rustyray_local)

    @pytest.mark.rustyray(topology=["cluster:2", "constrained", "sim"], num_cpus=1)
    def test_topologies(rustyray_runtime, request):
        wanted = 2 if "cluster" in request.node.name else 1
        assert len(rustyray.nodes()) == wanted == rustyray.cluster_resources()["CPU"]

    def test_shared(rustyray_shared):
        assert rustyray.get(Counter.remote().add.remote()) == 1

    @pytest.mark.rustyray(store="memory")
    def test_in_memory(rustyray_local):
        assert rustyray_local.address_info["session_dir"] == ""
"""


@pytest.fixture(params=["sqlite", "redis"])
def store(request: pytest.FixtureRequest) -> str:
    if request.param == "redis":
        pytest.importorskip("redis")
        if shutil.which("redis-server") is None:
            pytest.skip("there is no redis-server here")
    return str(request.param)


def test_a_suite_runs_with_a_store(
    suite: Suite, store: str, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = suite.folder / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("STORE", store)
    suite.write(test_it=SUITE).run(f"--rustyray-store={store}").assert_outcomes(passed=7)
    assert_ended(suite.noted("pids"))
    assert list(folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_server_that_runs_already_serves_one_runtime_after_the_other(suite: Suite) -> None:
    redis = pytest.importorskip("redis")
    if shutil.which(PROGRAM) is None:
        pytest.skip("there is no redis-server here")
    suite.write(
        test_it="""
            import pytest
            import rustyray

            class Held:
                def is_there(self):
                    return True

            @pytest.mark.parametrize("number", [1, 2])
            def test_it(rustyray_local, number):
                with pytest.raises(ValueError, match="held"):
                    rustyray.get_actor("held", namespace="all")
                held = rustyray.remote(Held).options(name="held", namespace="all", lifetime="detached").remote()
                assert rustyray.get(held.is_there.remote())
        """
    )
    with redis_server(suite.folder) as url:
        suite.run(f"--rustyray-store={url}").assert_outcomes(passed=2)
        client = redis.Redis.from_url(url)
        assert len(client.hgetall("rustyray:kept")) > 0
        client.close()


MISSING = """
    import pytest
    import rustyray

    def test_skipped_or_failed(rustyray_local): ...

    @pytest.mark.rustyray(store="sqlite")
    def test_cluster(rustyray_cluster): ...

    @pytest.mark.rustyray(store="sqlite", topology="sim")
    def test_simulated(rustyray_local): ...
"""


def test_a_store_that_cannot_be_had_is_told(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("redis")
    monkeypatch.setenv("PATH", str(suite.folder))
    suite.write(test_it=MISSING)
    result = suite.run("--rustyray-store=redis")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "--rustyray-store: store='redis' starts a redis-server, and there is none on the PATH *",
            "*::test_cluster: store='sqlite' has no effect on rustyray_cluster, whose head is part of its first node",
            "*::test_simulated: store='sqlite' has no effect on a simulated runtime, which keeps everything in memory",
        ]
    )
    monkeypatch.setenv("RUSTYRAY_STORE", "redis")
    suite.run("-rs").stdout.fnmatch_lines(
        ["SKIPPED*store='redis' starts a redis-server, and there is none on the PATH *"]
    )
