"""The life of actors: creation, names, placement, restarts, death, and who is told.

An actor is *placed* on a node, which starts it; the head learns from the node how that went, and when its process
ended. An actor whose process was lost is started again, elsewhere perhaps, as often as its ``max_restarts`` allows.
One whose constructor raised is dead. Not detached actors end with their owner and with their job.
"""

from __future__ import annotations

import enum
from functools import partial
from typing import Final

from rustyray.core.head.base import HeadBase
from rustyray.core.head.jobs import Jobs
from rustyray.core.head.nodes import Node, Nodes, NodeState
from rustyray.core.head.placement import choose, demand, why_nowhere
from rustyray.core.head.watchers import Watchers
from rustyray.core.story import StateTable
from rustyray.model.ids import ActorID, JobID, NodeID, WorkerID, node_of, owner_of
from rustyray.model.messages import (
    ActorExited,
    ActorInfo,
    ActorSpec,
    ActorStarted,
    ActorState,
    CreateActor,
    FindActor,
    HeadError,
    KillActor,
    ListActors,
    NamedActors,
    StartActor,
    StopActor,
    WatchActor,
)
from rustyray.model.values import Failed, Fault, FaultKind

#: So many dead actors are remembered, for those who still hold a handle.
DEAD_REMEMBERED: Final = 50_000


class ActorEvent(enum.IntEnum):
    STARTED = 1
    LOST = 2
    DIED = 3


_S, _E = ActorState, ActorEvent

ACTOR_TABLE = StateTable(
    "actor",
    _S.PENDING,
    {
        (_S.PENDING, _E.STARTED): _S.ALIVE,
        (_S.PENDING, _E.LOST): _S.RESTARTING,
        (_S.ALIVE, _E.LOST): _S.RESTARTING,
        (_S.RESTARTING, _E.STARTED): _S.ALIVE,
        (_S.RESTARTING, _E.LOST): _S.RESTARTING,
        **{(state, _E.DIED): _S.DEAD for state in (_S.PENDING, _S.ALIVE, _S.RESTARTING)},
    },
)

#: The process or its place was lost, which says nothing about the actor's own code: it may be started again.
LOSSES: Final = frozenset({FaultKind.WORKER_CRASHED, FaultKind.OUT_OF_MEMORY, FaultKind.NODE_DIED, FaultKind.SHUT_DOWN})


class Actor:
    """An actor as the head knows it. ``spec`` is None once it is dead; ``node`` is empty while it has no place.

    ``failures`` counts starts in a row that came to nothing; ``stopping`` is set while a graceful end is under way, and
    ``killed`` while a kill is that allows a restart.
    """

    __slots__ = (
        "address",
        "failures",
        "fault",
        "id",
        "incarnation",
        "job",
        "killed",
        "meta",
        "name",
        "node",
        "owner_address",
        "pid",
        "restarts",
        "retries",
        "spec",
        "state",
        "stopping",
        "what",
        "worker",
    )

    def __init__(self, spec: ActorSpec) -> None:
        self.id = spec.actor
        self.spec: ActorSpec | None = spec
        self.job = spec.job
        self.what = f"actor {spec.class_name} ({spec.actor.hex()})"
        self.name = (spec.namespace, spec.name) if spec.name else None
        self.meta = spec.handle_meta
        self.owner_address = spec.owner_address
        self.retries = spec.max_task_retries
        self.state = ACTOR_TABLE.initial
        self.incarnation = 0
        self.restarts = 0
        self.failures = 0
        self.node: NodeID = b""
        self.worker: WorkerID = b""
        self.address = ""
        self.pid = 0
        self.fault: Fault | None = None
        self.stopping = ""
        self.killed = ""


