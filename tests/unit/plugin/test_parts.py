"""The smaller parts of the plugin, each by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType

import pytest

from pytest_rustyray import by_value, categories, tracebacks
from pytest_rustyray.in_workers import assertions
from pytest_rustyray.summing_up import left_running

# --- tracebacks -------------------------------------------------------------------------------------------------------


def traceback_through(*files: str) -> TracebackType:
    """A traceback with a frame in each of the files, after that of this function."""
    functions: list[Callable[[int], None]] = []
    for file in files:
        scope: dict[str, object] = {"functions": functions}
        last = len(functions) == len(files) - 1
        body = "raise ValueError" if last else "functions[number + 1](number + 1)"
        exec(compile(f"def function(number):\n    {body}", file, "exec"), scope)
        functions.append(scope["function"])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"^$") as caught:
        functions[0](0)
    return caught.tb


def files_of(tb: TracebackType | None) -> list[str]:
    found = []
    while tb is not None:
        found.append(tb.tb_frame.f_code.co_filename)
        tb = tb.tb_next
    return found


def test_frames_of_the_runtime_are_left_out_wherever_they_are() -> None:
    tb = traceback_through("/rr/api.py", "/test.py", "/rr/api.py", "/rr/engine.py")
    assert files_of(tracebacks.without(tb, "/rr/")) == [__file__, "/test.py"]
    assert files_of(tb)[1:] == ["/rr/api.py", "/test.py", "/rr/api.py", "/rr/engine.py"]


def test_a_traceback_without_frames_of_the_runtime_or_of_it_alone_stays() -> None:
    assert tracebacks.without(traceback_through("/test.py"), "/rr/") is None
    alone = traceback_through("/rr/api.py").tb_next
    assert alone is not None
    assert tracebacks.without(alone, "/rr/") is None


# --- what is told of tests that leave a runtime -----------------------------------------------------------------------


def test_the_summary_lists_a_few_tests_and_counts_the_others() -> None:
    assert "1 test left a runtime running, which was shut down: a." in left_running(["a"])
    assert "5 tests left a runtime running, which was shut down: a, b, c and 2 more." in left_running(list("abcde"))


# --- categories -------------------------------------------------------------------------------------------------------


class Item:
    """As much of a test as categories look at."""

    def __init__(self, path: str, *markers: str) -> None:
        self.path = Path(path)
        self.markers = list(markers)

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.markers else None

    def add_marker(self, name: str) -> None:
        self.markers.append(name)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("/root/tests/unit/test_a.py", [], ["unit"]),
        ("/root/stress/unit/test_a.py", [], ["stress"]),
        ("/root/tests/other/test_a.py", [], []),
        ("/root/tests/unit.py", [], []),
        ("/root/unit/test_a.py", ["integration"], ["integration"]),
        ("/unit/test_a.py", [], []),
    ],
)
def test_the_outermost_folder_gives_the_category(path: str, before: list[str], after: list[str]) -> None:
    item = Item(path, *before)
    categories.assign([item], Path("/root"))  # type: ignore[list-item]
    assert item.markers == after


# --- code by value ----------------------------------------------------------------------------------------------------


def module(name: str, file: str) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = file
    return made


def test_names_are_registered_with_the_runtime_and_taken_back_at_the_end() -> None:
    from rustyray.runtime.serialization import registered_by_value

    before = registered_by_value()
    registering = by_value.ByValue()
    try:
        registering.pytest_plugin_registered(module("some.conftest", "/some/conftest.py"))
        registering.pytest_plugin_registered(module("some.plugin", "/some/plugin.py"))
        registering.pytest_plugin_registered(object())
        assert registered_by_value() - before == {"some.conftest"}
    finally:
        registering.pytest_unconfigure()
    assert registered_by_value() == before
    assert not [finder for finder in sys.meta_path if finder is registering._finder]


def test_the_finder_leaves_other_packages_to_others() -> None:
    finder = by_value._RuntimeFinder(lambda found: None)
    assert finder.find_spec("rustyray_other") is None
    assert finder.find_spec("pytest_rustyray") is None
    assert finder.find_spec("rustyray.no_such_module", ["/nowhere"]) is None
    spec = finder.find_spec("rustyray.runtime.context", sys.modules["rustyray.runtime"].__path__)
    assert spec is not None
    assert type(spec.loader).__name__ == "SourceFileLoader"


# --- explanations in workers ------------------------------------------------------------------------------------------


def test_a_comparison_is_explained_as_pytest_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_RUSTYRAY_VERBOSITY", "2")
    text = assertions.explain("==", [1, 2, 3], [1, 5, 3])
    assert text is not None
    lines = text.split("\n~")
    assert lines[0] == "[1, 2, 3] == [1, 5, 3]"
    assert "At index 1 diff: 2 != 5" in lines
    assert "-     5," in lines


def test_a_comparison_with_nothing_to_add_has_no_explanation() -> None:
    assert assertions.explain("<", 2, 1) is None
    assert assertions.explain("==", 1, 2) is None


def test_percent_signs_and_line_ends_are_protected_from_what_formats_later() -> None:
    text = assertions.explain("==", "100%\nx", "50%\nx")
    assert text is not None
    assert "100%%" in text
    assert "%" not in text.replace("%%", "")


def test_a_long_explanation_is_cut_unless_asked_for_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("PYTEST_RUSTYRAY_VERBOSITY", "1")
    short = assertions.explain("==", [*range(100)], [*range(50), 0, *range(51, 100)])
    monkeypatch.setenv("PYTEST_RUSTYRAY_VERBOSITY", "2")
    full = assertions.explain("==", [*range(100)], [*range(50), 0, *range(51, 100)])
    assert short is not None
    assert full is not None
    assert short.endswith("use '-vv' to show")
    assert len(short.split("\n~")) < 15
    assert len(full.split("\n~")) > 100


def test_a_pytest_that_cannot_be_asked_this_way_leaves_a_comparison_unexplained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("_pytest.assertion.pytest_assertrepr_compare", lambda config, op: [])
    assert assertions.explain("==", [1], [2]) is None
