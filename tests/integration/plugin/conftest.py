"""Suites of tests to run with the plugin, each in a pytest of its own."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from textwrap import dedent

import pytest

from rustyray.engines.native.processes.kernel import wait_for_end

#: Where the project is not installed, its plugin has no short name.
INSTALLED = bool(entry_points(group="pytest11", name="rustyray"))
PLUGIN = "rustyray" if INSTALLED else "pytest_rustyray.plugin"
#: Seconds.
PATIENCE = 60.0

Outcomes = dict[str, int]


class Suite:
    """Test files in a folder of their own, and runs of them in which a warning is an error."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self._pytester = pytester
        self.folder: Path = pytester.path

    def write(self, **files: str) -> Suite:
        """Write ``name.py`` for each keyword; ``__`` in it separates folders."""
        for name, text in files.items():
            path = self.folder.joinpath(*name.split("__")).with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(dedent(text))
        return self

    def ini(self, text: str) -> Suite:
        self._pytester.makeini("[pytest]\n" + dedent(text))
        return self

    def run(self, *options: str, plugins: tuple[str, ...] = (PLUGIN,)) -> pytest.RunResult:
        """Run the suite in a process of its own."""
        loaded = [argument for plugin in plugins for argument in ("-p", plugin)]
        return self._pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "-W", "error", *loaded, *options, timeout=PATIENCE
        )

    def run_parallel(self, *options: str) -> pytest.RunResult:
        """Run the suite in two processes of pytest-xdist's."""
        return self.run("-n", "2", *options, plugins=("xdist", PLUGIN))

    def noted(self, name: str) -> list[int]:
        """The numbers that tests have written, one a line."""
        return [int(line) for line in self.folder.joinpath(name).read_text().split()]


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """An empty suite. Of the installed plugins, its runs load only those that are named."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER", "CI"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


@pytest.fixture
def assert_ended() -> Callable[[list[int]], None]:
    """Asserts that processes have ended, or do so soon."""

    def check(pids: list[int]) -> None:
        assert pids
        assert [pid for pid in pids if not wait_for_end(pid, 10.0)] == []

    return check
