"""Schedules as a few departures from running to completion, and ways to draw them.

The order that a `Scheduler` keeps by itself is depth first: what became possible last goes on, so that each task and
each message is followed to its end before the next is begun. A departure lets another candidate go first; those that
were passed over then wait until nothing else is possible. One departure is what people call a preemption.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from rustyray.engines.sim.world.chooser import Candidate

#: The decision which event is next; all others are about numbers: of a delay, of messages that are kept, ….
NEXT: Final = "next"
#: The decision whether a program that calls the runtime gives way to others.
PREEMPT: Final = "preempt"
#: Turns after which an event that was passed over goes first: what runs in circles does not starve the rest.
FAIR: Final = 100


class Deviation(NamedTuple):
    """The ``number``-th decision of a kind is ``choice`` instead of 0."""

    what: str
    number: int
    choice: int


class Guide(Protocol):
    """Decides where a schedule departs from running to completion.

    ``blind``: it only wants to know how many candidates there are; then they come in any order. ``kinds``: the
    decisions other than `NEXT` that it may depart in; it is not asked about others.
    """

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def blind(self) -> bool: ...

    def turn(self, number: int, candidates: Sequence[Candidate]) -> int:
        """The rank of the candidate that goes first; they come in the order in which they would."""
        ...

    def other(self, what: str, number: int, count: int) -> int:
        """Any other decision; 0 is the tame choice."""
        ...


class Watcher(Protocol):
    """Told of each departure, when it is made."""

    def passed_over(self, deviation: Deviation, passed: Sequence[Candidate], first: Candidate) -> None: ...

    def chosen(self, deviation: Deviation) -> None: ...


class Scheduler:
    """A chooser that runs to completion, except where its guide departs from that between `begin` and `end`."""

    def __init__(self, guide: Guide) -> None:
        self._guide = guide
        self._kinds = guide.kinds
        #: Where the run departed.
        self.deviations: list[Deviation] = []
        #: How many decisions of each kind there were since `begin`.
        self.counts: dict[str, int] = {NEXT: 0}
        self.watcher: Watcher | None = None
        self._active = False
        #: All turns ever.
        self._turns = 0
        #: By an event's number, the turn at which it was possible first; -1 less the turn at which it was put last.
        self._since: dict[int, int] = {}
        self._gave_way = False

    def begin(self) -> None:
        """The scenario begins; decisions count from here."""
        self.counts = {NEXT: 0}
        self._active = True

    def end(self) -> None:
        self._active = False

    def pick(self, what: str, count: int) -> int:
        number = self.counts.get(what, 0)
        self.counts[what] = number + 1
        if what not in self._kinds or count < 2 or not self._active:
            return 0
        choice = self._guide.other(what, number, count)
        if choice:
            self._note(Deviation(what, number, choice))
        if what == PREEMPT:
            self._gave_way = choice > 0
        return choice

    def _note(self, deviation: Deviation) -> None:
        self.deviations.append(deviation)
        if self.watcher is not None and deviation.what != NEXT:
            self.watcher.chosen(deviation)

    def choose(self, candidates: Sequence[Candidate]) -> int:
        turn = self._turns = self._turns + 1
        since, number = self._since, self.counts[NEXT]
        self.counts[NEXT] = number + 1
        if self._gave_way:
            self._gave_way = False
            last = candidates[-1]
            if last.name == "run":
                since[last.number] = -1 - turn
        places = [-since.setdefault(one.number, turn) for one in candidates]
        if turn > FAIR:
            places = [_place(-place, turn) for place in places]
        if self._active and not self._guide.blind:
            order = sorted(range(len(places)), key=places.__getitem__)
            rank = self._guide.turn(number, [candidates[at] for at in order])
        else:
            rank = self._guide.turn(number, candidates) if self._active else 0
            if not rank:
                return places.index(min(places))
            order = sorted(range(len(places)), key=places.__getitem__)
        if rank:
            self._depart(Deviation(NEXT, number, rank), [candidates[at] for at in order[: rank + 1]])
        return order[rank]

    def _depart(self, deviation: Deviation, candidates: Sequence[Candidate]) -> None:
        """The last of these goes first."""
        self._note(deviation)
        for passed in candidates[:-1]:
            self._since[passed.number] = -1 - self._turns
        if self.watcher is not None:
            self.watcher.passed_over(deviation, candidates[:-1], candidates[-1])


def _place(since: int, turn: int) -> int:
    """Sorts: starved ones, then the latest, then those put last in the order in which they were. (Stable by age.)"""
    first = since if since >= 0 else -1 - since
    return first - 10**9 if turn - first > FAIR else -since


# --- guides -----------------------------------------------------------------------------------------------------------


class Planned:
    """Departs where it is told to; a choice that is not possible there becomes the highest one that is."""

    blind = True

    def __init__(self, deviations: Iterable[Deviation] = ()) -> None:
        self._at = {(what, number): choice for what, number, choice in deviations}
        self.kinds = frozenset(what for what, _ in self._at)

    def turn(self, number: int, candidates: Sequence[Candidate]) -> int:
        return self.other(NEXT, number, len(candidates))

    def other(self, what: str, number: int, count: int) -> int:
        return min(self._at.get((what, number), 0), count - 1) if self._at else 0


class Chances:
    """What guides that draw have in common. ``delays``: how likely a message or a process is held up."""

    blind = True

    def __init__(self, chance: random.Random, delays: float) -> None:
        self.chance = chance
        self.delays = delays
        self.kinds = frozenset(("keep", "delay", "stall") if delays else ("keep",))

    def other(self, what: str, number: int, count: int) -> int:
        odds = 0.5 if what == "keep" else self.delays if what in ("delay", "stall") else 0.0
        return int(self.chance.random() * count) if odds and self.chance.random() < odds else 0


class Walk(Chances):
    """A random walk: with probability ``odds`` any candidate, else the first."""

    def __init__(self, chance: random.Random, odds: float, delays: float = 0.0) -> None:
        super().__init__(chance, delays)
        self._odds = odds

    def turn(self, number: int, candidates: Sequence[Candidate]) -> int:
        chance = self.chance
        return int(chance.random() * len(candidates)) if chance.random() < self._odds else 0


class Priorities(Chances):
    """PCT: the line of events with the highest priority goes on; at ``depth`` - 1 turns the one in front falls behind.

    A line is a fiber of a process or a channel between two; with ``whole``, all that happens to a process. In a program
    with n lines and k turns, a schedule meets any given bug of depth d with a probability of at least 1/(n·k^(d-1)).
    Who asks again and again starves those with a lower priority, so priorities hold for a few times as many turns as
    the program takes, and then it runs to completion.
    """

    blind = False

    def __init__(self, chance: random.Random, turns: int, depth: int, delays: float = 0.0, whole: bool = False) -> None:
        super().__init__(chance, delays)
        self._whole = whole
        self._changes = sorted(int(chance.random() * turns) for _ in range(depth - 1))
        self._priorities: dict[tuple[bytes, bytes], float] = {}
        self._last = 4 * turns + 50
        self._lowest = 0.0

    def turn(self, number: int, candidates: Sequence[Candidate]) -> int:
        if number > self._last:
            return 0
        lines = [(one.process, b"" if self._whole else one.source) for one in candidates]
        rank = self._first(lines)
        while self._changes and self._changes[0] <= number:
            self._changes.pop(0)
            self._lowest -= 1
            self._priorities[lines[rank]] = self._lowest
            rank = self._first(lines)
        return rank

    def _first(self, lines: list[tuple[bytes, bytes]]) -> int:
        priorities = self._priorities
        best, found = 0, -1e9
        for rank, line in enumerate(lines):
            priority = priorities.get(line)
            if priority is None:
                priority = priorities[line] = self.chance.random()
            if priority > found:
                best, found = rank, priority
        return best


class Delays(Planned):
    """At most ``depth`` departures at random decisions; each passes over one candidate, or now and then several.

    Args:
        chance: draws them.
        lengths: how many decisions there are of each kind that may be departed from; `NEXT` is one of them.
        depth: the most.
    """

    def __init__(self, chance: random.Random, lengths: Mapping[str, int], depth: int) -> None:
        kinds = [what for what in lengths if what != NEXT]
        planned = []
        for _ in range(1 + int(chance.random() * depth)):
            what = NEXT if not kinds or chance.random() < 0.6 else kinds[int(chance.random() * len(kinds))]
            choice = 1 + int(chance.random() * 4) if what != NEXT or chance.random() < 0.4 else 1
            planned.append(Deviation(what, int(chance.random() * lengths[what]), choice))
        super().__init__(planned)


def spread(size: int) -> Iterator[int]:
    """All numbers below ``size``, each once, in ever smaller strides."""
    bits = max(1, (size - 1).bit_length())
    for at in range(1 << bits):
        place = int(f"{at:0{bits}b}"[::-1], 2)
        if place < size:
            yield place
