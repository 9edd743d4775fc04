"""Attempts that came to nothing: which tasks are tried again, and when.

An attempt fails by itself (the plan, or the user's function, says which errors count), with its worker, or because an
argument could not be had. What is tried again waits a little: longer each time, and by chance, so that many that failed
together do not come together.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, JudgeFailure
from rustyray.core.owner import faults
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.history import History
from rustyray.core.owner.records import BACKOFF, WAITING, Lease, Record, SchedulingClass
from rustyray.core.owner.references import References
from rustyray.model.ids import TaskID
from rustyray.model.messages import KilledForMemory
from rustyray.model.values import Failed, Fault, FaultKind, Value

#: Seconds after which a task is tried again whose argument could not be had, doubled each time. By then it is known
#: that the node which had it is dead, and the argument is made again.
ARGUMENT_LOST: Final = 1.0
#: Seconds after which a task is tried again whose worker was killed for its memory, doubled each time.
MEMORY_PAUSE: Final = 0.5
#: Both are doubled so many times at most.
DOUBLINGS: Final = 6


class Retries:
    """Decides over failed attempts. ``fail`` ends a task for good; ``jitter`` draws numbers in [0, 1)."""

    def __init__(
        self,
        refs: References,
        arguments: Arguments,
        history: History,
        out: list[Effect],
        jitter: Callable[[], float],
        fail: Callable[[Record, Value, float], None],
    ) -> None:
        self._refs = refs
        self._arguments = arguments
        self._history = history
        self._out = out
        self._jitter = jitter
        self._fail = fail
        self._backoff: list[tuple[float, int, Record]] = []
        self._order = 0
        self._judging: dict[TaskID, tuple[Record, Failed]] = {}
        #: Told of a call that has left its worker, to take its place in the actor's queue (`Calls` sets it).
        self.call_returns: Callable[[Record, float], None]

    # --- how an attempt failed ----------------------------------------------------------------------------------------

    def failed(self, record: Record, value: Value, now: float) -> None:
        """Its worker says that it failed, with ``value``."""
        self._history.counts_of(record).finished -= 1
        if record.cancelled:
            self._fail(record, faults.cancelled(record), now)
            return
        if record.retries != 0:
            self._history.note(record, "attempt failed", value)
        if isinstance(value, Failed) and record.retries != 0:
            on_error = record.plan.retry.on_error
            if on_error is True:
                self.retry(record, now)
                return
            if on_error is not False:
                self._judging[record.task.id] = (record, value)
                self._refs.contain(value)
                self._leave_worker(record, now)
                self._out.append(JudgeFailure(record.task.id, value))
                return
        if isinstance(value, Fault) and value.kind is FaultKind.OBJECT_LOST and record.deps and record.retries != 0:
            self._arguments.ask_anew(record)
            self.retry(record, now, ARGUMENT_LOST * 2.0 ** min(record.task.attempt, DOUBLINGS))
            return
        self._fail(record, value, now)

    def incomplete(self, record: Record, now: float) -> None:
        """It has ended, but items of its stream were lost with the connection to its worker."""
        if record.retries != 0 and not record.cancelled:
            self._history.counts_of(record).finished -= 1
            self.retry(record, now)
        else:
            self.failed(record, faults.items_lost(record), now)

    def judged_record(self, task: TaskID) -> Record | None:
        """The record that a `JudgeFailure` is about, while the question is open."""
        return self._judging.get(task, (None, None))[0]

    def judged(self, task: TaskID, verdict: bool | Failed, now: float) -> None:
        """The host's answer to `JudgeFailure`: whether to retry, or what the task comes to, as that cannot be said."""
        record, value = self._judging.pop(task, (None, None))
        if record is None or value is None:
            return
        if record.state != BACKOFF:
            pass  # it was failed meanwhile, by a cancellation or the end of the runtime
        elif verdict is True and not record.cancelled:
            self._back_off(record, now)
        else:
            outcome = verdict if isinstance(verdict, Failed) else value
            self._fail(record, faults.cancelled(record) if record.cancelled else outcome, now)
        self._refs.let_go(value)

    def worker_died(
        self, lease: Lease, reason: str, now: float, for_memory: KilledForMemory | None = None, lives: bool = False
    ) -> None:
        """The first task in flight was running: it used up an attempt. The others were only near, and go alone next.

        A worker that ``lives``, and of which only the connection is lost, may still run them: then they come under
        another number.
        """
        records = list(lease.inflight.values())
        lease.inflight.clear()
        for position, record in enumerate(records):
            record.lease = None
            if record.cancelled and not record.forced:
                record.alone = True
                self._fail(record, faults.cancelled(record), now)
            elif position > 0 and record.retries != 0:
                record.apply("give back")
                record.alone = True
                if lives:
                    self._allow_another(record)
                    record.task.attempt += 1
                self._arguments.enqueue(record, now)
            elif record.retries != 0 and not record.forced:
                record.alone = True
                if for_memory is not None:
                    self._try_with_more_room(record, for_memory, now)
                else:
                    self.retry(record, now)
            else:
                record.alone = True
                self._fail(record, faults.crashed(record, lease, reason, for_memory), now)

    def _try_with_more_room(self, record: Record, killed: KilledForMemory, now: float) -> None:
        """After a while, when others may be done; an attempt that does not count does not use one up."""
        if not killed.counts:
            record.retries += record.retries > 0
            self._allow_another(record)
        self.retry(record, now, MEMORY_PAUSE * 2.0 ** min(record.task.attempt, DOUBLINGS))

    def _allow_another(self, record: Record) -> None:
        """The present attempt is none of those that the user allowed."""
        record.task.max_attempts += record.task.max_attempts > 0

    # --- the next one -------------------------------------------------------------------------------------------------

    def retry(self, record: Record, now: float, least: float = 0.0) -> None:
        """Try it again, after ``least`` seconds or more; it was on a worker."""
        self._leave_worker(record, now)
        self._back_off(record, now, least)

    def _leave_worker(self, record: Record, now: float) -> None:
        record.apply("retry")
        record.lease = None
        if self._history.on_failure is not None:
            self._history.on_failure(record, None)
        self._arguments.pending[record.task.id] = record
        if not isinstance(record.target, SchedulingClass):
            self.call_returns(record, now)

    def _back_off(self, record: Record, now: float, least: float = 0.0) -> None:
        if record.retries > 0:
            record.retries -= 1
        delay = max(least, record.plan.retry.delay(record.task.attempt))
        record.task.attempt += 1
        record.since = self._history.journal.now = now
        self._history.note(record, "retry")
        self._history.counts_of(record).retried += 1
        self._order += 1
        if delay > 0:
            heapq.heappush(self._backoff, (now + delay * (0.5 + self._jitter() / 2), self._order, record))
        else:
            self._again(record, now)

    def _again(self, record: Record, now: float) -> None:
        record.apply("back-off over")
        self._arguments.pending.pop(record.task.id, None)
        if record.deps:  # they may be elsewhere by now, or have to be made again
            record.apply("arguments lost")
            self._arguments.wait(record, now)
        else:
            self._arguments.enqueue(record, now)

    def next_deadline(self) -> float | None:
        return self._backoff[0][0] if self._backoff else None

    def on_time(self, now: float) -> None:
        while self._backoff and self._backoff[0][0] <= now:
            record = heapq.heappop(self._backoff)[2]
            if record.state == BACKOFF:
                self._again(record, now)

    def check(self) -> None:
        """Raises AssertionError when a task is pending that neither waits for arguments nor backs off."""
        for record in self._arguments.pending.values():
            assert record.state in (WAITING, BACKOFF), f"{record.task.id.hex()} is pending while {record.state}"
