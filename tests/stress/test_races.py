"""The correct twins of the races stay silent under many schedules."""

from __future__ import annotations

from functools import partial

from rustyray.testing import explore
from tests.integration.races.races import Race
from tests.integration.races.test_races import each

SCHEDULES = 2000


@each
def test_the_twin_gives_no_alarm(race: Race) -> None:
    done = explore(partial(race.scenario, True), schedules=SCHEDULES, faults=race.faults, seed=1)
    assert done.schedules == SCHEDULES
