"""What tasks and calls are given: held from `submit` on, waited for, and put in when all of it is there.

Then a task is queued in its scheduling class. A call has its place in its actor's queue already: it may be pushed now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from rustyray.core.owner import faults
from rustyray.core.owner.asking import Asking
from rustyray.core.owner.records import WAITING, Borrowing, ObjectEntry, Record, SchedulingClass
from rustyray.core.owner.references import References
from rustyray.core.owner.scheduling import Scheduler
from rustyray.model.ids import ObjectID, TaskID
from rustyray.model.messages import Arg
from rustyray.model.values import Failed, Fault, Packed, Stored, Value

#: The most bytes of small values, in all, that go along with a task that is given refs to them: a message is limited.
MOST_GIVEN: Final = 128 << 20


class Arguments:
    """Brings tasks to their queues."""

    __slots__ = (
        "_asking",
        "_doomed",
        "_fails",
        "_refs",
        "_sched",
        "call_ready",
        "fail",
        "pending",
        "settling",
        "to_pump",
    )

    def __init__(self, refs: References, asking: Asking, sched: Scheduler) -> None:
        self._refs = refs
        self._asking = asking
        self._sched = sched
        #: Tasks and calls that wait for arguments, back off, or are being judged.
        self.pending: dict[TaskID, Record] = {}
        #: While results are settled, the classes of tasks that had waited for them: a lease may be idle afterwards.
        self.settling = False
        self.to_pump: list[SchedulingClass] = []
        #: Tasks that have an error for an argument. Each may be another's argument, in long chains.
        self._doomed: deque[tuple[Record, Value]] = deque()
        self._fails = False
        #: Ends a task whose argument is an error (`Tasks` sets it).
        self.fail: Callable[[Record, Value, float], None]
        #: Told of a call that may be pushed (`Calls` sets it).
        self.call_ready: Callable[[Record, float], None]

    def submit(self, record: Record, deps: list[ObjectID], now: float) -> None:
        """A task whose arguments include refs: hold them, and queue it when the top-level ones have values."""
        task = record.task
        held = list(deps)
        for info in task.refs or ():
            held.append(info.object)
            self._refs.hold(info.object, info.owner_address)
        for dep in deps:
            self._refs.hold(dep)
        record.held = held
        record.deps = deps or None
        record.state = WAITING
        self.wait(record, now)

    def wait(self, record: Record, now: float) -> None:
        """Its state says that it waits: go on when all its arguments have values, which may be now."""
        self.pending[record.task.id] = record
        record.missing = 0
        for dep in dict.fromkeys(record.deps or ()):
            entry = self._refs.objects[dep]
            if entry.value is None:
                self.wait_for(record, dep, entry)
        if record.missing == 0:
            self._ready(record, now)

    def ask_anew(self, record: Record) -> None:
        """An argument was not where it was said to be: owners of others' objects may know better by now."""
        for dep in dict.fromkeys(record.deps or ()):
            value = self._refs.objects[dep].value
            if isinstance(value, Stored):
                self._asking.ask_anew(dep, value)

    def wait_for(self, record: Record, dep: ObjectID, entry: ObjectEntry) -> None:
        """It waits for this one, too."""
        record.missing += 1
        if entry.more is None:
            entry.more = Borrowing()
        entry.more.dependents.append(record)
        self._asking.ask(dep, entry)

    def value_arrived(self, entry: ObjectEntry, now: float) -> None:
        """Tasks that waited for this object may go on."""
        more = entry.more
        if more is None or not more.dependents:
            return
        dependents, more.dependents = more.dependents, []
        for record in dependents:
            if record.state == WAITING:
                record.missing -= 1
                if record.missing == 0:
                    self._ready(record, now)

    def _ready(self, record: Record, now: float) -> None:
        """Put the values in; an argument that is an error is the task's own result (as in Ray)."""
        args: list[Arg] = []
        weight = 0
        for dep in record.deps or ():
            entry = self._refs.objects[dep]
            value = entry.value
            if value is None:
                raise AssertionError(f"argument {dep.hex()} of {record.task.id.hex()} is ready and has no value")
            if isinstance(value, Failed | Fault):
                self._doomed.append((record, value))
                self._fail_all(now)
                return
            address = entry.more.owner_address if entry.more is not None else ""
            args.append(Arg(dep, value, address or self._refs.address))
            if type(value) is bytes:
                weight += len(value)
            elif isinstance(value, Packed):
                weight += len(value.data) + sum(map(len, value.buffers or ()))
        record.weight = weight
        if weight > MOST_GIVEN:
            self._doomed.append((record, faults.given_too_much(record, MOST_GIVEN)))
            self._fail_all(now)
            return
        record.task.deps = args or None
        record.apply("arguments ready")
        self.pending.pop(record.task.id, None)
        self.enqueue(record, now)

    def _fail_all(self, now: float) -> None:
        if self._fails:
            return  # whoever does it comes to this one
        self._fails = True
        try:
            while self._doomed:
                record, value = self._doomed.popleft()
                if record.state == WAITING:
                    self.fail(record, value, now)
        finally:
            self._fails = False

    def enqueue(self, record: Record, now: float) -> None:
        """Nothing is missing."""
        target = record.target
        if isinstance(target, SchedulingClass):
            if record.task.deps:
                target = record.target = self._sched.near(target, record.task.deps)
            target.mixed = True
            target.queue.append(record)
            if self.settling:
                self.to_pump.append(target)
            else:
                self._sched.pump(target, now)
        else:
            self.call_ready(record, now)

    def let_go(self, record: Record) -> None:
        """It needs its arguments no more."""
        held, record.held = record.held, None
        record.task.deps = None
        for object_ in held or ():
            self._refs.release(object_)

    def check(self) -> None:
        """Raises AssertionError when records that wait for arguments contradict themselves."""
        for record in self.pending.values():
            if record.state == WAITING:
                absent = [dep for dep in dict.fromkeys(record.deps or ()) if self._refs.objects[dep].value is None]
                assert len(absent) == record.missing, f"{record.task.id.hex()} waits for {record.missing}, not {absent}"
