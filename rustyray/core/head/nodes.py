"""The nodes of the cluster: who is in it, what is free there, and who is suspected or dead.

Silence makes a node suspect and then dead. So does a lost connection, and faster: the node is called, and dead if it
cannot be reached. If it can, it says again all that the head has to know of it, because what was on its way may be
lost; the same goes for all nodes after the head itself was gone. Death is final: a node that speaks again afterwards is
refused, because its actors have been given to others.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial

import msgspec

from rustyray.core.head.base import HeadBase
from rustyray.core.story import StateTable
from rustyray.model import states
from rustyray.model.ids import NodeID
from rustyray.model.messages import (
    ClusterDescription,
    ClusterView,
    DescribeCluster,
    Heartbeat,
    NodeAccepted,
    NodeEnds,
    NodeInfo,
    NodeRefused,
    RegisterAgain,
    RegisterNode,
)
from rustyray.model.resources import ResourceSet, subtract


class NodeState(enum.IntEnum):
    ALIVE = 1
    SUSPECT = 2
    DEAD = 3


#: Of an enumeration it is looked up much more slowly, in Python 3.11.
DEAD = NodeState.DEAD


class NodeEvent(enum.IntEnum):
    HEARD = 1
    SILENT = 2
    DECLARED_DEAD = 3


class Joined(enum.Enum):
    """What a registration was: none that counts, a new node's, or that of one which may have missed something."""

    NOT = 1
    NEW = 2
    AGAIN = 3


_S, _E = NodeState, NodeEvent

NODE_TABLE = StateTable(
    "node",
    _S.ALIVE,
    {
        (_S.ALIVE, _E.HEARD): _S.ALIVE,
        (_S.ALIVE, _E.SILENT): _S.SUSPECT,
        (_S.ALIVE, _E.DECLARED_DEAD): _S.DEAD,
        (_S.SUSPECT, _E.HEARD): _S.ALIVE,
        (_S.SUSPECT, _E.DECLARED_DEAD): _S.DEAD,
    },
)


class Node:
    """A node as the head knows it; ``heard`` is the time and ``seq`` the number of its last heartbeat.

    A dead one died of ``why``.
    """

    __slots__ = ("dead_at", "heard", "info", "queued", "seq", "state", "why")

    def __init__(self, info: NodeInfo, now: float) -> None:
        self.info = info
        self.state = NODE_TABLE.initial
        self.heard = now
        self.seq = 0
        self.queued = 0
        self.dead_at = 0.0
        self.why = info.reason

    def told(self, now: float) -> states.NodeState:
        info = self.info
        return states.NodeState(
            node_id=info.node.hex(),
            state=self.state.name,
            silent=now - self.heard,
            queued=self.queued,
            node_name=info.hostname,
            pid=info.pid,
            reason=info.reason,
        )


