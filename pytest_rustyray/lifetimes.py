"""Ends each runtime with whoever started it, so that none leaks from one test into the next.

The fixtures of this plugin end theirs themselves. But as in Ray, the first ``.remote()`` starts a runtime if there is
none, and a test, or somebody's own fixture, may call ``init`` and forget ``shutdown``. A runtime that came up during a
test's own code is shut down after that test; one that came up in a fixture's, after that fixture. So is a `Cluster` of
`rustyray.cluster_utils`, whether or not anybody is connected to it. What was started anywhere else, such as in a hook,
belongs to somebody whose end we do not see, and is left alone.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Final

import pytest

from pytest_rustyray.summing_up import LEFT_RUNNING

if TYPE_CHECKING:
    from rustyray.engines.native.standing.of_program import ProgramCluster
    from rustyray.runtime.engine import Engine

    Starter = pytest.Item | pytest.FixtureDef[object]
    Up = tuple[Engine | None, list[ProgramCluster]]

_LEFT: Final = pytest.StashKey[bool]()


class Lifetimes:
    """Follows who started the runtime of this process."""

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._starter: Starter | None = None
        self._clusters: dict[ProgramCluster, Starter] = {}
        #: What was up when fixtures began to come or go.
        self._before = all_that_is_up()

    def started_by(self) -> str:
        """Who started the runtime that is up, in words; empty if that was not seen."""
        if running_engine() is not self._engine:
            return ""
        if isinstance(self._starter, pytest.Item):
            return "this test itself"
        return f"the fixture {self._starter.argname!r}" if self._starter is not None else ""

    def ends_with_test(self) -> bool:
        """Whether the runtime that is up was started by this test, or by a fixture of its own."""
        if running_engine() is not self._engine:
            return False
        return isinstance(self._starter, pytest.Item) or getattr(self._starter, "scope", "") == "function"

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        before = all_that_is_up()
        try:
            return (yield)
        finally:
            self._note(before, fixturedef, request.config)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        before = all_that_is_up()
        try:
            return (yield)
        finally:
            self._note(before, item, item.config)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_post_finalizer(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, None, None]:
        try:
            return (yield)
        finally:
            self._note(self._before, fixturedef, request.config)  # its end may have started one, too
            self._end(fixturedef)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self) -> None:
        self._before = all_that_is_up()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        self._before = all_that_is_up()
        try:
            return (yield)  # innermost: the fixtures end, and output is still captured
        finally:
            if self._end(item):
                item.stash[_LEFT] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.when == "teardown" and item.stash.get(_LEFT, False):
            setattr(report, LEFT_RUNNING, True)
        return report

    def _note(self, before: Up, starter: Starter, config: pytest.Config) -> None:
        if "rustyray" in sys.modules:
            from pytest_rustyray import watching

            watching.begin(config)
        engine, there = all_that_is_up()
        if engine is not None and engine is not before[0] and engine is not self._engine:
            self._engine, self._starter = engine, starter
        for cluster in there:
            if cluster not in before[1]:
                self._clusters.setdefault(cluster, starter)

    def _end(self, starter: Starter) -> bool:
        """Shut down what this starter has left running; whether there was anything."""
        left = False
        try:
            left = self._end_runtime(starter)
        finally:
            for cluster in [cluster for cluster, who in self._clusters.items() if who is starter]:
                del self._clusters[cluster]
                left |= not cluster.ended
                cluster.shutdown()
        return left

    def _end_runtime(self, starter: Starter) -> bool:
        if self._starter is not starter:
            return False
        left, self._engine, self._starter = self._engine, None, None
        if left is None or running_engine() is not left:
            return False
        sys.modules["rustyray"].shutdown()
        return True


def running_engine() -> Engine | None:
    """The engine of this process, if the runtime is imported and up."""
    context = sys.modules.get("rustyray.runtime.context")
    engine: Engine | None = context.engine() if context is not None else None
    return engine


def clusters() -> list[ProgramCluster]:
    """The clusters that this process has started, other than runtimes of its own, and that have not ended."""
    module = sys.modules.get("rustyray.engines.native.standing.of_program")
    return list(module.all_of_them) if module is not None else []


def all_that_is_up() -> Up:
    """The engine of this process, and its clusters."""
    return running_engine(), clusters()


def started() -> int:
    """How many runtimes this process has started so far."""
    context = sys.modules.get("rustyray.runtime.context")
    return context.started if context is not None else 0
