"""Lineage: what is kept of tasks that are done, so that results which are lost with a node can be made again."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.history import History
from rustyray.core.owner.records import DONE, WAITING, ObjectEntry, Record
from rustyray.core.owner.references import References
from rustyray.core.owner.streams import Streams
from rustyray.model.ids import FIRST_RETURN, ObjectID, TaskID
from rustyray.model.messages import Call
from rustyray.model.values import Fault, FaultKind

#: Bytes of arguments kept so that lost results can be made again; the oldest go first (Ray caps at 1 GB).
LINEAGE_CAP: Final = 256 * 1024 * 1024


class Lineage:
    """Records of tasks whose results lie in the stores of nodes."""

    def __init__(self, refs: References, arguments: Arguments, history: History, streams: Streams) -> None:
        self._streams = streams
        self._refs = refs
        self._arguments = arguments
        self._history = history
        #: The oldest first; what is being made again is not among them.
        self.kept: OrderedDict[TaskID, Record] = OrderedDict()
        self._bytes = 0
        #: What is to be made again, after that which needs it: it may need other lost results itself, in long chains.
        self._again: deque[tuple[Record, str]] = deque()
        self._rebuilds = False
        #: Whether the actor that made it can be called again; it is told that it will be (`Calls` sets it).
        self.recall: Callable[[Record], bool]

    def keep(self, record: Record) -> None:
        """Its result lives in a node's memory: keep what is needed to make it again, but not the arguments' values."""
        for object_ in record.held or ():
            entry = self._refs.objects.get(object_)
            if entry is not None:
                entry.lineage += 1
        held = record.held
        self._arguments.let_go(record)
        record.held = held
        self.kept[record.task.id] = record
        self._bytes += _weight(record)
        while self._bytes > LINEAGE_CAP:
            self.forget(next(iter(self.kept.values())))

    def forget(self, record: Record) -> None:
        """The record's results are all gone (or too much lineage is kept): they cannot be made again from here on."""
        if not self._take(record):
            return
        for object_ in self._streams.made_by(record):
            entry = self._refs.objects.get(object_)
            if entry is not None and entry.record is record:
                entry.record = None
        if record.task.returns < 0:
            self._streams.unlink(record)
        record.entry = None
        held, record.held = record.held, None
        for object_ in held or ():
            self._refs.release_lineage(object_)

    def _take(self, record: Record) -> bool:
        found = self.kept.pop(record.task.id, None) is not None
        if found:
            self._bytes -= _weight(record)
        return found

    def freed(self, object_: ObjectID, record: Record | None) -> None:
        """An object is gone. If it was the last that a settled task would make again, its lineage goes with it."""
        if record is not None and record.state == DONE and not self._is_wanted(record):
            self.forget(record)

    def _is_wanted(self, record: Record) -> bool:
        entries = [self._refs.objects.get(object_) for object_ in self._streams.made_by(record)]
        return any(entry is not None and entry.record is record for entry in entries)

    def lost(self, object_: ObjectID, entry: ObjectEntry, why: str, now: float) -> None:
        """The only copy of a stored value is gone: make it again, or say why that cannot be."""
        gone, entry.value = entry.value, None
        self._history.journal.note("object", object_, "lost", why)
        if gone is not None:
            for record in self._arguments.pending.values():
                if record.state == WAITING and object_ in (record.deps or ()):
                    self._arguments.wait_for(record, object_, entry)
        self.replace(object_, entry, why, now)
        if gone is not None:
            self._refs.let_go(gone)  # the refs inside it

    def replace(self, object_: ObjectID, entry: ObjectEntry, why: str, now: float) -> None:
        """What has no value any more gets one, sooner or later, or the error that it cannot have one."""
        record = entry.record
        advice = self._obstacle(record)
        if record is None or advice:
            kind = FaultKind.MAX_ATTEMPTS if record is not None and record.retries == 0 else FaultKind.OBJECT_LOST
            ready: list[ObjectID] = []
            self._refs.settle(object_, entry, Fault(kind, f"{why}, and it cannot be made again: {advice}"), ready)
            self._arguments.value_arrived(entry, now)
            self._refs.ready_effect(ready)
            return
        if record.state == DONE:
            self._again.append((record, why))
            self._rebuild_all(now)

    def _rebuild_all(self, now: float) -> None:
        if self._rebuilds:
            return  # whoever does it comes to this one
        self._rebuilds = True
        try:
            while self._again:
                record, why = self._again.popleft()
                if record.state == DONE:
                    self._rebuild(record, why, now)
        finally:
            self._rebuilds = False

    def _obstacle(self, record: Record | None) -> str:
        """Why its results cannot be made again, if so."""
        if record is None:
            return "it was put, its task may not be retried (max_retries=0), or its lineage was dropped"
        if record.retries == 0:
            return "its task has no retries left"
        if record.state == DONE and isinstance(record.task, Call) and not self.recall(record):
            return "the actor that made it is dead"
        return ""

    def _rebuild(self, record: Record, why: str, now: float) -> None:
        self._take(record)
        record.apply("rebuild")
        record.since = now
        self._history.note(record, "rebuild")
        self._history.counts.rebuilt += 1
        record.retries -= record.retries > 0
        record.task.attempt += 1
        for object_ in record.held or ():
            entry = self._refs.hold(object_)
            entry.lineage -= 1
            if entry.value is None and entry.record is not None and entry.record.state == DONE:
                self.lost(object_, entry, why, now)
        self._arguments.wait(record, now)

    def check(self) -> None:
        """Raises AssertionError when the sum is wrong, or something is kept for nobody."""
        objects = self._refs.objects
        weight = 0
        for record in self.kept.values():
            weight += _weight(record)
            assert record.state == DONE, f"{record.task.id.hex()} is {record.state}"
            first = objects.get(record.task.id + FIRST_RETURN)
            if first is None or (record.task.returns >= 0 and first.record is not record):
                assert self._is_wanted(record), f"{record.task.id.hex()} is kept for nobody"
        assert self._bytes == weight, f"{self._bytes} bytes are not what is kept"


def _weight(record: Record) -> int:
    buffers = record.task.buffers
    return 200 + len(record.task.args) + (sum(map(len, buffers)) if buffers else 0)
