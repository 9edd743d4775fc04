"""The node's core: one entry point for messages, deaths and time, and the parts that decide.

The host (which also hosts the head on the first node) forks and ends worker processes, and reports here how each one
ended. It must read a connection to its end before it reports the loss of a peer or the end of a process: what a worker
said last often explains why it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rustyray.core.effects import Effect, Refusal, Stopped
from rustyray.core.node.accounts import Accounts
from rustyray.core.node.actors import HostedActors
from rustyray.core.node.base import NodeBase, NodeLimits
from rustyray.core.node.bundles import Bundles
from rustyray.core.node.claims import ClaimQueue
from rustyray.core.node.clients import Clients
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.drivers import Drivers
from rustyray.core.node.group_routing import GroupRouter
from rustyray.core.node.inspections import Inspections
from rustyray.core.node.jobs import Jobs
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.leaving import Leaving
from rustyray.core.node.memory import Memory, MemoryMonitor
from rustyray.core.node.routing import Router
from rustyray.core.node.shutdown import NodeShutdown
from rustyray.core.node.store import Store
from rustyray.core.node.supervisor import Supervisor
from rustyray.core.node.transfers import Place
from rustyray.core.node.workers import Pool
from rustyray.model.ids import WORKER_ID_SIZE, NodeID, WorkerID
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorStarted,
    Blocked,
    CancelLease,
    Chunk,
    ClusterView,
    GroupInfo,
    HeadEnds,
    Inspect,
    Inspected,
    JobAccepted,
    JobDescribed,
    JobOver,
    KillWorker,
    Message,
    NodeAccepted,
    NodeDied,
    NodeInfo,
    NodeRefused,
    ObjectLost,
    OwnerDied,
    PrepareBundles,
    PullChunk,
    PullDone,
    PullElsewhere,
    PullFailed,
    RegisterAgain,
    RegisterDriver,
    RegisterNode,
    RequestLease,
    Resumed,
    ReturnBundles,
    ReturnLease,
    Shutdown,
    ShutdownDone,
    StartActor,
    StopActor,
    StoreAbort,
    StoreCreate,
    StoreFree,
    StorePin,
    StorePinAll,
    StoreSeal,
    StoreUnpin,
    UnwatchPressure,
    WatchPressure,
    WorkerDied,
    WorkerReady,
    WorkerSpent,
    WorkerStays,
)
from rustyray.model.resources import CPU, UNIT, ResourceSet
from rustyray.model.strategies import NODE_LABEL
from rustyray.model.values import FaultKind


class NodeCore:
    """Everything that one node decides.

    Args:
        node: its id; workers are numbered under it from 1.
        resources: what it has, in fixed-point units.
        address: where it listens; told to the head.
        store_capacity: the arena's size in bytes.
        head_address: where the head listens; empty when it runs in the same process.
        prestart: how many workers are started ahead of anybody's need, one after the other.
        embedded_driver: the driver to which this runtime belongs. When it is lost, the node ends too.
        shared: drivers come and go: workers serve one job each, and no driver can end the node.
        refusals: of the nodes that had its place before.
    """

    def __init__(
        self,
        node: NodeID,
        resources: ResourceSet,
        *,
        address: str,
        store_capacity: int,
        head_address: str = "",
        prestart: int = 0,
        embedded_driver: WorkerID | None = None,
        hostname: str = "",
        pid: int = 0,
        labels: dict[str, str] | None = None,
        limits: NodeLimits | None = None,
        shared: bool = False,
        refusals: Sequence[Refusal] = (),
    ) -> None:
        limits = limits or NodeLimits()
        soft_idle = limits.soft_idle if limits.soft_idle is not None else max(1, resources.get(CPU, 0) // UNIT)
        own_labels = {**(labels or {}), NODE_LABEL: node.hex()}
        info = NodeInfo(node, address, True, dict(resources), dict(resources), hostname, pid, own_labels)
        queue = ClaimQueue()
        self._base = NodeBase(node, address, head_address, limits)
        self._accounts = Accounts(resources)
        self._cluster = Cluster(
            self._base, self._accounts, queue, info, self._snapshot, self._give_up, self._look_elsewhere
        )
        self._jobs = Jobs(self._base, shared)
        self._pool = Pool(self._base, self._jobs, soft_idle)
        self._desk = LeaseDesk(self._base, self._accounts, self._pool, queue, self._cluster)
        self._memory = MemoryMonitor(self._base, self._desk)
        self._actors = HostedActors(self._base, self._desk)
        self._bundles = Bundles(self._base, self._accounts, self._desk, self._actors, self._cluster)
        groups = GroupRouter(self._base, self._accounts, self._desk, self._cluster, self._bundles)
        self._router = Router(self._base, self._accounts, self._desk, self._cluster, info, groups)
        self._store = Store(self._base, store_capacity, self._cluster)
        self._supervisor = Supervisor(self._base, self._desk, self._actors, prestart)
        self._clients = Clients(self._base, self._cluster, self._desk, self._router, self._store)
        self._connected = self._clients.connected
        self._drivers = Drivers(
            self._base, self._desk, self._actors, self._clients, embedded_driver, self._store.arena.capacity
        )
        self._inspections = Inspections(self._base, self._desk, self._store, self._drivers.jobs_of, pid)
        self._shutdown = NodeShutdown(self._base, self._desk, self._actors, self._store)
        self._leaving = Leaving(self._base, self._drivers, self._shutdown, refusals)
        self._handlers = self._who_takes_what()

    def _who_takes_what(self) -> dict[type[Any], Callable[[bytes, Any, float], None]]:
        store, transfers = self._store, self._store.transfers
        return {
            StoreCreate: store.create,
            StoreSeal: store.seal,
            StoreAbort: store.abort,
            StorePin: store.pin,
            StorePinAll: store.reads.ask,
            StoreUnpin: store.unpin,
            StoreFree: store.free,
            ObjectLost: store.on_object_lost,
            WatchPressure: store.room.pressure.watch,
            UnwatchPressure: store.room.pressure.unwatch,
            PullChunk: transfers.serving.on_ask,
            Chunk: transfers.on_chunk,
            PullFailed: transfers.on_failed,
            PullElsewhere: transfers.on_elsewhere,
            PullDone: transfers.serving.on_done,
            RequestLease: self._router.request,
            CancelLease: self._router.cancel,
            ReturnLease: self._desk.give_back,
            Blocked: self._supervisor.on_blocked,
            Resumed: self._supervisor.on_resumed,
            WorkerReady: self._supervisor.on_ready,
            WorkerSpent: self._supervisor.on_spent,
            WorkerStays: self._supervisor.on_stays,
            KillWorker: self._supervisor.on_kill,
            RegisterDriver: self._drivers.on_register,
            JobAccepted: self._drivers.on_accepted,
            JobDescribed: self._drivers.on_described,
            JobOver: self._drivers.on_over,
            ActorStarted: self._on_actor_started,
            ActorExited: self._on_actor_exited,
            StartActor: self._on_start_actor,
            StopActor: self._on_stop_actor,
            RegisterAgain: self._on_register_again,
            NodeAccepted: self._on_node_accepted,
            NodeRefused: self._leaving.on_refused,
            HeadEnds: self._leaving.on_head_ends,
            ClusterView: self._on_cluster_view,
            PrepareBundles: self._bundles.prepare,
            ReturnBundles: self._bundles.give_back,
            GroupInfo: self._router.groups.news,
            OwnerDied: self._clients.on_owner_died,
            NodeDied: self._clients.on_node_died,
            Shutdown: self._on_shutdown,
            Inspect: self._inspections.asked,
            Inspected: self._inspections.answered,
        }

    # --- what the host calls ------------------------------------------------------------------------------------------

    @property
    def out(self) -> list[Effect]:
        """What the host has yet to carry out, in order."""
        return self._base.out

    @out.setter
    def out(self, effects: list[Effect]) -> None:
        self._base.out = effects

    @property
    def stopped(self) -> bool:
        return self._shutdown.stopped

    def start(self, now: float) -> None:
        """Register with the head and fork the first worker. The host calls it once, before anything else."""
        self._base.journal.now = now
        self._cluster.start(now)
        self._supervisor.prestart_next(now)
        self._memory.start(now)

    def on_message(self, sender: bytes, message: Message, now: float) -> None:
        """What ``sender`` (authenticated by the host) said. What is late, doubled or from the dead is ignored."""
        handler = self._handlers.get(type(message))
        if handler is None or self._shutdown.stopped:
            return
        self._base.journal.now = now
        if sender not in self._connected and sender != HEAD:
            if self._base.is_gone(sender):
                return
            if len(sender) == WORKER_ID_SIZE:
                self._clients.joined(sender)
        handler(sender, message, now)
        self._cluster.changed(now)

    def place(self, sender: bytes, chunk: Chunk) -> Place | None:
        """Where the arena has the object that ``chunk`` is of, whose body arrives; ask again for each part of it.

        `THROWN_AWAY`: it is wanted no more. None: nobody asked for it, and who sends it is to be cut off.
        """
        return self._store.transfers.place(sender, chunk)

    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None:
        """The system did not take the body of ``chunk``. (Its rest is to be read all the same.)"""
        if not self._shutdown.stopped:
            self._store.transfers.not_written(sender, chunk, why, now)

    def on_peer_lost(self, peer: bytes, reason: str, now: float) -> None:
        """The connection to ``peer`` is gone. A worker of ours may still run; `process_ended` says when it is over."""
        if self._shutdown.stopped:
            return
        self._base.journal.now = now
        self._connected.pop(peer, None)
        self._inspections.gone(peer)
        worker = self._pool.workers.get(peer)
        if worker is not None:
            self._supervisor.lost(worker, now)
        elif peer == self._drivers.embedded:
            self._shutdown.at_once(now)
        elif peer == HEAD:
            self._cluster.head_lost(now)
        elif peer in self._drivers:
            self._drivers.gone(peer, reason, now)
        else:
            self._clients.forget(peer, reason, now, dead=False)
        self._cluster.changed(now)

    def process_ended(
        self, worker: WorkerID, reason: str, now: float, kind: FaultKind = FaultKind.WORKER_CRASHED
    ) -> None:
        """A worker's process ended; ``reason`` says how (``"it was killed by signal 9 (SIGKILL)"``)."""
        gone = self._pool.workers.get(worker)
        if gone is None or self._shutdown.stopped:
            return
        self._base.journal.now = now
        self._inspections.gone(worker)
        reason, kind = self._supervisor.ended(gone, reason, kind)
        self._clients.died(worker, reason, now)
        if not self._base.stopping:
            self._clients.tell_death(WorkerDied(worker, reason, gone.intended, kind))
        self._bundles.look(now)
        self._shutdown.worker_ended(gone, now)
        self._cluster.changed(now)

    def spilled(self, place: int, checksum: int, problem: str, now: float) -> None:
        """The answer to a `SpillObject`; ``problem`` says why it could not be written."""
        self._store.room.on_spilled(place, checksum, problem, now)

    def restored(self, place: int, problem: str, now: float) -> None:
        """The answer to a `RestoreObject`; ``problem`` says what is wrong with what was read."""
        self._store.room.on_restored(place, problem, now)

    def measured(self, memory: Memory, now: float) -> None:
        """The answer to a `MeasureMemory`."""
        if not self._shutdown.stopped:
            self._base.journal.now = now
            self._memory.measured(memory, now)

    def on_time(self, now: float) -> None:
        if not self._shutdown.stopped:
            self._base.journal.now = now
            self._base.timers.run(now)
            self._cluster.changed(now)

    def next_deadline(self) -> float | None:
        return None if self._shutdown.stopped else self._base.timers.next()

    # --- the end ------------------------------------------------------------------------------------------------------

    def _on_shutdown(self, sender: bytes, message: Shutdown, now: float) -> None:
        if sender not in self._drivers.jobs_of and sender != self._drivers.embedded:
            return
        self._base.journal.note("lifecycle", sender, "shutdown")
        if self._jobs.shared:
            self._drivers.gone(sender, "it has left the cluster", now)
            self._base.send(sender, ShutdownDone([], []))
        else:
            self._shutdown.begin(sender, message.grace, now)

    def shut_down(self, grace: float, now: float) -> None:
        """The host was asked to end: stop all workers within ``grace`` seconds, then say `Stopped`."""
        self._shutdown.begin(self._drivers.embedded or b"", grace, now)

    # --- actors and the cluster ---------------------------------------------------------------------------------------

    def _on_actor_started(self, sender: bytes, message: ActorStarted, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is not None:
            self._actors.started(worker, message, now)

    def _on_actor_exited(self, sender: bytes, message: ActorExited, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is not None:
            self._actors.exited(worker, message, now)

    def _on_start_actor(self, sender: bytes, message: StartActor, now: float) -> None:
        if sender == HEAD:
            self._actors.start(message, now)

    def _on_stop_actor(self, sender: bytes, message: StopActor, now: float) -> None:
        if sender == HEAD:
            self._actors.stop(message, now)

    def _on_node_accepted(self, sender: bytes, message: NodeAccepted, now: float) -> None:
        if sender == HEAD and message.node == self._base.node and not self._cluster.accepted:
            self._cluster.accept()
            self._leaving.head_is_back()
            self._drivers.ask_again()

    def _on_register_again(self, sender: bytes, message: RegisterAgain, now: float) -> None:
        if sender == HEAD and message.node == self._base.node:
            self._cluster.accepted = False
            self._cluster.register()

    def _snapshot(self) -> RegisterNode:
        """What is here, for a head that may have missed something."""
        return RegisterNode(
            self._cluster.info,
            0,
            self._actors.snapshot(),
            [*self._pool.workers, *self._drivers.all()],
            list(self._base.reports),
            self._jobs.known(),
            self._bundles.snapshot(),
            self._pool.next,
            self._leaving.replaces,
        )

    def _give_up(self, now: float) -> None:
        self._leaving.head_stays_away(now)

    def _on_cluster_view(self, sender: bytes, message: ClusterView, now: float) -> None:
        if sender == HEAD:
            self._cluster.see(message)
            self._store.transfers.meet(now)
            self._look_elsewhere(now)

    def _look_elsewhere(self, now: float) -> None:
        """Other nodes may have room for what waits here."""
        self._router.look_again(now)
        self._actors.look_elsewhere(now)
        self._desk.look_elsewhere(now)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises AssertionError, with the story of the object concerned, when an invariant does not hold."""
        self._pool.check()
        self._desk.check()
        self._actors.check()
        self._bundles.check()
        self._store.check()
        stopped = sum(isinstance(effect, Stopped) for effect in self._base.out)
        assert stopped <= 1, "the node stopped more than once"
