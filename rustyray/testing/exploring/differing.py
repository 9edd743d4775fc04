"""The same schedule of a scenario went two ways: where the runs part, and what that looks like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from rustyray.engines.sim.world.story import short
from rustyray.testing.exploring.telling import Teller, said

if TYPE_CHECKING:
    from rustyray.engines.sim.world.events import Event
    from rustyray.testing.exploring.trial import Trial, Watching

#: Runs that are compared, at most.
MOST: Final = 8
_ADDRESS: Final = re.compile(r"0x[0-9a-f]+")
#: What is a value in the line of a story.
_VALUE: Final = re.compile(r"\(.*\)|(?<=returns ).*|(?<=raises ).*")

ORDER: Final = (
    "The same happens in both, in another order. Look for the order of a set (sort it), and for what is sorted by id() "
    "or hash()."
)
VALUES: Final = (
    "It is the same step with another value. Look for random numbers (seed them in the scenario), id(), uuid, the date "
    "of datetime.now() (time.time() is simulated), and counters that go on from one run to the next."
)
STEPS: Final = (
    "One does what the other does not. Look for random numbers (seed them in the scenario), the order of a set (sort "
    "it), the date of datetime.now() (time.time() is simulated), files, and globals that something is kept in."
)
FIRST: Final = (
    "Only the first run went another way, so something is kept for the later ones. Look for caches, global variables "
    "and files, and make them anew in the scenario."
)
SELDOM: Final = (
    "Further runs went the same way, so it happens seldom, or by what earlier runs have left. Look for random "
    "numbers, the date, the order of sets, files, and global variables that keep something from one run to the next."
)


class NotDeterministic(RuntimeError):
    """The same schedule of a scenario went two ways: something in it is decided outside of the simulation."""


class Telling(Teller):
    """A teller that notes each event as well, in a few words."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def served(self, event: Event, number: int) -> None:
        super().served(event, number)
        source = short(event.source) if event.name == "deliver" else event.source.decode()
        self.events.append(f"{event.name} {short(event.process)} {source}".rstrip())


def not_deterministic(run: Callable[[Watching], Trial], before: tuple[str, ...] = ()) -> NotDeterministic:
    """Runs the plan again until two runs differ, and says how.

    Args:
        run: runs it once, watched.
        before: the fingerprints of earlier runs, which differ.
    """
    first = Telling()
    trial = run(first)
    prints = [trial.fingerprint]
    parted: Parting | None = None
    while parted is None and len(prints) < MOST:
        other = Telling()
        prints.append(run(other).fingerprint)
        parted = _parted(first, other)
    if parted is not None:
        where, why = (
            f"\nTwo runs part at step {parted.step}:\n  in one    {parted.one}\n  in the other    {parted.other}",
            parted.why,
        )
    else:
        error = trial.error
        where = "" if error is None else f"\nThis time it raised {type(error).__name__}: {said(error)}"
        why = FIRST if len({*before[1:], *prints}) == 1 else SELDOM
    return NotDeterministic(f"the scenario is not deterministic: the same schedule went two ways.{where}\n{why}")


class Parting(NamedTuple):
    """Where two runs differ first; steps are counted as in a story."""

    step: int
    one: str
    other: str
    why: str


def _parted(one: Telling, other: Telling) -> Parting | None:
    """By their stories or, if those are the same, by their events."""
    stories = [[_ADDRESS.sub("0x…", line) for line in telling.lines] for telling in (one, other)]
    for lines, others in (stories, (one.events, other.events)):
        for step, (line, its) in enumerate(zip_longest(lines, others, fillvalue="the end"), 1):
            if line != its:
                same_step = _VALUE.sub("…", line) == _VALUE.sub("…", its)
                why = ORDER if Counter(lines) == Counter(others) else VALUES if same_step else STEPS
                return Parting(step, line, its, why)
    return None
