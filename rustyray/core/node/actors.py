"""Actors that the head placed on this node: from the wish to start one to the end of its worker."""

from __future__ import annotations

import enum
from functools import partial

from rustyray.core.node.base import NodeBase
from rustyray.core.node.claims import Claim, ClaimState
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.workers import Incarnation, Worker, WorkerState
from rustyray.core.story import StateTable
from rustyray.model.ids import ActorID, WorkerID
from rustyray.model.messages import ActorExited, ActorStarted, HostedActor, StartActor, StopActor
from rustyray.model.values import Fault, FaultKind


class HostedState(enum.IntEnum):
    PLACING = 1
    STARTING = 2
    RUNNING = 3
    ENDING = 4
    GONE = 5


class HostedEvent(enum.IntEnum):
    GIVEN_WORKER = 1
    STARTED = 2
    FAILED = 3
    STOP = 4
    EXITED = 5
    ENDED = 6


_S, _E = HostedState, HostedEvent

HOSTED_TABLE = StateTable(
    "hosted actor",
    _S.PLACING,
    {
        (_S.PLACING, _E.GIVEN_WORKER): _S.STARTING,
        (_S.PLACING, _E.STOP): _S.GONE,
        (_S.PLACING, _E.FAILED): _S.GONE,
        (_S.STARTING, _E.STARTED): _S.RUNNING,
        **{(state, _E.FAILED): _S.ENDING for state in (_S.STARTING, _S.ENDING)},
        **{(state, _E.STOP): _S.ENDING for state in (_S.STARTING, _S.RUNNING, _S.ENDING)},
        **{(state, _E.EXITED): _S.ENDING for state in (_S.STARTING, _S.RUNNING, _S.ENDING)},
        **{(state, _E.ENDED): _S.GONE for state in (_S.STARTING, _S.RUNNING, _S.ENDING)},
    },
)


class Hosted:
    """One incarnation of an actor on this node. ``told`` is whether the head knows how the start went."""

    __slots__ = ("actor", "claim", "incarnation", "state", "told", "worker")

    def __init__(self, start: StartActor, claim: Claim) -> None:
        self.actor = start.spec.actor
        self.incarnation = start.incarnation
        self.claim = claim
        self.state = HOSTED_TABLE.initial
        self.worker: WorkerID = b""
        self.told = False


