"""What an owner remembers of its tasks and calls: the last that were pushed and that ended, how many, and what failed.

Of those that go well each *message* is remembered, not each task (see `rustyray.core.past`). What does not go well is
rare, and noted in the journal one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from rustyray.core.owner.records import Lease, Record, SchedulingClass, is_creation
from rustyray.core.past import Batch, Batches, is_range
from rustyray.core.story import Journal
from rustyray.core.telling import why
from rustyray.model.ids import WorkerID
from rustyray.model.messages import Done, Task
from rustyray.model.stats import CLASSES, LatencyStats
from rustyray.model.values import Fault, FaultKind, Value


class Counts(msgspec.Struct, gc=False):
    """How tasks, or calls, have ended."""

    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    rebuilt: int = 0


class Latency:
    """Latencies by class; see `LatencyStats`."""

    __slots__ = ("classes",)

    def __init__(self) -> None:
        self.classes = [0] * (CLASSES + 1)

    def add(self, seconds: float) -> None:
        self.classes[min(CLASSES, int(seconds * 1e6).bit_length())] += 1

    def stats(self) -> LatencyStats:
        last = max((number for number, count in enumerate(self.classes) if count), default=-1)
        return LatencyStats(classes=tuple(self.classes[: last + 1]))


class History:
    """Written by those who push, settle, retry and fail; read when somebody asks."""

    __slots__ = ("call_counts", "counts", "ended", "journal", "latency", "on_failure", "pushed")

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        #: What was pushed to workers last, and what has ended well there.
        self.pushed, self.ended = Batches(), Batches()
        self.counts, self.call_counts, self.latency = Counts(), Counts(), Latency()
        #: Told of each attempt that failed, and of what becomes of the task (None: it is tried again).
        self.on_failure: Callable[[Record, Value | None], None] | None = None

    def were_pushed(self, tasks: list[Task], lease: Lease, now: float) -> None:
        first, count = tasks[0].id, len(tasks)
        if count == 1 or (not lease.target.mixed and is_range(first, tasks[-1].id, count)):
            self.pushed.add(Batch(now, lease.worker, first, count))
        else:
            self.pushed.add(Batch(now, lease.worker, first, count, b"".join([task.id for task in tasks])))

    def have_ended(self, done: list[Done], worker: WorkerID, last: Record, stale: int, now: float) -> None:
        """Tasks end in order, unless some were queued again; an actor's calls as they please."""
        first, count = done[0].task, len(done)
        target = last.target
        is_task = isinstance(target, SchedulingClass)
        counts = self.counts if is_task else self.call_counts
        counts.finished += count - stale  # failures among them are counted off
        self.latency.add(now - last.submitted)
        in_order = is_task and not target.mixed  # type: ignore[union-attr]
        if count == 1 or (in_order and is_range(first, done[-1].task, count)):
            self.ended.add(Batch(now, worker, first, count))
        else:
            self.ended.add(Batch(now, worker, first, count, b"".join([one.task for one in done])))

    def has_failed(self, record: Record, value: Value) -> None:
        """It is over, with ``value``."""
        if not is_creation(record):
            cancelled = isinstance(value, Fault) and value.kind is FaultKind.TASK_CANCELLED
            self.note(record, "cancelled" if cancelled else "failed", value)
            counts = self.counts_of(record)
            if cancelled:
                counts.cancelled += 1
            else:
                counts.failed += 1
        if self.on_failure is not None:
            self.on_failure(record, value)

    def counts_of(self, record: Record) -> Counts:
        return self.counts if isinstance(record.target, SchedulingClass) else self.call_counts

    def note(self, record: Record, what: str, cause: Value | None = None) -> None:
        """Remember what happened to a task. Of a long value only its sentence is kept."""
        task = record.task
        text = why(cause) if cause is not None else None
        worker = record.lease.worker if record.lease is not None else b""
        self.journal.note("task", task.id, what, text, name=record.plan.name, attempt=task.attempt, process=worker)
