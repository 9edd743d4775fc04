"""Runtimes of tests whose heads keep what they know in Redis."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable

import pytest

from pytest_rustyray.keeper.redis_server import PROGRAM, redis_server
from tests.integration.plugin.conftest import Suite, assert_ended, suite
from tests.integration.plugin.stored import SUITE

__all__ = ["assert_ended", "suite"]

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="there is no redis-server here")


def test_a_suite_runs_with_a_store(
    suite: Suite, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = suite.folder / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("STORE", "redis")
    suite.write(test_it=SUITE).run("--rustyray-store=redis").assert_outcomes(passed=7)
    assert_ended(suite.noted("pids"))
    assert list(folder.iterdir()) == []


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_server_that_runs_already_serves_one_runtime_after_the_other(suite: Suite) -> None:
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


def test_nothing_is_left_of_a_runtime_whose_test_process_is_killed(
    suite: Suite, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = suite.folder / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    suite.write(
        test_it="""
            import os
            import signal
            from pathlib import Path

            import rustyray

            def test_it(rustyray_local):
                node = rustyray.nodes()[0]["Pid"]
                keeper = Path(f"/proc/{node}/stat").read_text().rpartition(")")[2].split()[1]
                Path("pids").write_text(f"{node}\\n{keeper}\\n")
                os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert suite.run("--rustyray-store=redis").ret == -signal.SIGKILL
    assert_ended(suite.noted("pids"))
    assert [path.name for path in folder.iterdir() if path.name.startswith("rustyray")] == []
