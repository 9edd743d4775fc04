"""What an owner tells of its tasks: those that live, from the tables they are in, and the last of those that ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rustyray.core.owner.records import DONE, PUSHED, ActorLink, End, Past, Record
from rustyray.core.telling import Teller
from rustyray.model.events import Event
from rustyray.model.messages import Call

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


def _task(core: OwnerCore, teller: Teller, record: Record, time: float, what: str, worker: bytes = b"") -> Event:
    task = record.task
    return teller.event(
        time,
        "task",
        what,
        name=record.plan.name,
        task=task.id.hex(),
        attempt=task.attempt,
        actor=task.actor.hex() if isinstance(task, Call) else "",
        worker=worker.hex(),
        job=core.sched.job.hex(),
    )


def _past(core: OwnerCore, teller: Teller, past: Past) -> Iterator[Event]:
    about = {
        "name": past.name,
        "task": past.id.hex(),
        "attempt": past.attempt,
        "actor": past.actor.hex(),
        "job": core.sched.job.hex(),
    }
    if past.ended >= 0:
        yield teller.event(past.ended, "task", "finished", worker=past.worker.hex(), **about)
    if past.since >= 0:
        yield teller.event(past.since, "task", "pushed", worker=past.worker.hex(), **about)
    if not past.attempt:
        yield teller.event(past.submitted, "task", "submitted", **about)


def _of_the_living(core: OwnerCore, teller: Teller) -> Iterator[Event]:
    for record in living(core):
        if record.state == PUSHED:
            yield _task(core, teller, record, record.since, "pushed", worker_of(record))
        yield _task(core, teller, record, record.submitted, "submitted")


def _of_the_ended(core: OwnerCore, teller: Teller) -> Iterator[Event]:
    end = End(0.0, b"")
    for past in reversed(core.tasks.ended):
        if isinstance(past, End):
            end = past
        elif isinstance(past, Past):
            yield from _past(core, teller, past)
        else:
            yield _task(core, teller, past, end.time, "finished", end.worker)
            yield _task(core, teller, past, past.since, "pushed", end.worker)
            yield _task(core, teller, past, past.submitted, "submitted")
