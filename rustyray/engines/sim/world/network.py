"""Channels between processes: each keeps its order, and any of them may be served next.

A pair of processes is connected or not. A connection that breaks loses what was on its way from some point on; each end
reads what came before that point and is then told of the loss. A later message connects anew, behind the loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from rustyray.model.ids import NodeID, WorkerID, node_of
from rustyray.model.messages import Message
from rustyray.wire.codec import encode

#: Says until when a message is held up, in seconds.
Delay = Callable[[bytes, bytes], float]
#: Says how many of ``count`` messages on their way still arrive.
Keep = Callable[[int], int]


class Lost(NamedTuple):
    """Instead of a message: the connection is gone."""

    reason: str
    reached: bool = True


class Ended(NamedTuple):
    """Instead of a message, to a node: the worker's process has ended."""

    reason: str


class Parcel(NamedTuple):
    """Something on its way, a message perhaps with a body. ``number`` orders all parcels by the moment of sending."""

    number: int
    ready: float
    content: bytes | Lost | Ended
    body: bytes = b""


class Channel:
    """One direction between two processes. While something is on its way here, its delivery is a candidate.

    ``number`` and ``ready`` are those of the first parcel.
    """

    __slots__ = ("label", "number", "process", "queue", "ready", "source")

    name: Final = "deliver"

    def __init__(self, frm: bytes, to: bytes) -> None:
        self.source = frm
        self.process = to
        self.label = b"deliver" + frm
        self.queue: deque[Parcel] = deque()
        self.number = 0
        self.ready = 0.0


