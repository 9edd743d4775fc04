"""Actors, seen from a process that creates or calls them: creation, the order of calls, restarts.

Calls of one process to one actor are pushed in the order in which they were made, whatever their arguments wait for. A
call that is not on the actor's worker is in its link's ``queue``, in order; when the actor restarts, the calls that may
be retried go back to the front, in order. At most once is the default: without ``max_task_retries`` a call that was in
flight when the actor died fails.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, Send, Warn
from rustyray.core.owner import faults
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.history import History
from rustyray.core.owner.records import DONE, PUSHED, QUEUED, WAITING, ActorLink, Ending, Record
from rustyray.core.owner.references import References
from rustyray.core.owner.tasks import Tasks
from rustyray.core.past import Batch
from rustyray.core.telling import why
from rustyray.exceptions import PendingCallsLimitExceeded
from rustyray.model.ids import ActorID, ObjectID, WorkerID, handle_id
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorSpec,
    ActorState,
    Call,
    CancelTask,
    CreateActor,
    HeadError,
    KillActor,
    PushCalls,
    Results,
    Task,
    WatchActor,
)
from rustyray.model.plans import MethodPlan
from rustyray.model.values import Failed, Fault, FaultKind, Value

#: Calls on their way to one actor at a time; more wait here, where they can be cancelled.
WINDOW: Final = 2000
#: Calls that may wait for company before they are sent (a lone call never waits).
BATCH: Final = 64
#: Seconds to wait for the last words of a process that others call dead, before what it has not answered is given up.
LAST_WORDS: Final = 2.0
CREATION: Final = MethodPlan("__init__")


class Calls:
    """All actors that this process knows."""

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
        #: By worker; the owner's core ends them.
        self.endings: dict[WorkerID, Ending] = {}
        self._creations: dict[int, tuple[ActorLink, Record, bool]] = {}
        #: Has the head end an actor.
        self.kill: Callable[[KillActor], None]
        arguments.call_ready = self._on_arguments
        tasks.retries.call_returns = self._on_return
        tasks.call_failed = self._on_failed
        tasks.lineage.recall = self._recall

    # --- creation -----------------------------------------------------------------------------------------------------

    def create(
        self, spec: ActorSpec, record: Record, deps: list[ObjectID], request: int, existing: bool, now: float
    ) -> None:
        """Register the actor with the head once its arguments have values. ``request`` numbers the head's answer."""
        link = self.link(spec.actor, spec.max_task_retries)
        link.spec = spec
        link.watching = True
        self._creations[request] = (link, record, existing)
        link.creating = request
        record.target = link
        self._arguments.submit(record, deps, now)

    def _send_creation(self, link: ActorLink, record: Record) -> None:
        spec, task = link.spec, record.task
        if spec is None:
            raise AssertionError(f"actor {link.actor.hex()} is created without a spec")
        spec.args, spec.deps, spec.buffers, spec.refs = task.args, task.deps, task.buffers, task.refs
        record.state = PUSHED
        link.creation = record
        self._pushed.add(Batch(self.journal.now, b"", task.id, 1))
        self.out.append(Send(HEAD, CreateActor(link.creating, spec, self._creations[link.creating][2])))

    def creation_of(self, link: ActorLink) -> tuple[Record, bool] | None:
        """The record of its creation as long as the head has not answered, and whether an existing one would do."""
        creation = self._creations.get(link.creating)
        return creation[1:] if creation is not None and creation[0] is link else None

    def on_refused(self, message: HeadError, now: float) -> None:
        """The head would not create the actor (its name is taken)."""
        creation = self._creations.pop(message.request, None)
        if creation is not None:
            link = creation[0]
            self._died(link, Fault(FaultKind.ACTOR_DIED, message.message, actor=link.actor), now)

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
        while queue and len(inflight) < WINDOW and link.state == ActorState.ALIVE:
            record = queue[0]
            if record.state == DONE:
                queue.popleft()
                continue
            if record.state != QUEUED:
                break
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
            ids = b"".join([call.id for call in calls]) if len(calls) > 1 else b""
            self._pushed.add(Batch(self.journal.now, link.worker, calls[0].id, len(calls), ids))
            self.out.append(Send(link.worker, PushCalls(calls), link.address))
        elif link.held and not queue and not link.waiting and len(inflight) == (link.actor in inflight):
            self._release_handle(link)  # what is left is its creation, whose arguments a restart will need

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

    # --- what the task layer tells us ---------------------------------------------------------------------------------

    def _recall(self, record: Record) -> bool:
        """The result of a call is lost with its node. The call is made again, behind others, if there is the actor."""
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
            self._send_creation(link, record)
        else:
            if link.waiting.pop(record.task.id, None) is not None:
                link.queue.append(record)
            self.pump(link)

    def _on_return(self, record: Record, now: float) -> None:
        link = self.links[record.task.actor]  # type: ignore[union-attr]
        link.queue.appendleft(record)

    def _on_failed(self, record: Record, value: Value, now: float) -> None:
        link = self.links.get(record.task.actor)  # type: ignore[union-attr]
        if link is None:
            return
        link.waiting.pop(record.task.id, None)
        if record.plan is CREATION and link.state == ActorState.PENDING and link.creating in self._creations:
            del self._creations[link.creating]
            cause = value if isinstance(value, Failed) else value.cause if isinstance(value, Fault) else None
            text = "an argument of its constructor failed"
            if isinstance(value, Fault):
                text += f": {value.message}"
            # Whoever waits for the head's answer gets one, though the head was never asked.
            self.out.append(Send(self.refs.me, HeadError(link.creating, "argument_failed", text)))
            self._died(link, Fault(FaultKind.ACTOR_INIT_FAILED, text, actor=link.actor, cause=cause), now)
        elif link.state == ActorState.ALIVE:
            self.pump(link)

    # --- the actor's life ---------------------------------------------------------------------------------------------

    def on_info(self, info: ActorInfo, now: float) -> None:
        """The head says where the actor is in its life. Old news is told by its incarnation and ignored.

        An answer (it has a request's number) is followed by all later news: that may come before anybody has looked
        at the answer, so the link is there from the answer on.
        """
        creation = self._creations.pop(info.request, None) if info.request else None
        if creation is not None and creation[0].actor != info.actor:
            self._found_existing(creation[0], now)
        link = self.links.get(info.actor)
        if link is None and info.request:
            link = self.link(info.actor, info.max_task_retries)
            link.watching = True
        if link is None or link.state == ActorState.DEAD:
            return
        if info.incarnation < link.incarnation or self._is_early(link, info, now):
            return
        if info.state == ActorState.ALIVE:
            self._alive(link, info, now)
        elif info.state == ActorState.RESTARTING:
            self._restarting(link, info, now)
        elif info.fault is not None and info.state == ActorState.PENDING and link.fault is None:
            link.fault = info.fault
            if link.spec is not None:
                self.out.append(Warn(info.fault.message))
        elif info.state == ActorState.DEAD:
            self._died(link, info.fault or Fault(FaultKind.ACTOR_DIED, "the actor is dead", actor=link.actor), now)

    def _is_early(self, link: ActorLink, info: ActorInfo, now: float) -> bool:
        """Whether results may be on their way from the worker that this says is gone. If so, the news waits for them.

        It comes from the head, and they on a connection of their own, so any of the two may be here first.
        """
        if link.cut:
            return False
        ending = self.endings.get(link.worker)
        leaves = info.state in {ActorState.RESTARTING, ActorState.DEAD} or info.worker != link.worker
        if ending is None:
            if not leaves or not link.inflight:
                return False
            ending = self.endings[link.worker] = Ending(now + LAST_WORDS)
        if leaves:
            ending.news.append(info)
        if link.state == ActorState.ALIVE:
            link.state = ActorState.PENDING
        self.unsent.pop(link.actor, None)
        return True

    def exited(self, worker: WorkerID, actor: ActorID, reason: str, now: float) -> None:
        """Its worker says that the actor is over. All results are here; the head says what follows."""
        link = self.by_worker.get(worker)
        if link is None or link.actor != actor or link.exited:
            return
        link.cut = True
        link.exited = reason or "it ended"
        if link.state == ActorState.ALIVE:
            link.state = ActorState.PENDING
        self.unsent.pop(actor, None)
        ending = self.endings.get(worker)
        if ending is not None:
            news, ending.news = ending.news, []
            for info in news:
                self.on_info(info, now)

    def _found_existing(self, link: ActorLink, now: float) -> None:
        """``get_if_exists`` found another actor: ours was never made."""
        self._died(link, Fault(FaultKind.ACTOR_DIED, "an actor of that name existed already", actor=link.actor), now)
        self.links.pop(link.actor, None)

    def _alive(self, link: ActorLink, info: ActorInfo, now: float) -> None:
        fresh = info.incarnation > link.incarnation or (link.worker != info.worker and not link.exited)
        if not fresh and (link.state == ActorState.ALIVE or link.exited):
            return  # what the head said before it knew that the actor is over does not count
        if fresh:
            self._return_inflight(link, "it was restarted", now)
            link.seq = 0
            link.exited = ""
        link.cut = False
        self.by_worker.pop(link.worker, None)
        link.state = ActorState.ALIVE
        link.incarnation = info.incarnation
        link.worker, link.address, link.pid = info.worker, info.address, info.pid
        link.fault = None
        self.journal.note("actor", link.actor, "alive", process=link.worker, attempt=link.incarnation)
        self.by_worker[link.worker] = link
        self.pump(link)

    def _restarting(self, link: ActorLink, info: ActorInfo, now: float) -> None:
        link.state = ActorState.RESTARTING
        link.fault = info.fault
        self.journal.note("actor", link.actor, "restarting", why(info.fault), process=link.worker)
        self.by_worker.pop(link.worker, None)
        self._return_inflight(link, info.fault.message if info.fault else "its process died", now)

    def unreachable(self, link: ActorLink) -> None:
        """Our connection to its worker broke. Whether it is dead, the head says; until then nothing is pushed."""
        if link.state == ActorState.ALIVE:
            link.state = ActorState.PENDING
            self.out.append(Send(HEAD, WatchActor(link.actor)))

    def give_up(self, worker: WorkerID, reason: str, now: float) -> None:
        """The head did not say in time that the worker behind a broken connection is dead: go on as if it was new."""
        link = self.by_worker.get(worker)
        if link is not None and link.state == ActorState.PENDING:
            self._return_inflight(link, reason, now)
            link.worker = b""
            del self.by_worker[worker]
            self.out.append(Send(HEAD, WatchActor(link.actor)))

    def _return_inflight(self, link: ActorLink, why: str, now: float) -> None:
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

    def _died(self, link: ActorLink, fault: Fault, now: float) -> None:
        """It is dead for good: all its calls fail. It is remembered as long as there are handles here."""
        link.state = ActorState.DEAD
        link.fault = fault
        link.spec = None
        self.journal.note("actor", link.actor, "died", why(fault), process=link.worker)
        self.by_worker.pop(link.worker, None)
        self.unsent.pop(link.actor, None)
        creation = [link.creation] if link.creation is not None else []
        records = [*creation, *link.inflight.values(), *link.queue, *link.waiting.values()]
        link.creation = None
        link.waiting.clear()
        link.inflight.clear()
        link.queue.clear()
        for record in records:
            if record.state != DONE:
                record.alone = record.state == PUSHED
                self.tasks.fail(record, faults.actor_dead(link, record), now)
        self._release_handle(link)
        if handle_id(link.actor) not in self.refs.objects:
            self.links.pop(link.actor, None)

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

    def handles_gone(self, actor: ActorID) -> None:
        """The last handle here is gone. If the actor is ours, nobody has one any more: it ends after the calls it got.

        A dead actor is forgotten. Should a handle come back, the head is asked again.
        """
        link = self.links.get(actor)
        if link is None:
            return
        if link.state == ActorState.DEAD:
            del self.links[actor]
        elif self.refs.owns(actor):
            self.kill(KillActor(actor, True, True, "its last handle went out of scope"))

    def killed(self, actor: ActorID, now: float) -> None:
        """We have it killed for good: what the head will tell is known already."""
        link = self.links.get(actor)
        if link is not None and link.state != ActorState.DEAD:
            self._died(link, Fault(FaultKind.ACTOR_DIED, "it was killed with rustyray.kill", actor=actor), now)

    def living(self) -> list[ActorID]:
        """The actors that this process made and that have not ended, but for detached ones."""
        return [
            link.actor
            for link in self.links.values()
            if link.spec is not None and link.state != ActorState.DEAD and not link.spec.detached
        ]

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
