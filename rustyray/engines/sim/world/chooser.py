"""Every decision of a run is asked of one chooser, so that a run can be repeated, and shrunk.

Choice 0 is always the tame one: the event that has waited longest, no delay, no loss. A run in which everything is 0 is
fair and free of trouble, and a `Deviations` chooser says in which few places a run departs from it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol


class Chooser(Protocol):
    """Decides what happens."""

    def pick(self, what: str, count: int) -> int:
        """A number below ``count`` (which is at least 1); ``what`` says what is decided."""
        ...


class Candidate(Protocol):
    """An event that may be next, as a chooser that looks at them sees it: what happens, to which process, from where.

    ``number`` orders candidates by age; the three others tell one line of events from another.
    """

    @property
    def number(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def process(self) -> bytes: ...
    @property
    def source(self) -> bytes: ...


class Observer(Chooser, Protocol):
    """A chooser that looks at the candidates; others are only told how many there are."""

    def choose(self, candidates: Sequence[Candidate]) -> int: ...


def chooser_of_events(chooser: Chooser) -> Callable[[Sequence[Candidate]], int]:
    """Says which of several candidates is next."""
    found: Callable[[Sequence[Candidate]], int] | None = getattr(chooser, "choose", None)
    return found if found is not None else lambda candidates: chooser.pick("next", len(candidates))


class Tame:
    """Always 0."""

    def pick(self, what: str, count: int) -> int:
        return 0


class Seeded:
    """By chance, from a seed.

    Args:
        seed: the same seed makes the same choices.
        odds: by ``what``, the probability of a choice that is not 0; all choices are then equally likely. Default 1.
    """

    def __init__(self, seed: int, odds: Mapping[str, float] | None = None) -> None:
        self._draw = random.Random(seed).random
        self._odds = dict(odds or {})

    def pick(self, what: str, count: int) -> int:
        odds = self._odds.get(what, 1.0)
        if count == 1 or (odds < 1.0 and self._draw() >= odds):
            return 0
        return int(self._draw() * count)


class Deviations:
    """0, except at the given moments: the n-th decision of a kind is what the list says (modulo what is possible)."""

    def __init__(self, deviations: Iterable[tuple[str, int, int]]) -> None:
        self._at = {(what, number): choice for what, number, choice in deviations}
        self._made: dict[str, int] = {}

    def pick(self, what: str, count: int) -> int:
        number = self._made.get(what, 0)
        self._made[what] = number + 1
        return self._at.get((what, number), 0) % count


class Recorder:
    """Passes on another's choices and remembers them."""

    def __init__(self, chooser: Chooser) -> None:
        self._chooser = chooser
        self._look = chooser_of_events(chooser)
        self.choices: list[int] = []

    def pick(self, what: str, count: int) -> int:
        return self._noted(what, count, self._chooser.pick(what, count))

    def choose(self, candidates: Sequence[Candidate]) -> int:
        """One of several that the chooser may look at."""
        return self._noted("next", len(candidates), self._look(candidates))

    def _noted(self, what: str, count: int, choice: int) -> int:
        if not 0 <= choice < count:
            raise ValueError(f"choice {choice} of {count} for {what!r}")
        self.choices.append(choice)
        return choice


class Replay:
    """The choices of a recorded run, then 0."""

    def __init__(self, choices: Sequence[int]) -> None:
        self._choices = choices
        self._next = 0

    def pick(self, what: str, count: int) -> int:
        number = self._next
        self._next += 1
        return min(self._choices[number], count - 1) if number < len(self._choices) else 0
