"""What each message to an owner does, and which part of the owner it is for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from rustyray.core.owner import faults
from rustyray.model.ids import NodeID, ObjectID, WorkerID
from rustyray.model.messages import (
    ActorExited,
    ActorInfo,
    BorrowAck,
    BorrowAdd,
    BorrowRelease,
    CancelObject,
    GetObjects,
    GiveBack,
    GroupInfo,
    HeadError,
    Items,
    KilledForMemory,
    LeaseElsewhere,
    LeaseFailed,
    LeaseGranted,
    LeaseWaits,
    NodeDied,
    ObjectLost,
    ObjectReady,
    OwnerDied,
    ReclaimLeases,
    Results,
    Unblocked,
    WorkerDied,
)

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore


class Incoming:
    """The ``handlers`` of an owner, by type of message."""

    def __init__(self, core: OwnerCore) -> None:
        self._core = core
        self.handlers: dict[type, Callable[..., None]] = {
            Results: self._on_results,
            Items: self._on_items,
            ObjectReady: self._on_object_ready,
            CancelObject: core.cancels.on_cancel,
            GetObjects: lambda sender, message, now: core.refs.on_get_objects(sender, message),
            BorrowAdd: lambda sender, message, now: core.refs.on_borrow_add(sender, message),
            BorrowAck: self._on_borrow_ack,
            BorrowRelease: lambda sender, message, now: core.refs.on_borrow_release(sender, message),
            LeaseGranted: self._on_lease_granted,
            LeaseElsewhere: lambda sender, message, now: core.sched.requests.on_elsewhere(message),
            LeaseWaits: lambda sender, message, now: core.sched.requests.on_waits(message),
            LeaseFailed: self._on_lease_failed,
            ReclaimLeases: lambda sender, message, now: core.sched.on_reclaim(now),
            GiveBack: self._on_give_back,
            Unblocked: self._on_unblocked,
            ActorInfo: self._on_info,
            ActorExited: lambda sender, message, now: core.actors.exited(sender, message.actor, message.reason, now),
            GroupInfo: lambda sender, message, now: core.groups.on_info(message, now),
            HeadError: lambda sender, message, now: core.actors.on_refused(message, now),
            WorkerDied: lambda sender, message, now: core.deaths.process_died(message.worker, message.reason, now),
            OwnerDied: lambda sender, message, now: core.deaths.process_died(message.worker, message.reason, now),
            KilledForMemory: lambda sender, message, now: core.deaths.killed_for_memory(message),
            NodeDied: lambda sender, message, now: core.deaths.node_died(message, now),
            ObjectLost: lambda sender, message, now: core.deaths.object_lost(message, now),
        }

    def _on_results(self, sender: WorkerID, message: Results, now: float) -> None:
        lease = self._core.sched.by_worker.get(sender)
        if lease is not None:
            self._core.tasks.on_results(lease, message, now)
            return
        link = self._core.calls.by_worker.get(sender)
        if link is not None:
            self._core.calls.on_results(link, message, now)
        else:
            self._core.tasks.take_results({}, sender, message, now)

    def _on_items(self, sender: WorkerID, message: Items, now: float) -> None:
        holder = self._core.sched.by_worker.get(sender) or self._core.calls.by_worker.get(sender)
        record = holder.inflight.get(message.task) if holder is not None else None
        self._core.tasks.streams.on_items(record, sender, message, now)

    def _on_info(self, sender: bytes, message: ActorInfo, now: float) -> None:
        self._core.head.heard(message)
        self._core.actors.on_info(message, now)

    def _on_borrow_ack(self, sender: WorkerID, message: BorrowAck, now: float) -> None:
        self._core.deaths.answered(sender)
        self._core.refs.passed_on.on_ack(message)

    def _on_object_ready(self, sender: WorkerID, message: ObjectReady, now: float) -> None:
        self._core.deaths.answered(sender)
        ready: list[ObjectID] = []
        entry = self._core.asking.on_object_ready(sender, message, ready)
        if entry is not None:
            self._core.arguments.value_arrived(entry, now)
        self._core.refs.ready_effect(ready)

    def _on_give_back(self, sender: WorkerID, message: GiveBack, now: float) -> None:
        lease = self._core.sched.leases.get(message.lease)
        if lease is None or lease.worker != sender:
            return
        for record in self._core.sched.on_give_back(lease, message, now):
            self._core.tasks.fail(record, faults.cancelled(record), now)

    def _on_unblocked(self, sender: WorkerID, message: Unblocked, now: float) -> None:
        lease = self._core.sched.leases.get(message.lease)
        if lease is not None and lease.worker == sender and not lease.over:
            lease.blocked = False
            self._core.sched.pump(lease.target, now)

    def _on_lease_granted(self, sender: NodeID, message: LeaseGranted, now: float) -> None:
        before = self._core.sched.by_worker.get(message.worker)
        if before is not None:
            self._core.deaths.lose_lease(before, "its node has given its worker to another task", now, lives=True)
        self._core.sched.on_granted(sender, message, now)

    def _on_lease_failed(self, sender: NodeID, message: LeaseFailed, now: float) -> None:
        target = self._core.sched.requests.close(message.request)
        if target is not None and not target.leases and not target.requests:
            queue, target.queue = target.queue, deque()
            for record in queue:
                self._core.tasks.fail(record, message.fault, now)
