"""The fixtures: a runtime of its own for each test, or one for a module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_rustyray import options
from pytest_rustyray.lifetimes import Lifetimes, running_engine

if TYPE_CHECKING:
    from rustyray import Session

LOCAL: Final = "rustyray_local"
SHARED: Final = "rustyray_shared"
#: Whether a test asks for a runtime.
FIXTURES: Final = frozenset({LOCAL, SHARED})

#: Most tests need no second worker at once, and it would compete with the first for the machine.
_CONFIG: Final = {"prestart": 1}

COMMON: Final = pytest.StashKey[options.Options]()
LIFETIMES: Final = pytest.StashKey[Lifetimes]()
#: What is wrong with a test's use of markers and fixtures; the test fails with it.
PROBLEM: Final = pytest.StashKey[str]()
#: On a module: the runtime that its tests share.
_SHARED_ENGINE: Final = pytest.StashKey[object]()

#: Workers write to where the driver's output goes when their runtime starts. These would make that a file which is
#: closed at the end of the set-up, so they come later.
_CAPTURES: Final = ("capfd", "capfdbinary")


@pytest.fixture
def rustyray_local(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A runtime of this test's own, up before it and gone after it: the session of `rustyray.init`.

    The options come from `@pytest.mark.rustyray`, the closest one first, and from the command line, the environment
    and the ini file. The test may shut it down, and start another.
    """
    with _runtime(request, request.node, LOCAL) as session:
        yield session


@pytest.fixture(scope="module")
def rustyray_shared(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A runtime for the tests of a module, from the first that asks for it to the module's end.

    The options come from the module's own `pytestmark`, and from the command line, the environment and the ini file.
    """
    with _runtime(request, request.node, SHARED) as session:
        request.node.stash[_SHARED_ENGINE] = running_engine()
        yield session
    del request.node.stash[_SHARED_ENGINE]


@contextmanager
def _runtime(request: pytest.FixtureRequest, node: pytest.Item | pytest.Collector, fixture: str) -> Iterator[Session]:
    import rustyray

    if rustyray.is_initialized():
        starter = request.config.stash[LIFETIMES].started_by() or "something outside of tests and fixtures"
        pytest.fail(
            f"{fixture} starts a runtime, but one is up in this process already, started by {starter}. "
            f"There can be one at a time: shut that one down before, or do without {fixture}.",
            pytrace=False,
        )
    problem, arguments = "", dict[str, Any]()
    try:
        arguments = options.for_init(options.for_node(request.config.stash[COMMON], node))
    except pytest.UsageError as error:
        problem = str(error)
    if problem:
        pytest.fail(problem, pytrace=False)
    if arguments.get("engine") != "sim":
        arguments["_system_config"] = _CONFIG | arguments.get("_system_config", {})
    session = rustyray.init(**arguments)
    try:
        yield session
    finally:
        session.shutdown()
        rustyray.shutdown()  # the one that the test started in its place, if it did


def uses(item: pytest.Item) -> frozenset[str]:
    """Which of our fixtures a test asks for, through other fixtures too."""
    return FIXTURES.intersection(getattr(item, "fixturenames", ()))


def check(items: list[pytest.Item]) -> None:
    """Note on each test what is wrong with its use of the marker and the fixtures, and put these in order."""
    sharing = {item.getparent(pytest.Module) for item in items if SHARED in uses(item)}
    checked: dict[int, str] = {}
    for item in items:
        problem = ""
        for mark in item.iter_markers("rustyray"):
            if id(mark) not in checked:
                checked[id(mark)] = options.problem_with_marker(mark)
            problem = problem or checked[id(mark)]
        problem = problem or _misuse(item, sharing)
        if problem:
            item.stash[PROBLEM] = f"{item.nodeid}: {problem}"
        elif uses(item):
            _capture_last(item)


def _capture_last(item: pytest.Item) -> None:
    names: list[str] = getattr(item, "fixturenames", [])
    for name in _CAPTURES:
        if name in names:
            names.remove(name)
            names.append(name)


def lost_runtime(item: pytest.Item) -> str:
    """What is to be said before a test whose shared runtime was shut down by a test before it."""
    module = item.getparent(pytest.Module)
    if module is None or SHARED not in uses(item) or _SHARED_ENGINE not in module.stash:
        return ""
    if module.stash[_SHARED_ENGINE] is running_engine():
        return ""
    return (
        f"{item.nodeid}: the runtime of {SHARED} is gone: an earlier test of this module shut it down. "
        f"Such a test should have a runtime of its own, from {LOCAL}, in another module"
    )


def _misuse(item: pytest.Item, sharing: set[pytest.Module | None]) -> str:
    used = uses(item)
    module = item.getparent(pytest.Module)
    if used == FIXTURES:
        return f"a test has one runtime: use {LOCAL} or {SHARED}, not both"
    if LOCAL in used and module in sharing:
        return (
            f"{LOCAL} cannot be used in a module where {SHARED} is: that one stays up between its tests, and there "
            "can be one runtime at a time. Move either kind of tests to a module of its own"
        )
    if SHARED in used:
        for node, _ in item.iter_markers_with_node("rustyray"):
            if isinstance(node, pytest.Item | pytest.Class):
                return (
                    f"@pytest.mark.rustyray on a test or class has no effect on {SHARED}, which takes its options "
                    f"from the module: write pytestmark = pytest.mark.rustyray(…) there, or use {LOCAL}"
                )
    return ""
