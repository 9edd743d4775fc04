"""What other nodes pull from here, and to whom they are sent for it instead.

A node serves `FANOUT` others with the same object. Who comes then is sent on to one of those that have it, or pull it
and pass on each piece as it comes. So each node sends an object twice, however many want it, and the last of those who
want it at the same time has it little later than the first. Only the node with the original sends on: it knows who has
it from whom. When a node that passes on fails, those behind it come back, and are not sent on again.
"""

from __future__ import annotations

from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final

from rustyray.core.effects import SendChunk
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID
from rustyray.model.messages import PullChunk, PullDone, PullElsewhere, PullFailed, StoreFree
from rustyray.model.values import Fault, FaultKind

if TYPE_CHECKING:
    from rustyray.core.node.copies import Copy
    from rustyray.core.node.store import Store
    from rustyray.core.node.transfers import Pull

#: So many other nodes get an object from one.
FANOUT: Final = 2
#: So many freed objects are named again to a node to which the connection broke, and all of the last message.
TOLD: Final = 512
#: Seconds until then: the node may not be reached at once.
PAUSE: Final = 0.1


class Told:
    """What a node was told last to free: ``messages`` with ``count`` objects. ``again``: it soon is told again."""

    __slots__ = ("again", "count", "messages")

    def __init__(self) -> None:
        self.messages: deque[StoreFree] = deque()
        self.count = 0
        self.again = False

    def add(self, message: StoreFree) -> None:
        self.messages.append(message)
        self.count += len(message.objects)
        while self.count > TOLD and len(self.messages) > 1:
            self.count -= len(self.messages.popleft().objects)


class Branch:
    """A node that pulls an object under the number ``pull``, or did, from ``parent``."""

    __slots__ = ("active", "parent", "pull")

    def __init__(self, pull: int, parent: NodeID) -> None:
        self.pull = pull
        self.parent = parent
        #: It has not said yet that it is done.
        self.active = True


