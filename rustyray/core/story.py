"""State machines as data, and the story that an illegal transition tells.

A `StateTable` is a name, an initial state and ``{(state, event): next state}``; the docs' diagrams are drawn from the
very tables that decide. A core moves its objects with a `Journal`, which remembers the last moves of all of them in
one bounded ring: an object costs nothing extra, and the ring is only read when something went wrong.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

S = TypeVar("S", bound=enum.IntEnum)
E = TypeVar("E", bound=enum.IntEnum)

#: How many moves of one object a story tells at most.
STORY_LENGTH: Final = 12


class IllegalTransition(AssertionError):
    """An event met an object in a state that has no place for it: a bug of the runtime. The text is its story."""


class StateTable(Generic[S, E]):
    """The legal moves of one kind of object. States and events are IntEnums: their hash costs no Python call.

    Raises ValueError when a state cannot be reached from ``initial``.
    """

    __slots__ = ("initial", "moves", "name")

    def __init__(self, name: str, initial: S, moves: Mapping[tuple[S, E], S]) -> None:
        self.name = name
        self.initial = initial
        self.moves = dict(moves)
        reached = {initial}
        while more := {after for (state, _), after in self.moves.items() if state in reached} - reached:
            reached |= more
        if lost := [state.name for state in type(initial) if state not in reached]:
            raise ValueError(f"{name}: no way leads to {', '.join(lost)}")

    def edges(self) -> list[tuple[str, str, str]]:
        """`(state, event, next state)` by name, as written, for a diagram."""
        return [(state.name, event.name, after.name) for (state, event), after in self.moves.items()]


class Journal:
    """The last moves of a core's objects, oldest first, bounded."""

    __slots__ = ("entries",)

    def __init__(self, size: int = 1024) -> None:
        self.entries: deque[tuple[bytes, enum.IntEnum, enum.IntEnum, object]] = deque(maxlen=size)

    def move(self, table: StateTable[S, E], subject: bytes, state: S, event: E, cause: object = None) -> S:
        """The state after ``event``; ``cause`` (anything printable; not formatted here) is remembered for the story.

        Raises:
            IllegalTransition: the table has no such move.
        """
        self.entries.append((subject, state, event, cause))
        try:
            return table.moves[state, event]
        except KeyError:
            raise IllegalTransition(self._complaint(table, subject, state, event)) from None

    def story(self, subject: bytes) -> list[str]:
        """The last moves of ``subject`` that are still remembered, one line each, oldest first."""
        lines = [
            f"{state.name} --{event.name}-->" + ("" if cause is None else f"  ({cause})")
            for whose, state, event, cause in self.entries
            if whose == subject
        ]
        return lines[-STORY_LENGTH:]

    def _complaint(self, table: StateTable[S, E], subject: bytes, state: S, event: E) -> str:
        story = "\n  ".join(self.story(subject))
        return f"{table.name} {subject.hex()}: {event.name} is not possible while {state.name}. Its story:\n  {story}"
