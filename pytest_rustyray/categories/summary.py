"""A line for each category at the end: outcomes, time, the slowest test, runtimes, leaks and retries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from typing import Any, Final

import pytest

from pytest_rustyray.categories import choosing, table
from pytest_rustyray.leaks.checking import LEAKED
from pytest_rustyray.lifetimes import running_engine, started
from pytest_rustyray.options.declaring import CATEGORIES

#: On the report of a test's tear-down: what is counted. An attribute, so that it travels from the processes of
#: pytest-xdist.
_COUNTED: Final = "rustyray_counted"
_RETRIED: Final = pytest.StashKey[int]()
_STARTED: Final = pytest.StashKey[int]()


class Summary:
    """Counts in the process that runs a test, and adds up and tells in the one that reports."""

    def __init__(self) -> None:
        self._categories: dict[str, Category] = {}

    # --- where tests run ----------------------------------------------------------------------------------------------

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        item.stash[_STARTED] = started()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        engine, before = running_engine(), _retries()
        try:
            return (yield)
        finally:
            item.stash[_RETRIED] = _retries() - (before if running_engine() is engine else 0)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        category = table.of(item)
        if category:
            counts: dict[str, Any] = {"category": category}
            if call.when == "teardown":
                counts["runtimes"] = started() - item.stash.get(_STARTED, started())
                counts["leaks"] = item.stash.get(LEAKED, 0)
                counts["retries"] = item.stash.get(_RETRIED, 0)
            setattr(report, _COUNTED, counts)
        return report

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        choosing.tell_left_out(session.config)

    # --- where reports arrive -----------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        counts = getattr(report, _COUNTED, None)
        if counts is not None:
            self._categories.setdefault(counts["category"], Category()).add(report, counts)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A process of pytest-xdist has ended; one that crashed has said nothing."""
        choosing.hear_left_out(node.config, getattr(node, "workeroutput", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        lines = [f"rustyray: {name:11} {self._categories[name]}" for name in CATEGORIES if name in self._categories]
        lines.append(choosing.left_out(terminalreporter.config))
        for line in filter(None, lines):
            terminalreporter.write_line(line)


class Category:
    """What became of its tests."""

    def __init__(self) -> None:
        self._tests: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()
        self._seconds: dict[str, float] = {}

    def add(self, report: pytest.TestReport, counts: dict[str, Any]) -> None:
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        for name in ("runtimes", "leaks", "retries"):
            self._counts[name] += counts.get(name, 0)
        if report.when == "call" or report.outcome != "passed":
            expected = hasattr(report, "wasxfail")
            outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(report.outcome, "failed") if expected else ""
            broken = "error" if report.when != "call" and report.failed else report.outcome
            self._tests[outcome or broken] += 1

    def __str__(self) -> str:
        tests = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._tests.items(), key=_order))
        slowest = max(self._seconds, key=self._seconds.__getitem__)
        text = f"{tests} in {sum(self._seconds.values()):.2f} s; the slowest: {slowest} {self._seconds[slowest]:.2f} s"
        return "; ".join(filter(None, [text, told(self._counts)]))


_ORDER: Final = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")
_ONE: Final = {"runtimes": "runtime", "leaks": "leak", "retries": "retry"}


def _order(outcome: tuple[str, int]) -> int:
    return _ORDER.index(outcome[0])


def told(counts: Counter[str]) -> str:
    """``3 runtimes, 1 leak``; nothing of what there was none."""
    return ", ".join(f"{count} {name if count > 1 else _ONE[name]}" for name, count in counts.items() if count)


def _retries() -> int:
    """How many attempts the tasks and calls of this process have had after their first."""
    engine: Any = running_engine()
    if engine is None:
        return 0
    history = engine.core.history
    return int(history.counts.retried + history.call_counts.retried)
