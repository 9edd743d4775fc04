"""Sections for the report of a failed test: its runtime's last events, its resources, and how to run it again.

They are asked for before the fixtures end. What workers have printed is in pytest's own sections already.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Generator
from typing import Any, Final

import pytest

from pytest_rustyray import fixtures, options
from pytest_rustyray.chaos.fixture import seed_of as chaos_seed
from pytest_rustyray.lifetimes import running_engine
from pytest_rustyray.options.declaring import EXPLORE
from pytest_rustyray.summing_up import KEPT

#: Seconds that all of it may take.
ALL: Final = 4.0


class Reports:
    """Adds the sections, and has folders kept."""

    def __init__(self) -> None:
        #: When the present test began, by the clock of its runtime.
        self._began: float | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        # In a runtime of its own, all that has happened is the test's.
        own = item.config.stash[fixtures.LIFETIMES].ends_with_test()
        self._began = None if own else time.time()  # virtual in a simulated runtime
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        try:
            self._add(item, call, report)
        except Exception as error:  # noqa: BLE001 - a report without this is better than none
            report.sections.append(("rustyray", f"could not be asked: {type(error).__name__}: {error}"))
        return report

    def _add(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        failed = report.failed and not hasattr(report, "wasxfail")
        if call.when == "teardown" or item.get_closest_marker(EXPLORE) is not None:
            return
        keep = options.for_node(item.config.stash[fixtures.COMMON], item)["keep"][0]
        engine: Any = running_engine()
        kept = (keep == "always" and call.when == "call") or (keep != "never" and failed)
        if not (kept or failed) or (engine is None and not fixtures.uses(item)):
            return
        if failed and not any(title == "rustyray events" for title, _ in report.sections):
            report.sections += _sections(item, engine, self._began)
        if kept:
            from pytest_rustyray.reports.keeping import keep_folder

            folder = keep_folder(item, report, engine)
            setattr(report, KEPT, folder)
            report.sections.append(("rustyray kept", folder))


def _sections(item: pytest.Item, engine: Any, since: float | None) -> list[tuple[str, str]]:
    from pytest_rustyray.reports import asking

    facts: list[str] = []
    events: list[str] = []

    def ask() -> None:
        events.extend(asking.lines(asking.events(engine, since)))
        if not hasattr(engine, "simulation"):
            facts.append(f"resources: {_resources()}")

    wrong = ""
    if engine is not None and hasattr(engine, "simulation"):
        facts.append(f"simulated, seed {engine.simulation.settings.seed or 0}")
        try:
            ask()
        except Exception as error:  # noqa: BLE001 - a report is to come in any case
            wrong = f"the runtime could not be asked: {type(error).__name__}: {error}"
    elif engine is not None:
        wrong = asking.by(ALL, ask)
    facts += [wrong] if wrong else []
    facts.append(f"again: {rerun(item, engine)}")
    found = [("rustyray events", "\n".join(events))] if events else []
    return [*found, ("rustyray", "\n".join(facts))]


def _resources() -> str:
    """How much of each there is, and is free."""
    import rustyray

    total, free = rustyray.cluster_resources(), rustyray.available_resources()
    names = [name for name in total if not name.startswith(("node:", "memory", "object_store"))]
    return ", ".join(f"{name} {free.get(name, 0):g} of {total[name]:g} free" for name in names)


def named(item: pytest.Item) -> str:
    """The test's name, for the folder where pytest was started."""
    path, *names = item.nodeid.split("::")
    here = os.path.relpath(item.config.rootpath / path, item.config.invocation_params.dir)
    return "::".join([here, *names])


def rerun(item: pytest.Item, engine: Any = None) -> str:
    """The line that runs the test again, with the options that were not in the ini file or in markers."""
    words = ["pytest", named(item)]
    given = dict(options.for_node(item.config.stash[fixtures.COMMON], item))
    if "seed" not in given and (seed := chaos_seed(item)) is not None:
        given["seed"] = (seed, options.FLAG)
    for name, (value, source) in given.items():
        if source.startswith((options.FLAG, options.VARIABLE)):
            words.append(f"{options.FLAG}{name.replace('_', '-')}={options.shown(name, value)}")
    return " ".join(map(shlex.quote, words))
