"""The state machines at length: ten thousand programs in simulated runtimes, hundreds with real processes.

And the bugs that are planted are found by themselves, and made small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from rustyray.testing import Machine
from tests.integration.machines import planted, test_faults, test_graphs, test_lifecycle, test_references
from tests.integration.machines.finding import find
from tests.integration.machines.planted import BUGS, NAMES, Bug
from tests.integration.runtime.conftest import start
from tests.integration.runtime.test_lifecycle import run_cycles

__all__ = ["start"]

EXAMPLES = 10_000
#: With real processes a program takes a hundred times as long.
NATIVE = 100
MODULES = (test_faults, test_graphs, test_lifecycle, test_references)
MACHINES: list[Any] = [
    pytest.param(machine, id=f"{module.__name__.rpartition('.')[2]}-{machine.__name__}")
    for module in MODULES
    for machine in vars(module).values()
    if isinstance(machine, type) and issubclass(machine, Machine) and machine.__module__ == module.__name__
]


@pytest.mark.timeout(3600)
@pytest.mark.rustyray(timeout=3600)
@pytest.mark.parametrize("machine", MACHINES)
def test_many_programs(machine: type[Machine]) -> None:
    examples = NATIVE if machine.engine == "native" else EXAMPLES
    many = settings(max_examples=examples, stateful_step_count=20, deadline=None, suppress_health_check=[*HealthCheck])
    run_state_machine_as_test(machine, settings=many)


@pytest.fixture
def _end_of_planted_threads() -> Iterator[None]:
    planted.stop.clear()
    yield
    planted.stop.set()


@pytest.mark.usefixtures("_end_of_planted_threads")
@pytest.mark.parametrize("bug", BUGS, ids=NAMES)
def test_a_bug_is_found_and_made_small(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    found = find(bug.machine, 2000, steps=10)
    assert len(found.steps) <= 2 * len(bug.line.split(";")) + 2, found.line  # Hypothesis' shrinking is not perfect


@pytest.mark.parametrize("engine", ["native"])
@pytest.mark.usefixtures("start")
def test_a_thousand_cycles_leave_nothing() -> None:
    run_cycles(1000)