class Nodes:
    """All nodes that ever registered, in the order in which they did."""

    __slots__ = ("_base", "_look_set", "_on_dead", "_view_set", "nodes")

    def __init__(self, base: HeadBase, on_dead: Callable[[Node, str, float], None]) -> None:
        self._base = base
        self._on_dead = on_dead
        self._view_set = False
        self._look_set = False
        self.nodes: dict[NodeID, Node] = {}

    def living(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.state is not DEAD]

    def dead(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.state is NodeState.DEAD]

    def usable(self) -> list[Node]:
        """Where new work may go."""
        return [node for node in self.nodes.values() if node.state is NodeState.ALIVE]

    # --- messages -----------------------------------------------------------------------------------------------------

    def register(self, sender: bytes, message: RegisterNode, now: float) -> Joined:
        """Take a node in, again if need be."""
        info = message.info
        node = self.nodes.get(sender)
        if info.node != sender or (node is not None and node.state is NodeState.DEAD):
            why = node.info.reason if node is not None else "its message names another node than its connection"
            self._base.send(sender, NodeRefused(info.node, f"node {info.node.hex()} is refused: {why}"))
            return Joined.NOT
        if node is None or message.seq > node.seq:
            self._base.away.pop(sender, None)
        self._base.send(sender, NodeAccepted(sender))
        if node is None:
            self.nodes[sender] = node = Node(_copy(info), now)
            node.seq = message.seq
            self._base.changed("node", sender, node)
            self._afterwards(message.replaces, "replaced", f"node {sender.hex()} has taken its place")
            self._watch_health(now)
            self._tell(now)
            return Joined.NEW
        if message.seq <= node.seq:
            if sender not in self._base.away:
                self._heard(node, now)
            return Joined.NOT
        node.seq = message.seq
        node.info.available = dict(info.available)
        self._heard(node, now)
        self._tell(now)
        return Joined.AGAIN

    def heartbeat(self, sender: bytes, message: Heartbeat, now: float) -> bool:
        """True when the node has news: what is free there has changed, or it is trusted again."""
        node = self.nodes.get(sender)
        if node is None or message.node != sender:
            return False
        if node.state is NodeState.DEAD:
            self._base.send(sender, NodeRefused(sender, f"node {sender.hex()} is refused: {node.info.reason}"))
            return False
        if message.seq <= node.seq or sender in self._base.away:
            return False
        node.seq = message.seq
        node.queued = message.queued
        trusted_again = node.state is NodeState.SUSPECT
        self._heard(node, now)
        if node.info.available == message.available:
            return trusted_again
        node.info.available = dict(message.available)
        if len(self.nodes) > 1 and not self._view_set:
            self._view_set = True
            self._base.timers.at(now + self._base.limits.view_gap, self._tell)
        return True

    def ends(self, sender: bytes, message: NodeEnds, now: float) -> None:
        """A dead node has learned that it is, and says what comes after."""
        self._afterwards(sender, "refused", message.reason)

    def _afterwards(self, dead: NodeID, what: str, future: str) -> None:
        """What became of a dead node's place: whoever looks for the node finds that beside what it died of."""
        node = self.nodes.get(dead)
        if node is not None and node.state is NodeState.DEAD:
            node.info.reason = f"{node.why}; {future}"
            self._base.changed("node", dead, node)
            self._base.journal.note("node", dead, what, future)

    def describe(self, sender: bytes, message: DescribeCluster, now: float) -> None:
        infos = [_copy(node.info) for node in self.nodes.values()]
        self._base.send(sender, ClusterDescription(message.request, infos))

    def take(self, node: Node, resources: ResourceSet) -> None:
        """Work was sent there: count what it takes until the node's next heartbeat says better."""
        subtract(node.info.available, resources)

    def _tell(self, now: float) -> None:
        """Tell the nodes about one another. Each gets its own copy: they count in it what they send elsewhere."""
        self._view_set = False
        living = self.living()
        if len(self.nodes) > 1:
            for node in living:
                self._base.send(node.info.node, ClusterView([_copy(other.info) for other in living]))

    # --- health -------------------------------------------------------------------------------------------------------

    def _heard(self, node: Node, now: float) -> None:
        node.heard = now
        self._move(node, NodeEvent.HEARD)

    def _watch_health(self, now: float) -> None:
        if self._look_set or not self.living():
            return
        self._look_set = True
        limits = self._base.limits
        due = min(
            node.dead_at if node.state is NodeState.SUSPECT else node.heard + limits.suspect for node in self.living()
        )
        self._base.timers.at(due, partial(self._look, due))

    def _look(self, due: float, now: float) -> None:
        """Time in which the head itself did not run is nobody's silence: what nodes said meanwhile is not read yet."""
        self._look_set = False
        limits = self._base.limits
        stood_still = now - due > limits.suspect / 3
        for node in self.living():
            if node.state is NodeState.ALIVE and node.heard + limits.suspect <= now:
                node.dead_at = now + limits.dead - limits.suspect
                self._move(node, NodeEvent.SILENT)
            elif node.state is NodeState.SUSPECT:
                if stood_still:
                    node.dead_at = now + limits.dead - limits.suspect
                elif node.dead_at <= now:
                    self.lose(node, f"it was silent for {now - node.heard:.3g} s", now)
        self._watch_health(now)

    def cut_off(self, node: Node, reason: str, reached: bool, now: float) -> None:
        """The connection to it is gone. It is called, to say again what it has; if it cannot be reached it is dead."""
        if node.state is NodeState.DEAD:
            return
        before = self._base.away.get(node.info.node)
        reason = before or f"the connection to it is lost ({reason})"
        if not reached:
            self.lose(node, reason, now)
        else:
            self._call(node, reason, node.dead_at if before else now + self._base.limits.come_back)

    def restore(self, node: Node, now: float) -> None:
        """It was there when the head ended. It has some time to say that it still is."""
        self.nodes[node.info.node] = node
        if node.state is not NodeState.DEAD:
            self._call(node, "it did not come back after the head had been away", now + self._base.limits.dead)
            self._watch_health(now)

    def _call(self, node: Node, reason: str, deadline: float) -> None:
        """Until it has registered again it is away; ``reason`` is what it dies of at the deadline."""
        if node.state is NodeState.ALIVE:
            self._move(node, NodeEvent.SILENT)
        node.dead_at = deadline
        self._base.timers.at(deadline, partial(self._give_up, node))
        self._base.away.pop(node.info.node, None)
        self._base.send(node.info.node, RegisterAgain(node.info.node), node.info.address)
        self._base.away[node.info.node] = reason

    def _give_up(self, node: Node, now: float) -> None:
        reason = self._base.away.get(node.info.node)
        if reason is not None and node.dead_at <= now:
            self.lose(node, reason, now)

    def lose(self, node: Node, reason: str, now: float) -> None:
        """The node is dead, for good."""
        if node.state is NodeState.DEAD:
            return
        self._move(node, NodeEvent.DECLARED_DEAD, reason)
        self._base.away.pop(node.info.node, None)
        node.info.alive = False
        node.info.available = {}
        node.info.reason = node.why = reason
        self._base.changed("node", node.info.node, node)
        self._base.note_gone(node.info.node, f"its node {node.info.node.hex()} died: {reason}")
        self._on_dead(node, reason, now)

    def _move(self, node: Node, event: NodeEvent, cause: object = None) -> None:
        node.state = self._base.journal.move(NODE_TABLE, node.info.node, node.state, event, cause)

    def check(self) -> None:
        for key, node in self.nodes.items():
            assert node.info.node == key, f"node {key.hex()} is listed under another's name"
            dead = node.state is DEAD
            assert node.info.alive is not dead, f"node {key.hex()} is {node.state.name}, its info says otherwise"
            assert (self._base.why_gone(key) is not None) is dead, f"node {key.hex()} is {node.state.name}, remembered?"
        assert self._look_set or not self.living(), "nobody watches the nodes' health"


def _copy(info: NodeInfo) -> NodeInfo:
    return msgspec.structs.replace(info, total=dict(info.total), available=dict(info.available))
