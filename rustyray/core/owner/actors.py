"""Actors, seen from a process that made or calls them: creation, restarts, death.

What becomes of an actor, the head says; that it is over, its worker may have said before. News that may come before the
last results of a worker waits for those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, Send, Warn
from rustyray.core.owner import faults
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.calls import Calls
from rustyray.core.owner.history import History
from rustyray.core.owner.records import DONE, PUSHED, ActorLink, Ending, Record
from rustyray.core.owner.references import References
from rustyray.core.past import Batch
from rustyray.core.telling import why
from rustyray.model.ids import ActorID, JobID, ObjectID, WorkerID, handle_id
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorSpec,
    ActorState,
    CreateActor,
    HeadError,
    KillActor,
    WatchActor,
)
from rustyray.model.plans import ActorPlan
from rustyray.model.values import Failed, Fault, FaultKind, Value

#: Seconds to wait for the last words of a process that others call dead, before what it has not answered is given up.
LAST_WORDS: Final = 2.0


class Actors:
    """Follows the lives of all actors that this process knows."""

    def __init__(
        self, refs: References, arguments: Arguments, calls: Calls, history: History, out: list[Effect]
    ) -> None:
        self.calls = calls
        self._refs = refs
        self._arguments = arguments
        self._pushed = history.pushed
        self._journal = history.journal
        self._out = out
        #: By worker; `Deaths` ends them.
        self.endings: dict[WorkerID, Ending] = {}
        #: By the number of the request to the head; and whether an actor that exists would do.
        self._creations: dict[int, tuple[ActorLink, Record, bool]] = {}
        #: Has the head end an actor.
        self.kill: Callable[[KillActor], None]
        calls.creation_ready = self._send_creation
        calls.creation_failed = self._on_creation_failed

    # --- creation -----------------------------------------------------------------------------------------------------

    def create(
        self, spec: ActorSpec, record: Record, deps: list[ObjectID], request: int, existing: bool, now: float
    ) -> None:
        """Register the actor with the head once its arguments have values. ``request`` numbers the head's answer."""
        link = self.calls.link(spec.actor, spec.max_task_retries)
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
        self._pushed.add(Batch(self._journal.now, b"", task.id, 1))
        self._out.append(Send(HEAD, CreateActor(link.creating, spec, self._creations[link.creating][2])))

    def _on_creation_failed(self, link: ActorLink, value: Value, now: float) -> None:
        """An argument is an error, or there is no time left. Whoever waits for the head's answer gets this one.

        Others may have handles already: the head, which will never hear of a creation, tells them.
        """
        if self._creations.pop(link.creating, None) is None:
            return
        cause = value if isinstance(value, Failed) else value.cause if isinstance(value, Fault) else None
        text = "an argument of its constructor failed"
        if isinstance(value, Fault):
            text += f": {value.message}"
        self._out.append(Send(self._refs.me, HeadError(link.creating, "argument_failed", text)))
        self._died(link, Fault(FaultKind.ACTOR_INIT_FAILED, text, actor=link.actor, cause=cause), now)
        self.kill(KillActor(link.actor, True, False, text))

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

    # --- the actor's life ---------------------------------------------------------------------------------------------

    def on_info(self, info: ActorInfo, now: float) -> None:
        """The head says where the actor is in its life. Old news is told by its incarnation and ignored.

        An answer (it has a request's number) is followed by all later news: that may come before anybody has looked
        at the answer, so the link is there from the answer on.
        """
        creation = self._creations.pop(info.request, None) if info.request else None
        if creation is not None and creation[0].actor != info.actor:
            self._found_existing(creation[0], now)
        link = self.calls.links.get(info.actor)
        if link is None and info.request:
            link = self.calls.link(info.actor, info.max_task_retries)
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
                self._out.append(Warn(info.fault.message))
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
        self.calls.unsent.pop(link.actor, None)
        return True

    def exited(self, worker: WorkerID, actor: ActorID, reason: str, now: float) -> None:
        """Its worker says that the actor is over. All results are here; the head says what follows."""
        link = self.calls.by_worker.get(worker)
        if link is None or link.actor != actor or link.exited:
            return
        link.cut = True
        link.exited = reason or "it ended"
        if link.state == ActorState.ALIVE:
            link.state = ActorState.PENDING
        self.calls.unsent.pop(actor, None)
        ending = self.endings.get(worker)
        if ending is not None:
            news, ending.news = ending.news, []
            for info in news:
                self.on_info(info, now)

    def _found_existing(self, link: ActorLink, now: float) -> None:
        """``get_if_exists`` found another actor: ours was never made."""
        self._died(link, Fault(FaultKind.ACTOR_DIED, "an actor of that name existed already", actor=link.actor), now)
        self.calls.links.pop(link.actor, None)

    def _alive(self, link: ActorLink, info: ActorInfo, now: float) -> None:
        fresh = info.incarnation > link.incarnation or (link.worker != info.worker and not link.exited)
        if not fresh and (link.state == ActorState.ALIVE or link.exited):
            return  # what the head said before it knew that the actor is over does not count
        if fresh:
            self.calls.return_inflight(link, "it was restarted", now)
            link.seq = 0
            link.exited = ""
        link.cut = False
        self.calls.by_worker.pop(link.worker, None)
        link.state = ActorState.ALIVE
        link.incarnation = info.incarnation
        link.worker, link.address, link.pid = info.worker, info.address, info.pid
        link.fault = None
        self._journal.note("actor", link.actor, "alive", process=link.worker, attempt=link.incarnation)
        self.calls.by_worker[link.worker] = link
        self.calls.pump(link)

    def _restarting(self, link: ActorLink, info: ActorInfo, now: float) -> None:
        link.state = ActorState.RESTARTING
        link.fault = info.fault
        self._journal.note("actor", link.actor, "restarting", why(info.fault), process=link.worker)
        self.calls.by_worker.pop(link.worker, None)
        self.calls.return_inflight(link, info.fault.message if info.fault else "its process died", now)

    def unreachable(self, link: ActorLink) -> None:
        """Our connection to its worker broke. Whether it is dead, the head says; until then nothing is pushed."""
        if link.state == ActorState.ALIVE:
            link.state = ActorState.PENDING
            self._out.append(Send(HEAD, WatchActor(link.actor)))

    def give_up(self, worker: WorkerID, reason: str, now: float) -> None:
        """The head did not say in time that the worker behind a broken connection is dead: go on as if it was new."""
        link = self.calls.by_worker.get(worker)
        if link is not None and link.state == ActorState.PENDING:
            self.calls.return_inflight(link, reason, now)
            link.worker = b""
            del self.calls.by_worker[worker]
            self._out.append(Send(HEAD, WatchActor(link.actor)))

    def _died(self, link: ActorLink, fault: Fault, now: float) -> None:
        """It is dead for good: all its calls fail. It is remembered as long as there are handles here."""
        link.state = ActorState.DEAD
        link.fault = fault
        link.spec = None
        self._journal.note("actor", link.actor, "died", why(fault), process=link.worker)
        self.calls.by_worker.pop(link.worker, None)
        self.calls.unsent.pop(link.actor, None)
        self.calls.end(link, now)
        if handle_id(link.actor) not in self._refs.objects:
            self.calls.links.pop(link.actor, None)

    def handles_gone(self, actor: ActorID) -> None:
        """The last handle here is gone. If the actor is ours, nobody has one any more: it ends after the calls it got.

        A dead actor is forgotten. Should a handle come back, the head is asked again.
        """
        link = self.calls.links.get(actor)
        if link is None:
            return
        if link.state == ActorState.DEAD:
            del self.calls.links[actor]
        elif self._refs.owns(actor):
            self.kill(KillActor(actor, True, True, "its last handle went out of scope"))

    def killed(self, actor: ActorID, now: float) -> None:
        """We have it killed for good: what the head will tell is known already. It is not created any more."""
        link = self.calls.links.get(actor)
        if link is None or link.state == ActorState.DEAD:
            return
        creation = self._creations.pop(link.creating, None)
        self._died(link, Fault(FaultKind.ACTOR_DIED, "it was killed with rustyray.kill", actor=actor), now)
        if creation is not None and creation[1].state != DONE:
            self.calls.tasks.fail(creation[1], faults.actor_dead(link, creation[1]), now)

    def living(self) -> list[ActorID]:
        """The actors that this process made and that have not ended, but for detached ones."""
        return [
            link.actor
            for link in self.calls.links.values()
            if link.spec is not None and link.state != ActorState.DEAD and not link.spec.detached
        ]


def spec_of(plan: ActorPlan, actor: ActorID, job: JobID, address: str, namespace: str) -> ActorSpec:
    """What the head is told of a new actor, whose owner is at ``address``; but for the constructor's arguments."""
    return ActorSpec(
        actor,
        job,
        plan.fn,
        plan.blob,
        plan.class_name,
        address,
        plan.methods,
        resources=plan.resources,
        placement=plan.placement,
        name=plan.name,
        namespace=plan.namespace or namespace,
        detached=plan.detached or False,
        max_restarts=plan.max_restarts,
        max_task_retries=plan.max_task_retries,
        max_concurrency=plan.max_concurrency,
        is_async=plan.is_async,
        handle_meta=plan.handle_meta,
        strategy=plan.strategy,
        groups=plan.groups,
        env=plan.env,
        ahead=plan.ahead,
    )
