"""Where the output of tasks goes: to the driver's, as that was when the runtime started."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

TALKS = """
    import os
    import sys
    import pytest
    import rustyray

    @rustyray.remote
    def say(text):
        print("task says", text)
        print("task complains of", text, file=sys.stderr)
        os.write(1, b"task writes\\n")

    def test_quiet(rustyray_local):
        rustyray.get(say.remote("nothing"))

    def test_failing(rustyray_local):
        rustyray.get(say.remote("something"))
        raise ValueError
"""


def test_output_of_tasks_is_captured_with_the_test_that_ran_them(suite: Suite) -> None:
    result = suite.write(test_it=TALKS).run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*Captured stdout call*",
            "task says something",
            "task writes",
            "*Captured stderr call*",
            "task complains of something",
        ]
    )
    result.stdout.no_fnmatch_line("*nothing*")


def test_output_of_a_shared_runtime_is_captured_with_the_test_that_caused_it(suite: Suite) -> None:
    result = suite.write(test_it=TALKS.replace("rustyray_local", "rustyray_shared")).run()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "task says something"])
    result.stdout.no_fnmatch_line("*nothing*")


@pytest.mark.parametrize("option", ["--capture=no", "--capture=sys"])
def test_output_that_pytest_leaves_alone_goes_to_the_terminal(suite: Suite, option: str) -> None:
    result = suite.write(test_it=TALKS).run(option)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*task says nothing", "*task says something"])
    result.stderr.fnmatch_lines(["task complains of nothing", "task complains of something"])


@pytest.mark.parametrize(
    "arguments", ["capfd, rustyray_local", "rustyray_local, capfdbinary", "capsys, rustyray_local"]
)
def test_output_of_tasks_is_in_the_report_also_where_a_test_captures_its_own(suite: Suite, arguments: str) -> None:
    suite.write(test_it=TALKS.replace("def test_failing(rustyray_local)", f"def test_failing({arguments})"))
    result = suite.run("-k", "failing")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*Captured stdout call*", "task says something", "task writes"])


def test_a_runtime_that_starts_while_a_test_captures_is_captured_by_it(suite: Suite) -> None:
    suite.write(
        test_it=TALKS
        + """
    def test_own(capfd):
        with rustyray.init(num_cpus=1):
            rustyray.get(say.remote("it"))
        assert capfd.readouterr() == ("task says it\\ntask writes\\n", "task complains of it\\n")
"""
    )
    suite.run("-k", "own").assert_outcomes(passed=1, deselected=2)
