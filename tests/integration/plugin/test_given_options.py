"""Options reach the runtime from wherever they are given, and a wrong one is told with its place."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

SHOWS = """
    import pytest
    import rustyray

    def total():
        resources = rustyray.cluster_resources()
        return " ".join(f"{name}={resources.get(name, 0):g}" for name in ("CPU", "GPU", "license"))

    def test_plain(rustyray_local):
        print("plain", total())

    @pytest.mark.rustyray(num_cpus=5)
    def test_marked(rustyray_local):
        print("marked", total())
"""


def test_a_marker_beats_the_command_line_beats_the_environment_beats_the_ini_file(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.write(test_it=SHOWS).ini("rustyray_num_cpus = 1\nrustyray_num_gpus = 1\nrustyray_resources = license=1")
    suite.run("-s").stdout.fnmatch_lines(["*plain CPU=1 GPU=1 license=1", "*marked CPU=5 GPU=1 license=1"])
    monkeypatch.setenv("RUSTYRAY_NUM_CPUS", "3")
    monkeypatch.setenv("RUSTYRAY_NUM_GPUS", "3")
    result = suite.run("-s", "--rustyray-num-cpus=4")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*plain CPU=4 GPU=3 license=1", "*marked CPU=5 GPU=3 license=1"])


BAD_MARKERS = """
    import pytest

    @pytest.mark.rustyray(num_cpu=1)
    def test_name(rustyray_local): ...

    @pytest.mark.rustyray(num_cpus=-1)
    def test_range(rustyray_local): ...

    @pytest.mark.rustyray(resources={"CPU": 1})
    def test_rule(rustyray_local): ...

    @pytest.mark.rustyray(topology="locale")
    def test_topology(rustyray_local): ...

    @pytest.mark.rustyray(4)
    def test_positional(rustyray_local): ...

    @pytest.mark.rustyray(object_store_memory="1GiB")
    def test_type(rustyray_local): ...

    def test_good(rustyray_local): ...
"""
TOLD = [
    "*::test_name: @pytest.mark.rustyray: there is no option 'num_cpu' (did you mean 'num_cpus'?). Valid ones are *",
    "*::test_range: @pytest.mark.rustyray: num_cpus must be zero or more, got -1",
    "*::test_rule: @pytest.mark.rustyray: resources: 'CPU' has an option of its own, write num_cpus=1",
    "*::test_topology: @pytest.mark.rustyray: topology 'locale' does not exist (did you mean 'local'?)*",
    "*::test_positional: @pytest.mark.rustyray takes keyword arguments only*",
    "*::test_type: @pytest.mark.rustyray: object_store_memory must be an integer, got '1GiB' (str)",
]


def test_a_wrong_marker_fails_its_test_and_tells_what_is_meant(suite: Suite) -> None:
    result = suite.write(test_it=BAD_MARKERS).run()
    result.assert_outcomes(passed=1, errors=len(TOLD))
    result.stdout.fnmatch_lines(TOLD)


def test_a_wrong_marker_shows_when_tests_are_only_collected(suite: Suite) -> None:
    result = suite.write(test_it=BAD_MARKERS).run("--collect-only")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(TOLD)


@pytest.mark.stress
def test_a_wrong_marker_fails_its_test_in_parallel_runs_too(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite.write(test_it=BAD_MARKERS).run_parallel()
    result.assert_outcomes(passed=1, errors=len(TOLD))


def test_a_wrong_value_on_the_command_line_ends_the_run_at_once(suite: Suite) -> None:
    result = suite.write(test_it=SHOWS).run("--rustyray-num-cpus=many")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --rustyray-num-cpus: cannot make sense of 'many'; it takes CPUs to share *"])


def test_a_value_out_of_range_is_told_with_its_place(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTYRAY_NUM_CPUS", "-1")
    result = suite.write(test_it=SHOWS).run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*RUSTYRAY_NUM_CPUS: num_cpus must be zero or more, got -1*"])
