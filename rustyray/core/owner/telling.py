"""What an owner tells of its tasks: those that live, from the tables they are in, and the last of those that ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from rustyray.core.owner.records import DONE, ActorLink, Record
from rustyray.core.telling import Teller
from rustyray.model.events import Event
from rustyray.model.messages import ActorState

#: Notes after which a task has another attempt.
_AGAIN: Final = ("retry", "rebuild")

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore


def events(core: OwnerCore, teller: Teller) -> list[Event]:
    """What happened in an owner, as far as it is remembered and was asked for, oldest first."""
    sources = [teller.of(core.journal)]
    if teller.query.wants("task"):  # first, so that of one moment's events the end comes last
        tasks = _Tasks(core, teller)
        sources[:0] = [teller.take(source) for source in (tasks.submitted(), tasks.pushed(), tasks.ended())]
    return teller.told(*sources)


def living(core: OwnerCore) -> Iterator[Record]:
    """The tasks and calls that are not done; of a queue, those that were submitted last come first."""
    for record in core.arguments.pending.values():
        if not isinstance(record.target, ActorLink):
            yield record
    for target in core.sched.classes.values():
        yield from reversed(target.queue)
        for lease in target.leases.values():
            yield from lease.inflight.values()
    for link in core.calls.links.values():
        yield from (record for record in reversed(link.queue) if record.state != DONE)
        yield from reversed(link.waiting.values())
        yield from link.inflight.values()
        if link.creation is not None and link.state != ActorState.ALIVE:
            yield link.creation


class _Tasks:
    """The events of an owner's tasks."""

    def __init__(self, core: OwnerCore, teller: Teller) -> None:
        self._core = core
        self._teller = teller
        self._job = core.sched.requests.job.hex()
        self._kinds = core.kinds.by_number()
        #: The times at which each was tried again.
        self._again: dict[bytes, list[float]] = {}
        #: Attempts that ended otherwise than by a result.
        self._failed: dict[tuple[bytes, float], None] = {}
        for note in core.journal.notes.get("task", ()):
            if note.what in _AGAIN:
                self._again.setdefault(note.subject, []).append(note.time)
            else:
                self._failed[note.subject, note.time] = None

    def ended(self) -> Iterator[Event]:
        for batch in reversed(self._core.history.ended):
            for id_ in batch.each():
                if (id_, batch.time) not in self._failed:
                    yield self._event(id_, batch.time, "finished", batch.worker)

    def pushed(self) -> Iterator[Event]:
        for batch in reversed(self._core.history.pushed):
            for id_ in batch.each():
                yield self._event(id_, batch.time, "pushed", batch.worker)

    def submitted(self) -> Iterator[Event]:
        """In no order. When it was, is known to `GRAIN` seconds for those that are done."""
        told: dict[bytes, None] = {}
        for record in living(self._core):
            told[record.task.id] = None
            yield self._event(record.task.id, record.submitted, "submitted")
        for batches in (self._core.history.pushed, self._core.history.ended):
            for batch in reversed(batches):
                for id_ in batch.each():
                    kind = self._kinds.of(id_)
                    if id_ not in told and kind is not None:
                        told[id_] = None
                        yield self._event(id_, kind.time, "submitted")
        for id_, _ in self._failed:
            kind = self._kinds.of(id_)
            if id_ not in told and kind is not None:
                told[id_] = None
                yield self._event(id_, kind.time, "submitted")

    def _event(self, id_: bytes, time: float, what: str, worker: bytes = b"") -> Event:
        kind = self._kinds.of(id_)
        attempt = sum(again <= time for again in self._again.get(id_, ())) if what != "submitted" else 0
        return self._teller.event(
            time,
            "task",
            what,
            name=kind.name if kind is not None else "",
            task=id_.hex(),
            attempt=attempt,
            actor=kind.actor.hex() if kind is not None else "",
            worker=worker.hex(),
            job=self._job,
        )