class Serving:
    """Who wants what is here. ``pulls``: what is on its way here."""

    __slots__ = ("_asks", "_base", "_cluster", "_pulls", "_store", "_told", "_trees", "_unsent")

    def __init__(self, base: NodeBase, cluster: Cluster, store: Store, pulls: dict[ObjectID, Pull]) -> None:
        self._base = base
        self._cluster = cluster
        self._store = store
        self._pulls = pulls
        #: The nodes that have, or pull, copies of the originals that are here.
        self._trees: dict[ObjectID, dict[NodeID, Branch]] = {}
        #: What other nodes ask for and is not here yet.
        self._asks: dict[ObjectID, list[tuple[NodeID, PullChunk]]] = {}
        #: For nodes that this one has not heard of yet, or not again since its head was away.
        self._unsent: dict[NodeID, list[StoreFree]] = {}
        #: What each node was told last to free.
        self._told: dict[NodeID, Told] = {}

    def on_ask(self, sender: bytes, message: PullChunk, now: float) -> None:
        """Another node wants a piece. With the first it pins the object, until it has all of it."""
        self._answer(sender, message)

    def _answer(self, sender: NodeID, message: PullChunk) -> None:
        object_ = message.object
        there = self._store.objects.get(object_)
        if there is not None and not there.source and not there.freed and not self._is_ours(sender, message):
            return
        copy = self._store.pin_for_node(sender, object_)
        if copy is not None and (not copy.source or copy.attempt == message.attempt):
            if message.begin + message.size <= copy.size:
                self._send(sender, message, copy.offset)
                return
        elif copy is None and self._store.is_made_here(object_):
            self._park(sender, message)
            return
        elif copy is None and (pull := self._relayed(sender, message)) is not None:
            if message.begin + message.size > pull.got:
                self._park(sender, message)
            else:
                self._send(sender, message, pull.place.offset, copied=True)
            return
        text = f"object {object_.hex()} is not in the store of node {self._base.node.hex()}"
        self._fail(sender, message, Fault(FaultKind.OBJECT_LOST, text, node=self._base.node))

    def _fail(self, to: NodeID, ask: PullChunk, fault: Fault) -> None:
        self._base.send(to, PullFailed(ask.object, ask.pull, fault), self._cluster.address_of(to))

    def _send(self, to: NodeID, ask: PullChunk, offset: int, copied: bool = False) -> None:
        self._base.out.append(SendChunk(to, ask.object, ask.pull, offset, ask.begin, ask.size, copied))

    def _park(self, sender: NodeID, message: PullChunk) -> None:
        self._asks.setdefault(message.object, []).append((sender, message))

    def _relayed(self, sender: NodeID, message: PullChunk) -> Pull | None:
        """The pull whose pieces can be passed on to ``sender``: not to whom it comes from."""
        pull = self._pulls.get(message.object)
        if pull is None or pull.attempt != message.attempt or message.begin + message.size > pull.size:
            return None
        return None if sender in (pull.source, pull.supplier) else pull

    def _is_ours(self, sender: NodeID, message: PullChunk) -> bool:
        """Whether we serve this pull of an original ourselves. Else ``sender`` is told who does."""
        me = self._base.node
        tree = self._trees.setdefault(message.object, {})
        branch = tree.get(sender)
        if branch is None or branch.pull != message.pull:
            branch = tree[sender] = Branch(message.pull, me if message.direct else self._parent_for(sender, tree))
            if branch.parent != me:
                there = PullElsewhere(message.object, message.pull, branch.parent)
                self._base.send(sender, there, self._cluster.address_of(sender))
        return branch.parent == me

    def _parent_for(self, sender: NodeID, tree: dict[NodeID, Branch]) -> NodeID:
        """This node, or the first that has not sent it to others often enough (those before are nearer to us)."""
        me = self._base.node
        serves = Counter(branch.parent for node, branch in tree.items() if node != sender)
        if serves[me] < FANOUT:
            return me
        for node in tree:
            if serves[node] < FANOUT and node in self._cluster.others and not _is_behind(node, sender, tree):
                return node
        return me

    def is_awaited(self, object_: ObjectID) -> bool:
        """Whether other nodes have asked for it, and it is not here yet."""
        return bool(self._asks.get(object_))

    def look_again(self, object_: ObjectID) -> None:
        """There is more of it here, or all, or there never will be."""
        for sender, message in self._asks.pop(object_, ()):
            self._answer(sender, message)

    def refuse(self, object_: ObjectID, fault: Fault) -> None:
        """It is here, and cannot be had."""
        for sender, message in self._asks.pop(object_, ()):
            self._fail(sender, message, fault)

    def on_done(self, sender: bytes, message: PullDone, now: float) -> None:
        branch = self._trees.get(message.object, {}).get(sender)
        if branch is not None:
            branch.active = False
        if message.object in self._asks:
            self._asks[message.object] = [ask for ask in self._asks[message.object] if ask[0] != sender]
        self._store.pins.remove(sender, [message.object], now)

    def client_gone(self, node: bytes, now: float) -> None:
        """Another node is lost, for a while or for good."""
        if len(node) != NODE_ID_SIZE:
            return
        for object_, asks in list(self._asks.items()):
            self._asks[object_] = [ask for ask in asks if ask[0] != node]
        for tree in self._trees.values():
            if node in tree:
                tree[node].active = False
        told = self._told.get(node)
        if told is not None and not told.again:  # the last of it may be lost with the connection
            told.again = True
            self._base.timers.at(now + PAUSE, partial(self._tell_again, node, told))

    def _tell_again(self, node: NodeID, told: Told, now: float) -> None:
        told.again = False
        if self._base.is_gone(node):
            del self._told[node]
            return
        for message in told.messages:
            self._base.send(node, message, self._cluster.address_of(node))

    def freed(self, copy: Copy) -> None:
        """An object is freed here: so it is where it went."""
        for node in self._trees.pop(copy.object, ()):
            if not self._base.is_gone(node):
                self._tell(node, StoreFree([copy.object], attempts=[copy.attempt]))

    def _tell(self, node: NodeID, message: StoreFree) -> None:
        told = self._told.get(node)
        if told is None:
            told = self._told[node] = Told()
        told.add(message)
        self._base.send(node, message, self._cluster.address_of(node))

    def pass_on(self, message: StoreFree) -> None:
        """An owner beside us frees objects that lie elsewhere."""
        if message.anywhere:
            for node in self._cluster.others:
                self._tell(node, message)
        elif message.node in self._cluster.others:
            self._tell(message.node, message)
        elif message.node not in (b"", self._base.node) and not self._base.is_gone(message.node):
            self._unsent.setdefault(message.node, []).append(message)

    def meet(self) -> None:
        """The view of the cluster has changed."""
        unsent, self._unsent = self._unsent, {}
        for messages in unsent.values():
            for message in messages:
                self.pass_on(message)


def _is_behind(node: NodeID, other: NodeID, tree: dict[NodeID, Branch]) -> bool:
    """Whether ``node`` is ``other``, or gets its pieces from there, perhaps through more."""
    while node != other:
        branch = tree.get(node)
        if branch is None or not branch.active:
            return False
        node = branch.parent
    return True
