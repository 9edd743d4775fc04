"""Objects from other nodes: who needs one pulls it here in pieces, and many wait for the same pull.

Here, the node with the original (the pull's *source*) is to the `Store` a client like others: it writes the copy, and
its end ends the writing. There, the node that pulls pins what it pulls. So nothing more is to be done when either of
them is lost. The pieces may come from another node, the pull's *supplier*, that has a copy or pulls one itself
(serving.py); when that is lost, says that it cannot, or says nothing for long, the source supplies what is missing.

A copy that was pulled is a spare: it is evicted when room is needed and nobody maps it. The node that it came from
remembers where it went, and passes on that the object was freed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.serving import Serving
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID
from rustyray.model.messages import (
    Chunk,
    PullChunk,
    PullDone,
    PullElsewhere,
    PullFailed,
    StoreAbort,
    StoreCreate,
    StorePin,
    StoreSeal,
)
from rustyray.model.values import Fault, FaultKind

if TYPE_CHECKING:
    from rustyray.core.node.store import Store

#: So many pieces of an object are asked for ahead; fewer when more than `AT_FULL_WIDTH` are pulled at once.
WINDOW: Final = 8
AT_FULL_WIDTH: Final = 4


class Place(NamedTuple):
    """Where an object is written; ``written``: all of its bytes were written to before, so that their pages exist."""

    offset: int
    written: bool


#: There is no room yet.
NOWHERE: Final = Place(-1, False)
#: Of a pull that is over.
THROWN_AWAY: Final = Place(-2, False)


class Pull:
    """An object on its way here, to ``place`` once there is room. ``asked`` and ``got`` are bytes."""

    __slots__ = (
        "asked",
        "attempt",
        "direct",
        "got",
        "heard",
        "number",
        "object",
        "place",
        "size",
        "source",
        "supplier",
    )

    def __init__(self, wanted: StorePin, now: float) -> None:
        self.number = 0
        self.object = wanted.object
        self.source = self.supplier = wanted.node
        self.size = wanted.size
        self.attempt = wanted.attempt
        self.place = NOWHERE
        self.asked = 0
        self.got = 0
        #: When something of it came last, or was asked for.
        self.heard = now
        #: The source is to supply it itself.
        self.direct = False


class Transfers:
    """What is on its way here; ``serving`` is about what goes from here to other nodes."""

    __slots__ = (
        "_base",
        "_cluster",
        "_heard",
        "_last",
        "_looking",
        "_store",
        "_unplaced",
        "counts",
        "pulls",
        "serving",
    )

    def __init__(self, base: NodeBase, cluster: Cluster, store: Store) -> None:
        self._base = base
        self._cluster = cluster
        self._store = store
        self.pulls: dict[ObjectID, Pull] = {}
        self.serving = Serving(base, cluster, store, self.pulls)
        #: The last number of a pull; it has a new one with each supplier.
        self._last = 0
        #: Objects and bytes that were pulled.
        self.counts = [0, 0]
        #: Pulls from nodes that this one has not heard of yet.
        self._unplaced: dict[ObjectID, Pull] = {}
        #: When something came last from each supplier.
        self._heard: dict[NodeID, float] = {}
        self._looking = False

    # --- the beginning ------------------------------------------------------------------------------------------------

    def start(self, wanted: StorePin, now: float) -> bool:
        """Begin to pull, unless that goes on already; False when the source is dead."""
        object_ = wanted.object
        if self._base.is_gone(wanted.node) or self._base.stopping:
            return False
        if object_ in self.pulls:
            return True
        pull = self.pulls[object_] = Pull(wanted, now)
        if not self._looking:
            self._looking = True
            self._base.timers.at(now + self._base.limits.stall, self._look)
        if pull.source in self._cluster.others:
            self._make_room(pull, now)
        else:
            self._unplaced[object_] = pull
            self._base.timers.at(now + self._base.limits.meet, partial(self._give_up_meeting, pull))
        return object_ in self.pulls

    def meet(self, now: float) -> None:
        """The view of the cluster has changed."""
        self.serving.meet()
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

    def granted(self, object_: ObjectID, place: Place) -> None:
        """There is room for it."""
        pull = self.pulls[object_]
        if pull.place is NOWHERE:
            pull.place = place
            self._turn_to(pull, pull.source, pull.heard)

    def give_way(self) -> Pull | None:
        """A pull of which nothing has come yet; it waits for room once more.

        Only pulls from nodes with greater ids give way. Nodes may wait for each other in a circle, each with its room
        kept for what the next one has no room to read back. In each circle one gives way, and never all at once.
        """
        for pull in reversed(self.pulls.values()):
            if pull.place is not NOWHERE and not pull.got and pull.source > self._base.node:
                self._let_go_of(pull)
                pull.place = NOWHERE
                pull.number = 0
                self._base.timers.at(0.0, partial(self._make_room_again, pull))
                return pull
        return None

    def _make_room_again(self, pull: Pull, now: float) -> None:
        if self.pulls.get(pull.object) is pull:
            self._make_room(pull, now)

    def refused(self, object_: ObjectID, fault: Fault) -> None:
        """There is no room, or no source."""
        del self.pulls[object_]
        self._store.answer_waiters(object_, fault)
        self.serving.look_again(object_)

    # --- pieces -------------------------------------------------------------------------------------------------------

    def _turn_to(self, pull: Pull, supplier: NodeID, now: float) -> None:
        """From now on this node supplies it. What comes late from another has an old number."""
        self._last += 1
        pull.number = self._last
        pull.supplier = supplier
        pull.asked = pull.got
        pull.heard = now
        self._ask(pull)

    def _ask(self, pull: Pull) -> None:
        chunk = self._base.limits.chunk
        ahead = max(1, min(WINDOW, WINDOW * AT_FULL_WIDTH // len(self.pulls))) * chunk
        address = self._cluster.address_of(pull.supplier)
        if pull.asked - pull.got > ahead // 2:
            return  # some at a time: each message costs about as much as a tenth of a piece
        while pull.asked < pull.size and pull.asked - pull.got < ahead:
            size = min(chunk, pull.size - pull.asked)
            ask = PullChunk(pull.object, pull.number, pull.asked, size, pull.attempt, pull.direct)
            self._base.send(pull.supplier, ask, address)
            pull.asked += size

    def place(self, sender: bytes, chunk: Chunk) -> Place | None:
        """The place of the object that these bytes are of, or `THROWN_AWAY`; None if nobody asked for them.

        They come in order, so that the first that is missing may be on its way to us in a message before this one.
        """
        pull = self._pull_of(sender, chunk)
        if pull is None:
            return THROWN_AWAY if 0 < chunk.pull <= self._last and len(sender) == NODE_ID_SIZE else None
        if pull.got <= chunk.begin and chunk.begin + chunk.size <= pull.asked:
            return pull.place
        return None

    def _pull_of(self, sender: bytes, message: Chunk | PullFailed | PullElsewhere) -> Pull | None:
        pull = self.pulls.get(message.object)
        if pull is not None and pull.number == message.pull and pull.supplier == sender:
            return pull
        return None

    def on_chunk(self, sender: bytes, message: Chunk, now: float) -> None:
        """These bytes are here, and written."""
        self._heard[sender] = now
        pull = self._pull_of(sender, message)
        if pull is None:
            other = self.pulls.get(message.object)
            if other is None or sender not in (other.source, other.supplier):
                self._let_go(sender, message.object)  # it was given up, and may have been pinned again meanwhile
            return
        if message.begin != pull.got:
            text = f"object {message.object.hex()} came from node {sender.hex()} with a gap"
            self._give_up(pull, Fault(FaultKind.SYSTEM, text, node=self._base.node), now)
            return
        pull.got += message.size
        pull.heard = now
        if pull.got < pull.size:
            self._ask(pull)
            self.serving.look_again(pull.object)
            return
        del self.pulls[pull.object]
        self.counts[0] += 1
        self.counts[1] += pull.size
        self._store.seal(pull.source, StoreSeal(pull.object), now)
        self._let_go_of(pull)

    def _let_go(self, supplier: bytes, object_: ObjectID) -> None:
        """Nothing more is wanted of it from there."""
        self._base.send(supplier, PullDone(object_), self._cluster.address_of(supplier))

    def _let_go_of(self, pull: Pull) -> None:
        for node in dict.fromkeys((pull.supplier, pull.source)):
            self._let_go(node, pull.object)

    # --- when it does not go on ---------------------------------------------------------------------------------------

    def on_elsewhere(self, sender: bytes, message: PullElsewhere, now: float) -> None:
        """The source has others to serve, and one of them can supply it."""
        pull = self._pull_of(sender, message)
        if pull is None or pull.direct or sender != pull.source:
            return
        if message.node in self._cluster.others:
            self._turn_to(pull, message.node, now)
        else:
            self._go_back(pull, now)

    def _go_back(self, pull: Pull, now: float) -> None:
        """The source itself is to supply what is missing."""
        if pull.supplier != pull.source and pull.supplier in self._cluster.others:
            self._let_go(pull.supplier, pull.object)
        pull.direct = True
        self._turn_to(pull, pull.source, now)

    def on_failed(self, sender: bytes, message: PullFailed, now: float) -> None:
        pull = self._pull_of(sender, message)
        if pull is None:
            return
        if pull.supplier == pull.source:
            self._give_up(pull, message.fault, now)
        else:
            self._go_back(pull, now)

    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None:
        """The system had no memory for what has arrived."""
        pull = self._pull_of(sender, chunk)
        if pull is not None:
            text = f"the system has no memory left for object {chunk.object.hex()} of {pull.size} bytes: {why}"
            self._give_up(pull, Fault(FaultKind.STORE_FULL, text, node=self._base.node), now)

    def _give_up(self, pull: Pull, fault: Fault, now: float) -> None:
        del self.pulls[pull.object]
        self._store.abort(pull.source, StoreAbort(pull.object), now, fault)
        self._let_go_of(pull)

    def _look(self, now: float) -> None:
        """Nobody waits for a supplier that says nothing: a while for one that passes on; for the source longer than it
        may wait for room itself, to read the object back."""
        stall = self._base.limits.stall
        patience = self._base.limits.mapped_wait + stall
        for pull in list(self.pulls.values()):
            if pull.place is NOWHERE:
                continue
            if pull.supplier != pull.source:
                if now >= pull.heard + stall:
                    self._go_back(pull, now)
            elif now >= max(pull.heard, self._heard.get(pull.source, 0.0)) + patience:
                text = (
                    f"node {pull.source.hex()}, where object {pull.object.hex()} lies, has sent nothing of it for "
                    f"{patience:g} s; {pull.got} of {pull.size} bytes are here"
                )
                self._give_up(pull, Fault(FaultKind.OBJECT_LOST, text, node=pull.source), now)
        self._looking = bool(self.pulls)
        if self._looking:
            self._base.timers.at(now + stall / 2, self._look)

    def client_gone(self, client: bytes, now: float) -> list[ObjectID]:
        """A source is lost, and what comes from it given up; returns what had no room yet. Or a supplier is."""
        self.serving.client_gone(client, now)
        lost = [pull for pull in self.pulls.values() if pull.source == client]
        for pull in lost:
            del self.pulls[pull.object]
            self._unplaced.pop(pull.object, None)
            if pull.place is NOWHERE:
                self.serving.look_again(pull.object)
        for pull in self.pulls.values():
            if pull.supplier == client:
                self._go_back(pull, now)
        return [pull.object for pull in lost if pull.place is NOWHERE]

    def check(self) -> None:
        for object_, pull in self.pulls.items():
            assert 0 <= pull.got <= pull.asked <= pull.size, f"pull of {object_.hex()}: {pull.got} of {pull.asked}"
            for node in (pull.source, pull.supplier):
                assert not self._base.is_gone(node), f"{object_.hex()} is pulled from a node that is gone"
        assert self._unplaced.keys() <= self.pulls.keys()
