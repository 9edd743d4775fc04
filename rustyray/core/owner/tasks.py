"""How tasks and calls end: results settle their objects, and a failure that is final becomes the objects' value.

The decision between racing events (a result, a cancellation, a dead worker) falls here, once: whichever comes first
takes the record out of its lease.
"""

from __future__ import annotations

from collections.abc import Callable

from rustyray.core.effects import Effect
from rustyray.core.owner import faults
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.freeing import Freeing, replaces
from rustyray.core.owner.history import History
from rustyray.core.owner.lineage import Lineage
from rustyray.core.owner.records import DONE, Lease, ObjectEntry, Record, SchedulingClass
from rustyray.core.owner.references import References, refs_inside
from rustyray.core.owner.retries import Retries
from rustyray.core.owner.scheduling import Scheduler
from rustyray.core.owner.streams import NONE, Streams
from rustyray.model.ids import FIRST_RETURN, ObjectID, TaskID, WorkerID, object_id
from rustyray.model.messages import Done, Results
from rustyray.model.streams import DYNAMIC
from rustyray.model.values import Failed, Stored, Value


class Tasks:
    """From what a worker says of a task to its settled objects."""

    def __init__(
        self,
        refs: References,
        freeing: Freeing,
        sched: Scheduler,
        arguments: Arguments,
        history: History,
        out: list[Effect],
        jitter: Callable[[], float],
    ) -> None:
        self._refs = refs
        self._freeing = freeing
        self._sched = sched
        self._arguments = arguments
        self._history = history
        self.retries = Retries(refs, arguments, history, out, jitter, self.fail)
        self.streams = Streams(refs, freeing, arguments, out)
        self.lineage = Lineage(refs, arguments, history, self.streams)
        self.streams.forget = self.lineage.forget
        #: Values that attempts had made, of tasks whose last attempt failed with an exception.
        self._partly: dict[TaskID, list[Value]] = {}
        arguments.fail = self.fail
        #: Told of a call that is over, and failed (`Calls` sets it).
        self.call_failed: Callable[[Record, Value, float], None]

    # --- results ------------------------------------------------------------------------------------------------------

    def on_results(self, lease: Lease, message: Results, now: float) -> None:
        arguments = self._arguments
        arguments.settling = True
        record = self.take_results(lease.inflight, lease.worker, message, now)
        arguments.settling = False
        if record is not None:
            self._sched.learn(record, message.seconds / len(message.done))
        if message.spent:
            for cancelled in self._sched.spent(lease):
                self.fail(cancelled, faults.cancelled(cancelled), now)
        elif record is not None and not lease.inflight:
            self._sched.became_idle(lease, now)
        target = lease.target
        target.last_result = lease.heard = now
        lease.asked_back = False
        self._sched.pump(target, now)
        if arguments.to_pump:
            others, arguments.to_pump = arguments.to_pump, []
            for other in others:
                if other is not target and other.queue:
                    self._sched.pump(other, now)

    def take_results(
        self, inflight: dict[TaskID, Record], worker: WorkerID, message: Results, now: float
    ) -> Record | None:
        """Settle what ended on ``worker``; returns the last record that was still expected from it."""
        ready: list[ObjectID] = []
        last: Record | None = None
        stale = 0
        for done in message.done:
            record = inflight.get(done.task)
            # A generator that was given up, although its worker could be reached, may run there once more.
            if record is None or (done.attempt != record.task.attempt and record.task.returns < 0):
                self._stale(done, worker)
                stale += 1
                continue
            del inflight[done.task]
            last = record
            entry = record.entry
            values = done.values
            if (
                type(values) is bytes
                and not done.failed
                and done.kept is None
                and record.held is None
                and not record.alone
            ):
                # The common case, spelled out: one small value, no refs anywhere.
                record.state = DONE
                record.lease = None
                if entry is not None:
                    record.entry = entry.record = None
                    entry.value = values
                    if entry.watched:
                        entry.watched = False
                        ready.append(done.task + FIRST_RETURN)
                    if entry.more is not None:
                        self._tell_others(done.task + FIRST_RETURN, entry, now)
            else:
                self._finish(record, done, worker, ready, now)
        if last is not None:
            self._history.have_ended(message.done, worker, last, stale, now)
        self._refs.ready_effect(ready)
        return last

    def _stale(self, done: Done, worker: WorkerID) -> None:
        """A result of an attempt that was given up (its worker was declared dead, say): free what it holds."""
        if not isinstance(done.values, bytes):
            for index, value in enumerate(done.values):
                self._refs.receive(value, worker)
                self._refuse(object_id(done.task, index), value)
                self._refs.let_go(value)

    def _refuse(self, object_: ObjectID, value: Value) -> None:
        """What an attempt made that came to nothing is freed, unless it took the place of what is there."""
        entry = self._refs.objects.get(object_)
        if entry is not None and replaces(value, entry.value):
            self._refs.replace(entry, value)
        else:
            self._freeing.unwanted(object_, value)

    def _tell_others(self, object_: ObjectID, entry: ObjectEntry, now: float) -> None:
        more = entry.more
        if more is not None and more.watchers and entry.value is not None:
            watchers, more.watchers = more.watchers, []
            for watcher in watchers:
                self._refs.send_value(watcher, object_, entry.value)
        self._arguments.value_arrived(entry, now)

    def _finish(self, record: Record, done: Done, worker: WorkerID, ready: list[ObjectID], now: float) -> None:
        """An attempt ended: register what the worker keeps, then settle, retry or fail."""
        record.lease = None
        if done.kept:
            self._register_kept(record, worker, done.kept)
        values: list[Value] = [done.values] if isinstance(done.values, bytes) else done.values
        if done.failed and len(values) > 1 and record.task.returns == DYNAMIC:
            self.streams.expect_error(record)
        for value in values:
            self._refs.receive(value, worker)
        if self._partly:
            self._drop_part(record)
        if done.failed:
            if len(values) > 1:
                self._partly[done.task] = values[1:]
                for value in values[1:]:
                    self._refs.contain(value)
            self.retries.failed(record, values[0], now)
        elif record.task.returns < 0 and not self.streams.is_whole(record, values[1]):  # type: ignore[arg-type]
            self.retries.incomplete(record, now)
        else:
            record.apply("finish")
            self._settle(record, values, ready, now)
        for value in values:
            self._refs.let_go(value)

    def _drop_part(self, record: Record, used: int = 0) -> None:
        """Let go of what an attempt that failed had made before; the first of it are ``used``."""
        for index, value in enumerate(self._partly.pop(record.task.id, [])):
            if index >= used:
                self._refuse(object_id(record.task.id, index), value)
            self._refs.let_go(value)

    def _register_kept(self, record: Record, worker: WorkerID, kept: list[ObjectID]) -> None:
        infos = {info.object: info for info in record.task.refs or ()}
        for arg in record.task.deps or ():
            for info in refs_inside(arg.value):
                infos[info.object] = info
        self._refs.register(worker, [infos[object_] for object_ in kept if object_ in infos])

    def _settle(self, record: Record, values: list[Value], ready: list[ObjectID], now: float) -> None:
        task = record.task
        wanted_again = False
        settled: list[ObjectEntry] = []
        if task.returns < 0:
            values = [self.streams.list_of(values[0])]
            wanted_again = self.streams.finish(record, ready, now)
        for index, value in enumerate(values):
            object_ = object_id(task.id, index)
            entry = self._refs.objects.get(object_)
            if entry is None or entry.value is not None:
                wanted_again |= self._came_unasked(record, object_, entry, value)
                continue
            self._refs.settle(object_, entry, value, ready)
            if task.attempt or record.alone:
                if isinstance(value, Stored):
                    self._freeing.scattered[object_] = task.attempt
                else:  # an attempt before may have stored another, and not lived to say so
                    self._freeing.anywhere([object_], task.attempt)
            if isinstance(value, Stored) and record.retries != 0:
                wanted_again = True
            else:
                self._unlink(record, entry)
            settled.append(entry)
        if wanted_again:
            self.lineage.keep(record)
        else:
            self._arguments.let_go(record)
        # Last, because whoever takes the values may free them at once, and with them the lineage.
        for entry in settled:
            self._arguments.value_arrived(entry, now)
        if task.returns < 0:
            for object_ in self.streams.lost(record):
                self.lineage.replace(object_, self._refs.objects[object_], "it was lost", now)
            self.streams.over(record)

    def _came_unasked(self, record: Record, object_: ObjectID, entry: ObjectEntry | None, value: Value) -> bool:
        """A result that was freed, or has a value: another one of the task was lost. Whether it may have to be made
        again."""
        if entry is None and (record.task.attempt or record.alone):
            self._freeing.anywhere([object_], record.task.attempt)
        else:
            self._refuse(object_, value)
        if entry is None or not isinstance(entry.value, Stored):
            return False
        self._freeing.scattered[object_] = record.task.attempt
        if record.retries == 0:
            self._unlink(record, entry)
        return entry.record is record

    def _free_unheard(self, record: Record) -> None:
        """A worker that died may have stored the results, and not lived to say so."""
        for index in range(record.task.returns):
            object_ = object_id(record.task.id, index)
            entry = self._refs.objects.get(object_)
            if entry is not None and isinstance(entry.value, Stored):  # from an attempt before
                self._freeing.scattered[object_] = record.task.attempt
            else:
                self._freeing.anywhere([object_], record.task.attempt)

    def _unlink(self, record: Record, entry: ObjectEntry) -> None:
        if entry.record is record:
            entry.record = None
        if record.entry is entry:
            record.entry = None

    def _made(self, record: Record, value: Value) -> list[Value]:
        """What a task that fails with ``value`` has returned all the same: what it had made before it raised."""
        if not isinstance(value, Failed):
            return []
        if record.task.returns < 0 and record.task.returns != DYNAMIC:
            return [NONE]  # the error is the last item
        part = self._partly.get(record.task.id, [])
        return [self.streams.list_of(part[0])] if part and record.task.returns == DYNAMIC else part

    def fail(self, record: Record, value: Value, now: float) -> None:
        """The task is over; ``value`` (`Failed` or `Fault`) becomes the value of each of its returns."""
        record.apply("fail")
        record.since = self._history.journal.now = now
        self._arguments.pending.pop(record.task.id, None)
        self._history.has_failed(record, value)
        ready: list[ObjectID] = []
        settled: list[ObjectEntry] = []
        made = self._made(record, value)
        if record.task.returns < 0:
            self.streams.fail(record, value, ready, now)
        for index in range(max(1, record.task.returns)):
            object_ = object_id(record.task.id, index)
            entry = self._refs.objects.get(object_)
            if entry is None or entry.value is not None:
                if index < len(made):
                    self._refuse(object_, made[index])
                if entry is not None:
                    self._unlink(record, entry)  # what it would be made of is let go
                continue
            self._unlink(record, entry)
            self._refs.settle(object_, entry, made[index] if index < len(made) else value, ready)
            settled.append(entry)
        self._drop_part(record, len(made))
        if record.alone:
            self._free_unheard(record)
        self._arguments.let_go(record)
        for entry in settled:
            self._arguments.value_arrived(entry, now)
        if record.task.returns < 0:
            self.streams.over(record)
        self._refs.ready_effect(ready)
        if not isinstance(record.target, SchedulingClass):
            self.call_failed(record, value, now)
