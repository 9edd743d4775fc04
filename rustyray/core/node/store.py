"""The index of the arena: which object lies where, who writes it, who maps it, and when its extent is free again.

A *copy* is being written by one client, then sealed, and from then on immutable. An extent is used again only when the
object's owner has freed it (or died), nobody maps it, and nobody writes to it. Messages of different clients may
cross: a retried task may write its result while the attempt before still does, and an owner may free a result before
the writer's own `StoreSeal` is read. So copies that are being written belong to their writer, and only sealed ones to
the object.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from rustyray.core.node.arena import Arena
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.copies import COPY_TABLE, Copy, CopyEvent, CopyState, is_node
from rustyray.core.node.pins import Pins
from rustyray.core.node.reads import Reads
from rustyray.core.node.room import Room, Wish
from rustyray.core.node.transfers import Place, Transfers
from rustyray.model.ids import NodeID, ObjectID, WorkerID, node_of, owner_of
from rustyray.model.messages import (
    ObjectLost,
    StoreAbort,
    StoreCreate,
    StoreCreated,
    StoreFailed,
    StoreFree,
    StorePin,
    StorePinned,
    StoreSeal,
    StoreUnpin,
)
from rustyray.model.values import Fault, FaultKind

#: Later than any.
ANY_ATTEMPT: Final = 1 << 62


class Store:
    """What is in the arena and the spill file, and for whom."""

    __slots__ = (
        "_base",
        "_cluster",
        "_pin_waiters",
        "_writing",
        "objects",
        "pins",
        "reads",
        "room",
        "transfers",
    )

    def __init__(self, base: NodeBase, capacity: int, cluster: Cluster) -> None:
        self._base = base
        self._cluster = cluster
        self.transfers = Transfers(base, cluster, self)
        self.room = Room(base, capacity, self)
        self.reads = Reads(base, self)
        self.objects: dict[ObjectID, Copy] = {}
        self.pins = Pins(self.objects, self.room, self._unmapped)
        self._writing: dict[bytes, dict[ObjectID, Copy]] = {}
        self._pin_waiters: dict[ObjectID, list[tuple[bytes, int]]] = {}

    @property
    def arena(self) -> Arena:
        return self.room.arena

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(self, client: bytes, message: StoreCreate, now: float) -> None:
        refused = partial(self._refuse, client, message)
        if self._base.stopping:
            text = f"node {self._base.node.hex()} is shutting down"
            refused(Fault(FaultKind.SHUT_DOWN, text, node=self._base.node))
            return
        self.room.cancel(client, message.object)
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None:
            if copy.size == message.size:
                self._base.send(client, StoreCreated(message.request, copy.offset, copy.size))
                return
            self._end_writing(client, copy, CopyEvent.ABORT, now)
        granted = partial(self._granted, client, message)
        self.room.ask(Wish(client, message.object, message.size, granted, refused), now)

    def _granted(self, client: bytes, message: StoreCreate, offset: int, touched: int) -> None:
        source = client if is_node(client) else b""
        copy = Copy(message.object, offset, message.size, message.attempt, source)
        self._writing.setdefault(client, {})[message.object] = copy
        if source:
            self.transfers.granted(message.object, Place(offset, touched >= message.size))
        else:
            self._base.send(client, StoreCreated(message.request, offset, min(touched, message.size)))

    def others_use(self, client: bytes, object_: ObjectID) -> bool:
        """Whether anybody has something mapped, or writes, other than who waits for this object."""
        waiters = {client, *(waiter for waiter, _ in self._pin_waiters.get(object_, ()))}
        return not self.pins.clients() <= waiters or any(mine.keys() - {object_} for mine in self._writing.values())

    def evicted(self, copy: Copy) -> None:
        """A spare has to go; its room is taken care of."""
        self.move(copy, CopyEvent.FREE)
        self.move(copy, CopyEvent.UNUSED)
        if self.objects.get(copy.object) is copy:
            del self.objects[copy.object]

    def seal(self, client: bytes, message: StoreSeal, now: float) -> None:
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None:
            self._end_writing(client, copy, CopyEvent.SEAL, now)

    def abort(self, client: bytes, message: StoreAbort, now: float, why: Fault | None = None) -> None:
        """The client writes no more, or waits no more for room: its answer may be on its way, or not to come at all."""
        self.room.cancel(client, message.object)
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None:
            self._end_writing(client, copy, CopyEvent.ABORT, now, why)

    def give_way(self) -> Copy | None:
        """The copy of a pull that can wait; its room is to be taken care of."""
        pull = self.transfers.give_way()
        if pull is None:
            return None
        mine = self._writing[pull.source]
        copy = mine.pop(pull.object)
        if not mine:
            del self._writing[pull.source]
        self.move(copy, CopyEvent.ABORT)
        return copy

    def _end_writing(self, client: bytes, copy: Copy, event: CopyEvent, now: float, why: Fault | None = None) -> None:
        mine = self._writing[client]
        del mine[copy.object]
        if not mine:
            del self._writing[client]
        self.move(copy, event)
        if event is CopyEvent.SEAL:
            self.arena.written(copy.offset, self.arena.round_up(copy.size))
        if copy.state is CopyState.SEALED:
            self._publish(copy, now)
        else:
            self.room.gone(copy, now, written=event is CopyEvent.SEAL)
        if copy.object in self._pin_waiters:
            self.answer_waiters(copy.object, why)
        self.transfers.serving.look_again(copy.object)
        left = self.objects.get(copy.object)  # only now may it leave again
        if left is not None and left.state is CopyState.SEALED and not left.pins:
            self.room.idle(left)
        self.room.look_for_waiting(now)

    def _publish(self, copy: Copy, now: float) -> None:
        """Another attempt may have sealed the same object: the copy of the later one stays, or what somebody maps."""
        old = self.objects.get(copy.object)
        gone = self._base.is_gone(owner_of(copy.object))
        if gone or (old is not None and (old.pins or copy.source or copy.attempt < old.attempt)):
            if old is not None and not copy.source and copy.attempt >= old.attempt and not gone:
                old.source, old.attempt = b"", copy.attempt  # it takes the place of an original
                old.orphaned = False
                if old.freed:
                    self.move(old, CopyEvent.MADE_AGAIN)
                self.room.busy(old)
            self._discard(copy, now)
            return
        self.objects[copy.object] = copy
        if old is not None:
            self._discard(old, now)

    # --- reading ------------------------------------------------------------------------------------------------------

    def pin(self, client: bytes, message: StorePin, now: float) -> None:
        copy = self.objects.get(message.object)
        if copy is not None and (copy.state is CopyState.SEALED or copy.orphaned):
            self._pin(client, message.request, copy)
        elif copy is not None and copy.away:
            self._pin_waiters.setdefault(message.object, []).append((client, message.request))
            self.room.restore(copy, now)
        elif copy is None and (
            self._is_coming(message.object)
            or (message.node not in (b"", self._base.node) and self.transfers.start(message, now))
        ):
            self._pin_waiters.setdefault(message.object, []).append((client, message.request))
        else:
            self._fail(client, message.request, self._no_such(message.object))

    def _pin(self, client: bytes, request: int, copy: Copy) -> None:
        self.pins.add(client, copy)
        self._base.send(client, StorePinned(request, copy.offset, copy.size))
        self.reads.answered(client, request)

    def unpin(self, client: bytes, message: StoreUnpin, now: float) -> None:
        self.pins.remove(client, message.objects, now)

    def _unmapped(self, copy: Copy, now: float) -> None:
        """Nobody maps it any more."""
        self.reads.look_soon()
        if copy.state is CopyState.FREED:
            self._drop_unused(copy, now)
        else:
            self.room.idle(copy)
            self.room.look_for_waiting(now)

    def answer_waiters(self, object_: ObjectID, why: Fault | None = None) -> None:
        """It is there, or will not be: ``why``."""
        copy = self.objects.get(object_)
        if self._is_coming(object_) and (copy is None or not copy.freed):
            return
        for client, request in self._pin_waiters.pop(object_, ()):
            if copy is not None and copy.state is CopyState.SEALED:
                self._pin(client, request, copy)
            else:
                self._fail(client, request, why or self._no_such(object_))

    def _is_coming(self, object_: ObjectID) -> bool:
        """Whether it is being written, pulled, or read back from the spill file."""
        copy = self.objects.get(object_)
        if copy is not None:
            return copy.coming
        return object_ in self.transfers.pulls or any(object_ in mine for mine in self._writing.values())

    def came_back(self, copy: Copy, fault: Fault | None = None) -> None:
        """The copy is in the arena again, or (``fault``) cannot be."""
        if fault is not None:
            self.transfers.serving.refuse(copy.object, fault)
        if copy.object in self._pin_waiters:
            self.answer_waiters(copy.object, fault)
        self.transfers.serving.look_again(copy.object)

    def lost(self, copy: Copy, problem: str) -> None:
        """The copy did not come back: nobody needs it any more, or (``problem``) its bytes in the file are bad."""
        if self.objects.get(copy.object) is copy:
            del self.objects[copy.object]
        fault: Fault | None = None
        if problem:
            why = f"object {copy.object.hex()} was spilled by node {self._base.node.hex()}, and {problem}"
            fault = Fault(FaultKind.OBJECT_LOST, why, node=self._base.node)
            self.transfers.serving.freed(copy)
            self.tell_owner(owner_of(copy.object), ObjectLost(copy.object, self._base.node, copy.attempt, why))
        self.came_back(copy, fault)

    def tell_owner(self, owner: WorkerID, message: ObjectLost) -> None:
        """An owner on another node hears it from its own."""
        node = node_of(owner)
        if node == self._base.node:
            self._base.send(owner, message)
        elif not self._base.is_gone(node):
            self._base.send(node, message, self._cluster.address_of(node))

    def on_object_lost(self, sender: bytes, message: ObjectLost, now: float) -> None:
        """Another node has lost an object whose owner lives here."""
        if is_node(sender) and node_of(owner_of(message.object)) == self._base.node:
            self.tell_owner(owner_of(message.object), message)

    def is_made_here(self, object_: ObjectID) -> bool:
        """Whether a process of this node writes it, or it is on its way back; one that is pulled is not made here."""
        copy = self.objects.get(object_)
        if copy is not None:
            return copy.away
        return any(object_ in mine for client, mine in self._writing.items() if not is_node(client))

    def pin_for_node(self, node: NodeID, object_: ObjectID) -> Copy | None:
        """Another node pulls the object, and has it pinned from now on, once; None if it is not here (yet)."""
        copy = self.objects.get(object_)
        if copy is not None and copy.away:
            self._base.timers.at(0.0, partial(self.room.restore, copy))
        if copy is not None and copy.state is CopyState.SEALED and not self.pins.has(node, object_):
            self.pins.add(node, copy)
        return copy if self.pins.has(node, object_) else None

    # --- freeing ------------------------------------------------------------------------------------------------------

    def free(self, client: bytes, message: StoreFree, now: float) -> None:
        from_node = is_node(client)
        elsewhere = message.node not in (b"", self._base.node)
        attempts = message.attempts or [ANY_ATTEMPT] * len(message.objects)
        for object_, attempt in zip(message.objects, attempts, strict=False):
            if from_node and not message.node and not message.anywhere:
                self._free(object_, now, client, attempt)
            elif from_node or owner_of(object_) == client:
                self._free(object_, now, message.node if elsewhere else None, attempt)
        if not from_node:
            self.transfers.serving.pass_on(message)

    def _free(self, object_: ObjectID, now: float, source: NodeID | None = None, attempt: int = ANY_ATTEMPT) -> None:
        """Free all copies, or those that were pulled from ``source``; not those of attempts after ``attempt``."""
        for mine in self._writing.values():
            writing = mine.get(object_)
            if writing is not None and source in (None, writing.source) and writing.attempt <= attempt:
                self.move(writing, CopyEvent.FREE)
        copy = self.objects.get(object_)
        if copy is not None and source in (None, copy.source) and copy.attempt <= attempt:
            copy.orphaned = False
            self.transfers.serving.freed(copy)
            self._discard(copy, now)

    def _discard(self, copy: Copy, now: float) -> None:
        """Its owner needs it no more. While it is being read from the spill file, its extent is not free."""
        away = copy.away
        self.move(copy, CopyEvent.FREE)
        if copy.freed and not copy.pins:
            self._drop_unused(copy, now)
            if away:
                self.came_back(copy)

    def _drop_unused(self, copy: Copy, now: float) -> None:
        self.move(copy, CopyEvent.UNUSED)
        if self.objects.get(copy.object) is copy:
            del self.objects[copy.object]
        self.room.gone(copy, now)

    def client_gone(self, client: bytes, now: float) -> None:
        """What it wrote is dropped, what it mapped is unmapped."""
        for object_ in self.transfers.client_gone(client, now):
            self.answer_waiters(object_)
        self.room.cancel(client)
        self.room.pressure.client_gone(client)
        self.reads.client_gone(client)
        for copy in list(self._writing.get(client, {}).values()):
            self._end_writing(client, copy, CopyEvent.ABORT, now)
        for object_, waiters in list(self._pin_waiters.items()):
            left = [entry for entry in waiters if entry[0] != client]
            if left:
                self._pin_waiters[object_] = left
            else:
                del self._pin_waiters[object_]
        self.pins.client_gone(client, now)

    def node_died(self, node: NodeID, now: float) -> None:
        """As `client_gone`; and nobody would tell us any more when its objects are freed, so the spares go now."""
        self.client_gone(node, now)
        for copy in [copy for copy in self.objects.values() if copy.source == node]:
            self._free(copy.object, now, node)
            copy.orphaned = True  # whoever needs it while it is mapped can have it, though the owner looks elsewhere

    def owners_gone(self, prefix: bytes, now: float) -> None:
        """All objects of an owner (or of all owners on a node) are lost to everybody; whoever maps one may go on."""
        objects = [object_ for object_ in self.objects if object_.startswith(prefix)]
        objects += [object_ for mine in self._writing.values() for object_ in mine if object_.startswith(prefix)]
        for object_ in dict.fromkeys(objects):
            self._free(object_, now)

    # --- refusals -----------------------------------------------------------------------------------------------------

    def _refuse(self, client: bytes, message: StoreCreate, fault: Fault) -> None:
        if is_node(client):
            self.transfers.refused(message.object, fault)
        else:
            self._base.send(client, StoreFailed(message.request, fault))

    def _fail(self, client: bytes, request: int, fault: Fault) -> None:
        """There will be no such pin."""
        self._base.send(client, StoreFailed(request, fault))
        self.reads.answered(client, request)

    def _no_such(self, object_: ObjectID) -> Fault:
        freed = object_ in self.objects
        text = f"object {object_.hex()} is not in the store of node {self._base.node.hex()}"
        if freed:
            text = f"object {object_.hex()} was freed by its owner"
        return Fault(FaultKind.OBJECT_FREED if freed else FaultKind.OBJECT_LOST, text, node=self._base.node)

    def move(self, copy: Copy, event: CopyEvent) -> None:
        copy.state = self._base.journal.move(COPY_TABLE, copy.object, copy.state, event)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        copies: list[Copy] = []
        for object_, copy in self.objects.items():
            assert copy.object == object_, f"object {object_.hex()} is listed under another's name"
            assert copy.state in _LISTED, f"{object_.hex()} is listed as {copy.state.name}"
            assert copy.pins or not copy.freed, f"{object_.hex()} is freed, unused, and still there"
            copies.append(copy)
        for mine in self._writing.values():
            for copy in mine.values():
                assert copy.state in {CopyState.WRITING, CopyState.WRITING_FREED}, f"written as {copy.state.name}"
                copies.append(copy)
        for object_ in self._pin_waiters:
            assert self._is_coming(object_), f"somebody waits for {object_.hex()}, and nobody writes it"
        self.pins.check()
        self.room.check(copies)
        self.reads.check()
        self.transfers.check()


_LISTED: Final = frozenset(
    {CopyState.SEALED, CopyState.FREED, CopyState.SPILLED, CopyState.RESTORING, CopyState.RESTORING_FREED}
)
