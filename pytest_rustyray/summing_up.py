"""Lines at the end of a run about what the reports of its tests carry: runtimes left running, and folders kept.

Of the processes of pytest-xdist, it is the one that runs no tests which tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pytest

#: On a report, as attributes, so that they travel between processes: the test left a runtime running; the folder that
#: was kept.
LEFT_RUNNING: Final = "rustyray_left_running"
KEPT: Final = "rustyray_kept"
#: Names that a line lists.
_LISTED: Final = 3


class SumsUp:
    """Gathers them, and tells."""

    def __init__(self) -> None:
        self._left_running: list[str] = []
        self._kept: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if getattr(report, LEFT_RUNNING, False):
            self._left_running.append(report.nodeid)
        if folder := getattr(report, KEPT, ""):
            self._kept.append(folder)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._left_running:
            terminalreporter.write_line(left_running(self._left_running), yellow=True)
        if self._kept:
            more = f" and {len(self._kept) - 1} more beside it" if len(self._kept) > 1 else ""
            terminalreporter.write_line(f"rustyray: kept {self._kept[0]}{more}")


def left_running(tests: Sequence[str]) -> str:
    """The line about tests that left a runtime running."""
    listed = ", ".join(tests[:_LISTED]) + (f" and {len(tests) - _LISTED} more" if len(tests) > _LISTED else "")
    who = "1 test" if len(tests) == 1 else f"{len(tests)} tests"
    return f"rustyray: {who} left a runtime running, which was shut down: {listed}. Use the fixture rustyray_local."
