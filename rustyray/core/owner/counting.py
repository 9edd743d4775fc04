"""What an owner counts. Most of it is read off its tables when somebody asks; the rest is counted by message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustyray.core.owner.history import Counts
from rustyray.core.owner.records import BACKOFF, DONE, WAITING, ActorLink, is_creation
from rustyray.model.stats import ObjectStats, ProcessStats, TaskStats
from rustyray.model.values import Packed, Stored

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore


def stats(core: OwnerCore) -> ProcessStats:
    """What the owner counts, without what its host knows."""
    tasks, calls = _tasks(core)
    return ProcessStats(
        process=core.me.hex(),
        node=core.refs.node.hex(),
        tasks=tasks,
        calls=calls,
        objects=_objects(core),
        latency=core.history.latency.stats(),
        leases=len(core.sched.leases),
    )


def _tasks(core: OwnerCore) -> tuple[TaskStats, TaskStats]:
    classes, links = core.sched.classes.values(), core.calls.links.values()
    waiting = [0, 0]
    for record in core.arguments.pending.values():
        waiting[isinstance(record.target, ActorLink)] += not is_creation(record)
    queued = sum(len(target.queue) for target in classes)
    pushed = sum(len(lease.inflight) for lease in core.sched.leases.values())
    queued_calls = sum(record.state not in (WAITING, BACKOFF, DONE) for link in links for record in link.queue)
    pushed_calls = sum(len(link.inflight) for link in links)
    return (
        _stats(core.history.counts, waiting[0], queued, pushed),
        _stats(core.history.call_counts, waiting[1], queued_calls, pushed_calls),
    )


def _stats(counts: Counts, waiting: int, queued: int, pushed: int) -> TaskStats:
    over = counts.finished + counts.failed + counts.cancelled - counts.rebuilt
    return TaskStats(
        submitted=waiting + queued + pushed + over,
        waiting=waiting,
        queued=queued,
        pushed=pushed,
        finished=counts.finished,
        failed=counts.failed,
        cancelled=counts.cancelled,
        retried=counts.retried,
        rebuilt=counts.rebuilt,
    )


def _objects(core: OwnerCore) -> ObjectStats:
    owned = inline = stored = stored_bytes = borrowed = 0
    for entry in core.objects.values():
        if entry.more is not None and entry.more.owner_address:
            borrowed += 1
            continue
        owned += 1
        value = entry.value
        if isinstance(value, bytes):
            inline += len(value)
        elif isinstance(value, Packed):
            inline += len(value.data) + sum(len(buffer) for buffer in value.buffers or ())
        elif isinstance(value, Stored):
            stored += 1
            stored_bytes += value.size
    return ObjectStats(owned=owned, inline_bytes=inline, stored=stored, stored_bytes=stored_bytes, borrowed=borrowed)
