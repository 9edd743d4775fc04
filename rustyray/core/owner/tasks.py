"""The life of tasks: submission, arguments, results, retries, cancellation.

A task whose arguments are there is queued in its scheduling class. A result settles its objects; a failure is retried
if the plan allows it, and otherwise becomes the objects' value. The decision between racing events (a result, a
cancellation, a dead worker) falls here, once: whichever comes first takes the record out of its lease.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, JudgeFailure, Send
from rustyray.core.owner.counting import Counts, Latency
from rustyray.core.owner.lineage import Lineage
from rustyray.core.owner.records import (
    BACKOFF,
    DONE,
    PUSHED,
    QUEUED,
    WAITING,
    Borrowing,
    Lease,
    ObjectEntry,
    Record,
    SchedulingClass,
    is_creation,
)
from rustyray.core.owner.references import References, refs_inside
from rustyray.core.owner.scheduling import Scheduler
from rustyray.core.past import Batch, Batches, is_range
from rustyray.core.story import Journal
from rustyray.core.telling import why
from rustyray.model.ids import FIRST_RETURN, ObjectID, TaskID, WorkerID, object_id
from rustyray.model.messages import Arg, CancelTask, Done, KilledForMemory, Results
from rustyray.model.plans import TaskPlan
from rustyray.model.values import Failed, Fault, FaultKind, Stored, Value

#: Seconds after which a task is tried again whose argument could not be had, doubled each time. By then it is known
#: that the node which had it is dead, and the argument is made again.
ARGUMENT_LOST: Final = 1.0
#: Seconds after which a task is tried again whose worker was killed for its memory, doubled each time, so many times.
MEMORY_PAUSE: Final = 0.5
MEMORY_DOUBLINGS: Final = 6


class Tasks:
    """Everything between `submit` and a settled object."""

    def __init__(
        self, refs: References, sched: Scheduler, out: list[Effect], jitter: Callable[[], float], journal: Journal
    ) -> None:
        self.refs = refs
        self.journal = journal
        #: What was pushed to workers last, and what has ended well there.
        self.pushed = sched.pushed
        self.ended = Batches()
        self.counts, self.call_counts, self.latency = Counts(), Counts(), Latency()
        self.sched = sched
        self.out = out
        self.jitter = jitter
        self.pending: dict[TaskID, Record] = {}  # waiting for arguments, backing off, or being judged
        self._backoff: list[tuple[float, int, Record]] = []
        self._order = 0
        #: While results are settled, the classes of tasks that had waited for them: a lease may be idle afterwards.
        self._to_pump: list[SchedulingClass] = []
        self._settling = False
        self._judging: dict[TaskID, tuple[Record, Failed]] = {}
        self.lineage = Lineage(refs, self)
        # Actor calls keep their order in their link's queue; these three are the link's part (`Calls` sets them).
        self.call_ready: Callable[[Record, float], None] = _no_calls
        self.call_returns: Callable[[Record, float], None] = _no_calls
        self.call_failed: Callable[[Record, Value, float], None] = lambda record, value, now: _no_calls(record, now)
        #: Told of each attempt that failed, and of what becomes of the task (None: it is tried again).
        self.on_failure: Callable[[Record, Value | None], None] | None = None

    # --- submission ---------------------------------------------------------------------------------------------------

    def submit(self, record: Record, deps: list[ObjectID], now: float) -> None:
        """A task whose arguments include refs: hold them, and queue it when the top-level ones have values."""
        task = record.task
        held = list(deps)
        for info in task.refs or ():
            held.append(info.object)
            self.refs.hold(info.object, info.owner_address)
        for dep in deps:
            self.refs.hold(dep)
        record.held = held
        record.deps = deps or None
        record.state = WAITING
        self.pending[task.id] = record
        self.await_arguments(record)
        if record.missing == 0:
            self.arguments_ready(record, now)

    def await_arguments(self, record: Record) -> None:
        record.missing = 0
        for dep in dict.fromkeys(record.deps or ()):
            entry = self.refs.objects[dep]
            if entry.value is None:
                self.await_argument(record, dep, entry)

    def await_argument(self, record: Record, dep: ObjectID, entry: ObjectEntry) -> None:
        record.missing += 1
        if entry.more is None:
            entry.more = Borrowing()
        entry.more.dependents.append(record)
        self.refs.ask(dep, entry)

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
                    self.arguments_ready(record, now)

    def arguments_ready(self, record: Record, now: float) -> None:
        """Put the values in; an argument that is an error is the task's own result (as in Ray)."""
        args: list[Arg] = []
        for dep in record.deps or ():
            entry = self.refs.objects[dep]
            value = entry.value
            if value is None:
                raise AssertionError(f"argument {dep.hex()} of {record.task.id.hex()} is ready and has no value")
            if isinstance(value, Failed | Fault):
                self.fail(record, value, now)
                return
            address = entry.more.owner_address if entry.more is not None else ""
            args.append(Arg(dep, value, address or self.refs.address))
        record.task.deps = args or None
        record.apply("arguments ready")
        self.pending.pop(record.task.id, None)
        self.enqueue(record, now)

    def enqueue(self, record: Record, now: float) -> None:
        target = record.target
        if isinstance(target, SchedulingClass):
            if record.task.deps:
                target = record.target = self.sched.near(target, record.task.deps)
            target.mixed = True
            target.queue.append(record)
            if self._settling:
                self._to_pump.append(target)
            else:
                self.sched.pump(target, now)
        else:
            self.call_ready(record, now)

    # --- results ------------------------------------------------------------------------------------------------------

    def on_results(self, lease: Lease, message: Results, now: float) -> None:
        self._settling = True
        record = self.take_results(lease.inflight, lease.worker, message, now)
        self._settling = False
        if record is not None:
            self.sched.learn(record, message.seconds / len(message.done))
            if not lease.inflight:
                self.sched.became_idle(lease, now)
        target = lease.target
        target.last_result = lease.heard = now
        lease.asked_back = False
        self.sched.pump(target, now)
        if self._to_pump:
            others, self._to_pump = self._to_pump, []
            for other in others:
                if other is not target and other.queue:
                    self.sched.pump(other, now)

    def take_results(
        self, inflight: dict[TaskID, Record], worker: WorkerID, message: Results, now: float
    ) -> Record | None:
        """Settle what ended on ``worker``; returns the last record that was still expected from it."""
        ready: list[ObjectID] = []
        last: Record | None = None
        stale = 0
        for done in message.done:
            record = inflight.pop(done.task, None)
            if record is None:
                self._stale(done, worker)
                stale += 1
                continue
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
            self._remember(message.done, worker, last, stale, now)
        self.refs.ready_effect(ready)
        return last

    def _stale(self, done: Done, worker: WorkerID) -> None:
        """A result of an attempt that was given up (its worker was declared dead, say): free what it holds."""
        if not isinstance(done.values, bytes):
            for index, value in enumerate(done.values):
                self.refs.forget_stored(object_id(done.task, index), value)
                self.refs.receive(value, worker)
                self.refs.let_go(value)

    def _tell_others(self, object_: ObjectID, entry: ObjectEntry, now: float) -> None:
        more = entry.more
        if more is not None and more.watchers and entry.value is not None:
            watchers, more.watchers = more.watchers, []
            for watcher in watchers:
                self.refs.send_value(watcher, object_, entry.value)
        self.value_arrived(entry, now)

    def _finish(self, record: Record, done: Done, worker: WorkerID, ready: list[ObjectID], now: float) -> None:
        """An attempt ended: register what the worker keeps, then settle, retry or fail."""
        record.lease = None
        if done.kept:
            self._register_kept(record, worker, done.kept)
        values: list[Value] = [done.values] if isinstance(done.values, bytes) else done.values
        for value in values:
            self.refs.receive(value, worker)
        if done.failed:
            self._failed(record, values[0], now)
        else:
            record.apply("finish")
            self._settle(record, values, ready, now)
        for value in values:
            self.refs.let_go(value)

    def _register_kept(self, record: Record, worker: WorkerID, kept: list[ObjectID]) -> None:
        infos = {info.object: info for info in record.task.refs or ()}
        for arg in record.task.deps or ():
            for info in refs_inside(arg.value):
                infos[info.object] = info
        self.refs.register(worker, [infos[object_] for object_ in kept if object_ in infos])

    def _settle(self, record: Record, values: list[Value], ready: list[ObjectID], now: float) -> None:
        task = record.task
        wanted_again = False
        settled: list[ObjectEntry] = []
        for index, value in enumerate(values):
            object_ = object_id(task.id, index)
            entry = self.refs.objects.get(object_)
            if entry is None or entry.value is not None:
                self.refs.forget_stored(object_, value)
                continue
            self.refs.settle(object_, entry, value, ready)
            if record.task.attempt or record.alone:
                if isinstance(value, Stored):
                    self.refs.scattered[object_] = True
                else:  # an attempt before may have stored another, and not lived to say so
                    self.refs.free_stored([object_], record.task.attempt)
            if isinstance(value, Stored) and isinstance(record.plan, TaskPlan) and record.retries != 0:
                wanted_again = True
            else:
                self._unlink(record, entry)
            settled.append(entry)
        if wanted_again:
            self.lineage.keep(record)
        else:
            self.let_go(record)
        # Last, because whoever takes the values may free them at once, and with them the lineage.
        for entry in settled:
            self.value_arrived(entry, now)

    def _unlink(self, record: Record, entry: ObjectEntry) -> None:
        if entry.record is record:
            entry.record = None
        if record.entry is entry:
            record.entry = None

    def let_go(self, record: Record) -> None:
        held, record.held = record.held, None
        record.task.deps = None
        for object_ in held or ():
            self.refs.release(object_)

    # --- failures -----------------------------------------------------------------------------------------------------

    def counts_of(self, record: Record) -> Counts:
        return self.counts if isinstance(record.target, SchedulingClass) else self.call_counts

    def _failed(self, record: Record, value: Value, now: float) -> None:
        self.counts_of(record).finished -= 1
        if record.cancelled:
            self.fail(record, self.cancelled_fault(record), now)
            return
        if record.retries != 0:
            self.note(record, "attempt failed", value)
        if isinstance(value, Failed) and record.retries != 0:
            on_error = record.plan.retry.on_error
            if on_error is True:
                self.retry(record, now)
                return
            if on_error is not False:
                self._judging[record.task.id] = (record, value)
                self.refs.contain(value)
                self._leave_worker(record, now)
                self.out.append(JudgeFailure(record.task.id, value))
                return
        if isinstance(value, Fault) and value.kind is FaultKind.OBJECT_LOST and record.deps and record.retries != 0:
            self._leave_worker(record, now)
            self._back_off(record, now, ARGUMENT_LOST * 2.0**record.task.attempt)
            return
        self.fail(record, value, now)

    def judged_record(self, task: TaskID) -> Record | None:
        """The record that a `JudgeFailure` is about, while the question is open."""
        return self._judging.get(task, (None, None))[0]

    def judged(self, task: TaskID, retry: bool, now: float) -> None:
        """The host's answer to `JudgeFailure`."""
        record, value = self._judging.pop(task, (None, None))
        if record is None or value is None:
            return
        if record.state != BACKOFF:
            pass  # it was failed meanwhile, by a cancellation or the end of the runtime
        elif retry and not record.cancelled:
            self._back_off(record, now)
        else:
            self.fail(record, self.cancelled_fault(record) if record.cancelled else value, now)
        self.refs.let_go(value)

    def retry(self, record: Record, now: float) -> None:
        self._leave_worker(record, now)
        self._back_off(record, now)

    def _leave_worker(self, record: Record, now: float) -> None:
        record.apply("retry")
        record.lease = None
        if self.on_failure is not None:
            self.on_failure(record, None)
        self.pending[record.task.id] = record
        if not isinstance(record.target, SchedulingClass):
            self.call_returns(record, now)

    def _back_off(self, record: Record, now: float, least: float = 0.0) -> None:
        if record.retries > 0:
            record.retries -= 1
        policy = record.plan.retry
        delay = max(least, min(policy.maximum, policy.initial * policy.factor**record.task.attempt))
        record.task.attempt += 1
        record.since = self.journal.now = now
        self.note(record, "retry")
        self.counts_of(record).retried += 1
        self._order += 1
        if delay > 0:
            heapq.heappush(self._backoff, (now + delay * (0.5 + self.jitter() / 2), self._order, record))
        else:
            self._again(record, now)

    def _again(self, record: Record, now: float) -> None:
        record.apply("back-off over")
        self.pending.pop(record.task.id, None)
        if record.deps:  # they may be elsewhere by now, or have to be made again
            record.apply("arguments lost")
            self.pending[record.task.id] = record
            self.await_arguments(record)
            if record.missing == 0:
                self.arguments_ready(record, now)
            return
        self.enqueue(record, now)

    def fail(self, record: Record, value: Value, now: float) -> None:
        """The task is over; ``value`` (`Failed` or `Fault`) becomes the value of each of its returns."""
        record.apply("fail")
        record.since = self.journal.now = now
        if not is_creation(record):
            self._count_failure(record, value)
        self.pending.pop(record.task.id, None)
        if self.on_failure is not None:
            self.on_failure(record, value)
        ready: list[ObjectID] = []
        settled: list[ObjectEntry] = []
        for index in range(max(1, record.task.returns)):
            object_ = object_id(record.task.id, index)
            entry = self.refs.objects.get(object_)
            if entry is None or entry.value is not None:
                continue
            self._unlink(record, entry)
            self.refs.settle(object_, entry, value, ready)
            settled.append(entry)
        if record.alone:
            # A worker that died may have stored the results, and not lived to say so.
            objects = [object_id(record.task.id, index) for index in range(record.task.returns)]
            self.refs.free_stored(objects, record.task.attempt)
        self.let_go(record)
        for entry in settled:
            self.value_arrived(entry, now)
        self.refs.ready_effect(ready)
        if not isinstance(record.target, SchedulingClass):
            self.call_failed(record, value, now)

    def _remember(self, done: list[Done], worker: WorkerID, last: Record, stale: int, now: float) -> None:
        """That these ended. Tasks end in order, unless some were queued again; an actor's calls as they please."""
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

    def _count_failure(self, record: Record, value: Value) -> None:
        cancelled = isinstance(value, Fault) and value.kind is FaultKind.TASK_CANCELLED
        self.note(record, "cancelled" if cancelled else "failed", value)
        counts = self.counts_of(record)
        if cancelled:
            counts.cancelled += 1
        else:
            counts.failed += 1

    def note(self, record: Record, what: str, cause: Value | None = None) -> None:
        """Remember what happened to a task. Of a long value only its sentence is kept."""
        task = record.task
        text = why(cause) if cause is not None else None
        worker = record.lease.worker if record.lease is not None else b""
        self.journal.note("task", task.id, what, text, name=record.plan.name, attempt=task.attempt, process=worker)

    def worker_died(self, lease: Lease, reason: str, now: float, for_memory: KilledForMemory | None = None) -> None:
        """The first task in flight was running: it used up an attempt. The others were only near, and go alone next."""
        records = list(lease.inflight.values())
        lease.inflight.clear()
        for position, record in enumerate(records):
            record.lease = None
            if record.cancelled and not record.forced:
                self.fail(record, self.cancelled_fault(record), now)
            elif position > 0 and record.retries != 0:
                record.apply("give back")
                record.alone = True
                self.enqueue(record, now)
            elif record.retries != 0 and not record.forced:
                record.alone = True
                if for_memory is not None:
                    self._try_with_more_room(record, for_memory, now)
                else:
                    self.retry(record, now)
            else:
                record.alone = True
                self.fail(record, self._crash_fault(record, lease, reason, for_memory), now)

    def _try_with_more_room(self, record: Record, killed: KilledForMemory, now: float) -> None:
        """After a while, when others may be done; an attempt that does not count does not use one up."""
        if not killed.counts:
            record.retries += record.retries > 0
            record.task.max_attempts += record.task.max_attempts > 0
        self._leave_worker(record, now)
        self._back_off(record, now, MEMORY_PAUSE * 2.0 ** min(record.task.attempt, MEMORY_DOUBLINGS))

    def _crash_fault(self, record: Record, lease: Lease, reason: str, for_memory: KilledForMemory | None) -> Fault:
        task = record.task
        text = f"the worker died while it ran the task: {reason}"
        return Fault(
            FaultKind.WORKER_CRASHED if for_memory is None else FaultKind.OUT_OF_MEMORY,
            text if for_memory is None else for_memory.reason,
            task=task.id,
            function=record.plan.name,
            attempt=task.attempt,
            max_attempts=task.max_attempts,
            pid=lease.pid,
            worker=lease.worker,
            node=lease.node,
        )

    # --- cancellation -------------------------------------------------------------------------------------------------

    def cancelled_fault(self, record: Record) -> Fault:
        task = record.task
        return Fault(
            FaultKind.TASK_CANCELLED,
            "the task was cancelled",
            task=task.id,
            function=record.plan.name,
            attempt=task.attempt,
            max_attempts=task.max_attempts,
        )

    def cancel(self, record: Record, force: bool, recursive: bool, now: float) -> None:
        """What has not started never runs; what runs is interrupted, or with ``force`` its worker is killed."""
        if record.state == DONE or (record.cancelled and not force):
            return
        record.cancelled = True
        record.forced = record.forced or force
        if record.state == PUSHED and record.lease is not None:
            self.out.append(
                Send(record.lease.worker, CancelTask(record.task.id, force, recursive), record.lease.address)
            )
            return
        if record.state == QUEUED and isinstance(record.target, SchedulingClass):
            record.target.queue.remove(record)
        self.fail(record, self.cancelled_fault(record), now)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        return self._backoff[0][0] if self._backoff else None

    def on_time(self, now: float) -> None:
        while self._backoff and self._backoff[0][0] <= now:
            record = heapq.heappop(self._backoff)[2]
            if record.state == BACKOFF:
                self._again(record, now)

    def check(self) -> None:
        """Raises AssertionError when records contradict their state."""
        for record in self.pending.values():
            assert record.state in (WAITING, BACKOFF), f"{record.task.id.hex()} is pending while {record.state}"
            if record.state == WAITING:
                absent = [dep for dep in dict.fromkeys(record.deps or ()) if self.refs.objects[dep].value is None]
                assert len(absent) == record.missing, f"{record.task.id.hex()} waits for {record.missing}, not {absent}"


def _no_calls(record: Record, now: float) -> None:
    raise AssertionError(f"{record.task.id.hex()} is a call, and no actor layer is connected")
