"""The life of actors: creation, placement, restarts, death.

An actor is *placed* on a node, which starts it; the head learns from the node how that went, and when its process
ended. An actor whose process was lost is started again, elsewhere perhaps, as often as its ``max_restarts`` allows.
One whose constructor raised is dead. Not detached actors end with their owner and with their job.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from rustyray.core.head.actor import ACTOR_TABLE, LOSSES, Actor, ActorEvent
from rustyray.core.head.base import HeadBase
from rustyray.core.head.group import Group
from rustyray.core.head.groups import Groups
from rustyray.core.head.jobs import Jobs
from rustyray.core.head.nodes import Node, Nodes
from rustyray.core.head.places import Places
from rustyray.core.head.registry import Registry
from rustyray.model.ids import ActorID, JobID, NodeID, WorkerID, node_of, owner_of
from rustyray.model.messages import (
    ActorExited,
    ActorSpec,
    ActorStarted,
    ActorState,
    CreateActor,
    HeadError,
    HostedActor,
    KillActor,
    StartActor,
    StopActor,
    WatchActor,
)
from rustyray.model.values import Failed, Fault, FaultKind


class Actors:
    """Decides what becomes of each actor."""

    __slots__ = ("_base", "_detached_died", "_jobs", "groups", "places", "registry")

    def __init__(
        self, base: HeadBase, nodes: Nodes, jobs: Jobs, detached_died: Callable[[JobID], None] = lambda job: None
    ) -> None:
        self._base = base
        self._detached_died = detached_died
        self._jobs = jobs
        self.groups = Groups(base, nodes, jobs, self.place_waiting, self._group_removed, self._outlives_job)
        self.registry = Registry(base)
        self.places = Places(base, nodes, self.groups, self.registry, self._die_of, self._lose_group)

    # --- what clients ask ---------------------------------------------------------------------------------------------

    def create(self, sender: bytes, message: CreateActor, now: float) -> None:
        spec = message.spec
        known = self.registry.get(spec.actor)
        if known is not None:
            self.registry.answer(sender, known, message.request)
            return
        other = self.registry.named(spec.namespace, spec.name) if spec.name else None
        if other is not None and message.get_if_exists:
            self.registry.answer(sender, other, message.request)
            return
        if other is not None:
            text = f"the name {spec.name!r} is taken by another actor in namespace {spec.namespace!r}"
            self._base.send(sender, HeadError(message.request, "name_taken", text))
            return
        actor = Actor(spec)
        self.registry.add(actor)
        self._changed(actor)
        self.places.await_place(actor)
        self.registry.answer(sender, actor, message.request)
        self._is_known(actor, self._why_over(spec), now)
        self.places.place(actor, now)

    def _is_known(self, actor: Actor, over: str | None, now: float) -> None:
        """It dies if it is ``over``; who has asked about it before is answered."""
        early = self.registry.take_early(actor.id)
        if over is not None:
            self._die(actor, over)
        for peer, said in early:
            if isinstance(said, WatchActor):
                self.registry.watch(peer, said, now)
            else:
                self.kill(peer, said, now)

    def _why_over(self, spec: ActorSpec) -> str | None:
        """Why an actor that is created only now has no right to live."""
        if spec.detached:  # its job goes on while it lives, but is not begun anew
            job = self._jobs.jobs.get(spec.job)
            return f"its job {spec.job.hex()} is over: {job.finished}" if job is not None and job.over else None
        gone = self._base.why_gone(owner_of(spec.actor))
        return gone if gone is not None or self._is_of_detached(spec) else self._jobs.why_over(spec.job)

    def _is_of_detached(self, spec: ActorSpec) -> bool:
        """Whether it was created by a detached actor, or by an actor of one: it outlives the job, as they do (in Ray,
        whatever descends from a detached actor does)."""
        seen: dict[ActorID, None] = {}
        while spec.actor not in seen:  # a peer may say that two made each other
            seen[spec.actor] = None
            owner = owner_of(spec.actor)
            there = self.places.on(node_of(owner))
            maker = next((other for other in there if other.worker == owner), None)
            if maker is None or maker.spec.detached:
                return maker is not None
            spec = maker.spec
        return False

    def has_detached(self, job: JobID) -> bool:
        return any(actor.spec.detached and actor.spec.job == job for actor in self.registry.living.values())

    def kill(self, sender: bytes, message: KillActor, now: float) -> None:
        actor = self.registry.get(message.actor)
        if actor is None and sender == owner_of(message.actor) and message.no_restart and not message.graceful:
            self._is_never_made(sender, message, now)
        elif actor is None:
            self.registry.keep_early(sender, message)
        elif actor.state is ActorState.DEAD:
            return
        elif message.graceful:
            self._stop_gracefully(actor, message.reason)
        elif message.no_restart or not actor.may_restart():
            self._die(actor, message.reason)
        elif actor.node and not actor.killed:
            actor.killed = message.reason
            self._changed(actor)
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, False, message.reason))

    def _is_never_made(self, sender: bytes, message: KillActor, now: float) -> None:
        """Its owner, who says things in order, has given it up before it was created."""
        actor = Actor(ActorSpec(message.actor, b"", b"", b"", "", "", []))
        self.registry.add(actor)
        self.places.await_place(actor)
        self.registry.answer(sender, actor, 0)
        self._is_known(actor, message.reason, now)

    def _stop_gracefully(self, actor: Actor, reason: str) -> None:
        """Its name is free at once; it ends when the calls that it has been sent are done."""
        if not actor.node:
            self._die(actor, reason)
        elif not actor.stopping:
            actor.stopping = reason
            self._changed(actor)
            self.registry.free_name(actor)
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, True, reason))

    # --- placement ----------------------------------------------------------------------------------------------------

    def place_waiting(self, now: float) -> None:
        """A node joined, or is trusted again."""
        self.places.place_waiting(now)

    def _lose_group(self, actor: Actor, reason: str) -> None:
        if actor.state is ActorState.PENDING:
            text = f"{actor.what} cannot start: {reason}"
            self._die_of(actor, actor.fault_of(FaultKind.ACTORS_GROUP_REMOVED, text))
        else:
            self._die(actor, reason)

    def _group_removed(self, group: Group) -> None:
        for actor in list(self.registry.living.values()):
            if actor.is_in(group.id):
                self._lose_group(actor, group.reason)

    def _outlives_job(self, actor: ActorID) -> bool:
        known = self.registry.living.get(actor)
        return known is not None and (known.spec.detached or self._is_of_detached(known.spec))

    # --- what nodes report --------------------------------------------------------------------------------------------

    def started(self, sender: bytes, message: ActorStarted, now: float) -> None:
        actor = self.registry.living.get(message.actor)
        if actor is None or actor.node != sender or actor.incarnation != message.incarnation:
            if message.failed is None and node_of(message.worker) == sender:
                self._refuse(sender, message.actor, message.incarnation)
            return
        if actor.worker:
            return
        gone = self._base.why_gone(message.worker)
        if message.failed is None and gone is not None:
            self._lose(actor, gone, now)  # the news of its end came first
        elif message.failed is None:
            self._move(actor, ActorEvent.STARTED)
            actor.worker = message.worker
            actor.address = message.address
            actor.pid = message.pid
            actor.was_created = True
            actor.fault = None
            actor.failures = 0
            actor.told_unplaceable = False
            self.registry.tell(actor)
        elif isinstance(message.failed, Fault) and message.failed.kind is FaultKind.UNSCHEDULABLE:
            self._give_back(actor, message.failed.message, now)
        elif isinstance(message.failed, Fault) and message.failed.kind in LOSSES:
            actor.failures += 1
            self._lose(actor, message.failed.message, now)
        else:
            self._constructor_failed(actor, message.failed, message)

    def _give_back(self, actor: Actor, reason: str, now: float) -> None:
        """Its node has not begun to start it, and knows of one that has room for it."""
        if actor.stopping or actor.killed:
            self._lose(actor, actor.killed or reason, now)
        else:
            self._move_on(actor, now)

    def _constructor_failed(self, actor: Actor, failed: Failed | Fault, message: ActorStarted) -> None:
        actor.worker = message.worker
        actor.pid = message.pid
        why = "its constructor raised" if isinstance(failed, Failed) else failed.message
        fault = actor.fault_of(FaultKind.ACTOR_INIT_FAILED, f"{actor.what} could not be started: {why}")
        cause = failed if isinstance(failed, Failed) else failed.cause
        self._die_of(actor, msgspec.structs.replace(fault, cause=cause), ended=True)

    def exited(self, sender: bytes, message: ActorExited, now: float) -> None:
        """It ended by its own wish, or as it was told: not a failure, and no reason to start it again."""
        actor = self.registry.living.get(message.actor)
        if actor is None or actor.node != sender or actor.incarnation != message.incarnation:
            return
        if actor.killed:
            self._lose(actor, actor.killed, now)
        else:
            self._die(actor, message.reason, ended=True)

    def worker_died(self, worker: WorkerID, reason: str, now: float) -> None:
        """A process is gone: the actor that lived in it is lost, those that it owned end."""
        self.registry.forget_peer(worker)
        for actor in self.places.on(node_of(worker)):
            if actor.worker == worker:
                self._lose(actor, reason, now)
        self._end_owned(worker, f"its owner {worker.hex()} died: {reason}", now)

    def node_died(self, node: Node, reason: str, now: float) -> None:
        """Its actors are lost, those that its processes owned end. What had not come up yet loses nothing by it."""
        id_ = node.info.node
        for actor in self.places.on(id_):
            if actor.worker or actor.stopping:
                self._lose(actor, f"its node {id_.hex()} died: {reason}", now)
            else:
                self._move_on(actor, now)
        self.places.node_died(id_)
        self._end_owned(id_, f"the node {id_.hex()} of its owner died: {reason}", now)

    def job_finished(self, job: JobID, reason: str) -> None:
        for actor in list(self.registry.living.values()):
            if actor.spec.job == job and not actor.spec.detached and not self._is_of_detached(actor.spec):
                self._die(actor, f"its job {job.hex()} is finished: {reason}")

    def owners(self) -> list[WorkerID]:
        return [owner_of(actor.id) for actor in self.registry.living.values()]

    def compare(self, node: NodeID, hosted: list[HostedActor], now: float) -> None:
        """What the node says that it has is what is there: what is missing is lost, or was never heard of there."""
        there = {each.actor: each for each in hosted}
        for actor in self.places.on(node):
            each = there.get(actor.id)
            if each is None or each.incarnation != actor.incarnation:
                self._is_missing(actor, node, now)
                continue
            if each.running and not actor.worker:
                started = ActorStarted(actor.id, each.incarnation, each.worker, each.address, each.pid)
                self.started(node, started, now)
            elif actor.worker and actor.worker != each.worker:
                self._is_missing(actor, node, now)
            if actor.stopping or actor.killed:
                self._stop_again(node, actor)
        for each in hosted:
            known = self.registry.living.get(each.actor)
            if known is None or known.node != node or known.incarnation != each.incarnation:
                self._refuse(node, each.actor, each.incarnation)

    def _refuse(self, node: NodeID, actor: ActorID, incarnation: int) -> None:
        reason = "the cluster has given this incarnation up"
        self._base.send(node, StopActor(actor, incarnation, False, reason))

    def _is_missing(self, actor: Actor, node: NodeID, now: float) -> None:
        if actor.worker:
            self._lose(actor, "its process ended while its node and the head were apart", now)
        elif actor.stopping or actor.killed:
            self._stop_again(node, actor)  # it may be on its way there: its end is what the node says of it next
        else:
            self._base.send(node, StartActor(actor.spec, actor.incarnation))

    def _stop_again(self, node: NodeID, actor: Actor) -> None:
        graceful, reason = not actor.killed, actor.killed or actor.stopping
        self._base.send(node, StopActor(actor.id, actor.incarnation, graceful, reason))

    def _end_owned(self, prefix: bytes, reason: str, now: float) -> None:
        for actor in list(self.registry.living.values()):
            if actor.id.startswith(prefix) and not actor.spec.detached:
                self._die(actor, reason)
        self.registry.owners_gone(prefix)
        self.groups.owners_gone(prefix, now)

    # --- restarts and deaths ------------------------------------------------------------------------------------------

    def _lose(self, actor: Actor, reason: str, now: float) -> None:
        """Its process is gone. Start it again if it may, at once unless it keeps failing before it is up."""
        if not actor.may_restart():
            if actor.restarts:
                reason = f"{reason}; it may be restarted {actor.spec.max_restarts} times, and has been"
            self._die(actor, actor.stopping or reason, ended=True)
            return
        actor.restarts += 1
        actor.fault = actor.fault_of(FaultKind.ACTOR_UNAVAILABLE, f"{actor.what} is being restarted: {reason}")
        self._move(actor, ActorEvent.LOST, reason)
        self._leave(actor)
        actor.incarnation += 1
        self.registry.tell(actor)
        self._start_again(actor, now)

    def _move_on(self, actor: Actor, now: float) -> None:
        """Its place was lost before it came up: another place, under a number that cannot be mistaken for the old."""
        self._leave(actor)
        actor.incarnation += 1
        self._start_again(actor, now)

    def _start_again(self, actor: Actor, now: float) -> None:
        self.places.await_place(actor)
        if actor.failures > 1:
            limits = self._base.limits
            delay = min(limits.last_delay, limits.first_delay * 2.0 ** min(actor.failures - 2, 32))
            actor.not_before = now + delay
            self._base.timers.at(actor.not_before, partial(self.places.place, actor))
        self.places.place(actor, now)

    def _leave(self, actor: Actor) -> None:
        self._changed(actor)
        self.places.leave(actor)
        actor.node = actor.worker = b""
        actor.address = actor.killed = ""
        actor.pid = 0

    def _die(self, actor: Actor, reason: str, ended: bool = False) -> None:
        """For good. ``ended``: its process has ended, or does so by itself."""
        self._die_of(actor, actor.fault_of(FaultKind.ACTOR_DIED, f"{actor.what} died: {reason}"), ended)

    def _die_of(self, actor: Actor, fault: Fault, ended: bool = False) -> None:
        if actor.node and not ended:
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, False, fault.message))
        self._move(actor, ActorEvent.DIED, fault.message)
        self._leave(actor)
        actor.fault = fault
        self.registry.bury(actor)
        if actor.spec.detached:
            self._detached_died(actor.spec.job)
        self.groups.actor_died(actor.id)

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _changed(self, actor: Actor) -> None:
        self._base.changed("actor", actor.id, actor)

    def restore(self, actor: Actor) -> None:
        """It was there when the head ended."""
        self.registry.restore(actor)
        if actor.state is not ActorState.DEAD:
            self.places.restore(actor)

    def _move(self, actor: Actor, event: ActorEvent, cause: object = None) -> None:
        self._changed(actor)
        actor.state = self._base.journal.move(ACTOR_TABLE, actor.id, actor.state, event, cause)

    def _is_orphan(self, actor: Actor) -> bool:
        """Its owner is gone. (One that is not known to be any actor's process has ended, but was not said dead yet.)"""
        owner, job = owner_of(actor.id), self._jobs.jobs.get(actor.spec.job)
        ended = job is not None and bool(job.finished) and job.driver == owner
        return ended or self._base.why_gone(owner) is not None

    def check(self) -> None:
        told = self._base.journal.told
        self.registry.check()
        self.places.check()
        for id_, actor in [*self.registry.living.items(), *self.registry.dead.items()]:
            dead = actor.state is ActorState.DEAD
            assert bool(actor.worker) is (actor.state is ActorState.ALIVE), (
                f"{actor.state.name} by its worker? {told(actor.what, id_)}"
            )
            assert dead or actor.spec.detached or not self._is_orphan(actor), (
                f"lives on without its owner: {told(actor.what, id_)}"
            )
