"""Tests get the marker of their folder where the ini file asks for that."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.integration.plugin.conftest import Suite

NOTHING = "def test_nothing(): ..."


def test_folders_give_their_tests_a_category_where_asked_to(suite: Suite) -> None:
    suite.write(tests__unit__test_a=NOTHING, tests__stress__test_b=NOTHING, tests__other__test_c=NOTHING)
    suite.run("-m", "unit", "--import-mode=importlib", "--strict-markers").assert_outcomes(deselected=3)
    suite.ini("rustyray_categories = true")
    result = suite.run("-m", "unit or stress", "--import-mode=importlib", "-v", "--strict-markers")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines_random(["*test_a.py*PASSED*", "*test_b.py*PASSED*"])


def test_stress_tests_run_when_they_are_asked_for(suite: Suite) -> None:
    suite.ini("rustyray_categories = true")
    suite.write(
        tests__unit__test_a=NOTHING,
        tests__stress__test_b=NOTHING,
        tests__test_c=f"import pytest\n\n@pytest.mark.stress\n{NOTHING}\n",
    )
    result = suite.run("--import-mode=importlib")
    result.assert_outcomes(passed=1, deselected=2)
    left_out = "rustyray: 2 stress tests were left out; --rustyray-stress runs them"
    result.stdout.fnmatch_lines([left_out])
    if find_spec("xdist") is not None:
        suite.run("--import-mode=importlib", "-p", "xdist", "-n", "2").stdout.fnmatch_lines([left_out])
    for asking in (["--rustyray-stress"], ["-m", "stress or unit"], ["tests/stress", "tests/unit", "tests/test_c.py"]):
        result = suite.run("--import-mode=importlib", *asking)
        result.assert_outcomes(passed=3)
        result.stdout.no_fnmatch_line("*left out*")


def test_a_line_for_each_category_tells_what_became_of_its_tests(suite: Suite) -> None:
    suite.ini("rustyray_categories = true\naddopts = --import-mode=importlib")
    suite.write(
        tests__unit__test_a="""
            from rustyray.runtime import context

            def test_simulated(rustyray_local):
                assert ".sim." in type(context.engine()).__module__

            def test_wrong():
                assert 1 == 2
            """,
        tests__integration__test_b="""
            import os, pytest, rustyray

            @rustyray.remote(max_retries=3)
            def dies_once(path):
                if not os.path.exists(path):
                    open(path, "w").close()
                    os._exit(1)

            def test_retries(rustyray_local, tmp_path):
                rustyray.get(dies_once.remote(str(tmp_path / "begun")))

            def test_leaks(rustyray_local):
                os.open("/dev/zero", os.O_RDONLY)

            @pytest.mark.skip
            def test_not(): ...
            """,
    )
    for arguments in ([], ["-p", "xdist", "-n", "2"]):
        lines = suite.run(*arguments).stdout
        slowest, counts = "in * s; the slowest: tests", "2 runtimes, 1 leak, 1 retry"
        lines.fnmatch_lines(
            [
                f"rustyray: unit        1 passed, 1 failed {slowest}/unit/test_a.py::test_* s; 1 runtime",
                f"rustyray: integration 2 passed, 1 error, 1 skipped {slowest}/*::test_* s; {counts}",
            ]
        )
        lines.no_fnmatch_line("*left out*")


@pytest.mark.stress
def test_categories_have_options_of_their_own_where_nothing_is_given(suite: Suite) -> None:
    suite.ini("rustyray_categories = true\naddopts = --import-mode=importlib")
    suite.write(
        tests__unit__test_a="""
            import pytest
            from rustyray.runtime import context

            def test_each(rustyray_runtime, request):
                assert "[sim]" in request.node.nodeid

            @pytest.mark.rustyray(topology="local")
            def test_another(rustyray_local):
                assert ".native." in type(context.engine()).__module__
            """,
        tests__integration__test_b="""
            def test_each(rustyray_runtime, request):
                assert "[local]" in request.node.nodeid
            """,
    )
    suite.run().assert_outcomes(passed=3)
    suite.run("--rustyray-topology", "local", "tests/unit").assert_outcomes(passed=1, failed=1)
