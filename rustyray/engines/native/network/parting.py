"""Nodes that are kept apart, for tests: what they send one another waits, as when a cable is pulled, until it is back.

Nothing is lost and nobody is told. The connections stay; neither end reads or writes them. So a node that is kept apart
from the head falls silent, and is declared dead after the time for that. The driver is on no side: it reaches all.

The driver asks its nodes (`KeepApart`), and each of those its workers; one side is enough. They do it only in a runtime
that was started with ``_system_config={"partitions": True}``.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Final, TypeAlias

from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.network.link import Link
from rustyray.engines.native.network.poller import Poller
from rustyray.model.ids import NodeID, WorkerID, node_of
from rustyray.model.messages import KeepApart, KeptApart

if TYPE_CHECKING:
    from rustyray.engines.native.driver import Driver
    from rustyray.engines.native.network.hub import Hub

#: Seconds that a node and its workers may take, and between two looks at whether it is still there.
PATIENCE: Final = 10.0
LOOK: Final = 0.5

Pairs: TypeAlias = "frozenset[frozenset[NodeID]]"


class Apart:
    """The links of one process on which nothing moves: those with ``nodes`` and their workers, but not the ``driver``.

    The kernel's queues fill up behind them.
    """

    def __init__(self, nodes: Collection[NodeID], driver: WorkerID) -> None:
        self.nodes = frozenset(nodes)
        self._driver = driver
        self._held: list[Link] = []

    def __contains__(self, peer: bytes) -> bool:
        return node_of(peer) in self.nodes and peer != self._driver

    def hold(self, link: Link, poller: Poller) -> None:
        """Nothing moves on ``link`` from now on. One without a connection is not made."""
        if link.fd >= 0:
            poller.remove(link.fd)
        link.writing = True  # so that nobody flushes it
        self._held.append(link)

    def release(self, poller: Poller) -> list[Link]:
        """The links that were held, to be written to, or called."""
        held, self._held = self._held, []
        for link in held:
            link.writing = False
            if link.fd >= 0:
                poller.add(link.fd)
        return held

    def forget(self, link: Link, poller: Poller) -> None:
        """It is about to be closed."""
        if link in self._held:
            self._held.remove(link)
            if link.fd >= 0:
                poller.add(link.fd)


class Asker:
    """A node's part: it has its workers do the same, and answers when they all have."""

    def __init__(self, hub: Hub, driver: WorkerID) -> None:
        self._hub = hub
        self._driver = driver
        self._waits_for: set[WorkerID] = set()
        self._told = KeepApart([])

    def keep_apart(self, message: KeepApart, workers: Collection[WorkerID]) -> None:
        if message.cut:
            self._hub.cut_off(message.nodes, self._driver)
        else:
            self._told = message
            self._hub.keep_apart(message.nodes, self._driver)
        self._waits_for = {worker for worker in workers if self._hub.has_link(worker)}
        for worker in self._waits_for:
            self._hub.send(worker, message)
        if not self._waits_for:
            self._hub.send(self._driver, KeptApart())

    def started(self, worker: WorkerID) -> None:
        """A worker is ready; it was forked before it could be told."""
        self._hub.send(worker, self._told)

    def answered(self, worker: WorkerID) -> None:
        """A worker has done it, or is gone."""
        if worker in self._waits_for:
            self._waits_for.discard(worker)
            if not self._waits_for:
                self._hub.send(self._driver, KeptApart())


class Partitions:
    """The driver's part: which pairs of nodes are apart."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._pairs: Pairs = frozenset()
        self._answers: dict[NodeID, Waiter] = {}
        driver.pump.handlers[KeptApart] = self._on_kept_apart

    def make(self, pairs: Pairs) -> None:
        """Have these pairs apart, and no others. Raises RuntimeError when a node does not answer."""
        concerned = {node for pair in self._pairs ^ pairs for node in pair}
        self._pairs = pairs
        self._ask(
            {
                node: KeepApart(sorted({*chain(*(pair for pair in pairs if node in pair))} - {node}))
                for node in concerned
            }
        )

    def cut(self, one: NodeID, other: NodeID) -> None:
        """End the connections between two nodes. Raises RuntimeError when ``one`` does not answer."""
        self._ask({one: KeepApart([other], cut=True)})

    def _ask(self, messages: Mapping[NodeID, KeepApart]) -> None:
        """Send each its message, and wait until all have answered."""
        pump, nodes = self._driver.pump, self._driver.node_processes.all
        with pump.lock:
            self._answers = {node: Waiter() for node in messages if not nodes[node].gone}
            for node in self._answers:
                pump.hub.send(node, messages[node])
            pump.hub.flush()
        deadline = time.monotonic() + PATIENCE
        for node, answer in self._answers.items():
            while not answer.done and not nodes[node].gone:
                if not pump.wait(answer, min(deadline, time.monotonic() + LOOK)) and time.monotonic() > deadline:
                    raise RuntimeError(f"node {node.hex()} did not answer within {PATIENCE:g} s: has it been stopped?")

    def _on_kept_apart(self, peer: bytes, message: KeptApart, now: float) -> None:
        answer = self._answers.get(peer)
        if answer is not None:
            self._driver.pump.finish(answer)
