"""`rustyray_testrun`: all processes of a run share a cluster, which ends with the last of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.plugin.conftest import Suite
from tests.integration.plugin.testruns import SHARE, check_ended


def test_several_processes_share_it(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    pytest.importorskip("xdist")
    suite.write(test_it=SHARE).run_parallel("--dist=each").assert_outcomes(passed=16)
    assert len(set(suite.noted("drivers"))) == 2
    assert len(set(suite.noted("nodes"))) == 1
    assert sorted(suite.noted("counts")) == list(range(1, 13))
    check_ended(suite, assert_ended)
    assert list(suite.folder.parent.rglob("rustyray-testrun")) == []


NOT_TO_BE_HAD = """
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    def unsafe(tmp_path_factory):
        folder = tmp_path_factory.getbasetemp() / "rustyray-testrun"
        (folder / "clusters").mkdir()
        (folder / "clusters").chmod(0o755)

    def test_it(rustyray_testrun): ...
"""


def test_a_cluster_that_cannot_be_had_is_told(suite: Suite) -> None:
    suite.write(test_it=NOT_TO_BE_HAD)
    result = suite.run("--rustyray-topology=sim")
    result.stdout.fnmatch_lines(["*rustyray_testrun is shared by processes, and so it cannot be simulated"])
    result = suite.run()
    result.stdout.fnmatch_lines(
        ["the cluster of the run could not be started: RuntimeError: */clusters is not a directory that only *"]
    )
