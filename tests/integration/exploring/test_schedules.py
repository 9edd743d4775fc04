"""``rustyray.testing.schedules``: data, schedule and faults in one Hypothesis test."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

import rustyray
from rustyray.exceptions import RayActorError
from rustyray.testing import LeakedRuntime, Schedule, UnreadError, schedules
from tests.integration.races.races import Cell
from tests.integration.races.state import increment

quick = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


def count(schedule: Schedule, tasks: int, right: bool) -> int:
    with schedule.running():
        cell = Cell.remote()
        rustyray.get([increment.remote(cell, right) for _ in range(tasks)])
        return rustyray.get(cell.get.remote())


@given(schedules(), st.integers(0, 3))
@quick
def test_a_program_without_races(schedule: Schedule, tasks: int) -> None:
    assert count(schedule, tasks, right=True) == tasks


def test_data_and_schedule_shrink_together() -> None:
    strategy = st.tuples(schedules(max_deviations=4), st.integers(0, 4))
    found, tasks = find(
        strategy,
        lambda drawn: count(drawn[0], drawn[1], right=False) < drawn[1],
        settings=settings(quick, max_examples=500),
    )
    assert tasks == 2
    assert re.fullmatch(r"<schedule: (next|preempt) \d+ is 1>", repr(found))


@pytest.mark.stress
def test_what_fails_has_the_story_as_a_note() -> None:
    def lose(schedule: Schedule) -> None:
        with schedule.running():
            cell = Cell.remote()
            rustyray.get([increment.remote(cell, False) for _ in range(2)])
            assert rustyray.get(cell.get.remote()) == 2

    with pytest.raises(AssertionError) as caught:
        settings(quick, max_examples=500)(given(schedules())(lose))()
    (note,) = [note for note in caught.value.__notes__ if note.startswith("Under <schedule: ")]
    assert "**preempted**: " in note
    assert "schedule=<schedule: " in "".join(caught.value.__notes__)


def test_faults_are_drawn_too() -> None:
    def fails(schedule: Schedule) -> bool:
        try:
            return count(schedule, 1, right=True) != 1
        except RayActorError:
            return True

    found = find(schedules(faults="crash"), fails, settings=settings(quick, max_examples=500))
    assert re.fullmatch(r"<schedule: crash \d at step \d+>", repr(found))


@rustyray.remote
def always_fails() -> None:
    raise KeyError


def test_errors_that_nobody_reads() -> None:
    def unread(schedule: Schedule) -> bool:
        with schedule.running():
            rustyray.wait([always_fails.remote()])
        return True

    with pytest.raises(UnreadError, match="`always_fails` raised KeyError"):
        find(schedules(), unread, settings=quick)
    find(schedules(unread_errors="ignore"), unread, settings=quick)


def test_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="no fault 'crush'"):
        schedules(faults="crush")
    with pytest.raises(ValueError, match="unread_errors must be 'raise' or 'ignore', not 'drop'"):
        schedules(unread_errors="drop")  # type: ignore[arg-type]
    schedule = find(schedules(), lambda _: True, settings=quick)
    assert repr(schedule) == "<schedule: runs to completion>"
    with schedule.running(), pytest.raises(LeakedRuntime), schedule.running():
        pass
    assert not rustyray.is_initialized()
