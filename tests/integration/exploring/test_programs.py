"""The simulator turned on ourselves: programs with a known outcome, under some schedules with faults.

The stress tier runs the same ones under many thousands.
"""

from __future__ import annotations

import pytest

import rustyray
from rustyray.testing import RaceFound, explore
from tests.integration.exploring.programs import actors, ends, objects, tasks
from tests.integration.exploring.programs.table import FAULTS, PROGRAMS, Program, checked, got, nothing_is_left, world

MODULES = (tasks, objects, actors, ends)
SCHEDULES = 30


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.name for program in PROGRAMS])
def test_the_outcome_is_right_and_nothing_is_left(program: Program) -> None:
    assert program.explore(program.nodes[-1], SCHEDULES).schedules == SCHEDULES


@rustyray.remote
def identity(number: int) -> int:
    return number


def test_what_is_left_is_found() -> None:
    kept = []

    def leaves_a_ref() -> None:
        kept.append(rustyray.put(1))

    with pytest.raises(RaceFound, match="still has object"):
        explore(checked(leaves_a_ref), schedules=1)
    kept.clear()


def test_what_is_only_in_a_cycle_is_not_left() -> None:
    def leaves_a_cycle() -> None:
        cycle: list[object] = [rustyray.put(1)]
        cycle.append(cycle)

    explore(checked(leaves_a_cycle), schedules=3)


def test_a_task_that_is_still_to_run_is_left() -> None:
    def leaves_a_task() -> None:
        identity.options(num_cpus=100).remote(1)
        assert "identity" in world().books.unsettled()
        nothing_is_left()

    with pytest.raises(RaceFound, match="requests"):
        explore(leaves_a_task, schedules=1)


def test_an_error_is_no_excuse_where_nothing_went_wrong() -> None:
    @rustyray.remote
    def fails() -> int:
        raise ValueError

    def program() -> None:
        got(fails.remote(), ValueError)

    with pytest.raises(RaceFound, match="ValueError"):
        explore(checked(program), schedules=1, faults=FAULTS)
