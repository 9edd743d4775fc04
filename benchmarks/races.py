"""How often plain native runs meet the races that exploring finds: ``python -m benchmarks.races 100``.

It prints the table of docs/races.md. Native runs go on for some minutes: runs that hang are given up after a while.
"""

from __future__ import annotations

import signal
import sys
import time
from functools import partial
from types import FrameType

import rustyray
from rustyray.testing import RaceFound, explore
from tests.integration.races import failing, order, state, waiting
from tests.integration.races.races import RACES, Race

#: Importing them fills the table.
MODULES = (state, order, waiting, failing)
#: Seconds after which a native run counts as a deadlock.
PATIENCE = 3.0
#: The most schedules that are explored for a race.
SCHEDULES = 2000
HEAD = "| race | faults | wrong in native runs | found in schedule | it takes |\n|---|---|---|---|---|"


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


def found(race: Race) -> tuple[str, str]:
    """The schedule in which exploring finds the race, and what it takes when that is shrunk."""
    try:
        explore(partial(race.scenario, False), schedules=SCHEDULES, faults=race.faults)
    except RaceFound as race_found:
        takes = str(race_found).partition("It takes ")[2].partition("\n")[0]
        return str(race_found.schedules), takes.rstrip(":").removesuffix(" from running to completion")
    return f"not in {SCHEDULES}", ""


def main(runs: int) -> None:
    signal.signal(signal.SIGALRM, give_up)
    natively = explored = 0.0
    print(HEAD)
    for race in RACES:
        began = time.perf_counter()
        wrong = sum(fails(race) for _ in range(runs))
        between = time.perf_counter()
        schedule, left = found(race)
        natively += between - began
        explored += time.perf_counter() - between
        print(f"| {race.name} | {race.faults} | {wrong} of {runs} | {schedule} | {left} |", flush=True)
    print(f"\nThe native runs took {natively:.0f} s in all, exploring and shrinking {explored:.0f} s.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