class Network:
    """All channels. Messages are encoded when they are sent: a process never sees another's objects."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._channels: dict[tuple[bytes, bytes], Channel] = {}
        self._busy: dict[tuple[bytes, bytes], Channel] = {}
        self._peers: dict[bytes, dict[bytes, None]] = {}
        #: Who still sends to whom over a connection that is gone, because it has not been told yet.
        self._broken: dict[tuple[bytes, bytes], None] = {}
        #: By sender: the number of the last of its parcels (in the order of their sending) that has arrived.
        self._arrived: dict[bytes, int] = {}
        self._number = 0
        self.sent = 0
        #: Pairs of nodes between which nothing arrives, other than from and to the driver.
        self._apart: frozenset[frozenset[NodeID]] = frozenset()
        self._driver: WorkerID = b""
        #: Nodes that do nothing for now, and neither do their workers: nothing arrives there.
        self.paused: frozenset[NodeID] = frozenset()
        #: Each says of which channels nothing arrives for now.
        self.held: list[Callable[[Channel], bool]] = []

    def stamp(self) -> int:
        """The next number; for events that are no parcels, too."""
        self._number += 1
        return self._number

    # --- connections --------------------------------------------------------------------------------------------------

    def connected(self, one: bytes, other: bytes) -> bool:
        return one == other or other in self._peers.get(one, ())

    def broken(self, frm: bytes, to: bytes) -> bool:
        """Whether what ``frm`` sends now goes with a connection that is gone, of which it will be told."""
        return (frm, to) in self._broken

    def peers(self, process: bytes) -> list[bytes]:
        return list(self._peers.get(process, ()))

    def connect(self, one: bytes, other: bytes) -> None:
        self._peers.setdefault(one, {})[other] = None
        self._peers.setdefault(other, {})[one] = None

    def cut(self, one: bytes, other: bytes, reason: str, keep: Keep) -> None:
        """Break the connection between two that live on; ``keep`` decides what still arrives on either side."""
        if self._disconnect(one, other):
            self._broken[one, other] = self._broken[other, one] = None
            for frm, to in ((one, other), (other, one)):
                queue = self._channel(frm, to).queue
                start = 1 + max((at for at, parcel in enumerate(queue) if isinstance(parcel.content, Lost)), default=-1)
                self._shorten(frm, to, start + keep(len(queue) - start))
                self._put(frm, to, Lost(reason), 0.0)

    def end(self, process: bytes, reason: str, keep: Keep) -> None:
        """The process is dead: its connections break, and nothing reaches it any more.

        What it sent up to some moment, which ``keep`` decides, still arrives, wherever it went; that includes all that
        it sent before something that has arrived already.
        """
        peers = self.peers(process)
        last = self._arrived.get(process, 0)
        sent = [parcel.number for peer in peers for parcel in self._channel(process, peer).queue]
        open_ = sorted(number for number in sent if number > last)
        if kept := keep(len(open_)):
            last = open_[kept - 1]
        for peer in peers:
            self._disconnect(process, peer)
            self._broken[peer, process] = None
            queue = self._channel(process, peer).queue
            self._shorten(process, peer, sum(parcel.number <= last for parcel in queue))
            self._put(process, peer, Lost(reason), 0.0)
            self._shorten(peer, process, 0)
        self._shorten(process, process, 0)
        for pair in [pair for pair in self._broken if pair[0] == process]:
            del self._broken[pair]  # it is not told any more, and another process may take its name

    def keep_apart(self, pairs: frozenset[frozenset[NodeID]], driver: WorkerID) -> None:
        """From now on what the two nodes of such a pair, or their workers, send each other is on its way."""
        self._apart, self._driver = pairs, driver

    def _arrives(self, channel: Channel) -> bool:
        frm, to = channel.source, channel.process
        if node_of(to) in self.paused or any(holds(channel) for holds in self.held):
            return False
        return self._driver in (frm, to) or frozenset((node_of(frm), node_of(to))) not in self._apart

    def _disconnect(self, one: bytes, other: bytes) -> bool:
        if other not in self._peers.get(one, ()):
            return False
        del self._peers[one][other]
        del self._peers[other][one]
        return True

    def _shorten(self, frm: bytes, to: bytes, length: int) -> None:
        queue = self._channel(frm, to).queue
        while len(queue) > length:
            queue.pop()
        if not queue:
            self._busy.pop((frm, to), None)

    # --- messages -----------------------------------------------------------------------------------------------------

    def send(self, frm: bytes, to: bytes, message: Message, body: bytes = b"", earliest: float = 0.0) -> None:
        """Send over the connection that is there."""
        self.sent += 1
        self._put(frm, to, encode(message), max(earliest, self._delay(frm, to)), body)

    def notify(self, frm: bytes, to: bytes, content: Lost | Ended) -> None:
        """Something that the system tells ``to`` about ``frm``, behind what has been sent."""
        self._put(frm, to, content, 0.0)

    def _put(self, frm: bytes, to: bytes, content: bytes | Lost | Ended, ready: float, body: bytes = b"") -> None:
        channel = self._channels.get((frm, to)) or self._channel(frm, to)
        number = self._number = self._number + 1
        if not channel.queue:
            self._busy[frm, to] = channel
            channel.number, channel.ready = number, ready
        channel.queue.append(Parcel(number, ready, content, body))

    def _channel(self, frm: bytes, to: bytes) -> Channel:
        channel = self._channels.get((frm, to))
        if channel is None:
            channel = self._channels[frm, to] = Channel(frm, to)
        return channel

    def ready(self, now: float) -> list[Channel]:
        """The channels whose first parcel may be delivered."""
        ready = [channel for channel in self._busy.values() if channel.ready <= now]
        if ready and (self._apart or self.paused or self.held):
            return [channel for channel in ready if self._arrives(channel)]
        return ready

    def next_time(self) -> float | None:
        """When the next parcel that is held up may be delivered."""
        obstructed = self._apart or self.paused or self.held
        busy = filter(self._arrives, self._busy.values()) if obstructed else self._busy.values()
        return min((channel.ready for channel in busy), default=None)

    def take(self, channel: Channel) -> Parcel:
        queue, frm = channel.queue, channel.source
        parcel = queue.popleft()
        if isinstance(parcel.content, Lost):
            self._broken.pop((channel.process, frm), None)
        if parcel.number > self._arrived.get(frm, 0):
            self._arrived[frm] = parcel.number
        if queue:
            channel.number, channel.ready = queue[0].number, queue[0].ready
        else:
            del self._busy[frm, channel.process]
        return parcel
