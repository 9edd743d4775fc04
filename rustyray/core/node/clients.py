"""Who is connected to a node, apart from the head and other nodes; and who is told of whose death.

Drivers, workers, and processes of other nodes that read this node's objects are its *clients*. A client's connection is
its life here: what it asked for, held or mapped ends with it. That somebody is dead all clients hear, for they may wait
for it.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.routing import Router
from rustyray.core.node.store import Store
from rustyray.model.ids import node_of
from rustyray.model.messages import HEAD, Message, NodeDied, OwnerDied, WorkerDied

#: Of so many dead nodes a new client is told: their processes may live on for a while without knowing, and call it.
TOLD: Final = 100


class Clients:
    """The clients, until they are gone."""

    __slots__ = ("_base", "_cluster", "_dead_nodes", "_desk", "_router", "_store", "connected")

    def __init__(self, base: NodeBase, cluster: Cluster, desk: LeaseDesk, router: Router, store: Store) -> None:
        self._base = base
        self._cluster = cluster
        self._desk = desk
        self._router = router
        self._store = store
        self._dead_nodes: deque[NodeDied] = deque(maxlen=TOLD)
        self.connected: dict[bytes, None] = {}

    def joined(self, client: bytes) -> None:
        """It has begun to speak. If it is of this node, it has nobody else who tells it what came before it."""
        self.connected[client] = None
        if node_of(client) == self._base.node:
            for died in self._dead_nodes:
                self._base.send(client, died)

    def forget(self, client: bytes, reason: str, now: float, dead: bool = True) -> None:
        """Its connection is gone. ``dead``: so is its process."""
        self.connected.pop(client, None)
        self._router.client_gone(client)
        self._desk.client_gone(client, reason, now, dead)
        self._store.client_gone(client, now)
        self._desk.schedule(now)

    def died(self, client: bytes, reason: str, now: float) -> None:
        """Its process is dead, and what it owned is lost."""
        self._base.note_gone(client)
        self.forget(client, reason, now)
        self._store.owners_gone(client, now)

    def tell_death(self, died: WorkerDied) -> None:
        """A process of this node is dead: the clients and the head hear of it."""
        self._tell(died)
        self._base.report(died)

    def on_owner_died(self, sender: bytes, message: OwnerDied, now: float) -> None:
        """The head says that somebody on another node is dead."""
        if sender != HEAD or node_of(message.worker) == self._base.node or self._base.is_gone(message.worker):
            return
        self._base.journal.note("worker", message.worker, "died", message.reason)
        self.died(message.worker, message.reason, now)
        self._tell(message)

    def on_node_died(self, sender: bytes, message: NodeDied, now: float) -> None:
        if sender != HEAD or message.node == self._base.node or self._base.is_gone(message.node):
            return
        self._base.note_gone(message.node)
        self._dead_nodes.append(message)
        self._base.journal.note("node", message.node, "died", message.reason)
        self._cluster.lost(message.node)
        for client in [client for client in self.connected if node_of(client) == message.node]:
            self.forget(client, message.reason, now)
        self._store.node_died(message.node, now)
        self._router.look_again(now)
        self._store.owners_gone(message.node, now)
        self._tell(message)

    def _tell(self, message: Message) -> None:
        for client in self.connected:
            self._base.send(client, message)
