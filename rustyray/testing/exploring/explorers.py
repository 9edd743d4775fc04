"""Ways to go through the schedules of a scenario, each a generator of guides and faults.

What it draws from is the run without departures: how many decisions of each kind there were in it, and how many steps.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from itertools import cycle
from typing import Final, NamedTuple, TypeAlias

from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.engines.sim.world.schedules import (
    NEXT,
    PREEMPT,
    Delays,
    Deviation,
    Guide,
    Planned,
    Priorities,
    Walk,
    spread,
)
from rustyray.engines.sim.world.world import DELAYS, STALLS
from rustyray.model.options import hint
from rustyray.testing.exploring.exhaustive import exhaustive
from rustyray.testing.exploring.trial import Trial

Drawn: TypeAlias = "tuple[Guide, tuple[Fault, ...]]"
#: Each schedule is answered with the run; the generator returns whether no schedule is left.
Search: TypeAlias = Generator[Drawn, Trial, str]

DELAY: Final = "delay"
#: What may be asked for by name; "delay" is about messages and pauses, the others hit at a step.
FAULTS: Final[dict[str, Trouble | None]] = {
    "crash": Trouble.CRASH,
    "delay": None,
    "partition": Trouble.CUT,
    "node": Trouble.NODE,
}
#: The longest delay and pause.
LONGEST: Final = {"delay": len(DELAYS) - 1, "stall": len(STALLS) - 1}
#: Which worker, connection or node is hit: one of the first so many.
WHICH: Final = 6


class Space(NamedTuple):
    """What an explorer may do. ``lengths`` and ``steps`` are of the run without departures."""

    lengths: dict[str, int]
    steps: int
    depth: int
    seed: int
    faults: tuple[str, ...] = ()

    @property
    def turns(self) -> int:
        return max(1, self.lengths[NEXT])

    @property
    def troubles(self) -> list[Trouble]:
        return [trouble for name in self.faults if (trouble := FAULTS[name]) is not None]

    def kinds(self) -> dict[str, int]:
        """The kinds of decisions that may be departed from, and how many there are of each."""
        wanted = (NEXT, PREEMPT, "delay", "stall") if DELAY in self.faults else (NEXT, PREEMPT)
        return {what: self.lengths[what] for what in wanted if self.lengths.get(what)} | {NEXT: self.turns}

    def odds(self, chance: random.Random) -> float:
        """How likely each message is delayed in a run."""
        return chance.choice((0.0, 0.02, 0.1)) if DELAY in self.faults else 0.0


def faults_of(text: str) -> tuple[str, ...]:
    """The names in ``"crash,delay"``. Raises ValueError for one that there is not."""
    names = tuple(name for part in text.split(",") if (name := part.strip()))
    for name in names:
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}{hint(name, FAULTS)}. Valid ones are {', '.join(FAULTS)}.")
    return names


# --- explorers --------------------------------------------------------------------------------------------------------


def _chances(space: Space) -> Iterator[random.Random]:
    number = 0
    while True:
        yield random.Random(space.seed * 1_000_003 + number)
        number += 1


def _drawn(space: Space, chance: random.Random) -> tuple[Fault, ...]:
    """Some faults, seldom many of them."""
    troubles = space.troubles
    if not troubles or chance.random() < 0.25:
        return ()
    count = 1 + int(chance.random() ** 2 * space.depth)
    return tuple(
        Fault(int(chance.random() * max(1, space.steps)), chance.choice(troubles), int(chance.random() * WHICH))
        for _ in range(count)
    )


def _walk(space: Space, chance: random.Random) -> Guide:
    return Walk(chance, chance.choice((0.05, 0.2, 0.5, 1.0)), space.odds(chance))


def _pct(space: Space, chance: random.Random) -> Guide:
    whole = chance.random() < 0.5
    return Priorities(chance, space.turns, space.depth, space.odds(chance), whole)


def _delays(space: Space, chance: random.Random) -> Guide:
    return Delays(chance, space.kinds(), space.depth)


def _by_chance(make: Callable[[Space, random.Random], Guide]) -> Callable[[Space], Search]:
    def search(space: Space) -> Search:
        for chance in _chances(space):
            yield make(space, chance), _drawn(space, chance)
        return ""

    return search


def _departures(what: str, size: int) -> Iterator[Drawn]:
    choice = LONGEST.get(what, 1)
    for at in spread(size):
        yield Planned([Deviation(what, at, choice)]), ()


def _strikes(trouble: Trouble, steps: int) -> Iterator[Drawn]:
    for which in range(WHICH):
        for step in spread(steps):
            yield Planned(), (Fault(step, trouble, (which + step) % WHICH),)


def _singles(space: Space) -> Iterator[Drawn]:
    """Each single departure, and each single fault, in ever smaller strides."""
    lines = [_departures(what, size) for what, size in space.kinds().items()]
    lines += [_strikes(trouble, max(1, space.steps)) for trouble in space.troubles]
    while lines:
        for line in list(lines):
            drawn = next(line, None)
            if drawn is None:
                lines.remove(line)
            else:
                yield drawn


def _portfolio(space: Space) -> Search:
    """All of them in turn: single departures first of all, as most races need no more than one."""
    singles = _singles(space)
    chances = _chances(space)
    for make in cycle((None, _delays, None, _pct, None, _walk)):
        drawn = next(singles, None) if make is None else None
        if drawn is None:
            chance = next(chances)
            drawn = (make or _delays)(space, chance), _drawn(space, chance)
        yield drawn
    return ""


EXPLORERS: Final[dict[str, Callable[[Space], Search]]] = {
    "portfolio": _portfolio,
    "random": _by_chance(_walk),
    "pct": _by_chance(_pct),
    "delay": _by_chance(_delays),
    "exhaustive": lambda space: exhaustive(space.depth),
}
