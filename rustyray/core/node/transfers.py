"""Objects from other nodes: who needs one pulls it here in pieces, and many wait for the same pull.

Here, whoever is pulled from is to the `Store` a client like others: it writes the copy, and its end ends the writing.
There, the node that pulls pins what it pulls. So nothing more is to be done when either of them is lost.

A copy that was pulled is a spare: it is evicted when room is needed and nobody maps it. The node that it came from
remembers where it went, and passes on that the object was freed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from rustyray.core.effects import SendChunk
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID
from rustyray.model.messages import (
    Chunk,
    PullChunk,
    PullDone,
    PullFailed,
    StoreAbort,
    StoreCreate,
    StoreFree,
    StorePin,
    StoreSeal,
)
from rustyray.model.values import Fault, FaultKind

if TYPE_CHECKING:
    from rustyray.core.node.store import Copy, Store

#: So many pieces are asked for ahead.
WINDOW: Final = 8
#: Instead of a place: of a pull that is over.
THROWN_AWAY: Final = -1


class Pull:
    """An object on its way here, to ``offset`` once there is room (-1 before). ``asked`` and ``got`` are bytes."""

    __slots__ = ("asked", "attempt", "got", "number", "object", "offset", "size", "source")

    def __init__(self, wanted: StorePin, number: int) -> None:
        self.number = number
        self.object = wanted.object
        self.source = wanted.node
        self.size = wanted.size
        self.attempt = wanted.attempt
        self.offset = -1
        self.asked = 0
        self.got = 0


class Transfers:
    """What is on its way here, and where copies of what is here went."""

    __slots__ = ("_asks", "_base", "_cluster", "_copies", "_last", "_store", "_unplaced", "pulls")

    def __init__(self, base: NodeBase, cluster: Cluster, store: Store) -> None:
        self._base = base
        self._cluster = cluster
        self._store = store
        self.pulls: dict[ObjectID, Pull] = {}
        #: The last pull's number.
        self._last = 0
        #: Pulls from nodes that this one has not heard of yet.
        self._unplaced: dict[ObjectID, Pull] = {}
        #: The nodes that have pulled each object from here.
        self._copies: dict[ObjectID, dict[NodeID, None]] = {}
        #: What other nodes ask for of objects that are being written here.
        self._asks: dict[ObjectID, list[tuple[NodeID, PullChunk]]] = {}

    # --- here: pulling ------------------------------------------------------------------------------------------------

    def start(self, wanted: StorePin, now: float) -> bool:
        """Begin to pull, unless that goes on already; False when the source is dead."""
        object_ = wanted.object
        if self._base.is_gone(wanted.node) or self._base.stopping:
            return False
        if object_ in self.pulls:
            return True
        self._last += 1
        pull = self.pulls[object_] = Pull(wanted, self._last)
        if pull.source in self._cluster.others:
            self._make_room(pull, now)
        else:
            self._unplaced[object_] = pull
            self._base.timers.at(now + self._base.limits.meet, partial(self._give_up_meeting, pull))
        return object_ in self.pulls

    def meet(self, now: float) -> None:
        """The view of the cluster has changed."""
        for pull in list(self._unplaced.values()):
            if pull.source in self._cluster.others:
                del self._unplaced[pull.object]
                self._make_room(pull, now)

    def _give_up_meeting(self, pull: Pull, now: float) -> None:
        if self._unplaced.pop(pull.object, None) is not None:
            text = f"nothing is known here of node {pull.source.hex()}, where object {pull.object.hex()} lies"
            self.refused(pull.object, Fault(FaultKind.OBJECT_LOST, text, node=self._base.node))

    def _make_room(self, pull: Pull, now: float) -> None:
        self._store.create(pull.source, StoreCreate(0, pull.object, pull.size, pull.attempt), now)

    def granted(self, object_: ObjectID, offset: int) -> None:
        """There is room for it."""
        pull = self.pulls[object_]
        if pull.offset < 0:
            pull.offset = offset
            self._ask(pull)

    def refused(self, object_: ObjectID, fault: Fault) -> None:
        """There is no room, or no source."""
        del self.pulls[object_]
        self._store.answer_waiters(object_, fault)

    def _ask(self, pull: Pull) -> None:
        address = self._cluster.address_of(pull.source)
        chunk = self._base.limits.chunk
        while pull.asked < pull.size and pull.asked - pull.got < WINDOW * chunk:
            size = min(chunk, pull.size - pull.asked)
            self._base.send(pull.source, PullChunk(pull.object, pull.number, pull.asked, size), address)
            pull.asked += size

    def place(self, sender: bytes, chunk: Chunk) -> int | None:
        """The offset of the object that these bytes are of, or `THROWN_AWAY`; None if nobody asked for them.

        They come in order, so that the first that is missing may be on its way to us in a message before this one.
        """
        pull = self._pull_of(sender, chunk)
        if pull is None:
            return THROWN_AWAY if 0 < chunk.pull <= self._last and len(sender) == NODE_ID_SIZE else None
        if pull.got <= chunk.begin and chunk.begin + chunk.size <= pull.asked:
            return pull.offset
        return None

    def _pull_of(self, sender: bytes, message: Chunk | PullFailed) -> Pull | None:
        pull = self.pulls.get(message.object)
        if pull is not None and pull.number == message.pull and pull.source == sender:
            return pull
        return None

    def on_chunk(self, sender: bytes, message: Chunk, now: float) -> None:
        """These bytes are here, and written."""
        pull = self._pull_of(sender, message)
        if pull is None:
            other = self.pulls.get(message.object)
            if other is None or other.source != sender:
                self._let_go(sender, message.object)  # it was given up, and may have been pinned again meanwhile
            return
        if message.begin != pull.got:
            text = f"object {message.object.hex()} came from node {sender.hex()} with a gap"
            self._give_up(pull, Fault(FaultKind.SYSTEM, text, node=self._base.node), now)
            return
        pull.got += message.size
        if pull.got < pull.size:
            self._ask(pull)
            return
        del self.pulls[pull.object]
        self._store.seal(sender, StoreSeal(pull.object), now)
        self._let_go(sender, pull.object)

    def _let_go(self, source: bytes, object_: ObjectID) -> None:
        """Nothing more is wanted of it from there."""
        self._base.send(source, PullDone(object_), self._cluster.address_of(source))

    def on_failed(self, sender: bytes, message: PullFailed, now: float) -> None:
        pull = self._pull_of(sender, message)
        if pull is not None:
            self._give_up(pull, message.fault, now)

    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None:
        """The system had no memory for what has arrived."""
        pull = self._pull_of(sender, chunk)
        if pull is not None:
            text = f"the system has no memory left for object {chunk.object.hex()} of {pull.size} bytes: {why}"
            self._give_up(pull, Fault(FaultKind.STORE_FULL, text, node=self._base.node), now)
            self._let_go(sender, chunk.object)

    def _give_up(self, pull: Pull, fault: Fault, now: float) -> None:
        del self.pulls[pull.object]
        self._store.abort(pull.source, StoreAbort(pull.object), now, fault)

    def source_gone(self, source: bytes) -> list[ObjectID]:
        """What was pulled from there is given up; returns what had no room yet, so that nobody has written to it."""
        for object_, asks in list(self._asks.items()):
            self._asks[object_] = [ask for ask in asks if ask[0] != source]
        lost = [pull for pull in self.pulls.values() if pull.source == source]
        for pull in lost:
            del self.pulls[pull.object]
            self._unplaced.pop(pull.object, None)
        return [pull.object for pull in lost if pull.offset < 0]

    # --- there: being pulled from -------------------------------------------------------------------------------------

    def on_ask(self, sender: bytes, message: PullChunk, now: float) -> None:
        """Another node wants a piece. With the first it pins the object, until it has all of it."""
        copy = self._store.pin_for_node(sender, message.object)
        if copy is not None and not copy.freed:
            self._copies.setdefault(message.object, {})[sender] = None
        if copy is None and self._store.is_made_here(message.object):
            self._asks.setdefault(message.object, []).append((sender, message))
            return
        if copy is None or message.begin + message.size > copy.size:
            text = f"object {message.object.hex()} is not in the store of node {self._base.node.hex()}"
            fault = Fault(FaultKind.OBJECT_LOST, text, node=self._base.node)
            failed = PullFailed(message.object, message.pull, fault)
            self._base.send(sender, failed, self._cluster.address_of(sender))
            return
        chunk = SendChunk(sender, message.object, message.pull, copy.offset, message.begin, message.size)
        self._base.out.append(chunk)

    def written(self, object_: ObjectID, now: float) -> None:
        """Nobody writes it any more: it is there, or will not be."""
        for sender, message in self._asks.pop(object_, ()):
            self.on_ask(sender, message, now)

    def on_done(self, sender: bytes, message: PullDone, now: float) -> None:
        self._store.unpin_for_node(sender, message.object, now)

    def freed(self, copy: Copy) -> None:
        """An object is freed here: so it is where it went."""
        for node in self._copies.pop(copy.object, ()):
            if not self._base.is_gone(node):
                freed = StoreFree([copy.object], attempts=[copy.attempt])
                self._base.send(node, freed, self._cluster.address_of(node))

    def pass_on(self, message: StoreFree) -> None:
        """An owner beside us frees objects that lie elsewhere."""
        if message.anywhere:
            for node, info in self._cluster.others.items():
                self._base.send(node, message, info.address)
        elif message.node not in (b"", self._base.node) and not self._base.is_gone(message.node):
            self._base.send(message.node, message, self._cluster.address_of(message.node))

    def check(self) -> None:
        for object_, pull in self.pulls.items():
            assert 0 <= pull.got <= pull.asked <= pull.size, f"pull of {object_.hex()}: {pull.got} of {pull.asked}"
            assert not self._base.is_gone(pull.source), f"{object_.hex()} is pulled from a node that is gone"
        assert self._unplaced.keys() <= self.pulls.keys()
