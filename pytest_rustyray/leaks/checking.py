"""Looks after each test that has used a runtime whether it has left something behind.

What is there before a test's own fixtures is not the test's; nor is what fixtures of a wider scope make, which may come
up in the middle. What is new after the test's own fixtures have ended, is. It is put away, and the test fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_rustyray import fixtures, options
from pytest_rustyray.lifetimes import running_engine, started

if TYPE_CHECKING:
    from pytest_rustyray.leaks.finding import Leak, Seen, Source

#: What the traceback of a failed test may keep for a while: its variables.
_KEPT_BY_TRACEBACKS: Final = ("descriptors", "sockets", "memory", "refs")
_FAILED: Final = pytest.StashKey[bool]()
#: How many leaks a test had.
LEAKED: Final = pytest.StashKey[int]()


class LeakWarning(pytest.PytestWarning):
    """A test has left something behind, and ``rustyray_leaks`` is ``warn``."""


class Leaks:
    """Compares what there was before a test with what there is after it."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        self._before: Seen | None = None
        #: What there was when it was looked last.
        self._last: Seen | None = None
        #: How many runtimes this process had started before the test.
        self._started = 0
        self._adopts = False

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Comes when it is settled which of several runtimes is used, and before fixtures are set up."""
        item.stash[_FAILED] = False  # it may be another attempt
        if fixtures.uses(item) or "rustyray" in sys.modules:
            mode = options.for_node(item.config.stash[fixtures.COMMON], item)["leaks"][0]
            if mode != "off":
                self._begin(bool(fixtures.uses(item)))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        if self._before is None or fixturedef.scope == "function":
            return (yield)
        from pytest_rustyray.leaks.finding import look

        before = look(self._sources)
        try:
            return (yield)
        finally:
            for source, things in look(self._sources).items():
                self._before[source] |= things - before[source]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            item.stash[_FAILED] = True
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            yield
        except BaseException:
            if text := self._end(item):
                item.add_report_section("teardown", "leaks", text)
            raise
        if text := self._end(item):
            if options.for_node(item.config.stash[fixtures.COMMON], item)["leaks"][0] == "warn":
                item.warn(LeakWarning(text))
            else:
                pytest.fail(text, pytrace=False)

    def _begin(self, fully: bool) -> None:
        from pytest_rustyray.leaks import finding

        if not self._sources:
            from pytest_rustyray.leaks import files, processes, threads, work

            self._sources = [
                processes.Processes(),
                threads.Threads(),
                files.Descriptors(),
                files.Mappings(),
                files.Folders(),
                work.Work(),
            ]
        if fully:
            self._adopt(True)
        self._started = started()
        self._before = self._last = finding.look(self._sources, None if fully else self._last)

    def _adopt(self, adopt: bool) -> None:
        """Orphans, for the time of a test that has a runtime: others may rely on their going to init."""
        if adopt != self._adopts:
            from pytest_rustyray.leaks.processes import adopt_orphans

            self._adopts = adopt
            adopt_orphans(adopt)

    def _end(self, item: pytest.Item) -> str:
        try:
            return self._look(item)
        finally:
            self._adopt(False)

    def _look(self, item: pytest.Item) -> str:
        """Look, and put away what is found; what is to be said of it."""
        before, self._before = self._before, None
        used = fixtures.uses(item) or running_engine() is not None or started() != self._started
        if before is None or not used:
            return ""
        allowed: Any = options.for_node(item.config.stash[fixtures.COMMON], item)["allow_leaks"][0]
        if allowed is True:
            self._last = None
            return ""
        allowed = {allowed} if isinstance(allowed, str) else set(allowed or ())
        if item.stash.get(_FAILED, False):
            allowed.update(_KEPT_BY_TRACEBACKS)
        from pytest_rustyray.leaks.finding import Search, look

        _let_go(item)
        search = Search(before, lambda leak: leak.kind not in allowed)
        found = search.leaks()
        item.stash[LEAKED] = len(found)
        text = _told(found, search.put_away(found)).replace(f"{item.config.rootpath}{os.sep}", "") if found else ""
        self._last = search.clean or look(self._sources)
        return text


def _let_go(item: pytest.Item) -> None:
    """What pytest keeps of a test that is over: the values of its fixtures, and the attributes of its instance."""
    if type(item) is pytest.Function:
        item.funcargs.clear()
        instance = vars(item).get("_instance")
        if hasattr(instance, "__dict__"):
            vars(instance).clear()


def _told(found: list[Leak], lines: list[str]) -> str:
    from pytest_rustyray.leaks import origins

    kinds = dict.fromkeys(leak.kind for leak in found)
    counts = ", ".join(f"{kind} ({sum(leak.kind == kind for leak in found)})" for kind in kinds)
    hint = f"If it is meant to stay, mark the test @pytest.mark.rustyray(allow_leaks={[*kinds]})."
    more = [] if origins.is_known() else [origins.HINT]
    return "\n".join([f"left behind, and put away: {counts}", *lines, hint, *more])
