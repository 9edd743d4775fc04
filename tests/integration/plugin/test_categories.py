"""Tests get the marker of their folder where the ini file asks for that."""

from __future__ import annotations

from tests.integration.plugin.conftest import Suite

NOTHING = "def test_nothing(): ..."


def test_folders_give_their_tests_a_category_where_asked_to(suite: Suite) -> None:
    suite.write(tests__unit__test_a=NOTHING, tests__stress__test_b=NOTHING, tests__other__test_c=NOTHING)
    suite.run("-m", "unit", "--import-mode=importlib", "--strict-markers").assert_outcomes(deselected=3)
    suite.ini("rustyray_categories = true")
    result = suite.run("-m", "unit or stress", "--import-mode=importlib", "-v", "--strict-markers")
    result.assert_outcomes(passed=2, deselected=1)
    result.stdout.fnmatch_lines_random(["*test_a.py*PASSED*", "*test_b.py*PASSED*"])