class Actors:
    """All actors, living and (some of) the dead."""

    __slots__ = ("_base", "_dead", "_early", "_jobs", "_nodes", "_on_node", "_unplaced", "_watchers", "actors", "names")

    def __init__(self, base: HeadBase, nodes: Nodes, jobs: Jobs) -> None:
        self._base = base
        self._nodes = nodes
        self._jobs = jobs
        self._watchers = Watchers()
        self.actors: dict[ActorID, Actor] = {}
        self.names: dict[tuple[str, str], ActorID] = {}
        self._on_node: dict[NodeID, dict[ActorID, Actor]] = {}
        self._unplaced: dict[ActorID, Actor] = {}
        self._dead: dict[ActorID, None] = {}
        #: What others said of actors whose creation has not arrived yet: it comes on another connection.
        self._early: dict[ActorID, list[tuple[bytes, WatchActor | KillActor]]] = {}

    # --- what clients ask ---------------------------------------------------------------------------------------------

    def create(self, sender: bytes, message: CreateActor, now: float) -> None:
        spec = message.spec
        actor = self.actors.get(spec.actor)
        if actor is None and spec.name:
            taken = self.names.get((spec.namespace, spec.name))
            if taken is not None:
                if message.get_if_exists:
                    self._answer(sender, self.actors[taken], message.request)
                    return
                text = f"the name {spec.name!r} is taken by another actor in namespace {spec.namespace!r}"
                self._base.send(sender, HeadError(message.request, "name_taken", text))
                return
        if actor is None:
            actor = self.actors[spec.actor] = Actor(spec)
            self._unplaced[actor.id] = actor
            if actor.name is not None:
                self.names[actor.name] = actor.id
            self._answer(sender, actor, message.request)
            over = self._why_over(spec)
            if over is not None:
                self._die(actor, FaultKind.ACTOR_DIED, over)
            self._replay_early(spec.actor, now)
            self._place(actor, now)
        else:
            self._answer(sender, actor, message.request)

    def _why_over(self, spec: ActorSpec) -> str | None:
        """Why an actor that is created only now has no right to live."""
        if spec.detached:
            return None
        over = self._jobs.why_over(spec.job)
        return over if over is not None else self._base.why_gone(owner_of(spec.actor))

    def find(self, sender: bytes, message: FindActor, now: float) -> None:
        id_ = self.names.get((message.namespace, message.name))
        if id_ is None:
            text = f"no living actor is named {message.name!r} in namespace {message.namespace!r}"
            self._base.send(sender, HeadError(message.request, "no_such_actor", text))
        else:
            self._answer(sender, self.actors[id_], message.request)

    def list_named(self, sender: bytes, message: ListActors, now: float) -> None:
        names = [name for name in self.names if message.all_namespaces or name[0] == message.namespace]
        self._base.send(sender, NamedActors(message.request, names))

    def watch(self, sender: bytes, message: WatchActor, now: float) -> None:
        actor = self.actors.get(message.actor)
        if actor is not None:
            self._answer(sender, actor, 0)
        elif (gone := self._base.why_gone(owner_of(message.actor))) is not None:
            fault = Fault(FaultKind.ACTOR_DIED, f"actor {message.actor.hex()} died: {gone}", actor=message.actor)
            self._base.send(sender, ActorInfo(message.actor, ActorState.DEAD, fault=fault))
        else:
            self._early.setdefault(message.actor, []).append((sender, message))

    def kill(self, sender: bytes, message: KillActor, now: float) -> None:
        actor = self.actors.get(message.actor)
        if actor is None:
            self._early.setdefault(message.actor, []).append((sender, message))
        elif actor.state is ActorState.DEAD:
            return
        elif message.graceful:
            self._stop_gracefully(actor, message.reason)
        elif message.no_restart or not self._may_restart(actor):
            self._die(actor, FaultKind.ACTOR_DIED, message.reason)
        elif actor.node and not actor.killed:
            actor.killed = message.reason
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, False, message.reason))

    def _replay_early(self, actor: ActorID, now: float) -> None:
        for sender, message in self._early.pop(actor, ()):
            if isinstance(message, WatchActor):
                self.watch(sender, message, now)
            else:
                self.kill(sender, message, now)

    def _stop_gracefully(self, actor: Actor, reason: str) -> None:
        """Its name is free at once; it ends when the calls that it has been sent are done."""
        if not actor.node:
            self._die(actor, FaultKind.ACTOR_DIED, reason)
        elif not actor.stopping:
            actor.stopping = reason
            self._free_name(actor)
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, True, reason))

    # --- placement ----------------------------------------------------------------------------------------------------

    def _place(self, actor: Actor, now: float) -> None:
        if actor.state is ActorState.DEAD or actor.node:
            return
        spec = self._spec(actor)
        crowd = {node: len(actors) for node, actors in self._on_node.items()}
        node = choose(spec, self._nodes.usable(), crowd)
        if node is None:
            self._explain(actor, spec)
            return
        del self._unplaced[actor.id]
        actor.node = node.info.node
        self._on_node.setdefault(actor.node, {})[actor.id] = actor
        self._nodes.take(node, spec.resources)
        self._base.send(actor.node, StartActor(spec, actor.incarnation), node.info.address)

    def _explain(self, actor: Actor, spec: ActorSpec) -> None:
        """It waits for a node that could have it; say so once."""
        if actor.state is not ActorState.PENDING or actor.fault is not None:
            return
        text = f"{actor.what} cannot be placed: {why_nowhere(demand(spec), self._nodes.living())}"
        actor.fault = Fault(FaultKind.ACTOR_UNSCHEDULABLE, text, actor=actor.id)
        self._tell(actor)

    def place_waiting(self, now: float) -> None:
        """A node joined, or is trusted again."""
        for actor in list(self._unplaced.values()):
            if not actor.failures:
                self._place(actor, now)

    # --- what nodes report --------------------------------------------------------------------------------------------

    def started(self, sender: bytes, message: ActorStarted, now: float) -> None:
        actor = self.actors.get(message.actor)
        if actor is None or actor.node != sender or actor.incarnation != message.incarnation:
            if message.failed is None and node_of(message.worker) == sender:
                reason = "the cluster gave this incarnation up"
                self._base.send(sender, StopActor(message.actor, message.incarnation, False, reason))
            return
        if actor.worker:
            return
        if message.failed is None:
            actor.worker = message.worker
            actor.address = message.address
            actor.pid = message.pid
            actor.fault = None
            actor.failures = 0
            self._move(actor, ActorEvent.STARTED)
            self._tell(actor)
        elif isinstance(message.failed, Fault) and message.failed.kind in LOSSES:
            actor.failures += 1
            self._lose(actor, message.failed.message, now)
        else:
            self._constructor_failed(actor, message.failed, message)

    def _constructor_failed(self, actor: Actor, failed: Failed | Fault, message: ActorStarted) -> None:
        cause = failed if isinstance(failed, Failed) else failed.cause
        why = "its constructor raised" if isinstance(failed, Failed) else failed.message
        fault = Fault(
            FaultKind.ACTOR_INIT_FAILED,
            f"{actor.what} could not be started: {why}",
            actor=actor.id,
            pid=message.pid,
            worker=message.worker,
            node=actor.node,
            cause=cause,
        )
        self._die_with(actor, fault)

    def exited(self, sender: bytes, message: ActorExited, now: float) -> None:
        """It ended by its own wish, or as it was told: not a failure, and no reason to start it again."""
        actor = self.actors.get(message.actor)
        if actor is None or actor.node != sender or actor.incarnation != message.incarnation:
            return
        if actor.killed:
            self._lose(actor, actor.killed, now)
        else:
            self._die(actor, FaultKind.ACTOR_DIED, message.reason)

    def worker_died(self, worker: WorkerID, reason: str, now: float) -> None:
        """A process is gone: the actor that lived in it is lost, those that it owned end."""
        self.forget_peer(worker)
        for actor in list(self._on_node.get(node_of(worker), {}).values()):
            if actor.worker == worker:
                self._lose(actor, reason, now)
        self._end_owned(worker, f"its owner {worker.hex()} died: {reason}")

    def node_died(self, node: Node, reason: str, now: float) -> None:
        id_ = node.info.node
        for actor in list(self._on_node.get(id_, {}).values()):
            if actor.worker:
                self._lose(actor, f"its node {id_.hex()} died: {reason}", now)
            else:
                self._move_on(actor, now)
        self._on_node.pop(id_, None)
        self._end_owned(id_, f"the node {id_.hex()} of its owner died: {reason}")

    def job_finished(self, job: JobID, reason: str) -> None:
        for actor in self._living():
            if actor.job == job and not self._spec(actor).detached:
                self._die(actor, FaultKind.ACTOR_DIED, f"its job {job.hex()} is finished: {reason}")

    def _end_owned(self, prefix: bytes, reason: str) -> None:
        for actor in self._living():
            if actor.id.startswith(prefix) and not self._spec(actor).detached:
                self._die(actor, FaultKind.ACTOR_DIED, reason)
        for id_ in [id_ for id_ in self._early if id_.startswith(prefix)]:
            for sender, message in self._early.pop(id_):
                if isinstance(message, WatchActor):
                    self.watch(sender, message, 0.0)

    # --- restarts and deaths ------------------------------------------------------------------------------------------

    def _may_restart(self, actor: Actor) -> bool:
        limit = self._spec(actor).max_restarts
        return not actor.stopping and (limit < 0 or actor.restarts < limit)

    def _lose(self, actor: Actor, reason: str, now: float) -> None:
        """Its process is gone. Start it again if it may, at once unless it keeps failing before it is up."""
        if not self._may_restart(actor):
            if actor.restarts:
                reason = f"{reason}; it had been restarted {actor.restarts} times, as often as it may"
            self._die(actor, FaultKind.ACTOR_DIED, actor.stopping or reason)
            return
        actor.restarts += 1
        actor.fault = Fault(
            FaultKind.ACTOR_UNAVAILABLE,
            f"{actor.what} is being restarted: {reason}",
            actor=actor.id,
            pid=actor.pid,
            worker=actor.worker,
            node=actor.node,
        )
        self._move(actor, ActorEvent.LOST, reason)
        self._move_on(actor, now)
        self._tell(actor)

    def _move_on(self, actor: Actor, now: float) -> None:
        """The next incarnation, in a new place."""
        self._leave(actor)
        self._unplaced[actor.id] = actor
        actor.incarnation += 1
        actor.killed = ""
        if actor.failures > 1:
            limits = self._base.limits
            delay = min(limits.last_delay, limits.first_delay * 2.0 ** min(actor.failures - 2, 32))
            self._base.timers.at(now + delay, partial(self._place, actor))
        else:
            self._place(actor, now)

    def _leave(self, actor: Actor) -> None:
        if actor.node:
            del self._on_node[actor.node][actor.id]
        else:
            self._unplaced.pop(actor.id, None)
        actor.node = actor.worker = b""
        actor.address = ""
        actor.pid = 0

    def _die(self, actor: Actor, kind: FaultKind, reason: str) -> None:
        text = f"{actor.what} died: {reason}"
        fault = Fault(kind, text, actor=actor.id, pid=actor.pid, worker=actor.worker, node=actor.node)
        self._die_with(actor, fault)

    def _die_with(self, actor: Actor, fault: Fault) -> None:
        """Whatever still runs of it is ended; the name is free."""
        if actor.node:
            self._base.send(actor.node, StopActor(actor.id, actor.incarnation, False, fault.message))
        self._move(actor, ActorEvent.DIED, fault.message)
        self._leave(actor)
        self._free_name(actor)
        actor.fault = fault
        actor.spec = None
        self._tell(actor)
        self._watchers.drop_actor(actor.id)
        self._dead[actor.id] = None
        if len(self._dead) > DEAD_REMEMBERED:
            oldest = next(iter(self._dead))
            del self._dead[oldest], self.actors[oldest]

    def _free_name(self, actor: Actor) -> None:
        if actor.name is not None and self.names.get(actor.name) == actor.id:
            del self.names[actor.name]

    # --- telling ------------------------------------------------------------------------------------------------------

    def forget_peer(self, peer: bytes) -> None:
        """Nobody is there any more to be told anything."""
        self._watchers.drop_peer(peer)

    def _answer(self, peer: bytes, actor: Actor, request: int) -> None:
        """Tell one peer the state, and from then on every change (a dead actor has none)."""
        if actor.state is not ActorState.DEAD:
            self._watchers.add(actor.id, peer)
        info = self._info(actor)
        info.request = request
        info.handle_meta = actor.meta
        self._base.send(peer, info)

    def _tell(self, actor: Actor) -> None:
        for peer in self._watchers.of(actor.id):
            self._base.send(peer, self._info(actor))

    def _info(self, actor: Actor) -> ActorInfo:
        return ActorInfo(
            actor.id,
            actor.state,
            actor.incarnation,
            actor.worker,
            actor.address,
            actor.pid,
            actor.fault,
            owner_address=actor.owner_address,
            max_task_retries=actor.retries,
        )

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _living(self) -> list[Actor]:
        return [actor for actor in self.actors.values() if actor.state is not ActorState.DEAD]

    def _spec(self, actor: Actor) -> ActorSpec:
        assert actor.spec is not None, f"{actor.what} is dead"
        return actor.spec

    def _move(self, actor: Actor, event: ActorEvent, cause: object = None) -> None:
        actor.state = self._base.journal.move(ACTOR_TABLE, actor.id, actor.state, event, cause)

    def check(self) -> None:
        for id_, actor in self.actors.items():
            story = "\n  ".join([actor.what, *self._base.journal.story(id_)])
            dead = actor.state is ActorState.DEAD
            assert (actor.spec is None) is dead is (id_ in self._dead), f"half dead: {story}"
            assert (id_ in self._unplaced) is not (dead or bool(actor.node)), f"waits for a place, or not? {story}"
            assert bool(actor.worker) is (actor.state is ActorState.ALIVE), f"{actor.state.name} by its worker? {story}"
            if actor.node:
                assert id_ in self._on_node[actor.node], f"not listed on its node: {story}"
                state = self._nodes.nodes[actor.node].state
                assert state is not NodeState.DEAD, f"lives on a dead node: {story}"
            named = actor.name is not None and not dead and not actor.stopping
            assert named is (actor.name is not None and self.names.get(actor.name) == id_), f"its name: {story}"
            assert dead is False or not self._watchers.of(id_), f"dead and watched: {story}"
        for name, id_ in self.names.items():
            assert self.actors[id_].name == name, f"name {name} belongs to an actor that has another"
        placed = sum(len(actors) for actors in self._on_node.values())
        alive = sum(bool(actor.node) for actor in self.actors.values())
        assert placed == alive, f"{placed} actors are listed on nodes, {alive} say that they have one"
        self._watchers.check()