class HostedActors:
    """The node's actors by id; at most one incarnation of each."""

    __slots__ = ("_base", "_desk", "hosted")

    def __init__(self, base: NodeBase, desk: LeaseDesk) -> None:
        self._base = base
        self._desk = desk
        self.hosted: dict[Incarnation, Hosted] = {}

    def start(self, message: StartActor, now: float) -> None:
        actor = message.spec.actor
        for old in [old for old in self.hosted.values() if old.actor == actor]:
            if old.incarnation >= message.incarnation:
                return
            self._stop(old, "a newer incarnation of the actor takes its place", False, now)
        if self._base.stopping:
            text = f"node {self._base.node.hex()} is shutting down"
            self._report_failure(actor, message.incarnation, b"", Fault(FaultKind.SHUT_DOWN, text))
            return
        if self._was_reported(actor, message.incarnation):
            return  # it is over, and the head is told so again
        claim = self._desk.claim_for_actor(message, partial(self._given_worker, message), now)
        self.hosted[actor, message.incarnation] = Hosted(message, claim)
        self._desk.enqueue(claim, now)

    def _given_worker(self, message: StartActor, worker: Worker) -> None:
        hosted = self.hosted[message.spec.actor, message.incarnation]
        hosted.worker = worker.id
        self._move(hosted, HostedEvent.GIVEN_WORKER)
        self._base.send(worker.id, StartActor(message.spec, message.incarnation, sorted(worker.gpus)))

    def stop(self, message: StopActor, now: float) -> None:
        """End it. What never came here, or is over, is said to have ended: whoever asks may have missed that."""
        hosted = self.hosted.get((message.actor, message.incarnation))
        if hosted is not None:
            self._stop(hosted, message.reason, message.graceful, now)
        elif not self._was_reported(message.actor, message.incarnation):
            self._base.report(ActorExited(message.actor, message.incarnation, message.reason))

    def _stop(self, hosted: Hosted, reason: str, graceful: bool, now: float) -> None:
        self._move(hosted, HostedEvent.STOP, reason)
        if hosted.state is HostedState.GONE:
            del self.hosted[hosted.actor, hosted.incarnation]
            self._desk.drop(hosted.claim)
            self._base.report(ActorExited(hosted.actor, hosted.incarnation, reason))
            self._desk.schedule(now)
        elif graceful:
            self._base.send(hosted.worker, StopActor(hosted.actor, hosted.incarnation, True, reason))
        else:
            self._desk.stop(self._desk.pool.workers[hosted.worker], reason, now, None)

    def started(self, worker: Worker, message: ActorStarted, now: float) -> None:
        """The constructor returned or raised. The process of an actor that failed ends next, as in `exited`."""
        hosted = self._of(worker, message.actor, message.incarnation)
        if hosted is None or hosted.told:
            return
        hosted.told = True
        if message.failed is not None:
            self._move(hosted, HostedEvent.FAILED)
            self._desk.stop(worker, "its actor failed to start", now, self._base.limits.kill, tell=False)
        elif hosted.state is HostedState.STARTING:
            self._move(hosted, HostedEvent.STARTED)
        self._base.report(
            ActorStarted(message.actor, message.incarnation, worker.id, worker.address, worker.pid, message.failed)
        )

    def exited(self, worker: Worker, message: ActorExited, now: float) -> None:
        """The actor ends by its own wish, or has done what it was told to do first.

        Its process ends next, by itself, unless it says that it stays, because others need what it owns.
        """
        hosted = self._of(worker, message.actor, message.incarnation)
        if hosted is None:
            return
        if self._base.stopping and hosted.state is not HostedState.ENDING and message.reason == worker.reason:
            return  # it ends because its node does, and may live on elsewhere: the end of the node says so
        self._move(hosted, HostedEvent.EXITED, message.reason)
        hosted.told = True
        self._base.report(message)
        self._desk.stop(worker, message.reason, now, self._base.limits.kill, tell=False)

    def worker_ended(self, worker: Worker, reason: str, kind: FaultKind) -> None:
        if worker.actor is None:
            return
        hosted = self.hosted.pop(worker.actor)
        worker.actor = None
        self._move(hosted, HostedEvent.ENDED, reason)
        if not hosted.told:
            self._report_failure(hosted.actor, hosted.incarnation, worker.id, Fault(kind, reason, worker=worker.id))

    def no_workers(self, claims: list[Claim], fault: Fault) -> None:
        """No worker could be started for these."""
        for claim in claims:
            assert claim.actor is not None
            hosted = self.hosted.pop(claim.actor)
            self._move(hosted, HostedEvent.FAILED, fault.message)
            self._report_failure(hosted.actor, hosted.incarnation, b"", fault)

    def look_elsewhere(self, now: float) -> None:
        """The view of the cluster changed: who waits for room here, while another node has some, goes back to the head.

        Otherwise it might wait as long as a placement group has that room, or an actor.
        """
        for hosted in list(self.hosted.values()):
            claim = hosted.claim
            if hosted.state is HostedState.PLACING and self._desk.elsewhere.has_room(claim):
                del self.hosted[hosted.actor, hosted.incarnation]
                self._move(hosted, HostedEvent.FAILED, "there is room elsewhere")
                self._desk.drop(claim)
                fault = Fault(FaultKind.UNSCHEDULABLE, f"node {self._base.node.hex()} has no room")
                self._report_failure(hosted.actor, hosted.incarnation, b"", fault)

    def _was_reported(self, actor: ActorID, incarnation: int) -> bool:
        return any(
            report.actor == actor and report.incarnation == incarnation
            for report in self._base.reports
            if isinstance(report, ActorStarted | ActorExited)
        )

    def snapshot(self) -> list[HostedActor]:
        """What there is, for the head. An incarnation that is ending counts as there as long as its end is not told."""
        workers = self._desk.pool.workers
        return [
            HostedActor(hosted.actor, hosted.incarnation, hosted.state is HostedState.RUNNING)
            if not hosted.worker
            else HostedActor(
                hosted.actor,
                hosted.incarnation,
                hosted.state is HostedState.RUNNING,
                hosted.worker,
                workers[hosted.worker].address,
                workers[hosted.worker].pid,
            )
            for hosted in self.hosted.values()
        ]

    def _report_failure(self, actor: ActorID, incarnation: int, worker: WorkerID, fault: Fault) -> None:
        self._base.report(ActorStarted(actor, incarnation, worker, "", 0, fault))

    def _of(self, worker: Worker, actor: ActorID, incarnation: int) -> Hosted | None:
        hosted = self.hosted.get((actor, incarnation))
        return hosted if hosted is not None and hosted.worker == worker.id else None

    def _move(self, hosted: Hosted, event: HostedEvent, cause: object = None) -> None:
        hosted.state = self._base.journal.move(HOSTED_TABLE, hosted.actor, hosted.state, event, cause)

    def check(self) -> None:
        for key, hosted in self.hosted.items():
            actor = hosted.actor
            assert key == (actor, hosted.incarnation), f"actor {actor.hex()} is listed under another's name"
            if hosted.state is HostedState.PLACING:
                placed = hosted.claim.state in {ClaimState.QUEUED, ClaimState.ASSIGNED}
                assert placed, f"actor {actor.hex()} waits for a place, its claim is {hosted.claim.state.name}"
                continue
            worker = self._desk.pool.workers.get(hosted.worker)
            assert worker is not None, f"actor {actor.hex()} is {hosted.state.name} without a worker"
            assert worker.actor == key, f"actor {actor.hex()} lives in a worker that has {worker.actor}"
            busy = worker.state in {WorkerState.ACTOR, WorkerState.STOPPING}
            assert busy, f"actor {actor.hex()} lives in a worker that is {worker.state.name}"
        hosting = sum([worker.actor is not None for worker in self._desk.pool.workers.values()])
        with_worker = sum([bool(hosted.worker) for hosted in self.hosted.values()])
        assert hosting == with_worker, f"{hosting} workers have actors, but {with_worker} actors have workers"
