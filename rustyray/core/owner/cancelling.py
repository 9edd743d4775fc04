"""Cancelling what makes an object, here or where its owner is."""

from __future__ import annotations

from typing import Final

from rustyray.core.effects import Effect, Send
from rustyray.core.owner import faults
from rustyray.core.owner.calls import Calls
from rustyray.core.owner.records import DONE, PUSHED, QUEUED, ActorLink, ObjectEntry, Record
from rustyray.core.owner.references import References
from rustyray.core.owner.tasks import Tasks
from rustyray.model.ids import WORKER_ID_SIZE, ObjectID, TaskID, WorkerID
from rustyray.model.messages import CancelObject, CancelTask, KillWorker

#: Seconds that a worker has to end itself for ``force``; it cannot where its program holds the interpreter's lock.
FORCE_PATIENCE: Final = 1.0


class Cancels:
    """What this process, its tasks and those who borrow from it want cancelled."""

    def __init__(self, refs: References, tasks: Tasks, calls: Calls, out: list[Effect]) -> None:
        self._refs = refs
        self._tasks = tasks
        self._calls = calls
        self._out = out
        #: What runs and was to end at once, and when its worker's node is asked for that.
        self._forced: dict[TaskID, tuple[float, Record]] = {}

    def cancel(self, object_: ObjectID, force: bool, recursive: bool, now: float) -> None:
        """Cancel the task or call that makes an object, or ask its owner to; nothing happens if it is done."""
        entry = self._refs.objects.get(object_)
        if entry is None:
            return
        if entry.record is not None:
            self.cancel_record(entry.record, force, recursive, now)
        elif entry.value is None and not self._refs.owns(object_):
            self._ask(object_, entry, force, recursive)

    def _ask(self, object_: ObjectID, entry: ObjectEntry, force: bool, recursive: bool) -> None:
        assert entry.more is not None
        owner = object_[:WORKER_ID_SIZE]
        self._out.append(Send(owner, CancelObject(object_, force, recursive), entry.more.owner_address))

    def cancel_record(self, record: Record, force: bool, recursive: bool, now: float) -> None:
        """What has not started never runs; what runs is interrupted, or with ``force`` its worker is killed."""
        if isinstance(record.target, ActorLink):
            self._calls.cancel(record.target, record, recursive, now)
            return
        if record.state == DONE or (record.cancelled and not force):
            return
        record.cancelled = True
        record.forced = record.forced or force
        if record.state == PUSHED and record.lease is not None:
            told = CancelTask(record.task.id, force, recursive)
            self._out.append(Send(record.lease.worker, told, record.lease.address))
            if force:
                self._forced[record.task.id] = now + FORCE_PATIENCE, record
            return
        if record.state == QUEUED:
            record.target.queue.remove(record)
        self._tasks.fail(record, faults.cancelled(record), now)

    def on_cancel(self, sender: WorkerID, message: CancelObject, now: float) -> None:
        """Somebody who borrows the object asks. What cannot be forced, an actor's call, is cancelled without."""
        self.cancel(message.object, message.force, message.recursive, now)

    def children(self, parent: TaskID, force: bool, now: float) -> None:
        """Cancel what ``parent`` submitted and is not done (``recursive=True``)."""
        for entry in list(self._refs.objects.values()):
            if entry.record is not None and entry.record.parent == parent:
                self.cancel_record(entry.record, force, True, now)

    def is_call(self, object_: ObjectID) -> bool:
        """Whether the object is what a call of an actor, not done yet, will return."""
        entry = self._refs.objects.get(object_)
        record = entry.record if entry is not None else None
        return record is not None and isinstance(record.target, ActorLink)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return min(deadline for deadline, _ in self._forced.values()) if self._forced else None

    def on_time(self, now: float) -> None:
        for task, (deadline, record) in list(self._forced.items()):
            if record.state != PUSHED or record.lease is None:
                del self._forced[task]
            elif now >= deadline:
                self._forced[task] = now + FORCE_PATIENCE, record
                if next(iter(record.lease.inflight.values())) is record:  # else it has not begun
                    reason = f"{record.plan.name} was cancelled with force=True, and it did not end by itself"
                    self._out.append(Send(record.lease.node, KillWorker(record.lease.worker, reason)))
