"""What the parts of a node share: who the node is, its limits, its timers, its journal, and the way out."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from rustyray.core.effects import Effect, Send
from rustyray.core.story import Journal
from rustyray.core.timers import Timers
from rustyray.model.ids import NodeID, node_of
from rustyray.model.messages import HEAD, ActorExited, ActorStarted, JobFinished, Message, WorkerDied

#: So many of the last reports to the head are remembered.
REPORTED: Final = 256
#: So many dead peers are remembered.
REMEMBERED: Final = 10_000


class NodeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers by which a node decides. Times are in seconds.

    ``soft_idle``: idle workers above this number are stopped after ``idle``; None: one per CPU. ``max_starting``
    workers may be on their way at once, each for ``start_timeout`` at most; after ``max_failed_starts`` in a row that
    came to nothing, whoever waits for a worker is told. A request that others overtook for ``starving`` is served next.
    A worker that nobody has asked for starts ``prestart_pause`` after the one before is ready. At most
    ``max_demanding_nothing`` leases without any resources have a worker, not counting those that wait in ``get``. At
    most ``max_kept`` processes of ended actors stay for what they own. An object waits ``store_wait`` for room, and up
    to ``mapped_wait`` while others map some; up to ``spill_capacity`` bytes may be spilled; free memory is given back
    after ``trim`` without any use. An object to be pulled from a node that is not known yet waits ``meet``, and a task
    that may only run on one ``unknown``: the head tells of a new one sooner. An object comes in pieces of ``chunk``
    bytes: other messages wait for one at most (0.7 ms on loopback, 17 ms at 1 Gbit/s), and for what the system has
    buffered. A node that passes an object on and is silent for ``stall`` is given up, one that
    has the original when that is later than ``mapped_wait``. A worker whose connection or owner is gone has
    ``lost_grace`` to come to an end, or back. One that was told to stop is killed after ``kill``; at shutdown TERM
    comes after ``term``. Memory is measured each ``memory_interval`` (0: never); above the share ``memory_threshold``
    of it workers are killed, and with ``enforce_memory`` those that use more than they asked for. A head that is away
    is called every ``call_head``, and given up after ``head_away``: the node ends then. When the head refuses the node,
    another takes its place after ``restart_pause``, then twice as long each time; but not if ``restarts`` were refused
    within ``restart_window`` before.
    """

    soft_idle: int | None = None
    idle: float = 1.0
    max_starting: int = 16
    start_timeout: float = 30.0
    max_failed_starts: int = 3
    starving: float = 1.0
    prestart_pause: float = 0.005
    max_demanding_nothing: int = 64
    max_kept: int = 64
    reclaim_gap: float = 0.005
    store_wait: float = 2.0
    mapped_wait: float = 60.0
    spill_capacity: int = 0
    trim: float = 10.0
    memory_interval: float = 0.0
    memory_threshold: float = 0.95
    enforce_memory: bool = False
    meet: float = 5.0
    unknown: float = 1.0
    chunk: int = 2 << 20
    stall: float = 10.0
    lost_grace: float = 1.0
    term: float = 0.1
    kill: float = 5.0
    heartbeat: float = 1.0
    heartbeat_gap: float = 0.1
    call_head: float = 0.2
    head_away: float = 60.0
    restarts: int = 0
    restart_pause: float = 0.5
    restart_window: float = 600.0
    max_hops: int = 4
    page: int = 4096


class NodeBase:
    """The common ground of a node's parts."""

    __slots__ = (
        "_gone",
        "address",
        "head_address",
        "journal",
        "limits",
        "node",
        "out",
        "reports",
        "stopping",
        "timers",
    )

    def __init__(self, node: NodeID, address: str, head_address: str, limits: NodeLimits) -> None:
        self.node = node
        self.address = address
        self.head_address = head_address
        self.limits = limits
        self.out: list[Effect] = []
        self.timers = Timers()
        self.journal = Journal()
        self.stopping = False
        self.reports: deque[ActorStarted | ActorExited | WorkerDied | JobFinished] = deque(maxlen=REPORTED)
        self._gone: dict[bytes, None] = {}

    def note_gone(self, peer: bytes) -> None:
        """The worker, driver or node is dead for good. Remembered for a while: its last messages may still come."""
        self._gone[peer] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def is_gone(self, peer: bytes) -> bool:
        return peer in self._gone or node_of(peer) in self._gone

    def send(self, to: bytes, message: Message, address: str = "") -> None:
        self.out.append(Send(to, message, address))

    def tell_head(self, message: Message) -> None:
        self.out.append(Send(HEAD, message, self.head_address))

    def report(self, message: ActorStarted | ActorExited | WorkerDied | JobFinished) -> None:
        """Tell the head of a change. It is told again when it was away: this may have been lost with the connection."""
        self.reports.append(message)
        self.tell_head(message)
