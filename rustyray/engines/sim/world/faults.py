"""What goes wrong in a run: a short list of faults, each at a step. A run without any is free of trouble."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rustyray.engines.sim.world.chooser import Chooser
from rustyray.engines.sim.world.disk import FULL
from rustyray.model.ids import WORKER_ID_SIZE, node_of
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
    from rustyray.engines.sim.world.network import Channel
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
KILLED: Final = "it was killed by signal 9 (SIGKILL)"
#: Messages of which each counts.
FRAGILE: Final = frozenset({StorePin, StorePinAll, StoreUnpin, PullChunk, Chunk})
#: Seconds that what is not for ever may last: unnoticed, suspicious, and so long that nodes count as dead.
SPANS: Final = (0.05, 0.6, 2.5, 8.0, 11.0, 13.0)


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
    DRIVER = "a driver dies (never the first one)"
    LINK = "a connection of a node with a process of another node breaks"
    HALF = "a connection between processes of two nodes passes nothing in one direction for a while, then it breaks"
    SLOW = "whatever a process sends and is sent is held up for a while"
    SPLIT = "two nodes hear nothing of one another for a while; what they sent arrives then"
    PAUSE = "a node (never the first one), or the head where it is apart, stands still for a while"


class Fault(NamedTuple):
    """At step ``step``, ``trouble`` hits the ``which``-th of those that it can hit (modulo how many they are)."""

    step: int
    trouble: Trouble
    which: int


def draw(
    chooser: Chooser, steps: int, count: int, kinds: tuple[Trouble, ...] = tuple(Trouble), least: int = 0
) -> list[Fault]:
    """``least`` to ``count`` faults within the first ``steps`` steps."""
    number = least + chooser.pick("faults", count + 1 - least)
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
        #: What was planned and whose time has come, whether there was anything to hit or not.
        self.struck: list[Fault] = []
        #: How often each kind has hit something.
        self.hits: dict[Trouble, int] = {}
        #: When what lasts for a while is over, and what is to be done then.
        self.lasting: list[tuple[float, Callable[[], None]]] = []
        self._twice = 0
        self._heard: deque[tuple[bytes, bytes, bytes]] = deque(maxlen=60)
        self._ways: dict[Trouble, Callable[[int], bool]] = {
            Trouble.CRASH: self._crash,
            Trouble.CUT: self._cut,
            Trouble.NODE: self._node,
            Trouble.TWICE: self._next_twice,
            Trouble.AGAIN: self._again,
            Trouble.FULL: self._full,
            Trouble.ROT: self._rot,
            Trouble.HEAD: self._head,
            Trouble.APART: self._head_apart,
            Trouble.DRIVER: self._driver,
            Trouble.LINK: self._link,
            Trouble.HALF: self._half,
            Trouble.SLOW: self._slow,
            Trouble.SPLIT: self._split,
            Trouble.PAUSE: self._pause,
        }

    def strike(self) -> bool:
        """Do what is planned for the present step, and end what has lasted long enough; whether there was anything."""
        due = self.planned.pop(self._world.steps, ())
        for fault in due:
            self._world.tell(self._world.now, fault.trouble.name)
            self.struck.append(fault)
            self.hit(fault.trouble, fault.which)
        return self.pass_by() or bool(due)

    def pass_by(self) -> bool:
        """End what has lasted long enough; whether there was anything."""
        world = self._world
        due = [lasting for lasting in self.lasting if lasting[0] <= world.now]
        for over in due:
            self.lasting.remove(over)
            world.tell(world.now, "over")
            world.progress = world.now
            over[1]()
        return bool(due)

    def hit(self, trouble: Trouble, which: int) -> None:
        """Let it happen now, to one of those that it can happen to."""
        if self._ways[trouble](which):
            self.hits[trouble] = self.hits.get(trouble, 0) + 1

    # --- deaths -------------------------------------------------------------------------------------------------------

    def _crash(self, which: int) -> bool:
        world = self._world
        return self._kill([client.me for client in world.clients() if client.executes], which, KILLED)

    def _node(self, which: int) -> bool:
        return self._kill([host.me for host in self._world.nodes()[1:]], which, "the machine is gone")

    def _driver(self, which: int) -> bool:
        """The actors of its job are given up, with what they were given, while they still run."""
        self._world.books.may_dangle = True
        drivers = [client.me for client in self._world.clients() if not client.executes]
        return self._kill(drivers[1:], which, KILLED)

    def _kill(self, processes: list[bytes], which: int, reason: str) -> bool:
        if processes:
            self._world.crash(processes[which % len(processes)], reason)
        return bool(processes)

    def _head(self, which: int) -> bool:
        world = self._world
        if world.head != HEAD or not world.processes[HEAD].alive:
            return False
        world.replace_head(KILLED)
        return True

    # --- connections --------------------------------------------------------------------------------------------------

    def _cut(self, which: int) -> bool:
        """(A node that loses a worker ends it, and so does a worker.)"""
        pairs = self._pairs([client.me for client in self._world.clients()])
        if pairs:
            self._world.cut(*pairs[which % len(pairs)])
        return bool(pairs)

    def _head_apart(self, which: int) -> bool:
        world = self._world
        peers = world.network.peers(HEAD) if world.head == HEAD else []
        if peers:
            world.cut_link(HEAD, peers[which % len(peers)])
        return bool(peers)

    def _link(self, which: int) -> bool:
        nodes = {host.me for host in self._world.nodes()}
        pairs = [pair for pair in self._abroad() if not nodes.isdisjoint(pair)]
        if pairs:
            self._break(*pairs[which % len(pairs)])
        return bool(pairs)

    def _half(self, which: int) -> bool:
        pairs = self._abroad()
        if not pairs:
            return False
        one, other = pairs[which % len(pairs)]
        if which // 7 % 2:
            one, other = other, one
        self._hold(which, lambda channel: (channel.source, channel.process) == (one, other), (one, other))
        return True

    def _slow(self, which: int) -> bool:
        processes = [me for me, process in self._world.processes.items() if process.alive]
        slow = processes[which % len(processes)]
        self._hold(which, lambda channel: slow in (channel.source, channel.process))
        return True

    def _split(self, which: int) -> bool:
        nodes = [host.me for host in self._world.nodes()]
        if len(nodes) < 2:
            return False
        one = nodes.pop(which % len(nodes))
        both = {one, nodes[which // 5 % len(nodes)]}
        self._hold(which, lambda channel: {node_of(channel.source), node_of(channel.process)} == both)
        return True

    def _pause(self, which: int) -> bool:
        world = self._world
        able = [host.me for host in world.nodes()[1:]]
        if world.head == HEAD:
            able.append(HEAD)
        if not able:
            return False
        still = node_of(able[which % len(able)])
        world.network.paused |= {still}

        def go_on() -> None:
            world.network.paused -= {still}

        self._last(which, go_on)
        return True

    def _hold(
        self, which: int, holds: Callable[[Channel], bool], then_break: tuple[bytes, bytes] | None = None
    ) -> None:
        """For a while nothing arrives over the channels that it ``holds``."""
        held = self._world.network.held
        held.append(holds)

        def go_on() -> None:
            held.remove(holds)
            if then_break is not None:
                self._break(*then_break)

        self._last(which, go_on)

    def _last(self, which: int, over: Callable[[], None]) -> None:
        self.lasting.append((self._world.now + SPANS[which // 37 % len(SPANS)], over))

    def _break(self, one: bytes, other: bytes) -> None:
        clients = len(one) == len(other) == WORKER_ID_SIZE
        (self._world.cut if clients else self._world.cut_link)(one, other)

    def _pairs(self, processes: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """Connections among these."""
        processes = list(processes)
        connected = self._world.network.connected
        return [
            (one, other) for at, one in enumerate(processes) for other in processes[at + 1 :] if connected(one, other)
        ]

    def _abroad(self) -> list[tuple[bytes, bytes]]:
        """Connections between processes of two nodes (the head, where it is apart, is on none)."""
        living = [me for me, process in self._world.processes.items() if process.alive]
        return [pair for pair in self._pairs(living) if node_of(pair[0]) != node_of(pair[1])]

    # --- messages -----------------------------------------------------------------------------------------------------

    def _next_twice(self, which: int) -> bool:
        self._twice += 1
        return True

    def _again(self, which: int) -> bool:
        if not self._heard:
            return False
        world = self._world
        frm, to, content = self._heard[which % len(self._heard)]
        if not world.processes[to].alive:
            return False
        world.processes[to].receive(frm, decode(content))
        return True

    def heard(self, frm: bytes, host: NodeHost, kind: type, content: bytes) -> None:
        """A message has been delivered to a node; once more if that is due."""
        if kind in HARMLESS:
            self._heard.append((frm, host.me, content))
        if self._twice and host.alive and kind not in FRAGILE:
            self._twice -= 1
            host.receive(frm, decode(content))

    # --- disks --------------------------------------------------------------------------------------------------------

    def _full(self, which: int) -> bool:
        nodes = self._world.nodes()
        nodes[which % len(nodes)].disk.full_until = self._world.now + FULL
        return True

    def _rot(self, which: int) -> bool:
        nodes = [host for host in self._world.nodes() if host.disk.file]
        if nodes:
            nodes[which % len(nodes)].disk.rot(which)
        return bool(nodes)
