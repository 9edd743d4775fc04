"""What a test does with the nodes of its cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from rustyray import cluster_utils
from rustyray.api import init_options
from rustyray.cluster_utils import NODE_OPTIONS, ClusterNode

if TYPE_CHECKING:
    from rustyray import Session
    from rustyray.runtime.engine import Engine
    from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    Side = ClusterNode | Iterable[ClusterNode]


class ClusterUnderTest:
    """The cluster of a test, to which this process is connected: nodes come and go, stop, fall silent and die.

    ``session`` is that of `rustyray.init`.
    """

    def __init__(self, engine: Engine, session: Session, node_options: Mapping[str, Any]) -> None:
        self.session = session
        self._engine = engine
        self._node_options = node_options
        self._nodes = [ClusterNode.of(about) for about in engine.nodes()]
        first = session.address_info["node_id"]
        self._nodes.sort(key=lambda node: node.node_id != first)
        self._paused: set[bytes] = set()
        self._apart: frozenset[frozenset[bytes]] = frozenset()

    @property
    def nodes(self) -> list[ClusterNode]:
        """The nodes that were added, and not removed or killed; the first hosts the head. Each has a ``node_id``."""
        return list(self._nodes)

    def on(self, node: ClusterNode) -> NodeAffinitySchedulingStrategy:
        """For ``scheduling_strategy=``: run on this node, or not at all."""
        from rustyray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node.node_id, soft=False)

    def add_node(self, **options: Any) -> ClusterNode:
        """Start another node; returns when tasks can go there.

        Args:
            options: as in ``rustyray.cluster_utils.Cluster.add_node``, such as ``num_cpus`` and ``resources``; what is
                not given is as the test's marker says.

        Raises:
            TypeError: There is no such option.
            ValueError: A value is out of range.
        """
        options = cluster_utils.checked(options, NODE_OPTIONS)
        node_id = self._engine.add_node(init_options.checked(**(dict(self._node_options) | options)))
        node = ClusterNode.of(cluster_utils.about(self._engine, node_id))
        self._nodes.append(node)
        return node

    def remove_node(self, node: ClusterNode, allow_graceful: bool = True) -> None:
        """End a node; returns when its processes are gone, and the cluster knows.

        Args:
            node: any but the first.
            allow_graceful: running tasks have a second to finish; otherwise all its processes are killed.

        Raises:
            ValueError: It is the first, or not (or no longer) a node of this cluster.
        """
        self._check(node)
        if node is self._nodes[0]:
            raise ValueError("the first node hosts the head and cannot be removed; kill_node() has it crash")
        self._engine.remove_node(node._id, allow_graceful)
        self._forget(node)

    def kill_node(self, node: ClusterNode) -> None:
        """Kill a node's process, and so its workers; returns when it is gone. (`wait_for_nodes`: when that is known.)

        The death of the first node is that of the runtime: every wait raises.
        """
        self._check(node)
        self._engine.kill_node(node._id)
        self._forget(node)

    def pause(self, node: ClusterNode) -> None:
        """Stop a node's process and its workers where they are, until `resume`. After 10 s it is taken for dead."""
        self._check(node)
        self._engine.pause_node(node._id)
        self._paused.add(node._id)

    def resume(self, node: ClusterNode) -> None:
        """Let a node go on that was paused. One that was taken for dead meanwhile is refused, and ends."""
        self._check(node)
        self._engine.resume_node(node._id)
        self._paused.discard(node._id)

    def is_paused(self, node: ClusterNode) -> bool:
        """Whether it has been paused, and not resumed."""
        return node._id in self._paused

    def partition(self, one: Side, other: Side) -> None:
        """Two sides, a node or several each, exchange nothing until `heal`: what they send each other waits.

        Nobody is told, as when a cable is pulled. A node that the first one, with the head, does not hear of for 10 s
        is taken for dead. The test's own process is on no side: it reaches all nodes.

        Raises:
            ValueError: A node is on both sides, or is not one of this cluster.
            RuntimeError: A node is paused.
        """
        self._part(self._apart | self._pairs(one, other))

    def heal(self, one: Side | None = None, other: Side | None = None) -> None:
        """Undo all partitions, or that between two sides: what waited arrives, in order."""
        if one is None or other is None:
            if one is not other:
                raise ValueError("heal() takes two sides, or none for all that are apart")
            self._part(frozenset())
        else:
            self._part(self._apart - self._pairs(one, other))

    def wait_for_nodes(self, timeout: float = 30) -> None:
        """Wait until exactly the nodes of `nodes` are alive for the head.

        Args:
            timeout: the most seconds to wait.

        Raises:
            TimeoutError: They differ still; the message says how.
        """
        cluster_utils.wait_for_nodes(partial(cluster_utils.alive_for, self._engine), self._nodes, timeout)

    def end(self) -> None:
        """Let everything go on, so that it can end."""
        for node in self._nodes:
            if node._id in self._paused:
                self._engine.resume_node(node._id)
        self._paused.clear()
        self._part(frozenset())

    # --- underneath ---------------------------------------------------------------------------------------------------

    def _pairs(self, one: Side, other: Side) -> frozenset[frozenset[bytes]]:
        sides = [[side] if isinstance(side, ClusterNode) else list(side) for side in (one, other)]
        for node in [*sides[0], *sides[1]]:
            self._check(node)
            if node in sides[0] and node in sides[1]:
                raise ValueError(f"{node!r} is on both sides of the partition")
        return frozenset(frozenset((a._id, b._id)) for a in sides[0] for b in sides[1])

    def _part(self, pairs: frozenset[frozenset[bytes]]) -> None:
        changed = {node for pair in pairs ^ self._apart for node in pair}
        if changed & self._paused:
            raise RuntimeError(
                "a node that is paused cannot be told of partitions: resume it before, or pause it later"
            )
        self._engine.keep_apart(pairs)
        self._apart = pairs

    def _check(self, node: ClusterNode) -> None:
        if node not in self._nodes:
            raise ValueError(f"{node!r} is not a node of this cluster, or was removed or killed")

    def _forget(self, node: ClusterNode) -> None:
        self._nodes.remove(node)
        self._paused.discard(node._id)
        self._apart = frozenset(pair for pair in self._apart if node._id not in pair)

    def __repr__(self) -> str:
        return f"<cluster of {len(self._nodes)} nodes>"
