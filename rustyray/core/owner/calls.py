"""Calls of actors: their order, and what becomes of those that an actor had when it went.

Calls of one process to one actor are pushed in the order in which they were made, whatever their arguments wait for. A
call that is not on the actor's worker is in its link's ``queue``, in order; when the actor restarts, the calls that may
be retried go back to the front, in order. At most once is the default: without ``max_task_retries`` a call that was in
flight when the actor died fails.
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, Send
from rustyray.core.owner import faults
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.history import History
from rustyray.core.owner.records import DONE, PUSHED, QUEUED, WAITING, ActorLink, Record
from rustyray.core.owner.references import References
from rustyray.core.owner.tasks import Tasks
from rustyray.core.past import Batch
from rustyray.exceptions import PendingCallsLimitExceeded
from rustyray.model.ids import ActorID, ObjectID, WorkerID, handle_id
from rustyray.model.messages import HEAD, ActorState, Call, CancelTask, PushCalls, Results, Task, WatchActor
from rustyray.model.plans import MethodPlan
from rustyray.model.values import Value

#: Calls on their way to one actor at a time; more wait here, where they can be cancelled.
WINDOW: Final = 2000
#: Calls that may wait for company before they are sent (a lone call never waits).
BATCH: Final = 64
#: So many bytes of small values that they are given go with the calls of one message, or with one call alone.
TOGETHER: Final = 32 << 20
CREATION: Final = MethodPlan("__init__")


class Calls:
    """The calls that are not done, by actor."""

    def __init__(
        self, refs: References, tasks: Tasks, arguments: Arguments, history: History, out: list[Effect]
    ) -> None:
        self.refs = refs
        self.tasks = tasks
        self._arguments = arguments
        self._pushed = history.pushed
        self.journal = history.journal
        self.out = out
        self.links: dict[ActorID, ActorLink] = {}
        self.by_worker: dict[WorkerID, ActorLink] = {}
        self.unsent: dict[ActorID, ActorLink] = {}
        #: Told that a constructor's arguments are there, or have failed (`Actors` sets them).
        self.creation_ready: Callable[[ActorLink, Record], None]
        self.creation_failed: Callable[[ActorLink, Value, float], None]
        arguments.call_ready = self._on_arguments
        tasks.retries.call_returns = self._on_return
        tasks.call_failed = self._on_failed
        tasks.lineage.recall = self._recall

    def link(self, actor: ActorID, max_task_retries: int) -> ActorLink:
        link = self.links.get(actor)
        if link is None:
            link = self.links[actor] = ActorLink(actor, max_task_retries)
        return link

    # --- calling ------------------------------------------------------------------------------------------------------

    def link_for(self, actor: ActorID, max_task_retries: int) -> ActorLink:
        """What is known of an actor; the first time, the head is asked to keep us informed."""
        link = self.link(actor, max_task_retries)
        if not link.watching:
            link.watching = True
            self.out.append(Send(HEAD, WatchActor(actor)))
        return link

    def call(self, link: ActorLink, record: Record, deps: list[ObjectID], now: float) -> None:
        if link.state == ActorState.DEAD:
            self.tasks.fail(record, faults.actor_dead(link, record), now)
            return
        if link.state == ActorState.RESTARTING:
            if record.retries == 0:
                self.tasks.fail(record, faults.actor_unavailable(link, record), now)
                return
            if record.retries > 0:
                record.retries -= 1
        if not link.held:
            self._hold_handle(link)
        if deps and record.plan.unordered:  # type: ignore[union-attr]
            link.waiting[record.task.id] = record
            self._arguments.submit(record, deps, now)
            return
        link.queue.append(record)
        if deps or record.task.refs:
            self._arguments.submit(record, deps, now)
        elif link.state == ActorState.ALIVE:
            if not link.inflight or len(link.queue) >= BATCH:
                self.pump(link)
            else:
                self.unsent[link.actor] = link

    def check_pending(self, link: ActorLink, plan: MethodPlan) -> None:
        """Raises PendingCallsLimitExceeded if one call more would be too many."""
        queued = sum(record.state != DONE for record in link.queue)
        pending = queued + len(link.waiting) + len(link.inflight) - (link.actor in link.inflight)
        if pending >= plan.max_pending:
            raise PendingCallsLimitExceeded(
                f"{plan.name}(): {pending} calls of actor {link.actor.hex()} are pending, as many as its "
                f"max_pending_calls={plan.max_pending} allows: get() or wait() for some of them first"
            )

    def pump(self, link: ActorLink) -> None:
        """Push the calls at the front of the queue whose arguments are there."""
        self.unsent.pop(link.actor, None)
        queue, inflight = link.queue, link.inflight
        calls: list[Call] = []
        room = TOGETHER
        while queue and len(inflight) < WINDOW and link.state == ActorState.ALIVE:
            record = queue[0]
            if record.state == DONE:
                queue.popleft()
                continue
            if record.state != QUEUED:
                break
            if record.weight:
                if calls and record.weight > room:
                    self._push(link, calls)
                    calls, room = [], TOGETHER
                room -= record.weight
            queue.popleft()
            call = record.task
            if isinstance(call, Task):
                raise AssertionError(f"{call.id.hex()} is a task in an actor's queue")
            call.seq = link.seq
            link.seq += 1
            record.state = PUSHED
            inflight[call.id] = record
            calls.append(call)
        if calls:
            self._push(link, calls)
        elif link.held and not queue and not link.waiting and len(inflight) == (link.actor in inflight):
            self._release_handle(link)  # what is left is its creation, whose arguments a restart will need

    def _push(self, link: ActorLink, calls: list[Call]) -> None:
        ids = b"".join([call.id for call in calls]) if len(calls) > 1 else b""
        self._pushed.add(Batch(self.journal.now, link.worker, calls[0].id, len(calls), ids))
        self.out.append(Send(link.worker, PushCalls(calls), link.address))

    def on_results(self, link: ActorLink, message: Results, now: float) -> None:
        self.tasks.take_results(link.inflight, link.worker, message, now)
        self.pump(link)

    def cancel(self, link: ActorLink, record: Record, recursive: bool, now: float) -> None:
        """A call that has not been pushed never runs; one that was is cancelled by the actor's worker, if it can be."""
        if record.state == DONE or record.cancelled:
            return
        record.cancelled = True
        if record.state == PUSHED:
            self.out.append(Send(link.worker, CancelTask(record.task.id, False, recursive), link.address))
        else:
            self.tasks.fail(record, faults.cancelled(record), now)

    def return_inflight(self, link: ActorLink, why: str, now: float) -> None:
        """Calls that were with the actor when it went: retried in order, or failed."""
        records = list(link.inflight.values())
        link.inflight.clear()
        for record in reversed(records):
            if record.retries != 0 and not record.cancelled:
                self.tasks.retries.retry(record, now)
        for record in records:
            record.alone = True
            if record.state == PUSHED:
                fault = faults.actor_over(link, record) if link.exited else faults.actor_unavailable(link, record, why)
                self.tasks.fail(record, fault, now)

    def end(self, link: ActorLink, now: float) -> None:
        """The actor is dead for good: all its calls fail, and so does its constructor."""
        creation = [link.creation] if link.creation is not None else []
        records = [*creation, *link.inflight.values(), *link.queue, *link.waiting.values()]
        link.creation = None
        link.waiting.clear()
        link.inflight.clear()
        link.queue.clear()
        for record in records:
            if record.state != DONE:
                record.alone = record.alone or record.state == PUSHED
                self.tasks.fail(record, faults.actor_dead(link, record), now)
        self._release_handle(link)

    # --- what the task layer tells us ---------------------------------------------------------------------------------

    def _recall(self, record: Record) -> bool:
        """The result of a call is lost with its node. The call is made again, if there is the actor."""
        link = self.links.get(record.task.actor)  # type: ignore[union-attr]
        if link is None or link.state == ActorState.DEAD:
            return False
        if not link.held:
            self._hold_handle(link)
        link.waiting[record.task.id] = record
        return True

    def _on_arguments(self, record: Record, now: float) -> None:
        link = self.links[record.task.actor]  # type: ignore[union-attr]
        if record.plan is CREATION:
            self.creation_ready(link, record)
        else:
            if link.waiting.pop(record.task.id, None) is not None:
                if record.task.attempt:
                    _put_back(link.queue, record)
                else:
                    link.queue.append(record)
            self.pump(link)

    def _on_return(self, record: Record, now: float) -> None:
        link = self.links[record.task.actor]  # type: ignore[union-attr]
        _put_back(link.queue, record)

    def _on_failed(self, record: Record, value: Value, now: float) -> None:
        link = self.links.get(record.task.actor)  # type: ignore[union-attr]
        if link is None:
            return
        link.waiting.pop(record.task.id, None)
        if record.plan is CREATION and link.state == ActorState.PENDING:
            self.creation_failed(link, value, now)
        elif link.state == ActorState.ALIVE:
            self.pump(link)

    # --- handles ------------------------------------------------------------------------------------------------------

    def _hold_handle(self, link: ActorLink) -> None:
        """Pending calls keep the actor alive, as one handle more."""
        entry = self.refs.objects.get(handle_id(link.actor))
        if entry is not None and not link.held:
            link.held = True
            entry.holds += 1

    def _release_handle(self, link: ActorLink) -> None:
        if link.held:
            link.held = False
            self.refs.release(handle_id(link.actor))

    def check(self) -> None:
        """Raises AssertionError when a link contradicts itself."""
        for link in self.links.values():
            for record in link.queue:
                assert record.state != PUSHED, f"{record.task.id.hex()} is queued and pushed"
            for record in link.waiting.values():
                assert record.state == WAITING, f"{record.task.id.hex()} waits apart while {record.state}"
            for record in link.inflight.values():
                assert record.state == PUSHED, f"{record.task.id.hex()} is in flight while {record.state}"
            if link.state == ActorState.DEAD:
                left = [*link.queue, *link.inflight, *link.waiting]
                assert not left, f"dead actor {link.actor.hex()} still has calls"


def _put_back(queue: deque[Record], record: Record) -> None:
    """It goes before all that were called after it: these may wait for what it returns. (A queue that is not in their
    order is one in which none waits for another.)"""
    queue.insert(bisect(queue, record.task.id, key=lambda other: other.task.id), record)
