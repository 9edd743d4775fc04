"""A cluster that a run's processes share ends with the last of them, whoever is killed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.plugin.conftest import Suite, assert_ended, suite
from tests.integration.plugin.testruns import SHARE, check_ended

__all__ = ["assert_ended", "suite"]


def test_one_process_has_the_cluster_for_itself(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    suite.write(test_it=SHARE).run("--rustyray-topology=cluster:2").assert_outcomes(passed=8)
    assert suite.noted("counts") == [1, 2, 3, 4, 5, 6]
    assert len(set(suite.noted("nodes"))) == 2
    check_ended(suite, assert_ended)


def test_the_first_process_dies(
    suite: Suite, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIES", "1")
    suite.write(test_it=SHARE).run_parallel().assert_outcomes(passed=7, failed=1)
    assert len(set(suite.noted("drivers"))) >= 2
    assert len(set(suite.noted("nodes"))) == 1
    assert sorted(suite.noted("counts")) == [1, 2, 3, 4, 5, 6]
    check_ended(suite, assert_ended)


@pytest.mark.parametrize("kills", ["KILLS_ALL", "KILLS_KEEPER"])
def test_the_run_or_the_keeper_is_killed(
    suite: Suite, assert_ended: Callable[[list[int]], None], monkeypatch: pytest.MonkeyPatch, kills: str
) -> None:
    monkeypatch.setenv(kills, "1")
    result = suite.write(test_it=SHARE).run_parallel()
    assert result.ret != 0
    assert_ended(suite.noted("pids") + suite.noted("workers"))
