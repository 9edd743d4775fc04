"""What an owner tells of its tasks: those that live, from the tables they are in, and the last of those that ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rustyray.core.owner.records import DONE, PUSHED, ActorLink, End, Past, Record
from rustyray.core.telling import Teller
from rustyray.model.events import Event

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore


def events(core: OwnerCore, teller: Teller) -> list[Event]:
    """What happened in an owner, as far as it is remembered and was asked for, oldest first."""
    sources = [teller.of(core.journal)]
    if teller.query.wants("task"):  # first, so that of one moment's events the end comes last
        sources[:0] = [teller.take(_of_the_ended(core, teller)), teller.take(_of_the_living(core, teller))]
    return teller.told(*sources)


def living(core: OwnerCore) -> Iterator[Record]:
    """The tasks and calls that are not done; of a queue, those that were submitted last come first."""
    for record in core.tasks.pending.values():
        if not isinstance(record.target, ActorLink):
            yield record
    for target in core.sched.classes.values():
        yield from reversed(target.queue)
        for lease in target.leases.values():
            yield from lease.inflight.values()
    for link in core.calls.links.values():
        yield from (record for record in reversed(link.queue) if record.state != DONE)
        yield from link.inflight.values()
        if link.creation is not None and link.creation.state != DONE:
            yield link.creation


def worker_of(record: Record) -> bytes:
    """The worker that the task is on, or its actor is in."""
    if record.lease is not None:
        return record.lease.worker
    return record.target.worker if isinstance(record.target, ActorLink) else b""


def _event(core: OwnerCore, teller: Teller, past: Past, time: float, what: str, worker: bytes = b"") -> Event:
    id_, plan, target, attempt = past[:4]
    return teller.event(
        time,
        "task",
        what,
        name=plan.name,
        task=id_.hex(),
        attempt=attempt,
        actor=target.actor.hex() if isinstance(target, ActorLink) else "",
        worker=worker.hex(),
        job=core.sched.job.hex(),
    )


def _as_past(record: Record, well: bool) -> Past:
    task = record.task
    return task.id, record.plan, record.target, task.attempt, record.submitted, record.since, well


def _of_the_living(core: OwnerCore, teller: Teller) -> Iterator[Event]:
    for record in living(core):
        past = _as_past(record, False)
        if record.state == PUSHED:
            yield _event(core, teller, past, record.since, "pushed", worker_of(record))
        yield _event(core, teller, past, record.submitted, "submitted")


def _of_the_ended(core: OwnerCore, teller: Teller) -> Iterator[Event]:
    end = End(0.0, b"")
    for past in reversed(core.tasks.ended):
        if isinstance(past, End):
            end = past
            continue
        if isinstance(past, Record):
            past = _as_past(past, True)
        attempt, submitted, pushed, well = past[3:]
        worker = end.worker if well else b""
        if well:
            yield _event(core, teller, past, end.time, "finished", worker)
        if pushed >= 0:
            yield _event(core, teller, past, pushed, "pushed", worker)
        if not attempt:
            yield _event(core, teller, past, submitted, "submitted")
