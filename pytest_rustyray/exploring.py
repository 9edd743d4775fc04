"""``@pytest.mark.rustyray_explore``: an ordinary test, run under many schedules instead of once.

Fixtures are set up once, before the first schedule. The marker's options are those of ``rustyray.testing.explore``,
which also does the work.
"""

from __future__ import annotations

import functools
import inspect
import shlex
import sys
from typing import Any

import pytest

from pytest_rustyray import fixtures
from pytest_rustyray.lifetimes import running_engine
from pytest_rustyray.options.declaring import EXPLORE, REPLAY, REPLAY_FLAG
from pytest_rustyray.options.table import OF_TESTS
from pytest_rustyray.reports.failing import named


def begin(line: str) -> None:
    """Raises UsageError if the line of ``--rustyray-replay`` makes no sense."""
    from rustyray.testing import replay

    try:
        replay(line)
    except ValueError as error:
        raise pytest.UsageError(f"{REPLAY_FLAG}: {error}") from None


def check(items: list[pytest.Item]) -> None:
    """Note on each test what is wrong with its use of the marker."""
    for item in items:
        if item.get_closest_marker(EXPLORE) is not None and fixtures.PROBLEM not in item.stash:
            problem = _problem(item)
            if problem:
                item.stash[fixtures.PROBLEM] = f"{item.nodeid}: {problem}"


def _problem(item: pytest.Item) -> str:
    from rustyray.testing.exploring.explore import check_options

    for mark in item.iter_markers(EXPLORE):
        if mark.args:
            return f"@pytest.mark.{EXPLORE} takes keyword arguments only, such as schedules=1000; got {mark.args[0]!r}"
        try:
            check_options(mark.kwargs)
        except (TypeError, ValueError) as error:
            return f"@pytest.mark.{EXPLORE}: {error}"
    used = sorted(fixtures.uses(item))
    if used:
        return (
            f"@pytest.mark.{EXPLORE} gives each schedule a simulated runtime of its own, so the test cannot use "
            f"{used[0]} as well, which starts one: leave the fixture out"
        )
    for node, mark in item.iter_markers_with_node("rustyray"):
        late = [name for name in mark.kwargs if name not in OF_TESTS]
        if late and isinstance(node, pytest.Item | pytest.Class):
            return (
                f"@pytest.mark.rustyray({late[0]}=…) has no effect on a test that explores, which is always simulated: "
                f"give num_cpus and num_nodes to @pytest.mark.{EXPLORE}"
            )
    function = getattr(item, "obj", None)
    unittest = sys.modules.get("unittest")
    cls = getattr(item, "cls", None)
    if unittest is not None and cls is not None and issubclass(cls, unittest.TestCase):
        return (
            f"@pytest.mark.{EXPLORE} is for test functions, and methods of plain classes. A unittest.TestCase runs its "
            "methods itself: call rustyray.testing.explore in the method, or make the class a plain one"
        )
    if not isinstance(item, pytest.Function) or inspect.iscoroutinefunction(function):
        return (
            f"@pytest.mark.{EXPLORE} is for plain test functions and methods: make the test a plain one that calls "
            "asyncio.run()"
        )
    return ""


class Explores:
    """Runs the tests that have the marker."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        if pyfuncitem.get_closest_marker(EXPLORE) is None:
            return None
        __tracebackhide__ = True
        if running_engine() is not None:
            starter = pyfuncitem.config.stash[fixtures.LIFETIMES].started_by() or "something outside of tests"
            pytest.fail(
                f"each schedule is run in a simulated runtime of its own, but one is up already, started by {starter}. "
                "What a test that explores needs of the runtime, such as actors, it has to make itself",
                pytrace=False,
            )
        names = pyfuncitem._fixtureinfo.argnames
        scenario = functools.partial(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
        line = pyfuncitem.config.getoption(REPLAY)
        if line is not None:
            _replay(scenario, line)
        else:
            _explore(pyfuncitem, scenario)
        return True


def _replay(scenario: Any, line: str) -> None:
    __tracebackhide__ = True
    from rustyray.testing import LeakedRuntime, NotDeterministic, ReplayMismatch, UnreadError, replay

    refused = ""
    try:
        replay(line).run(scenario)
    except (LeakedRuntime, NotDeterministic, ReplayMismatch, UnreadError) as error:  # of no line of the test
        refused = str(error)
    if refused:
        pytest.fail(refused, pytrace=False)


def _explore(item: pytest.Function, scenario: Any) -> None:
    __tracebackhide__ = True
    from rustyray.testing import LeakedRuntime, NotDeterministic, RaceFound, explore

    options: dict[str, Any] = {}
    for mark in reversed(list(item.iter_markers(EXPLORE))):
        options |= mark.kwargs
    refused = ""
    try:
        done = explore(scenario, **options)
        item.user_properties.append(("rustyray_explored", str(done)))
    except RaceFound as found:
        item.user_properties.append((REPLAY, found.line))
        # As if the test itself had raised it, so that the report shows the line.
        cause = found.__cause__
        test = shlex.quote(named(item))
        found.args = (str(found).replace("Replay it: pytest ", f"Replay it: pytest {test} "),)
        raise found.with_traceback(cause.__traceback__ if cause is not None else None) from None
    except (LeakedRuntime, NotDeterministic) as error:
        refused = str(error)
    if refused:
        pytest.fail(refused, pytrace=False)
