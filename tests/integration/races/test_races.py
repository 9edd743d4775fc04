"""Each race is found, and shrunk; its twin gives no alarm."""

from __future__ import annotations

from functools import partial

import pytest

from rustyray.testing import RaceFound, explore, replay
from tests.integration.races import failing, order, state, waiting
from tests.integration.races.races import RACES, Race

MODULES = (state, order, waiting, failing)
#: In the default run; the stress tier looks longer.
TWIN_SCHEDULES = 25

each = pytest.mark.parametrize("race", RACES, ids=[race.name for race in RACES])


@each
def test_the_race_is_found_and_shrunk(race: Race) -> None:
    scenario = partial(race.scenario, False)
    with pytest.raises(RaceFound) as caught:
        explore(scenario, schedules=2000, faults=race.faults)
    found = caught.value
    assert found.departures + found.faults == race.least
    assert found.__cause__ is not None
    with pytest.raises(type(found.__cause__)):
        replay(found.line).run(scenario)


@pytest.mark.parametrize("race", [race for race in RACES if race.least > 1], ids=lambda race: race.name)
def test_fewer_departures_do_not_suffice(race: Race) -> None:
    """For the others that is plain: the run without any departure, which comes first, does not fail."""
    scenario = partial(race.scenario, False)
    done = explore(scenario, explorer="exhaustive", depth=race.least - 1, schedules=2000)
    assert f"with at most {race.least - 1} departures" in done.complete


@each
def test_the_twin_gives_no_alarm(race: Race) -> None:
    done = explore(partial(race.scenario, True), schedules=TWIN_SCHEDULES, faults=race.faults)
    assert done.schedules == TWIN_SCHEDULES
