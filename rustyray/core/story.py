"""State machines as data, and the story that an illegal transition tells.

A `StateTable` is a name, an initial state and ``{(state, event): next state}``; the docs' diagrams are drawn from the
very tables that decide. A core moves its objects with a `Journal`, which remembers the last moves of all of them in
bounded rings, one for each table: an object costs nothing extra, and nothing is formatted before somebody reads. What
moves by no table is noted there as well, so that the rings of all cores together are the runtime's log of events.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

import msgspec

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


class Move(msgspec.Struct, gc=False):
    """One object's way from ``state`` by ``event``; ``cause`` is not formatted yet."""

    time: float
    subject: bytes
    state: enum.IntEnum
    event: enum.IntEnum
    cause: object


class Note(msgspec.Struct, gc=False):
    """Something else that happened to ``subject``, in which ``process`` (a worker or a node) had a part."""

    time: float
    subject: bytes
    what: str
    cause: object
    name: str = ""
    attempt: int = 0
    process: bytes = b""


class Journal:
    """The last moves of a core's objects, oldest first, bounded: ``size`` for each table and each kind of note.

    The core sets ``now`` when it is called.
    """

    __slots__ = ("moves", "notes", "now", "size")

    def __init__(self, size: int = 1024) -> None:
        self.size = size
        self.now = 0.0
        self.moves: dict[StateTable[Any, Any], deque[Move]] = {}
        self.notes: dict[str, deque[Note]] = {}

    def move(self, table: StateTable[S, E], subject: bytes, state: S, event: E, cause: object = None) -> S:
        """The state after ``event``; ``cause`` (anything printable; not formatted here) is remembered for the story.

        Raises:
            IllegalTransition: the table has no such move.
        """
        ring = self.moves.get(table)
        if ring is None:
            ring = self.moves[table] = deque(maxlen=self.size)
        ring.append(Move(self.now, subject, state, event, cause))
        try:
            return table.moves[state, event]
        except KeyError:
            raise IllegalTransition(self._complaint(table, subject, state, event)) from None

    def note(
        self,
        kind: str,
        subject: bytes,
        what: str,
        cause: object = None,
        *,
        name: str = "",
        attempt: int = 0,
        process: bytes = b"",
    ) -> None:
        """Remember what no table moves. ``kind`` is that of `rustyray.model.events.Event`."""
        ring = self.notes.get(kind)
        if ring is None:
            ring = self.notes[kind] = deque(maxlen=self.size)
        ring.append(Note(self.now, subject, what, cause, name, attempt, process))

    def story(self, subject: bytes) -> list[str]:
        """The last moves of ``subject`` that are still remembered, one line each, oldest first."""
        found = [move for ring in self.moves.values() for move in ring if move.subject == subject]
        found.sort(key=lambda move: move.time)
        lines = [
            f"{move.state.name} --{move.event.name}-->" + ("" if move.cause is None else f"  ({move.cause})")
            for move in found
        ]
        return lines[-STORY_LENGTH:]

    def told(self, what: str, subject: bytes) -> str:
        """``what`` the subject is, and its story."""
        return "\n  ".join([what, *self.story(subject)])

    def _complaint(self, table: StateTable[S, E], subject: bytes, state: S, event: E) -> str:
        story = "\n  ".join(self.story(subject))
        return f"{table.name} {subject.hex()}: {event.name} is not possible while {state.name}. Its story:\n  {story}"
