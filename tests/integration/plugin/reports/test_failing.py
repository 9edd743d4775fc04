"""A failed test says what happened in its runtime, what was free, and how to run it again; its folder may stay."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.integration.plugin.conftest import Suite

FAILING = """
    import os, signal, sys
    import pytest
    import rustyray

    @rustyray.remote
    def fetch(page):
        sys.stdout.write(f"fetches {page}\\n")  # at once: another one may do the same
        if page == "b":
            raise ValueError("no b")

    @pytest.fixture
    def broken(rustyray_local):
        rustyray.get(fetch.remote("a"))
        raise ValueError("broken")

    def test_fails(rustyray_local):
        rustyray.get([fetch.remote(page) for page in "ab"])

    @pytest.mark.rustyray(topology="sim", seed=5)
    def test_simulated(rustyray_local):
        rustyray.get([fetch.remote(page) for page in "ab"])

    def test_setup_fails(broken):
        pass

    def test_without_a_runtime():
        assert not "of interest"

    @pytest.mark.xfail
    def test_is_expected_to_fail(rustyray_local):
        rustyray.get(fetch.remote("b"))

    @pytest.mark.rustyray(keep="always")
    def test_passes(rustyray_local):
        rustyray.get(fetch.remote("a"))

    def test_passes_too(rustyray_local):
        rustyray.get(fetch.remote("a"))

    def test_of_a_broken_runtime(rustyray_local):
        os.kill(rustyray.stats().nodes[0].pid, signal.SIGKILL)
        rustyray.get(fetch.remote("a"))
"""


def kept_folders(result: pytest.RunResult) -> list[Path]:
    text = result.stdout.str()
    return [Path(line) for line in re.findall(r"^/\S*rustyray-kept-\S+$", text, re.MULTILINE)]


def test_the_report_of_a_failed_test(suite: Suite) -> None:
    result = suite.write(test_it=FAILING).run("--rustyray-keep=failed", "--rustyray-num-cpus=3")
    result.assert_outcomes(failed=4, passed=2, errors=1, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_setup_fails*",
            "??:??:??.??? driver task finished test_it.fetch task ????…??????",
            "resources: CPU * of 3 free",
            "again: pytest test_it.py::test_setup_fails --rustyray-num-cpus=3 --rustyray-keep=failed",
            "*test_fails*",
            "*Captured stdout call*",
            "fetches b",
            "* rustyray events *",
            "??:??:??.??? driver task attempt failed test_it.fetch task ????…??????: ValueError: no b",
            "again: pytest test_it.py::test_fails --rustyray-num-cpus=3 --rustyray-keep=failed",
            "*rustyray-kept-*",
            "*test_simulated*",
            "??:??:??.??? worker task run failed test_it.fetch task ????…??????",
            "simulated, seed 5",
            "*test_without_a_runtime*",
            "*test_of_a_broken_runtime*",
            "??:??:??.??? driver * failed test_it.fetch *",
            "the runtime could not be asked: *",
            "again: pytest test_it.py::test_of_a_broken_runtime *",
            "rustyray: kept /*rustyray-kept-* and 4 more beside it",
        ]
    )
    text = result.stdout.str()
    quiet = text[text.index("_ test_without_a_runtime _") : text.index("_ test_of_a_broken_runtime _")]
    assert "rustyray" not in quiet
    folders = kept_folders(result)
    assert len(folders) == 4
    failed = next(folder for folder in folders if "test_fails" in folder.name)
    try:
        assert "ValueError: no b" in failed.joinpath("report.txt").read_text()
        told = [json.loads(line) for line in failed.joinpath("events.jsonl").read_text().splitlines()]
        assert [event["cause"] for event in told if event["what"] == "attempt failed"] == ["ValueError: no b"]
        assert json.loads(failed.joinpath("stats.json").read_text())["tasks"]["failed"] == 1
        assert sorted(path.name.partition("-")[0] for path in failed.parent.iterdir()) == [
            "test_it.py_test_fails",
            "test_it.py_test_of_a_broken_runtime",
            "test_it.py_test_passes",
            "test_it.py_test_setup_fails",
            "test_it.py_test_simulated",
        ]
    finally:
        shutil.rmtree(failed.parent)


def test_the_line_that_runs_it_again_is_for_the_folder_where_one_is(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    (suite.folder / "below").mkdir()
    (suite.folder / "pytest.ini").write_text("[pytest]\n")
    (suite.folder / "below" / "test_it.py").write_text("def test_fails(rustyray_local):\n    assert False\n")
    monkeypatch.chdir(suite.folder / "below")
    suite.run().stdout.fnmatch_lines(["again: pytest test_it.py::test_fails"])
