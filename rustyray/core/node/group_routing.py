"""Requests for workers in placement groups: sent to the node with the bundle, or kept while there is none."""

from __future__ import annotations

from functools import partial

import msgspec

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.base import NodeBase
from rustyray.core.node.bundles import Bundles, BundleState
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.leases import LeaseDesk
from rustyray.model.bundles import PLACE, in_bundle
from rustyray.model.ids import GroupID, NodeID, WorkerID
from rustyray.model.messages import HEAD, CancelLease, GroupInfo, GroupState, LeaseElsewhere, LeaseFailed, RequestLease
from rustyray.model.resources import fits
from rustyray.model.strategies import Strategy
from rustyray.model.values import Fault, FaultKind


class GroupRouter:
    """Each request that comes here is one with a group."""

    __slots__ = ("_accounts", "_base", "_bundles", "_cluster", "_desk", "_sent", "waiting")

    def __init__(self, base: NodeBase, accounts: Accounts, desk: LeaseDesk, cluster: Cluster, bundles: Bundles) -> None:
        self._base = base
        self._accounts = accounts
        self._desk = desk
        self._cluster = cluster
        self._bundles = bundles
        #: How many requests for any bundle of a group each node was given.
        self._sent: dict[GroupID, dict[NodeID, int]] = {}
        #: Requests whose bundle has no place, as far as is known here.
        self.waiting: dict[tuple[WorkerID, int], RequestLease] = {}

    def request(self, client: WorkerID, message: RequestLease, strategy: Strategy, now: float) -> None:
        if self._base.stopping:
            self._desk.request(client, message, now)
        elif (client, message.request) not in self.waiting and not self._serve(client, message, strategy, now):
            self.waiting[client, message.request] = message
            if self._bundles.info(strategy.group) is None:
                self._base.timers.at(now + self._base.limits.meet, partial(self._give_up, client, message))

    def cancel(self, client: WorkerID, message: CancelLease) -> bool:
        return self.waiting.pop((client, message.request), None) is not None

    def client_gone(self, client: bytes) -> None:
        for key in [key for key in self.waiting if key[0] == client]:
            del self.waiting[key]

    def news(self, sender: bytes, message: GroupInfo, now: float) -> None:
        """The head's word on a group."""
        if sender != HEAD:
            return
        self._bundles.see(message, now)
        self.look_again(now)
        if message.state is GroupState.REMOVED:
            self._sent.pop(message.spec.group, None)
        self._desk.schedule(now)

    def look_again(self, now: float) -> None:
        """There is news of a group, or of the cluster."""
        for (client, number), message in list(self.waiting.items()):
            if message.strategy is not None and self._serve(client, message, message.strategy, now):
                self.waiting.pop((client, number), None)

    def _give_up(self, client: WorkerID, message: RequestLease, now: float) -> None:
        """It was not heard of in all this time: it was removed long ago."""
        strategy, key = message.strategy, (client, message.request)
        if key in self.waiting and strategy is not None and self._bundles.info(strategy.group) is None:
            del self.waiting[key]
            self._fail(client, message, f"{strategy} is gone")

    def _fail(self, client: WorkerID, message: RequestLease, why: str) -> None:
        text = f"the task cannot run: {why}"
        self._base.send(client, LeaseFailed(message.request, Fault(FaultKind.GROUP_REMOVED, text)))

    # --- choosing -----------------------------------------------------------------------------------------------------

    def _serve(self, client: WorkerID, message: RequestLease, strategy: Strategy, now: float) -> bool:
        """Whether it is answered, or some node has it now."""
        info = self._bundles.info(strategy.group)
        if info is None:
            return False
        if info.state is GroupState.REMOVED:
            self._fail(client, message, info.reason)
            return True
        if strategy.bundle >= len(info.spec.bundles):
            fault = Fault(FaultKind.UNSCHEDULABLE, f"there is no {strategy}")
            self._base.send(client, LeaseFailed(message.request, fault))
            return True
        named = in_bundle(strategy.group, strategy.bundle, message.resources or {PLACE: 1})
        hosts = self._hosts(info, message, strategy)
        if not hosts:
            return False
        if len(hosts) == 1 or (message.hops and self._base.node in hosts):
            host = self._base.node if self._base.node in hosts else hosts[0]
        else:
            host = self._choose(strategy.group, hosts, named)
        if host == self._base.node:
            self._desk.request(client, msgspec.structs.replace(message, resources=named), now)
            return True
        self._base.send(client, LeaseElsewhere(message.request, host, self._cluster.others[host].address))
        return True

    def _hosts(self, info: GroupInfo, message: RequestLease, strategy: Strategy) -> list[NodeID]:
        """Nodes with a bundle that can have it, which can be reached."""
        numbers = range(len(info.nodes)) if strategy.bundle < 0 else (strategy.bundle,)
        able = [info.nodes[number] for number in numbers if fits(message.resources, info.spec.bundles[number])]
        return [node for node in dict.fromkeys(able) if node in self._cluster.others or self._is_open(info, node)]

    def _is_open(self, info: GroupInfo, node: NodeID) -> bool:
        """Whether this is the node, and has bundles of the group in use."""
        known = self._bundles.groups[info.spec.group]
        here = any(bundle.state is BundleState.IN_USE for bundle in known.bundles.values())
        return node == self._base.node and here

    def _choose(self, group: GroupID, hosts: list[NodeID], need: dict[str, int]) -> NodeID:
        """This node if there is room now, else another with room, as far as is known; else who was given the fewest."""
        sent = self._sent.setdefault(group, {})
        me = self._base.node
        if me in hosts and self._accounts.fits_now(need):
            chosen = me
        else:
            others = [host for host in hosts if host != me and fits(need, self._cluster.others[host].available)]
            chosen = min(others or hosts, key=lambda host: sent.get(host, 0))
        sent[chosen] = sent.get(chosen, 0) + 1
        if chosen != me:
            self._cluster.take(self._cluster.others[chosen], need)
        return chosen
