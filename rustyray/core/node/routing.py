"""Requests for workers on certain nodes: which node serves them is decided on the owner's own node, once."""

from __future__ import annotations

from functools import partial

import msgspec

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.group_routing import GroupRouter
from rustyray.core.node.leases import LeaseDesk
from rustyray.model.ids import NodeID, WorkerID
from rustyray.model.messages import CancelLease, LeaseElsewhere, LeaseFailed, LeaseWaits, NodeInfo, RequestLease
from rustyray.model.resources import ResourceSet, describe, fits
from rustyray.model.strategies import Strategy, allows
from rustyray.model.values import Fault, FaultKind


class Router:
    """Sends a request with a strategy on to its node, or keeps it while there is none."""

    __slots__ = ("_accounts", "_base", "_cluster", "_desk", "_me", "_sent", "groups", "waiting")

    def __init__(
        self,
        base: NodeBase,
        accounts: Accounts,
        desk: LeaseDesk,
        cluster: Cluster,
        me: NodeInfo,
        groups: GroupRouter,
    ) -> None:
        self._base = base
        self.groups = groups
        self._accounts = accounts
        self._desk = desk
        self._cluster = cluster
        self._me = me
        #: How many requests that are to be spread each node was given.
        self._sent: dict[NodeID, int] = {}
        #: Requests that no node can serve, as far as is known here.
        self.waiting: dict[tuple[WorkerID, int], RequestLease] = {}

    def request(self, client: WorkerID, message: RequestLease, now: float) -> None:
        strategy = message.strategy
        if strategy is not None and strategy.group:
            self.groups.request(client, message, strategy, now)
        elif strategy is None or message.hops or self._base.stopping:
            self._desk.request(client, message, now)
        elif strategy.near:
            self._request_near(client, message, strategy.near, now)
        elif (client, message.request) not in self.waiting and not self._route(client, message, now):
            self._wait(client, message, strategy, now)

    def _request_near(self, client: WorkerID, message: RequestLease, node: NodeID, now: float) -> None:
        """To that node if it has room, or if nobody has; else as without a strategy."""
        need, there = message.resources, self._cluster.others.get(node)
        if there is not None:
            room = fits(need, there.available)
            if room:
                self._cluster.take(there, need)
            if room or (fits(need, there.total) and not self._any_room(need)):
                self._base.send(client, LeaseElsewhere(message.request, node, there.address))
                return
        self._desk.request(client, msgspec.structs.replace(message, strategy=None), now)

    def _any_room(self, need: ResourceSet) -> bool:
        others = self._cluster.others.values()
        return self._accounts.fits_now(need) or any(fits(need, node.available) for node in others)

    def cancel(self, client: WorkerID, message: CancelLease, now: float) -> None:
        if self.waiting.pop((client, message.request), None) is None and not self.groups.cancel(client, message):
            self._desk.cancel(client, message, now)

    def client_gone(self, client: bytes) -> None:
        for key in [key for key in self.waiting if key[0] == client]:
            del self.waiting[key]
        self.groups.client_gone(client)

    def look_again(self, now: float) -> None:
        """The view of the cluster has changed, or a node has died."""
        self.groups.look_again(now)
        for (client, number), message in list(self.waiting.items()):
            assert message.strategy is not None
            if self._route(client, message, now):
                del self.waiting[client, number]
            elif self._is_lost(message.strategy):
                self._fail(client, message, "is dead")

    def _wait(self, client: WorkerID, message: RequestLease, strategy: Strategy, now: float) -> None:
        if self._is_lost(strategy):
            self._fail(client, message, "is dead")
            return
        self.waiting[client, message.request] = message
        if strategy.node:
            self._base.timers.at(now + self._base.limits.unknown, partial(self._give_up, client, message))
        else:
            reason = (
                f"no node can give a worker with {describe(message.resources)} on {strategy}: "
                f"{self._cluster.describe(self._accounts.own())}; the request waits until a node that fits joins"
            )
            self._base.send(client, LeaseWaits(message.request, reason))

    def _give_up(self, client: WorkerID, message: RequestLease, now: float) -> None:
        if self.waiting.pop((client, message.request), None) is not None:
            self._fail(client, message, "is not part of the cluster")

    def _fail(self, client: WorkerID, message: RequestLease, why: str) -> None:
        self.waiting.pop((client, message.request), None)
        text = f"the task may only run on {message.strategy}, which {why}"
        self._base.send(client, LeaseFailed(message.request, Fault(FaultKind.UNSCHEDULABLE, text)))

    def _is_lost(self, strategy: Strategy) -> bool:
        return bool(strategy.node) and self._base.is_gone(strategy.node)

    # --- choosing -----------------------------------------------------------------------------------------------------

    def _route(self, client: WorkerID, message: RequestLease, now: float) -> bool:
        """Whether some node has the request now."""
        strategy = message.strategy
        assert strategy is not None
        node = self._by_id(strategy.node) if strategy.node else self._choose(message, strategy)
        if node is None and strategy.soft:
            self._desk.request(client, msgspec.structs.replace(message, strategy=None), now)
            return True
        if node is None:
            return False
        if node is self._me:
            self._desk.request(client, message, now)
        else:
            self._base.send(client, LeaseElsewhere(message.request, node.node, node.address))
        return True

    def _by_id(self, node: NodeID) -> NodeInfo | None:
        return self._me if node == self._base.node else self._cluster.others.get(node)

    def _choose(self, message: RequestLease, strategy: Strategy) -> NodeInfo | None:
        """Among those that could serve it: preferred ones, with room now, given the fewest before; then this one."""
        need = message.resources
        self._me.available = dict(self._accounts.free)
        nodes = [node for node in (self._me, *self._cluster.others.values()) if fits(need, node.total)]
        able: list[NodeInfo] = []
        for selector in strategy.selectors():
            there = [node for node in nodes if allows(selector, node.labels)]
            there = [node for node in there if strategy.prefers(node.labels)] or there
            ready = [node for node in there if fits(need, node.available)]
            able = ready or able or there
            if ready:
                break
        if not able:
            return None
        if not strategy.spread:
            return able[0]
        chosen = min(able, key=lambda node: self._sent.get(node.node, 0))
        self._sent[chosen.node] = self._sent.get(chosen.node, 0) + 1
        return chosen
