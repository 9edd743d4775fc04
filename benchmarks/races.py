"""How often plain native runs meet the races that exploring finds: ``python -m benchmarks.races 100``."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import rustyray
from rustyray.testing import RaceFound, explore
from tests.integration.races import failing, order, state, waiting
from tests.integration.races.races import RACES, Race

#: Importing them fills the table.
MODULES = (state, order, waiting, failing)
#: Seconds after which a native run counts as a deadlock.
PATIENCE = 3.0


class Hangs(Exception):
    """A run does not come to its end."""


def give_up(number: int, frame: FrameType | None) -> None:
    raise Hangs


def fails(race: Race) -> bool:
    """One native run, in a runtime of its own."""
    with rustyray.init(num_cpus=2) as session:
        signal.setitimer(signal.ITIMER_REAL, PATIENCE)
        try:
            race.scenario(False)
        except Exception:  # noqa: BLE001 - that is what is counted
            return True
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            session.shutdown(grace=0)
    return False


def found(race: Race) -> str:
    try:
        explore(lambda: race.scenario(False), schedules=2000, faults=race.faults)
    except RaceFound as race_found:
        return f"schedule {race_found.schedules}, {race_found.departures + race_found.faults} departures and faults"
    return "no"


def main(runs: int) -> None:
    signal.signal(signal.SIGALRM, give_up)
    for race in RACES:
        natively = sum(fails(race) for _ in range(runs))
        print(f"{race.name:40} {natively:4} of {runs} native runs; explored: {found(race)}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
