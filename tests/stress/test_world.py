"""Many thousands of schedules of the simulated world: more seeds of every profile, and longer looks by Hypothesis."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings

from rustyray.engines.sim.world.chooser import Deviations, Replay
from rustyray.engines.sim.world.faults import Fault, Trouble
from tests.unit.world import (
    test_actor_hazards,
    test_broadcasts,
    test_group_hazards,
    test_locality,
    test_ref_hazards,
    test_stream_hazards,
    test_task_hazards,
)
from tests.unit.world.programs import Maker
from tests.unit.world.runs import PROFILES, check, run
from tests.unit.world.test_random_programs import choices, deviations, plans

SEEDS = 1500
HAZARDS = (
    test_actor_hazards,
    test_broadcasts,
    test_group_hazards,
    test_locality,
    test_ref_hazards,
    test_stream_hazards,
    test_task_hazards,
)
#: Of Hypothesis, in each of four tests.
EXAMPLES = 2000


def test_these_are_thirty_thousand_schedules() -> None:
    assert len(PROFILES) * SEEDS + len(hazards()) * (SEEDS // 5) + 4 * EXAMPLES >= 30_000


@pytest.mark.parametrize("name", PROFILES)
def test_many_seeds(name: str) -> None:
    for seed in range(1000, 1000 + SEEDS):
        run(PROFILES[name], seed)


def hazards() -> dict[str, Callable[[int], None]]:
    """The tests of the hazards that take a seed and nothing else."""
    return {
        name: test
        for module in HAZARDS
        for name, test in vars(module).items()
        if name.startswith("test_") and [*inspect.signature(test).parameters] == ["seed"]
    }


@pytest.mark.parametrize("name", hazards())
def test_hazards_under_many_schedules(name: str) -> None:
    for seed in range(1000, 1000 + SEEDS // 5):
        hazards()[name](seed)


@pytest.mark.parametrize("name", ["actors", "nodes"])
@given(choices, deviations)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schedule(name: str, program: list[int], schedule: list[tuple[str, int, int]]) -> None:
    profile = PROFILES[name]
    check(Maker(Replay(program), profile.limits).program(), profile, Deviations(schedule))


@pytest.mark.parametrize("name", ["cancelled", "everything"])
@given(choices, deviations, plans)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_schedule_and_faults(
    name: str, program: list[int], schedule: list[tuple[str, int, int]], plan: list[tuple[int, Trouble, int]]
) -> None:
    profile = PROFILES[name]
    faults = [Fault(*fault) for fault in plan]
    check(Maker(Replay(program), profile.limits).program(), profile, Deviations(schedule), faults)
