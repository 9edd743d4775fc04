"""The index of the arena: which object lies where, who writes it, who maps it, and when its extent is free again.

A *copy* is being written by one client, then sealed, and from then on immutable. An extent is used again only when the
object's owner has freed it (or died), nobody maps it, and nobody writes to it. Messages of different clients may
cross: a retried task may write its result while the attempt before still does, and an owner may free a result before
the writer's own `StoreSeal` is read. So copies that are being written belong to their writer, and only sealed ones to
the object.
"""

from __future__ import annotations

import enum
from typing import Final

from rustyray.core.effects import FreeExtent
from rustyray.core.node.arena import Arena
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.transfers import Transfers
from rustyray.core.story import StateTable
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID, owner_of
from rustyray.model.messages import (
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


class CopyState(enum.IntEnum):
    WRITING = 1
    WRITING_FREED = 2
    SEALED = 3
    FREED = 4
    GONE = 5


class CopyEvent(enum.IntEnum):
    SEAL = 1
    ABORT = 2
    FREE = 3
    UNUSED = 4
    MADE_AGAIN = 5


_S, _E = CopyState, CopyEvent

COPY_TABLE = StateTable(
    "stored copy",
    _S.WRITING,
    {
        (_S.WRITING, _E.SEAL): _S.SEALED,
        (_S.WRITING, _E.ABORT): _S.GONE,
        (_S.WRITING, _E.FREE): _S.WRITING_FREED,
        (_S.WRITING_FREED, _E.FREE): _S.WRITING_FREED,
        (_S.WRITING_FREED, _E.SEAL): _S.GONE,
        (_S.WRITING_FREED, _E.ABORT): _S.GONE,
        (_S.SEALED, _E.FREE): _S.FREED,
        (_S.FREED, _E.FREE): _S.FREED,
        (_S.FREED, _E.UNUSED): _S.GONE,
        (_S.FREED, _E.MADE_AGAIN): _S.SEALED,
    },
)


class Copy:
    """An object's bytes in the arena: ``size`` of them at ``offset``, mapped ``pins`` times.

    A spare was pulled from another node, its ``source``, which has the original.
    """

    __slots__ = ("attempt", "object", "offset", "pins", "size", "source", "state")

    def __init__(self, object_: ObjectID, offset: int, size: int, attempt: int, source: NodeID = b"") -> None:
        self.object = object_
        self.offset = offset
        self.size = size
        self.attempt = attempt
        self.pins = 0
        self.source = source
        self.state = COPY_TABLE.initial

    @property
    def freed(self) -> bool:
        """Its owner needs it no more; whoever maps it may go on."""
        return self.state is CopyState.FREED


class Waiting:
    """A `StoreCreate` that waits for room until ``until``."""

    __slots__ = ("client", "message", "until")

    def __init__(self, client: bytes, message: StoreCreate, until: float) -> None:
        self.client = client
        self.message = message
        self.until = until

    def is_for(self, client: bytes, object_: ObjectID) -> bool:
        return self.client == client and self.message.object == object_


class Store:
    """What is in the arena, and for whom."""

    __slots__ = ("_base", "_pin_waiters", "_pins", "_waiting", "_writing", "arena", "objects", "transfers")

    def __init__(self, base: NodeBase, capacity: int, cluster: Cluster) -> None:
        self._base = base
        self.transfers = Transfers(base, cluster, self)
        self.arena = Arena(capacity, base.limits.page)
        self.objects: dict[ObjectID, Copy] = {}
        self._writing: dict[bytes, dict[ObjectID, Copy]] = {}
        self._pins: dict[bytes, dict[ObjectID, int]] = {}
        self._pin_waiters: dict[ObjectID, list[tuple[bytes, int]]] = {}
        self._waiting: list[Waiting] = []

    # --- writing ------------------------------------------------------------------------------------------------------

    def create(self, client: bytes, message: StoreCreate, now: float) -> None:
        if self._base.stopping:
            text = f"node {self._base.node.hex()} is shutting down"
            self._refuse(client, message, Fault(FaultKind.SHUT_DOWN, text, node=self._base.node))
            return
        self._waiting = [entry for entry in self._waiting if not entry.is_for(client, message.object)]
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None and copy.size != message.size:
            self._end_writing(client, copy, CopyEvent.ABORT, now)
        if self._try_create(client, message):
            return
        if self.arena.round_up(message.size) > self.arena.capacity or self._base.limits.store_wait <= 0:
            self._refuse(client, message, self._full(message))
            return
        until = now + self._base.limits.store_wait
        self._waiting.append(Waiting(client, message, until))
        self._base.timers.at(until, self._give_up_waiting)

    def _try_create(self, client: bytes, message: StoreCreate) -> bool:
        mine = self._writing.get(client, {})
        if message.object in mine:
            copy = mine[message.object]
            self._base.send(client, StoreCreated(message.request, copy.offset, copy.size))
            return True
        extent = self.arena.take(message.size) or self._evict(message.size)
        if extent is None:
            return False
        offset, touched = extent
        source = client if is_node(client) else b""
        copy = Copy(message.object, offset, message.size, message.attempt, source)
        self._writing.setdefault(client, {})[message.object] = copy
        if source:
            self.transfers.granted(message.object, offset)
        else:
            self._base.send(client, StoreCreated(message.request, offset, min(touched, message.size)))
        return True

    def _evict(self, size: int) -> tuple[int, int] | None:
        """Room from spare copies that nobody maps, oldest first."""
        for copy in list(self.objects.values()):
            if copy.source and not copy.pins and self.objects.get(copy.object) is copy:
                self._move(copy, CopyEvent.FREE)
                self._move(copy, CopyEvent.UNUSED)
                del self.objects[copy.object]
                self._give(copy)
                extent = self.arena.take(size)
                if extent is not None:
                    return extent
        return None

    def seal(self, client: bytes, message: StoreSeal, now: float) -> None:
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None:
            self._end_writing(client, copy, CopyEvent.SEAL, now)

    def abort(self, client: bytes, message: StoreAbort, now: float, why: Fault | None = None) -> None:
        copy = self._writing.get(client, {}).get(message.object)
        if copy is not None:
            self._end_writing(client, copy, CopyEvent.ABORT, now, why)

    def _end_writing(self, client: bytes, copy: Copy, event: CopyEvent, now: float, why: Fault | None = None) -> None:
        mine = self._writing[client]
        del mine[copy.object]
        if not mine:
            del self._writing[client]
        self._move(copy, event)
        if event is CopyEvent.SEAL:
            self.arena.written(copy.offset, self.arena.round_up(copy.size))
        if copy.state is CopyState.SEALED:
            self._publish(copy, now)
        else:
            self._reuse(copy, now, written=event is CopyEvent.SEAL)
        if copy.object in self._pin_waiters:
            self.answer_waiters(copy.object, why)
        self.transfers.serving.look_again(copy.object)

    def _publish(self, copy: Copy, now: float) -> None:
        """Another attempt may have sealed the same object: the copy of the later one stays, or what somebody maps."""
        old = self.objects.get(copy.object)
        gone = self._base.is_gone(owner_of(copy.object))
        if gone or (old is not None and (old.pins or copy.source or copy.attempt < old.attempt)):
            if old is not None and not copy.source and copy.attempt >= old.attempt and not gone:
                old.source, old.attempt = b"", copy.attempt  # it takes the place of an original
                if old.freed:
                    self._move(old, CopyEvent.MADE_AGAIN)
            self._move(copy, CopyEvent.FREE)
            self._drop_unused(copy, now)
            return
        self.objects[copy.object] = copy
        if old is not None:
            self._move(old, CopyEvent.FREE)
            self._drop_unused(old, now)

    # --- reading ------------------------------------------------------------------------------------------------------

    def pin(self, client: bytes, message: StorePin, now: float) -> None:
        copy = self.objects.get(message.object)
        if copy is not None and copy.state is CopyState.SEALED:
            self._pin(client, message.request, copy)
        elif copy is None and (
            self._is_written(message.object)
            or (message.node not in (b"", self._base.node) and self.transfers.start(message, now))
        ):
            self._pin_waiters.setdefault(message.object, []).append((client, message.request))
        else:
            self._no_such(client, message.request, message.object)

    def _pin(self, client: bytes, request: int, copy: Copy) -> None:
        pins = self._pins.get(client)
        if pins is None:
            pins = self._pins[client] = {}
        pins[copy.object] = pins.get(copy.object, 0) + 1
        copy.pins += 1
        self._base.send(client, StorePinned(request, copy.offset, copy.size))

    def unpin(self, client: bytes, message: StoreUnpin, now: float) -> None:
        pins = self._pins.get(client)
        if pins is None:
            return
        for object_ in message.objects:
            count = pins.get(object_, 0)
            if count:
                self._unpin(pins, object_, 1, now)
        if not pins:
            del self._pins[client]

    def _unpin(self, pins: dict[ObjectID, int], object_: ObjectID, count: int, now: float) -> None:
        if pins[object_] == count:
            del pins[object_]
        else:
            pins[object_] -= count
        copy = self.objects[object_]
        copy.pins -= count
        if copy.state is CopyState.FREED and not copy.pins:
            self._drop_unused(copy, now)

    def answer_waiters(self, object_: ObjectID, why: Fault | None = None) -> None:
        """It is there, or will not be: ``why``."""
        copy = self.objects.get(object_)
        if copy is None and self._is_written(object_):
            return
        for client, request in self._pin_waiters.pop(object_, ()):
            if copy is not None and copy.state is CopyState.SEALED:
                self._pin(client, request, copy)
            elif why is not None:
                self._base.send(client, StoreFailed(request, why))
            else:
                self._no_such(client, request, object_)

    def _is_written(self, object_: ObjectID) -> bool:
        return object_ in self.transfers.pulls or any(object_ in mine for mine in self._writing.values())

    def is_made_here(self, object_: ObjectID) -> bool:
        """Whether a process of this node writes it; one that is pulled is not made here."""
        return any(object_ in mine for client, mine in self._writing.items() if not is_node(client))

    def pin_for_node(self, node: NodeID, object_: ObjectID) -> Copy | None:
        """Another node pulls the object, and has it pinned from now on, once; None if it is not here."""
        copy = self.objects.get(object_)
        pins = self._pins.setdefault(node, {})
        if copy is not None and object_ not in pins and copy.state is CopyState.SEALED:
            pins[object_] = 1
            copy.pins += 1
        found = copy if object_ in pins else None
        if not pins:
            del self._pins[node]
        return found

    def unpin_for_node(self, node: NodeID, object_: ObjectID, now: float) -> None:
        self.unpin(node, StoreUnpin([object_]), now)

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
                self._move(writing, CopyEvent.FREE)
        copy = self.objects.get(object_)
        if copy is not None and source in (None, copy.source) and copy.attempt <= attempt:
            self._move(copy, CopyEvent.FREE)
            self.transfers.serving.freed(copy)
            if not copy.pins:
                self._drop_unused(copy, now)

    def _drop_unused(self, copy: Copy, now: float) -> None:
        self._move(copy, CopyEvent.UNUSED)
        if self.objects.get(copy.object) is copy:
            del self.objects[copy.object]
        self._reuse(copy, now)

    def _reuse(self, copy: Copy, now: float, written: bool = True) -> None:
        self._give(copy, written)
        if self._waiting:
            self._waiting = [entry for entry in self._waiting if not self._try_create(entry.client, entry.message)]

    def _give(self, copy: Copy, written: bool = True) -> None:
        self.arena.give(copy.offset, copy.size, written)
        self._base.out.append(FreeExtent(copy.offset, self.arena.round_up(copy.size)))

    def client_gone(self, client: bytes, now: float) -> None:
        """What it wrote is dropped, what it mapped is unmapped."""
        for object_ in self.transfers.client_gone(client, now):
            self.answer_waiters(object_)
        self._waiting = [entry for entry in self._waiting if entry.client != client]
        for copy in list(self._writing.get(client, {}).values()):
            self._end_writing(client, copy, CopyEvent.ABORT, now)
        for object_, waiters in list(self._pin_waiters.items()):
            left = [entry for entry in waiters if entry[0] != client]
            if left:
                self._pin_waiters[object_] = left
            else:
                del self._pin_waiters[object_]
        pins = self._pins.pop(client, {})
        for object_, count in list(pins.items()):
            self._unpin(pins, object_, count, now)

    def node_died(self, node: NodeID, now: float) -> None:
        """As `client_gone`; and nobody would tell us any more when its objects are freed, so the spares go now."""
        self.client_gone(node, now)
        for copy in [copy for copy in self.objects.values() if copy.source == node]:
            self._free(copy.object, now, node)

    def owners_gone(self, prefix: bytes, now: float) -> None:
        """All objects of an owner (or of all owners on a node) are lost to everybody; whoever maps one may go on."""
        objects = [object_ for object_ in self.objects if object_.startswith(prefix)]
        objects += [object_ for mine in self._writing.values() for object_ in mine if object_.startswith(prefix)]
        for object_ in dict.fromkeys(objects):
            self._free(object_, now)

    # --- refusals -----------------------------------------------------------------------------------------------------

    def _give_up_waiting(self, now: float) -> None:
        late = [entry for entry in self._waiting if entry.until <= now]
        self._waiting = [entry for entry in self._waiting if entry.until > now]
        for entry in late:
            self._refuse(entry.client, entry.message, self._full(entry.message))

    def fail_waiting(self, fault: Fault) -> None:
        waiting, self._waiting = self._waiting, []
        for entry in waiting:
            self._refuse(entry.client, entry.message, fault)

    def _refuse(self, client: bytes, message: StoreCreate, fault: Fault) -> None:
        if is_node(client):
            self.transfers.refused(message.object, fault)
        else:
            self._base.send(client, StoreFailed(message.request, fault))

    def _fail(self, client: bytes, request: int, kind: FaultKind, text: str) -> None:
        self._base.send(client, StoreFailed(request, Fault(kind, text, node=self._base.node)))

    def _no_such(self, client: bytes, request: int, object_: ObjectID) -> None:
        freed = object_ in self.objects
        text = f"object {object_.hex()} is not in the store of node {self._base.node.hex()}"
        if freed:
            text = f"object {object_.hex()} was freed by its owner"
        self._fail(client, request, FaultKind.OBJECT_FREED if freed else FaultKind.OBJECT_LOST, text)

    def _full(self, message: StoreCreate) -> Fault:
        pinned = sum(copy.size for copy in self.objects.values() if copy.pins)
        largest = sorted(self.objects.values(), key=lambda copy: -copy.size)[:3]
        which = ", ".join(
            f"{copy.object.hex()} ({_mb(copy.size)}, owned by {owner_of(copy.object).hex()}"
            f"{', freed but still mapped' if copy.state is CopyState.FREED else ''})"
            for copy in largest
        )
        text = (
            f"no room for an object of {_mb(message.size)} in the store of node {self._base.node.hex()}: capacity "
            f"{_mb(self.arena.capacity)}, used {_mb(self.arena.used)}, mapped by readers {_mb(pinned)}, largest free "
            f"piece {_mb(self.arena.largest())}; the largest objects: {which or 'none'}. Drop references that are no "
            f"longer needed, or give the store more memory (object_store_memory)"
        )
        return Fault(FaultKind.STORE_FULL, text, node=self._base.node)

    def _move(self, copy: Copy, event: CopyEvent) -> None:
        copy.state = self._base.journal.move(COPY_TABLE, copy.object, copy.state, event)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        taken = []
        for object_, copy in self.objects.items():
            assert copy.object == object_, f"object {object_.hex()} is listed under another's name"
            pins = sum(mine.get(object_, 0) for mine in self._pins.values())
            assert copy.pins == pins, f"object {object_.hex()} has {copy.pins} pins, its clients hold {pins}"
            assert copy.state in {CopyState.SEALED, CopyState.FREED}, f"{object_.hex()} is listed as {copy.state.name}"
            assert copy.pins or copy.state is CopyState.SEALED, f"{object_.hex()} is freed, unused, and still there"
            taken.append((copy.offset, copy.size))
        for mine in self._writing.values():
            for copy in mine.values():
                assert copy.state in {CopyState.WRITING, CopyState.WRITING_FREED}, f"written as {copy.state.name}"
                taken.append((copy.offset, copy.size))
        for mine_pins in self._pins.values():
            for object_, count in mine_pins.items():
                assert count > 0, f"{count} pins of one client on {object_.hex()}"
                assert object_ in self.objects, f"a pin on {object_.hex()}, which is not there"
        for object_ in self._pin_waiters:
            assert self._is_written(object_), f"somebody waits for {object_.hex()}, and nobody writes it"
        self.arena.check(taken)
        self.transfers.check()


def is_node(client: bytes) -> bool:
    """Whether this client of the store is another node."""
    return len(client) == NODE_ID_SIZE


def _mb(size: int) -> str:
    return f"{size / 1e6:.3g} MB"
