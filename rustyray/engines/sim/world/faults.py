"""What goes wrong in a run: a short list of faults, each at a step. A run without any is free of trouble."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rustyray.engines.sim.world.chooser import Chooser
from rustyray.engines.sim.world.disk import FULL
from rustyray.model.messages import (
    HEAD,
    BundlesPrepared,
    CancelLease,
    Chunk,
    CreateActor,
    CreateGroup,
    GroupInfo,
    PrepareBundles,
    PullChunk,
    RegisterNode,
    RemoveGroup,
    ReturnBundles,
    ReturnLease,
    StoreFree,
    StorePin,
    StorePinAll,
    StoreSeal,
    StoreUnpin,
    WatchActor,
    WatchGroup,
    WorkerDied,
    WorkerReady,
)
from rustyray.wire.codec import decode

if TYPE_CHECKING:
    from rustyray.engines.sim.world.node import NodeHost
    from rustyray.engines.sim.world.world import World

#: Messages that a node or head promises to bear a second time, late.
HARMLESS: Final = frozenset(
    {
        BundlesPrepared,
        CancelLease,
        CreateActor,
        CreateGroup,
        GroupInfo,
        PrepareBundles,
        RegisterNode,
        RemoveGroup,
        ReturnBundles,
        ReturnLease,
        StoreFree,
        StoreSeal,
        WatchActor,
        WatchGroup,
        WorkerDied,
        WorkerReady,
    }
)
#: Messages of which each counts.
FRAGILE: Final = frozenset({StorePin, StorePinAll, StoreUnpin, PullChunk, Chunk})


class Trouble(enum.StrEnum):
    """Kinds of faults; each hits one of the processes or connections that are there at the time."""

    CRASH = "a worker dies, and with it the last of what it sent"
    CUT = "a connection between two processes that run on breaks"
    NODE = "a node dies with all its processes (never the head's)"
    TWICE = "the next message to a node arrives twice"
    AGAIN = "an earlier message to a node arrives again"
    FULL = "a node's disk takes nothing more for a while"
    ROT = "an object in a node's spill file goes bad"
    HEAD = "the head, where it is apart, dies, and another takes its place"
    APART = "the connection of the head, where it is apart, with another process breaks"


class Fault(NamedTuple):
    """At step ``step``, ``trouble`` hits the ``which``-th of those that it can hit (modulo how many they are)."""

    step: int
    trouble: Trouble
    which: int


def draw(chooser: Chooser, steps: int, count: int, kinds: tuple[Trouble, ...] = tuple(Trouble)) -> list[Fault]:
    """Up to ``count`` faults within the first ``steps`` steps."""
    number = chooser.pick("faults", count + 1)
    return [
        Fault(chooser.pick("step", steps), kinds[chooser.pick("trouble", len(kinds))], chooser.pick("which", 1000))
        for _ in range(number)
    ]


class Troubles:
    """Makes the faults of a plan happen to a world."""

    def __init__(self, world: World, plan: Sequence[Fault]) -> None:
        self._world = world
        #: What is still to happen, by the step before which it does.
        self.planned: dict[int, list[Fault]] = {}
        for fault in plan:
            self.planned.setdefault(fault.step, []).append(fault)
        #: What has come about so far.
        self.struck: list[Fault] = []
        self._twice = 0
        self._heard: deque[tuple[bytes, bytes, bytes]] = deque(maxlen=60)

    def strike(self) -> None:
        """Do what is planned for the present step."""
        for fault in self.planned.pop(self._world.steps, ()):
            self._world.tell(self._world.now, fault.trouble.name)
            self.struck.append(fault)
            self.hit(fault.trouble, fault.which)

    def hit(self, trouble: Trouble, which: int) -> None:
        """Let it happen now."""
        world = self._world
        if trouble is Trouble.CRASH and (workers := [client for client in world.clients() if client.executes]):
            world.crash(workers[which % len(workers)].me, "it was killed by signal 9 (SIGKILL)")
        elif trouble is Trouble.CUT and (pairs := self._pairs()):
            world.cut(*pairs[which % len(pairs)])
        elif trouble is Trouble.NODE and (others := world.nodes()[1:]):
            world.crash(others[which % len(others)].me, "the machine is gone")
        elif trouble is Trouble.TWICE:
            self._twice += 1
        elif trouble is Trouble.AGAIN and self._heard:
            frm, to, content = self._heard[which % len(self._heard)]
            if world.processes[to].alive:
                world.processes[to].receive(frm, decode(content))

        elif trouble is Trouble.FULL:
            nodes = world.nodes()
            nodes[which % len(nodes)].disk.full_until = world.now + FULL
        elif trouble is Trouble.HEAD and world.head == HEAD:
            world.replace_head("it was killed by signal 9 (SIGKILL)")
        elif trouble is Trouble.APART and world.head == HEAD and (peers := world.network.peers(HEAD)):
            world.cut_off_head(peers[which % len(peers)])
        elif trouble is Trouble.ROT and (nodes := [host for host in world.nodes() if host.disk.file]):
            nodes[which % len(nodes)].disk.rot(which)

    def _pairs(self) -> list[tuple[bytes, bytes]]:
        """Connections between two clients that run. (A node that loses a worker ends it, and so does a worker.)"""
        clients = [client.me for client in self._world.clients()]
        return [
            (one, other)
            for at, one in enumerate(clients)
            for other in clients[at + 1 :]
            if self._world.network.connected(one, other)
        ]

    def heard(self, frm: bytes, host: NodeHost, kind: type, content: bytes) -> None:
        """A message has been delivered to a node; once more if that is due."""
        if kind in HARMLESS:
            self._heard.append((frm, host.me, content))
        if self._twice and host.alive and kind not in FRAGILE:
            self._twice -= 1
            host.receive(frm, decode(content))
