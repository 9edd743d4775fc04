"""Who asked this node to look inside, and which of its processes have yet to answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Final

from rustyray.core.node.base import NodeBase
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.store import Store
from rustyray.core.node.workers import Worker
from rustyray.core.telling import Teller
from rustyray.model.ids import WorkerID, from_hex
from rustyray.model.listed import CopyRow
from rustyray.model.messages import Inspect, InspectClient, Inspected, Report
from rustyray.model.states import WorkerState
from rustyray.model.stats import NodeStats, StoreStats

#: So many objects of one store are told of.
LISTED: Final = 10_000


class Asked:
    """One `Inspect`: what has come, and from whom nothing has yet."""

    __slots__ = ("awaited", "client", "reports", "request")

    def __init__(self, client: bytes, request: int, reports: list[Report]) -> None:
        self.client = client
        self.request = request
        self.reports = reports
        self.awaited: dict[bytes, None] = {}


class Inspections:
    """Asks the node's workers and drivers, and answers when all have answered or time is up.

    Args:
        drivers: those of this node.
        pid: of the node's process.
    """

    __slots__ = ("_base", "_desk", "_drivers", "_number", "_open", "_pid", "_pool", "_store")

    def __init__(
        self, base: NodeBase, desk: LeaseDesk, store: Store, drivers: Mapping[WorkerID, object], pid: int
    ) -> None:
        self._base = base
        self._desk = desk
        self._store = store
        self._pool = desk.pool
        self._drivers = drivers
        self._pid = pid
        self._number = 0
        self._open: dict[int, Asked] = {}

    def asked(self, client: bytes, message: Inspect, now: float) -> None:
        asked = Asked(client, message.request, [self._report(message, now)])
        self._number += 1
        self._open[self._number] = asked
        peers = {worker.id: worker.address for worker in self._pool.workers.values() if worker.address}
        peers |= dict.fromkeys(self._drivers, "")
        peers.pop(client, None)  # it knows about itself
        for peer, address in peers.items():
            asked.awaited[peer] = None
            self._base.send(peer, InspectClient(self._number, message.query), address)
        self._base.timers.at(now + message.patience, partial(self._answer, self._number))
        self._answer_if_complete(self._number)

    def answered(self, peer: bytes, message: Inspected, now: float) -> None:
        asked = self._open.get(message.request)
        if asked is not None and peer in asked.awaited:
            del asked.awaited[peer]
            asked.reports.extend(message.reports)
            self._answer_if_complete(message.request)

    def gone(self, peer: bytes) -> None:
        """It will not answer; that it is gone, others tell."""
        for number, asked in list(self._open.items()):
            if asked.client == peer:
                del self._open[number]
            elif peer in asked.awaited:
                del asked.awaited[peer]
                self._answer_if_complete(number)

    def _report(self, message: Inspect, now: float) -> Report:
        teller = Teller("node", self._base.node, self._base.node, message.query, now)
        events = teller.told(teller.of(self._base.journal))
        report = Report("node", self._base.node, self._base.node, now, self._pid, events)
        if message.query.stats:
            report.node_stats = self._stats()
        if message.query.states:
            report.workers = [self._state(worker, now) for worker in self._pool.workers.values()]
        if message.query.lists:
            report.copies = self._copies(message.query.about)
        return report

    def _copies(self, about: str) -> list[CopyRow]:
        stored = self._store.objects
        found = [stored.get(from_hex(about))] if about else islice(stored.values(), LISTED)
        return [
            CopyRow(
                object_id=copy.object.hex(),
                node=self._base.node.hex(),
                size=copy.size,
                state=copy.state.name,
                spare=bool(copy.source),
                pins=copy.pins,
            )
            for copy in found
            if copy is not None
        ]

    def _state(self, worker: Worker, now: float) -> WorkerState:
        return WorkerState(
            worker_id=worker.id.hex(),
            node_id=self._base.node.hex(),
            pid=worker.pid,
            state=worker.state.name,
            seconds=now - worker.since,
            actor_id=worker.actor[0].hex() if worker.actor is not None else "",
            reason=worker.reason,
            env=worker.env,
        )

    def _stats(self) -> NodeStats:
        workers: dict[str, int] = {}
        for worker in self._pool.workers.values():
            state = worker.state.name
            workers[state] = workers.get(state, 0) + 1
        store = self._store
        spilled, spilled_bytes, restored, restored_bytes = store.room.spilling.counts
        pulled, pulled_bytes = store.transfers.counts
        return NodeStats(
            node=self._base.node.hex(),
            pid=self._pid,
            workers=workers,
            forked=self._pool.forked,
            leases=len(self._desk.leases),
            granted=self._desk.granted,
            queue=self._desk.queue.count + len(self._desk.waiting),
            store=StoreStats(
                capacity=store.arena.capacity,
                used=store.arena.used,
                objects=len(store.objects),
                pinned=sum(copy.pins > 0 for copy in store.objects.values()),
                spilled=spilled,
                spilled_bytes=spilled_bytes,
                restored=restored,
                restored_bytes=restored_bytes,
                pulling=len(store.transfers.pulls),
                pulled=pulled,
                pulled_bytes=pulled_bytes,
            ),
        )

    def _answer_if_complete(self, number: int) -> None:
        if not self._open[number].awaited:
            self._answer(number, 0.0)

    def _answer(self, number: int, now: float) -> None:
        asked = self._open.pop(number, None)
        if asked is not None:
            self._base.send(asked.client, Inspected(asked.request, asked.reports, list(asked.awaited)))
