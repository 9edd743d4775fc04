"""What the node knows of the others: the head's last view, heartbeats, and who could take a request instead."""

from __future__ import annotations

from collections.abc import Callable

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.base import NodeBase
from rustyray.core.node.claims import ClaimQueue
from rustyray.model.messages import ClusterView, Heartbeat, NodeInfo, RegisterNode
from rustyray.model.resources import ResourceSet, describe_node, fits, subtract
from rustyray.model.strategies import Strategy, allows


class Cluster:
    """The node's place in the cluster. The view is never exact: it only says where to ask."""

    __slots__ = (
        "_accounts",
        "_away_since",
        "_base",
        "_beat_at",
        "_beat_set",
        "_call_set",
        "_give_up",
        "_look",
        "_queue",
        "_seen",
        "_sent",
        "_seq",
        "_snapshot",
        "accepted",
        "info",
        "others",
    )

    def __init__(
        self,
        base: NodeBase,
        accounts: Accounts,
        queue: ClaimQueue,
        info: NodeInfo,
        snapshot: Callable[[], RegisterNode],
        give_up: Callable[[float], None],
        look: Callable[[float], None],
    ) -> None:
        self._base = base
        self._snapshot = snapshot
        self._give_up = give_up
        self._look = look
        #: Since when the head could not be reached.
        self._away_since: float | None = None
        self._call_set = False
        self._accounts = accounts
        self._queue = queue
        self.info = info
        self._seq = 0
        self._sent: ResourceSet = {}
        self._beat_at = float("-inf")
        self._beat_set = False
        self.accepted = False
        self.others: dict[bytes, NodeInfo] = {}
        #: What nodes had free by the head's word, before something was sent there.
        self._seen: dict[bytes, ResourceSet] = {}

    def register(self) -> None:
        self._sent = dict(self._accounts.free)
        self.info.available = self._sent
        self._seq += 1
        message = self._snapshot()
        message.seq = self._seq
        self._base.tell_head(message)

    def start(self, now: float) -> None:
        self.register()
        self._base.timers.at(now + self._base.limits.heartbeat, self._tick)

    def accept(self) -> None:
        """The head knows of us."""
        self.accepted = True
        self._away_since = None

    def head_lost(self, now: float) -> None:
        """The connection with the head is gone, or could not be made: call it now and then, for some time."""
        self.accepted = False
        if self._away_since is None:
            self._away_since = now
        if not self._call_set:
            self._call_set = True
            self._base.timers.at(now + self._base.limits.call_head, self._call_head)

    def _call_head(self, now: float) -> None:
        self._call_set = False
        if self._away_since is not None and now >= self._away_since + self._base.limits.head_away:
            self._give_up(now)
        elif self._away_since is not None:
            self.register()

    def _tick(self, now: float) -> None:
        if self.accepted:
            self.beat(now)
        elif not self._call_set:
            self.register()
        self._forget_taken(now)
        self._base.timers.at(now + self._base.limits.heartbeat, self._tick)

    def beat(self, now: float) -> None:
        self._seq += 1
        self._beat_at = now
        self._sent = dict(self._accounts.free)
        self._base.tell_head(Heartbeat(self._base.node, self._seq, self._sent, self._queue.count))

    def changed(self, now: float) -> None:
        """Something was taken or given back: tell the head soon, but not for each change."""
        if self._beat_set or not self.accepted or self._sent == self._accounts.free:
            return
        self._beat_set = True
        self._base.timers.at(max(now, self._beat_at + self._base.limits.heartbeat_gap), self._beat_changed)

    def _beat_changed(self, now: float) -> None:
        self._beat_set = False
        if self.accepted and self._sent != self._accounts.free:
            self.beat(now)

    def see(self, view: ClusterView) -> None:
        self.others = {info.node: info for info in view.nodes if info.alive and info.node != self._base.node}
        self._seen.clear()

    def address_of(self, node: bytes) -> str:
        """Where it listens; empty if that is not known."""
        info = self.others.get(node)
        return info.address if info is not None else ""

    def lost(self, node: bytes) -> None:
        self.others.pop(node, None)

    def take(self, info: NodeInfo, need: ResourceSet) -> None:
        """Something was sent there. It is taken off the view for a while, so that a crowd is not sent there.

        The head has nothing new to say of a node that has as much free afterwards as it had before.
        """
        self._seen.setdefault(info.node, dict(info.available))
        subtract(info.available, need)

    def _forget_taken(self, now: float) -> None:
        if self._seen:
            for node, available in self._seen.items():
                if node in self.others:
                    self.others[node].available = available
            self._seen = {}
            self._look(now)

    def elsewhere(self, need: ResourceSet, only_free: bool, strategy: Strategy | None) -> NodeInfo | None:
        """Another node with room for ``need``, else (unless ``only_free``) one that could ever have it."""
        others = list(self.others.values())
        if strategy is not None:
            others = [info for selector in strategy.selectors() for info in others if allows(selector, info.labels)]
        for info in others:
            if fits(need, info.available):
                self.take(info, need)
                return info
        return None if only_free else next((info for info in others if fits(need, info.total)), None)

    def describe(self, total: ResourceSet) -> str:
        """For a warning: what the nodes have."""
        mine = f"node {self._base.node.hex()} has {describe_node(total)}"
        if not self.others:
            return mine + " and is the only one"
        others = [f"node {info.node.hex()} has {describe_node(info.total)}" for info in list(self.others.values())[:8]]
        more = [f"{len(self.others) - 8} more nodes do not have it either"] if len(self.others) > 8 else []
        return "; ".join([mine, *others, *more])
