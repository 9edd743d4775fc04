"""What a child has from pytest's process and must let alone: it is the parent's to end.

Fixtures that were up at the fork stay as they are, as copies, and are not torn down here; but for those of runtimes, in
which a forked process has no part. What a test sets up first, of whatever scope, is its own.
"""

from __future__ import annotations

import sys
from typing import Final
from weakref import WeakSet

import pytest

from pytest_rustyray import fixtures

#: Plugins that follow what this process has started: nothing so far.
_FOLLOW = ("rustyray_deadlines", "rustyray_leaks", "rustyray_lifetimes", "rustyray_standing")
_TERMINAL = "terminalreporter"
#: Speaks to pytest-xdist's controller, as the parent does.
_OF_XDIST = "WorkerInteractor"


class SetUp:
    """Notes the fixtures that this process sets up."""

    def __init__(self) -> None:
        self.all: WeakSet[pytest.FixtureDef[object]] = WeakSet()

    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> None:
        self.all.add(fixturedef)


#: What would tear down a fixture if it were let go, as its generator would.
_kept: Final[list[object]] = []
SET_UP: Final = pytest.StashKey[SetUp]()


def let_alone(item: pytest.Item) -> None:
    """To be called in the child, before anything else."""
    stack = item.session._setupstate.stack
    for node, (finalizers, failed) in stack.items():
        _kept.append(finalizers)
        stack[node] = ([], failed)
    known = list(item.config.stash[SET_UP].all)
    ours = _that_use_a_runtime(known)
    for definition in known:
        _kept.append((definition._finalizers[:], definition.cached_result))
        definition._finalizers.clear()
        if definition.argname in ours:
            definition.cached_result = None
    _leave_runtimes()
    plugins = item.config.pluginmanager
    for name in _FOLLOW:
        plugin = plugins.get_plugin(name)
        if plugin is not None:
            vars(plugin).update(vars(type(plugin)()))
    for plugin in list(plugins.get_plugins()):
        if type(plugin).__name__ == _OF_XDIST:
            plugins.unregister(plugin)
    reporter = plugins.get_plugin(_TERMINAL)
    if reporter is not None:
        plugins.unregister(reporter)
        plugins.register(Mute(reporter), _TERMINAL)


class Mute:
    """In place of the terminal's reporter: others ask it for things, but it says nothing by itself."""

    def __init__(self, reporter: object) -> None:
        self._reporter = reporter

    def __getattr__(self, name: str) -> object:
        return getattr(self._reporter, name)


def _that_use_a_runtime(known: list[pytest.FixtureDef[object]]) -> set[str]:
    """The names of our fixtures, and of those that depend on them."""
    found = set(fixtures.FIXTURES)
    size = 0
    while len(found) > size:
        size = len(found)
        found |= {one.argname for one in known if found.intersection(one.argnames)}
    return found


def _leave_runtimes() -> None:
    context = sys.modules.get("rustyray.runtime.context")
    if context is not None and context.engine() is not None:
        context.set_engine(None)
