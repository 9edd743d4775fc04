"""`store=`: the head keeps what it knows in SQLite or Redis, and the tests see no difference."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.plugin.conftest import Suite
from tests.integration.plugin.stored import SUITE


def test_a_suite_runs_with_a_store(
    suite: Suite, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = suite.folder / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv("STORE", "sqlite")
    suite.write(test_it=SUITE).run("--rustyray-store=sqlite").assert_outcomes(passed=7)
    assert_ended(suite.noted("pids"))
    assert list(folder.iterdir()) == []


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
