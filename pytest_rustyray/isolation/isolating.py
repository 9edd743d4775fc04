"""Which tests run in a process of their own: those with the marker, or all."""

from __future__ import annotations

import os
from typing import Final

import pytest

from pytest_rustyray import fixtures
from pytest_rustyray.isolation.inherited import SET_UP, SetUp
from pytest_rustyray.lifetimes import running_engine
from pytest_rustyray.options.declaring import ISOLATE_FLAG, ISOLATED, isolates_all

#: What needs the terminal that the test's process does not have.
_DEBUGGERS: Final = (("usepdb", "--pdb"), ("trace", "--trace"))
#: On a test: this is its process.
HERE: Final = pytest.StashKey[bool]()
_SIMULATED: Final = "SimDriver"


def refuse_debugger(config: pytest.Config) -> None:
    """Raises UsageError if all tests are to be debugged: they are to be isolated."""
    debugger = _debugger(config)
    if debugger and not config.option.collectonly:
        raise pytest.UsageError(f"{debugger} cannot be used with {ISOLATE_FLAG}: {_WHY}. Leave out one of them")


def begin(config: pytest.Config) -> None:
    """Some tests are to be isolated, where that can be."""
    if hasattr(os, "fork"):
        config.pluginmanager.register(Isolates(), "rustyray_isolates")
        config.stash[SET_UP] = set_up = SetUp()
        config.pluginmanager.register(set_up, "rustyray_set_up")


_WHY: Final = "a test in a process of its own has no terminal to debug it at"


def _debugger(config: pytest.Config) -> str:
    return next((name for option, name in _DEBUGGERS if config.getoption(option, False)), "")


def check(items: list[pytest.Item]) -> None:
    """Note on each test what is wrong with its use of the marker."""
    for item in items:
        mark = item.get_closest_marker(ISOLATED)
        if mark is None or fixtures.PROBLEM in item.stash:
            continue
        debugger = _debugger(item.config)
        if mark.args or mark.kwargs:
            item.stash[fixtures.PROBLEM] = (
                f"{item.nodeid}: @pytest.mark.{ISOLATED} takes no arguments; options are for @pytest.mark.rustyray"
            )
        elif debugger:
            item.stash[fixtures.PROBLEM] = (
                f"{item.nodeid}: {debugger} cannot be used with @pytest.mark.{ISOLATED}: {_WHY}. "
                f"Leave out {debugger}, or the marker"
            )


def isolated(item: pytest.Item) -> bool:
    """Whether a test runs in a process of its own."""
    if fixtures.PROBLEM in item.stash:
        return False  # it only fails
    if HERE in item.stash:
        return False
    return item.get_closest_marker(ISOLATED) is not None or isolates_all(item.config)


class Isolates:
    """Runs those tests."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        if not isolated(item):
            return None
        if type(running_engine()).__name__ == _SIMULATED:
            item.stash[fixtures.PROBLEM] = (
                f"{item.nodeid}: a simulated runtime is up, and what is forked in its time cannot leave that. "
                "Run isolated tests before rustyray_session and the like, or give these another topology"
            )
            return None
        from pytest_rustyray.isolation import parent

        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        parent.run(item, nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
