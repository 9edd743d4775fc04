"""What pytest calls. The runtime is imported when a test asks for it, not before: see the modules beside this one.

options/       what a test and its runtime are given, and where that is said
fixtures/      runtimes for tests
clusters/      one whose nodes come, go and fail
chaos/         faults on purpose, from a seed
testrun/       one for all processes of a run
keeper/        clusters that stand apart, and end with the tests all the same
lifetimes.py   runtimes that tests started themselves, ended with them
leaks/         what tests leave behind, found and put away
hangs/         tests that take too long, ended, with who waits for what
reports/       what the report of a failed test says about its runtime
isolation/     tests in processes of their own
by_value.py    how code of test modules gets to workers
in_workers/    what it does in workers: explains assertions, patches, measures lines
patching.py    patches for workers, too
measuring.py   coverage of what runs in workers
variables.py   what the environment tells workers
tracebacks.py  reports without the runtime's own frames
exploring.py   tests under many schedules
as_ray/        ``import ray`` means RustyRay, and fixtures have Ray's names
categories/    unit, integration and stress tests
"""

from __future__ import annotations

import os
import sys
from typing import Final

import pytest

from pytest_rustyray import as_ray, categories, exploring, fixtures, measuring, options, patching, tracebacks
from pytest_rustyray.by_value import ByValue
from pytest_rustyray.chaos.fixture import Tells, rustyray_chaos
from pytest_rustyray.clusters.fixture import rustyray_cluster
from pytest_rustyray.fixtures.each import rustyray_constrained, rustyray_local, rustyray_runtime
from pytest_rustyray.fixtures.factory import rustyray_factory
from pytest_rustyray.fixtures.shared import rustyray_session, rustyray_shared
from pytest_rustyray.fixtures.standing import SWITCH, Standing
from pytest_rustyray.hangs.deadline import Deadlines
from pytest_rustyray.isolation import isolating
from pytest_rustyray.leaks.checking import Leaks
from pytest_rustyray.lifetimes import LeftRunning, Lifetimes
from pytest_rustyray.patching import rustyray_patch
from pytest_rustyray.reports.failing import Reports
from pytest_rustyray.testrun.fixture import HOLDING, rustyray_testrun
from pytest_rustyray.testrun.holding import Holding
from pytest_rustyray.variables import VERBOSITY

__all__ = [
    "rustyray_chaos",
    "rustyray_cluster",
    "rustyray_constrained",
    "rustyray_factory",
    "rustyray_local",
    "rustyray_patch",
    "rustyray_runtime",
    "rustyray_session",
    "rustyray_shared",
    "rustyray_testrun",
]

#: What the processes of a runtime import before they are forked, so that no test pays for it.
_PRELOAD: Final = ("pytest_rustyray.in_workers.installed",)


def pytest_addoption(parser: pytest.Parser) -> None:
    options.declare(parser)
    exploring.declare(parser)
    isolating.declare(parser)
    categories.declare(parser)
    as_ray.declare(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before conftest files import ``ray``."""
    as_ray.install(early_config, early_config.known_args_namespace)


def pytest_configure(config: pytest.Config) -> None:
    takes = ", ".join(f"{name}=" for name in options.OPTIONS)
    config.addinivalue_line("markers", f"rustyray({takes}): the options of the runtime that a fixture starts")
    categories.configure(config)
    exploring.configure(config)
    config.stash[fixtures.COMMON] = options.given(config)
    config.stash[fixtures.LIFETIMES] = lifetimes = Lifetimes()
    config.pluginmanager.register(lifetimes, "rustyray_lifetimes")
    config.stash[SWITCH] = standing = Standing()
    config.pluginmanager.register(standing, "rustyray_standing")
    config.stash[HOLDING] = Holding(config)
    config.pluginmanager.register(LeftRunning(), "rustyray_left_running")
    config.pluginmanager.register(Leaks(), "rustyray_leaks")
    config.pluginmanager.register(Deadlines(), "rustyray_deadlines")
    config.pluginmanager.register(Reports(), "rustyray_reports")
    config.pluginmanager.register(Tells(), "rustyray_tells")
    config.pluginmanager.register(ByValue(), "rustyray_by_value")
    config.pluginmanager.register(tracebacks, "rustyray_tracebacks")
    config.pluginmanager.register(exploring.Explores(), "rustyray_explores")
    isolating.configure(config)
    as_ray.configure(config)


def pytest_report_header(config: pytest.Config) -> str:
    return options.header(config.stash[fixtures.COMMON])


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    fixtures.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Comes before anybody deselects, so that what is right does not depend on the selection."""
    fixtures.check(items)
    exploring.check(items)
    isolating.check(items)
    categories.sort(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    if session.config.option.collectonly:
        problems = [item.stash[fixtures.PROBLEM] for item in session.items if fixtures.PROBLEM in item.stash]
        if problems:
            raise pytest.UsageError("\n".join(problems))
        return
    used = frozenset[str]().union(*map(fixtures.uses, session.items))
    if fixtures.TESTRUN in used:
        session.config.stash[HOLDING].hold()
    patched, measured = patching.used(session.items), measuring.measures(session.config)
    if patched:
        patching.prepare(session.config)
    if used or patched or as_ray.preload() or (measured and "rustyray" in sys.modules):
        _start_early(session.config, [*_PRELOAD, *as_ray.preload(), *([measuring.PRELOAD] if measured else [])])


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("dsession"):  # this process only tells others what to run
        config.stash[HOLDING].wait_for_end()


def _start_early(config: pytest.Config, preload: list[str]) -> None:
    """Let what all runtimes fork from get ready while the first tests run."""
    verbosity = config.get_verbosity(pytest.Config.VERBOSITY_ASSERTIONS)
    if verbosity > 0:
        os.environ[VERBOSITY] = str(verbosity)
        config.add_cleanup(_untell_verbosity)

    from rustyray.engines.native import spawn

    spawn.start_early()  # before more is imported here
    from rustyray.engines.native.zygote import Zygote

    Zygote.shared().preload(preload)


def _untell_verbosity() -> None:
    os.environ.pop(VERBOSITY, None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    problem = item.stash.get(fixtures.PROBLEM, "") or item.config.stash[SWITCH].before(item)
    if problem:
        pytest.fail(problem, pytrace=False)
