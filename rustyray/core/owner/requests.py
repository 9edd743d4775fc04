"""Requests for workers: asked of the owner's node first, and of others to which that one sends us.

A request is open until it is answered, moved to another node, or cancelled, because what it was for is done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rustyray.core.effects import Effect, Send, Warn
from rustyray.core.owner.records import SchedulingClass
from rustyray.core.story import Journal
from rustyray.model.ids import JobID, NodeID
from rustyray.model.messages import CancelLease, LeaseElsewhere, LeaseWaits, RequestLease

MAX_HOPS: Final = 4
#: Seconds until workers are asked for again that were asked of a node which is gone.
ASK_AGAIN: Final = 0.1


class Requests:
    """The open requests of one owner; a `SchedulingClass` knows its own, too."""

    __slots__ = ("_addresses", "_journal", "_node", "_number", "_open", "_out", "job")

    def __init__(self, node: NodeID, job: JobID, out: list[Effect], journal: Journal) -> None:
        self._node = node
        #: Set again by a driver that hears of its job only when it has joined.
        self.job = job
        self._out = out
        self._journal = journal
        self._open: dict[int, SchedulingClass] = {}
        self._number = 0
        #: Where other nodes listen that we were sent to.
        self._addresses: dict[NodeID, str] = {}

    def ask(self, target: SchedulingClass) -> None:
        """One worker more."""
        near = target.strategy.near if target.strategy is not None else b""
        if near in self._addresses:  # it knows best what room it has
            self._ask(target, near, self._addresses[near], 1)
        else:
            self.ask_here(target)

    def ask_here(self, target: SchedulingClass) -> None:
        self._ask(target, self._node, "", 0)

    def _ask(self, target: SchedulingClass, node: NodeID, address: str, hops: int) -> None:
        self._number = number = self._number + 1
        target.requests[number] = node
        self._open[number] = target
        pinned, strategy = hops >= MAX_HOPS, target.strategy
        message = RequestLease(number, self.job, target.resources, hops, pinned, strategy, target.retriable, target.env)
        self._out.append(Send(node, message, address))

    def cancel(self, target: SchedulingClass) -> None:
        """No more workers are needed."""
        for number, node in target.requests.items():
            del self._open[number]
            self._out.append(Send(node, CancelLease(number)))
        target.requests.clear()

    def close(self, request: int) -> SchedulingClass | None:
        """It is answered. Returns for whom it was, if that is not known to be done."""
        target = self._open.pop(request, None)
        if target is not None:
            target.requests.pop(request, None)
        return target

    def on_elsewhere(self, message: LeaseElsewhere) -> None:
        self._addresses[message.node] = message.address
        target = self.close(message.request)
        if target is not None and target.queue:
            self._ask(target, message.node, message.address, 1)

    def on_waits(self, message: LeaseWaits) -> None:
        target = self._open.get(message.request)
        if target is not None and not target.warned:
            target.warned, target.why = True, message.reason
            self._journal.note("lease", b"", "waits", message.reason)
            self._out.append(Warn(message.reason))

    def node_lost(self, node: NodeID, targets: Iterable[SchedulingClass], now: float) -> None:
        """Nothing asked of this node will be answered: ask again, a little later, when others know it too."""
        self._addresses.pop(node, None)
        for target in targets:
            lost = [number for number, asked in target.requests.items() if asked == node]
            for number in lost:
                self.close(number)
            if lost:
                target.ask_after = now + ASK_AGAIN

    def check(self, target: SchedulingClass) -> None:
        for number in target.requests:
            assert self._open.get(number) is target, f"request {number} is not in the index"
