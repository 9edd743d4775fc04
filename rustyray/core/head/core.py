"""The head's core: the one place that knows all nodes, jobs and actors, and that never sees a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from rustyray.core.effects import Effect
from rustyray.core.head.actors import Actors
from rustyray.core.head.base import HeadBase, HeadLimits
from rustyray.core.head.entries import Entries
from rustyray.core.head.jobs import Job, Jobs
from rustyray.core.head.keeping import keep, restore
from rustyray.core.head.listing import actor_row, job_row
from rustyray.core.head.nodes import Joined, Node, Nodes
from rustyray.core.telling import Teller
from rustyray.model.ids import WORKER_ID_SIZE, JobID, NodeID, WorkerID, node_of, worker_id
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorStarted,
    AskEntry,
    BundlesPrepared,
    CreateActor,
    CreateGroup,
    DescribeCluster,
    DescribeJob,
    FindActor,
    FindGroup,
    Heartbeat,
    Inspected,
    InspectHead,
    JobFinished,
    JobOver,
    KillActor,
    ListActors,
    ListGroups,
    Message,
    NodeDied,
    NodeEnds,
    OwnerDied,
    RegisterJob,
    RegisterNode,
    RemoveGroup,
    Report,
    WatchActor,
    WatchGroup,
    WorkerDied,
)
from rustyray.model.stats import HeadStats

#: So many of the last deaths are told again to a node that may have missed them.
TOLD_AGAIN: Final = 1_000


class HeadCore:
    """Everything that the head decides. Its host treats it like any other core; see `rustyray.core.effects`.

    With ``durable`` it says with `Keep` what is to be written down, for a head that comes after it to `restore`.
    """

    def __init__(self, limits: HeadLimits | None = None, durable: bool = False) -> None:
        self._base = HeadBase(limits or HeadLimits())
        if durable:
            self._base.changes = {}
        self._nodes = Nodes(self._base, self._node_died)
        self._jobs = Jobs(self._base)
        self._entries = Entries(self._base)
        self._actors = Actors(self._base, self._nodes, self._jobs, self._detached_died)
        actors, groups = self._actors, self._actors.groups
        self._handlers: dict[type[Any], Callable[[bytes, Any, float], object]] = {
            Heartbeat: self._on_heartbeat,
            RegisterNode: self._on_register_node,
            NodeEnds: self._nodes.ends,
            DescribeCluster: self._nodes.describe,
            RegisterJob: self._jobs.register,
            DescribeJob: self._jobs.describe,
            JobFinished: self._on_job_finished,
            WorkerDied: self._on_worker_died,
            CreateActor: actors.create,
            FindActor: actors.registry.find,
            ListActors: actors.registry.list_named,
            WatchActor: actors.registry.watch,
            KillActor: actors.kill,
            InspectHead: self._on_inspect,
            AskEntry: self._entries.asked,
            ActorStarted: actors.started,
            ActorExited: actors.exited,
            CreateGroup: groups.create,
            RemoveGroup: groups.remove,
            FindGroup: groups.find,
            ListGroups: groups.list_all,
            WatchGroup: groups.watch,
            BundlesPrepared: groups.prepared,
        }

    # --- what the host calls ------------------------------------------------------------------------------------------

    @property
    def out(self) -> list[Effect]:
        """What the host has yet to carry out, in order."""
        return self._base.out

    @out.setter
    def out(self, effects: list[Effect]) -> None:
        self._base.out = effects

    def on_message(self, sender: bytes, message: Message, now: float) -> None:
        """What ``sender`` (authenticated by the host) said. What is late, doubled or from the dead is ignored.

        A dead node is not ignored but refused, so that it learns of its death and stops; of that it may speak.
        """
        handler = self._handlers.get(type(message))
        if handler is None:
            return
        self._base.journal.now = now
        if self._base.why_gone(sender) is None or isinstance(message, RegisterNode | Heartbeat | NodeEnds):
            handler(sender, message, now)
            self._end_step(now)

    def _end_step(self, now: float) -> None:
        if self._actors.groups.freed:
            self._place_waiting(now)
        keep(self._base)

    def restore(self, kept: Iterable[bytes], now: float) -> None:
        """Go on where another head has ended: ``kept`` are the values that it had kept, oldest first."""
        restore(kept, self._nodes, self._jobs, self._actors, self._entries, now)
        for node in self._nodes.dead():
            self._base.note_gone(node.info.node, f"its node {node.info.node.hex()} died: {node.info.reason}")
        keep(self._base)

    def on_peer_lost(self, peer: bytes, reason: str, now: float, reached: bool = True) -> None:
        """The connection to ``peer`` is gone, or (not ``reached``) could not be made.

        Of workers and drivers the nodes say when they are dead.
        """
        self._base.journal.now = now
        node = self._nodes.nodes.get(peer)
        if node is not None:
            self._nodes.cut_off(node, reason, reached, now)
        else:
            self._actors.registry.forget_peer(peer)
            self._actors.groups.forget_peer(peer)
        self._end_step(now)

    def on_time(self, now: float) -> None:
        self._base.journal.now = now
        self._base.timers.run(now)
        self._end_step(now)

    def next_deadline(self) -> float | None:
        return self._base.timers.next()

    # --- nodes --------------------------------------------------------------------------------------------------------

    def _on_register_node(self, sender: bytes, message: RegisterNode, now: float) -> None:
        joined = self._nodes.register(sender, message, now)
        if joined is Joined.NOT:
            return
        self._actors.groups.node_joined(sender)
        if joined is Joined.AGAIN:
            self._compare(sender, message, now)
        self._place_waiting(now)

    def _compare(self, node: NodeID, message: RegisterNode, now: float) -> None:
        """A node that may have missed something, and of which something may be missing here, is there (again)."""
        for report in message.reports:
            self._handlers[type(report)](node, report, now)
        processes = set(message.processes)
        for process in self._owners_on(node, worker_id(node, message.next)):
            if process not in processes and self._base.why_gone(process) is None:
                self._on_worker_died(node, WorkerDied(process, "it ended while its node and the head were apart"), now)
        self._actors.compare(node, message.actors, now)
        self._actors.groups.compare(node, message.groups)
        for dead in self._nodes.dead():
            self._base.send(node, NodeDied(dead.info.node, dead.info.reason))
        for peer, reason in self._base.gone()[-TOLD_AGAIN:]:
            if len(peer) == WORKER_ID_SIZE and node_of(peer) != node:
                self._base.send(node, OwnerDied(peer, reason))
        for job in message.jobs:
            known = self._jobs.jobs.get(job)
            if known is None or known.over:
                self._base.send(node, JobOver(job, known.finished if known is not None else "nothing is known of it"))

    def _owners_on(self, node: NodeID, later: WorkerID) -> list[WorkerID]:
        """The node's processes that own a job or an actor; but no worker that may have been started ``later``.

        (What drivers say comes through the node itself, so none of them can be newer than the node's word.)
        """
        owners = dict.fromkeys(driver for driver in self._jobs.drivers() if node_of(driver) == node)
        owners |= dict.fromkeys(owner for owner in self._actors.owners() if node_of(owner) == node and owner < later)
        return list(owners)

    def _on_heartbeat(self, sender: bytes, message: Heartbeat, now: float) -> None:
        if self._nodes.heartbeat(sender, message, now):
            self._place_waiting(now)

    def _place_waiting(self, now: float) -> None:
        self._actors.groups.place_waiting(now)
        self._actors.place_waiting(now)

    def _node_died(self, node: Node, reason: str, now: float) -> None:
        """Everything on it is dead: its drivers and workers, their actors, and the actors that lived there."""
        id_ = node.info.node
        self._tell_nodes(NodeDied(id_, reason))
        self._actors.groups.node_died(node, now)
        self._actors.node_died(node, reason, now)
        for driver in self._jobs.drivers():
            if node_of(driver) == id_:
                self._finish_job(driver, f"the node of its driver died: {reason}")

    # --- workers and drivers ------------------------------------------------------------------------------------------

    def _on_worker_died(self, sender: bytes, message: WorkerDied, now: float) -> None:
        """Only its own node can say so. The other nodes pass it on to those who may hold its objects."""
        if node_of(message.worker) != sender or self._base.why_gone(message.worker) is not None:
            return
        self._base.note_gone(message.worker, message.reason)
        self._base.journal.note("worker", message.worker, "died", message.reason)
        self._actors.worker_died(message.worker, message.reason, now)
        self._finish_job(message.worker, f"its driver died: {message.reason}")
        self._tell_nodes(OwnerDied(message.worker, message.reason), but=sender)

    def _on_job_finished(self, sender: bytes, message: JobFinished, now: float) -> None:
        if sender in {message.driver, node_of(message.driver)}:
            self._finish_job(message.driver, "its driver is done")

    def _finish_job(self, driver: WorkerID, reason: str) -> None:
        job = self._jobs.finish(driver, reason)
        if job is not None:
            self._base.journal.note("lifecycle", driver, "job finished", reason)
            self._actors.job_finished(job.id, reason)
            self._actors.groups.job_finished(job.id, reason)
            self._end_if_over(job)

    def _detached_died(self, job: JobID) -> None:
        known = self._jobs.jobs.get(job)
        if known is not None and known.finished:
            self._end_if_over(known)

    def _end_if_over(self, job: Job) -> None:
        """Nothing of a finished job is left but its detached actors, and what they do."""
        if not job.over and not self._actors.has_detached(job.id):
            self._jobs.end(job)
            self._tell_nodes(JobOver(job.id, job.finished))

    # --- looking inside -----------------------------------------------------------------------------------------------

    def _on_inspect(self, sender: bytes, message: InspectHead, now: float) -> None:
        teller = Teller("head", HEAD, b"", message.query, now)
        report = Report("head", HEAD, b"", now, 0, teller.told(teller.of(self._base.journal)))
        if message.query.stats:
            report.head_stats = self._stats()
        if message.query.states:
            report.nodes = [node.told(now) for node in self._nodes.nodes.values()]
        if message.query.lists:
            report.actors = [actor_row(actor) for actor in self._actors.registry.all()]
            report.jobs = [job_row(job) for job in self._jobs.jobs.values()]
        nodes = {node.info.node: node.info.address for node in self._nodes.living()}
        self._base.send(sender, Inspected(message.request, [report], nodes=nodes))

    def _stats(self) -> HeadStats:
        nodes, actors = [node.state.name for node in self._nodes.nodes.values()], self._actors.registry.all()
        return HeadStats(
            nodes={state: nodes.count(state) for state in dict.fromkeys(nodes)},
            actors=self._actors.registry.count_by_state(),
            restarts=sum(actor.restarts for actor in actors),
            jobs=len(self._jobs.drivers()),
        )

    def _tell_nodes(self, message: Message, but: bytes = b"") -> None:
        for node in self._nodes.living():
            if node.info.node != but:
                self._base.send(node.info.node, message)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises AssertionError, with the story of the object concerned, when an invariant does not hold."""
        self._nodes.check()
        self._jobs.check()
        self._actors.groups.check()
        self._actors.check()
