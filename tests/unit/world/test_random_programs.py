"""Random programs, schedules and faults: the outcome is the sequential one or a documented fault; nothing is left.

Seeds first: many, cheap, the same on every run. Then Hypothesis, which looks further and shrinks: it draws the
program, a short list of departures from the tame schedule, and the faults.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rustyray.engines.sim.world.chooser import Deviations, Replay
from rustyray.engines.sim.world.faults import Fault, Trouble
from tests.unit.world.programs import Maker
from tests.unit.world.runs import PROFILES, check, run

SEEDS = 6

choices = st.lists(st.integers(0, 8), max_size=60)
deviations = st.lists(
    st.tuples(st.sampled_from(["next", "delay", "stall", "keep"]), st.integers(0, 150), st.integers(1, 6)), max_size=8
)
plans = st.lists(st.tuples(st.integers(1, 200), st.sampled_from(list(Trouble)), st.integers(0, 9)), max_size=3)


@pytest.mark.parametrize("name", PROFILES)
def test_seeds(name: str) -> None:
    for seed in range(SEEDS):
        run(PROFILES[name], seed)


@given(choices, deviations)
@settings(max_examples=40, deadline=None)
def test_any_schedule(program: list[int], schedule: list[tuple[str, int, int]]) -> None:
    profile = PROFILES["actors"]
    check(Maker(Replay(program), profile.limits).program(), profile, Deviations(schedule))


@given(choices, deviations, plans)
@settings(max_examples=40, deadline=None)
def test_any_schedule_and_faults(
    program: list[int], schedule: list[tuple[str, int, int]], plan: list[tuple[int, Trouble, int]]
) -> None:
    profile = PROFILES["everything"]
    faults = [Fault(*fault) for fault in plan]
    check(Maker(Replay(program), profile.limits).program(), profile, Deviations(schedule), faults)
