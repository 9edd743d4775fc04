"""The suite that was written for Ray runs; the whole of it is run by hand, on Ray as well."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.ray_suite import __main__ as ray_suite
from benchmarks.ray_suite.__main__ import Result

#: One of each kind that costs little.
CHOSEN = (
    "test_tasks.py::test_map_reduce",
    "test_runtime.py::test_the_namespace[ray_start_regular0]",
    "test_cluster.py::test_actors_on_two_nodes",
)


def test_some_of_it_passes() -> None:
    results = ray_suite.run(sys.executable, ray_suite.RUSTYRAY, CHOSEN)
    assert {name: result.outcome for name, result in results.items()} == dict.fromkeys(CHOSEN, "passed")


def test_what_differs_is_told(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="test_a" name="test_1" time="0.5"/>'
        '<testcase classname="test_a" name="test_2" time="1.5"><failure message="no"/></testcase>'
        '<testcase classname="test_a" name="test_2" time="9"><error message="and so on"/></testcase>'
        "</testsuite></testsuites>"
    )
    ours = ray_suite.read(report)
    assert ours == {"test_a.py::test_1": Result("passed", 0.5), "test_a.py::test_2": Result("failed", 1.5)}
    rays = {name: Result("passed", 50.0) for name in ours}
    assert ray_suite.compare(ours, rays).splitlines() == [
        "test_a.py::test_2: failed on RustyRay, passed on Ray",
        "2 tests, 1 with the same outcome",
        "RustyRay 2.00 s, Ray 100.00 s: 50 x",
    ]


def test_no_tests_are_not_a_sample(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ray_suite.parse(["--tests", "0"])
    assert "at least one" in capsys.readouterr().err


def test_what_hangs_is_ended_and_died(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_suite, "PATIENCE", 0.1)
    monkeypatch.setattr(ray_suite, "MORE", 0.1)
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nsleep 600 & wait\n")
    python.chmod(0o755)
    assert ray_suite.run(str(python), (), ("a.py::test_1", "a.py::test_2")) == {
        f"a.py::test_{number}": Result("died", 0) for number in (1, 2)
    }
