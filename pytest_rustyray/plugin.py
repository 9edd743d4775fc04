"""What pytest calls. It is loaded in all runs of whoever has it installed, so it imports what tests ask for, not more:
the runtime, and most of the modules beside this one, when the first test is there that has a use for them.

options/       what a test and its runtime are given, and where that is said
watching.py    what looks after tests once there may be a runtime
fixtures/      runtimes for tests
clusters/      one whose nodes come, go and fail
chaos/         faults on purpose, from a seed
testrun/       one for all processes of a run
keeper/        clusters that stand apart, and end with the tests all the same
lifetimes.py   runtimes that tests started themselves, ended with them
leaks/         what tests leave behind, found and put away
hangs/         tests that take too long, ended, with who waits for what
summing_up.py  lines at the end of a run
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

import sys

import pytest

from pytest_rustyray import fixtures, options
from pytest_rustyray.by_value import ByValue
from pytest_rustyray.fixtures.offered import (
    rustyray_chaos,
    rustyray_cluster,
    rustyray_constrained,
    rustyray_factory,
    rustyray_local,
    rustyray_patch,
    rustyray_runtime,
    rustyray_session,
    rustyray_shared,
    rustyray_testrun,
)
from pytest_rustyray.lifetimes import Lifetimes
from pytest_rustyray.options import declaring
from pytest_rustyray.summing_up import SumsUp

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


def pytest_addoption(parser: pytest.Parser) -> None:
    declaring.declare(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before conftest files import ``ray``."""
    if declaring.wants_ray(early_config, early_config.known_args_namespace):
        from pytest_rustyray import as_ray

        as_ray.install(early_config)


def pytest_configure(config: pytest.Config) -> None:
    declaring.declare_markers(config)
    config.stash[fixtures.COMMON] = options.given(config)
    config.stash[fixtures.LIFETIMES] = lifetimes = Lifetimes()
    config.pluginmanager.register(lifetimes, "rustyray_lifetimes")
    config.pluginmanager.register(SumsUp(), "rustyray_sums_up")
    config.pluginmanager.register(ByValue(), "rustyray_by_value")
    if config.getini(declaring.CATEGORIZE):
        from pytest_rustyray import categories

        categories.begin(config)
    if (line := config.getoption(declaring.REPLAY)) is not None:
        from pytest_rustyray import exploring

        exploring.begin(line)
    if declaring.isolates_all(config):
        from pytest_rustyray.isolation import isolating

        isolating.refuse_debugger(config)
    wants_ray = declaring.wants_ray(config, config.option)
    if wants_ray or "rustyray.compat" in sys.modules:
        from pytest_rustyray import as_ray

        as_ray.configure(config, wants_ray)


def pytest_report_header(config: pytest.Config) -> str:
    return options.header(config.stash[fixtures.COMMON])


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    fixtures.parametrize(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Comes before anybody deselects, so that what is right does not depend on the selection."""
    fixtures.check(items)
    if fixtures.have_marker(items, declaring.EXPLORE):
        from pytest_rustyray import exploring

        exploring.check(items)
    if fixtures.have_marker(items, declaring.ISOLATED):
        from pytest_rustyray.isolation import isolating

        isolating.check(items)
    if config.getini(declaring.CATEGORIZE):
        from pytest_rustyray import categories

        categories.sort(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    config, items = session.config, session.items
    if config.option.collectonly:
        problems = [item.stash[fixtures.PROBLEM] for item in items if fixtures.PROBLEM in item.stash]
        if problems:
            raise pytest.UsageError("\n".join(problems))
        return
    preload: list[str] = []
    if config.pluginmanager.has_plugin("_cov"):
        from pytest_rustyray import measuring

        preload += measuring.prepare(config)
    if "rustyray" in sys.modules or fixtures.may_have_runtimes(config, items):
        from pytest_rustyray import watching

        watching.begin(config)
        watching.prepare(session, preload)
    if declaring.isolates_all(config) or fixtures.have_marker(items, declaring.ISOLATED):
        from pytest_rustyray.isolation import isolating

        isolating.begin(config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("dsession"):  # this process only tells others what to run
        from pytest_rustyray.testrun.holding import holding

        holding(config).wait_for_end()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if problem := item.stash.get(fixtures.PROBLEM, ""):
        pytest.fail(problem, pytrace=False)
