"""What a core's journal holds, as events. Nothing is formatted before somebody asks."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from rustyray.core.story import Journal, Move, Note, StateTable
from rustyray.model.events import Event, Query
from rustyray.model.values import Failed, Fault

#: The kind of the events of each table that is not called the same.
_KINDS: Final = {
    "bundle": "placement_group",
    "claim": "lease",
    "hosted actor": "actor",
    "placement group": "placement_group",
    "runtime": "lifecycle",
    "stored copy": "object",
}
#: The fields that the subject of each kind of event is told in.
_SUBJECT: Final = {"lease": "worker", "lifecycle": "worker", "fault": "worker"}


def words(name: str) -> str:
    """A member's name, for people."""
    return name.lower().replace("_", " ")


def why(cause: object) -> str:
    """A cause, for people: the last line of an exception, the sentence of a fault."""
    if cause is None:
        return ""
    if isinstance(cause, Failed):
        return cause.traceback.rstrip().rpartition("\n")[2]
    if isinstance(cause, Fault):
        return cause.message
    return words(cause.name) if isinstance(cause, enum.Enum) else str(cause)


class Teller:
    """Makes the events of one process; ``role`` and ``process`` say whose they are."""

    def __init__(self, role: str, process: bytes, node: bytes, query: Query, now: float) -> None:
        self.role = role
        self.process = process.hex()
        self.node = node.hex()
        self.query = query
        self.since = now - query.age

    def event(self, time: float, kind: str, what: str, **more: Any) -> Event:
        more.setdefault("process", self.process)
        more.setdefault("node", self.node)
        return Event(time=time, kind=kind, what=what, role=self.role, **more)

    def take(self, newest_first: Iterable[Event]) -> list[Event]:
        """What was asked for, of events in this order; the oldest first."""
        about = self.query.about
        wanted = (event for event in newest_first if event.time >= self.since and (not about or event.is_about(about)))
        return list(islice(wanted, self.query.events))[::-1]

    def told(self, *sources: list[Event]) -> list[Event]:
        """The newest of what was taken from several sources, in the order of time."""
        events = [event for source in sources for event in source]
        events.sort(key=lambda event: event.time)
        return events[-self.query.events :] if self.query.events else []

    def of(self, journal: Journal) -> list[Event]:
        """What the journal holds of the kinds asked for."""
        events: list[Event] = []
        for table, moves in journal.moves.items():
            kind = _KINDS.get(table.name, table.name)
            if self.query.wants(kind):
                events += self.take(self._moves(table, kind, moves))
        for kind, notes in journal.notes.items():
            if self.query.wants(kind):
                events += self.take(self._notes(kind, notes))
        return events

    def _moves(self, table: StateTable[Any, Any], kind: str, moves: Iterable[Move]) -> Iterator[Event]:
        field = _SUBJECT.get(kind, kind)
        for move in reversed(list(moves)):
            after = table.moves.get((move.state, move.event))
            state = words(after.name) if after is not None else ""
            subject = {field: move.subject.hex()} if kind != "lifecycle" else {}
            what, cause = words(move.event.name), why(move.cause)
            if table.name == "bundle":  # the cause says which of the group's
                what, cause = f"bundle {cause}: {what}", ""
            yield self.event(move.time, kind, what, state=state, cause=cause, **subject)

    def _notes(self, kind: str, notes: Iterable[Note]) -> Iterator[Event]:
        for note in reversed(list(notes)):
            ids = {_SUBJECT.get(kind, kind): note.subject.hex()} if note.subject else {}
            if note.process:
                ids["worker"] = note.process.hex()
            yield self.event(
                note.time, kind, note.what, cause=why(note.cause), name=note.name, attempt=note.attempt, **ids
            )
