"""What looks after tests, from when on there may be a runtime: a test asks for one, or it has been imported."""

from __future__ import annotations

import os
import sys
from typing import Final

import pytest

from pytest_rustyray import as_ray, fixtures, patching, tracebacks
from pytest_rustyray.chaos.fixture import Tells
from pytest_rustyray.exploring import Explores
from pytest_rustyray.fixtures.standing import standing
from pytest_rustyray.hangs.deadline import Deadlines
from pytest_rustyray.leaks.checking import Leaks
from pytest_rustyray.reports.failing import Reports
from pytest_rustyray.variables import VERBOSITY

_NAME: Final = "rustyray_leaks"
#: What the processes of a runtime import before they are forked, so that no test pays for it.
_PRELOAD: Final = ("pytest_rustyray.in_workers.installed",)


def begin(config: pytest.Config) -> None:
    """Look after the tests, and the phases of tests, that begin from now on."""
    plugins = config.pluginmanager
    if plugins.has_plugin(_NAME):
        return
    standing(config)
    plugins.register(Leaks(), _NAME)
    plugins.register(Deadlines(), "rustyray_deadlines")
    plugins.register(Reports(), "rustyray_reports")
    plugins.register(Tells(), "rustyray_tells")
    plugins.register(tracebacks, "rustyray_tracebacks")
    plugins.register(Explores(), "rustyray_explores")


def prepare(session: pytest.Session, preload: list[str]) -> None:
    """Have ready what the tests ask for; ``preload`` is needed by whoever measures them."""
    config, used = session.config, frozenset[str]().union(*map(fixtures.uses, session.items))
    if fixtures.TESTRUN in used:
        from pytest_rustyray.testrun.holding import holding

        holding(config).hold()
    patched = any(fixtures.PATCH in getattr(item, "fixturenames", ()) for item in session.items)
    if patched:
        preload = [*preload, *patching.prepare(config)]
    if used or patched or as_ray.preload() or (preload and "rustyray" in sys.modules):
        _start_early(config, [*_PRELOAD, *as_ray.preload(), *preload])


def _start_early(config: pytest.Config, preload: list[str]) -> None:
    """Let what all runtimes fork from get ready while the first tests run."""
    verbosity = config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS)
    if verbosity > 0:
        os.environ[VERBOSITY] = str(verbosity)
        config.add_cleanup(_untell_verbosity)

    from rustyray.engines.native.processes import spawn

    spawn.start_early()  # before more is imported here
    from rustyray.engines.native.processes.zygote import Zygote

    Zygote.shared().preload(preload)


def _untell_verbosity() -> None:
    os.environ.pop(VERBOSITY, None)
