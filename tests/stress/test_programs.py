"""Programs with a known outcome, under many thousands of schedules with faults."""

from __future__ import annotations

import pytest

from tests.integration.exploring.programs.table import PROGRAMS, Program
from tests.integration.exploring.test_programs import MODULES

#: How each program is explored on each number of nodes, and under how many schedules; the seed is the place here.
EXPLORERS = {"portfolio": 500, "delay": 120, "pct": 120, "random": 120}

every = [(program, nodes) for program in PROGRAMS for nodes in program.nodes]


@pytest.mark.parametrize(("program", "nodes"), every, ids=[f"{program.name}-{nodes}" for program, nodes in every])
def test_the_outcome_is_right_and_nothing_is_left(program: Program, nodes: int) -> None:
    for seed, (explorer, schedules) in enumerate(EXPLORERS.items()):
        assert program.explore(nodes, schedules, seed, explorer).schedules == schedules


def test_these_are_seventy_thousand_schedules() -> None:
    assert {program.scenario.__module__ for program in PROGRAMS} == {module.__name__ for module in MODULES}
    assert len(every) * sum(EXPLORERS.values()) >= 70_000
