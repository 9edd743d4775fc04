"""Who holds which object, and when it may go.

One rule covers every way in which a ref travels: *the sender registers the receiver with the owner before it lets go*.
A sender that is the owner counts the receiver at once. Any other sender tells the owner (`BorrowAdd`) and holds the ref
until the owner acknowledges. Counts commute, so messages on different connections may arrive in any order: a release
that overtakes its registration leaves the count at -1 for a moment.

A borrower that drops its last ref takes back all registrations it knows of in one `BorrowRelease`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rustyray.core.effects import Effect, Ready, Send
from rustyray.core.owner.freeing import Freeing
from rustyray.core.owner.passed_on import PassedOn
from rustyray.core.owner.records import Borrowing, ObjectEntry, Record
from rustyray.model.ids import WORKER_ID_SIZE, NodeID, ObjectID, WorkerID, node_of
from rustyray.model.messages import BorrowAck, BorrowAdd, BorrowRelease, GetObjects, ObjectReady
from rustyray.model.values import Fault, FaultKind, RefInfo, Stored, Value

#: So many dead processes and nodes are remembered. Whoever sends to an older one is told that it cannot be reached.
REMEMBERED: Final = 10_000


def refs_inside(value: Value | None) -> list[RefInfo]:
    """The refs that a value carries (none for plain bytes and faults)."""
    if type(value) is bytes or value is None or isinstance(value, Fault):
        return []
    return value.refs or []  # type: ignore[union-attr]


class References:
    """The table of all objects that this process owns or borrows."""

    def __init__(self, me: WorkerID, address: str, node: NodeID, out: list[Effect], freeing: Freeing) -> None:
        self.me = me
        self.address = address
        self.node = node
        self.out = out
        self.objects: dict[ObjectID, ObjectEntry] = {}
        #: Told of each object that is freed: a lineage or an actor's handles may end with it (`OwnerCore` sets it).
        self.on_freed: Callable[[ObjectID, Record | None], None]
        #: Processes and nodes that are dead, and why.
        self.dead: dict[bytes, str] = {}
        self.passed_on = PassedOn(out, self.hold, self.release)
        self._freeing = freeing
        self._scattered = freeing.scattered
        self._retired = False
        #: What may be freed after that which is being freed: objects hold one another in long chains.
        self._unneeded: list[tuple[ObjectID, ObjectEntry]] = []
        self._frees = False

    # --- counting -----------------------------------------------------------------------------------------------------

    def owns(self, object_: ObjectID) -> bool:
        return object_[:WORKER_ID_SIZE] == self.me

    def gone(self, worker: WorkerID) -> bool:
        """Whether the process is known to be dead, by itself or with its node."""
        return worker in self.dead or node_of(worker) in self.dead

    def adopt(self, object_: ObjectID, owner_address: str) -> None:
        """One more local ref, come out of a pickle; of an object owned elsewhere we may hear for the first time."""
        entry = self.objects.get(object_)
        if entry is None:
            entry = self._meet(object_, owner_address)
        entry.local += 1

    def hold(self, object_: ObjectID, owner_address: str = "") -> ObjectEntry:
        entry = self.objects.get(object_)
        if entry is None:
            entry = self._meet(object_, owner_address)
        entry.holds += 1
        return entry

    def _meet(self, object_: ObjectID, owner_address: str) -> ObjectEntry:
        entry = self.objects[object_] = ObjectEntry()
        owner = object_[:WORKER_ID_SIZE]
        if owner == self.me:
            entry.value = self._freed_fault(object_)
        else:
            entry.more = Borrowing(owner_address=owner_address)
            entry.value = self.gone_with_owner(object_)
        return entry

    def gone_with_owner(self, object_: ObjectID) -> Fault | None:
        """The value of an object whose owner is dead."""
        owner = object_[:WORKER_ID_SIZE]
        if not self.gone(owner):
            return None
        return self.owner_died(object_, self.dead.get(owner) or self.dead[node_of(owner)])

    def drop_local(self, dropped: list[ObjectID]) -> None:
        """Settle refs of this process that are gone."""
        if self._retired:
            return
        objects = self.objects
        for object_ in dropped:
            entry = objects.get(object_)
            if entry is None:
                continue  # a ref of an earlier runtime
            entry.local -= 1
            if entry.local <= 0 and entry.holds <= 0:
                self._maybe_free(object_, entry)

    def retire(self) -> None:
        """Local references count no more, now and later: nobody is left here who could use one."""
        self._retired = True
        for object_, entry in list(self.objects.items()):
            if entry.local > 0:
                entry.local = 0
                if entry.holds <= 0:
                    self._maybe_free(object_, entry)

    def release(self, object_: ObjectID) -> None:
        """One hold less."""
        entry = self.objects.get(object_)
        if entry is None:
            return
        entry.holds -= 1
        if entry.holds <= 0 and entry.local <= 0:
            self._maybe_free(object_, entry)

    def _maybe_free(self, object_: ObjectID, entry: ObjectEntry) -> None:
        """Nothing here needs it. What it alone has held goes after it."""
        if self._frees:
            self._unneeded.append((object_, entry))
            return
        self._frees = True
        try:
            self._free(object_, entry)
            while self._unneeded:
                object_, entry = self._unneeded.pop()
                if entry.local <= 0 and entry.holds <= 0 and self.objects.get(object_) is entry:
                    self._free(object_, entry)
        finally:
            self._frees = False

    def _free(self, object_: ObjectID, entry: ObjectEntry) -> None:
        if entry.more is not None and entry.more.is_borrowed():
            return
        if entry.lineage > 0 and (entry.record is not None or not isinstance(entry.value, Stored)):
            self._drop_stored(object_, entry)  # only what is needed to make something again stays
            return
        del self.objects[object_]
        self._drop_value(object_, entry)
        if self._scattered:
            self._scattered.pop(object_, None)
        if not self.owns(object_):
            self._leave(object_, entry)
        elif entry.more is not None:
            for watcher in entry.more.watchers:  # who passed it on to it died, and did not get to register it
                self.out.append(Send(watcher, ObjectReady(object_, self._freed_fault(object_))))
        record = entry.record
        entry.record = None
        if record is not None and record.entry is entry:
            record.entry = None
        self.on_freed(object_, record)

    def _drop_value(self, object_: ObjectID, entry: ObjectEntry) -> None:
        value = entry.value
        if value is None or type(value) is bytes:
            return
        if isinstance(value, Stored) and self.owns(object_):
            self._freeing.value(object_, value)
        entry.value = None
        for inside in refs_inside(value):
            self.release(inside.object)

    def _drop_stored(self, object_: ObjectID, entry: ObjectEntry) -> None:
        if isinstance(entry.value, Stored):
            self._drop_value(object_, entry)

    def release_lineage(self, object_: ObjectID) -> None:
        """One record less that would need the object to make its results again."""
        entry = self.objects.get(object_)
        if entry is not None:
            entry.lineage -= 1
            if entry.lineage <= 0 and entry.local <= 0 and entry.holds <= 0:
                self._maybe_free(object_, entry)

    def _leave(self, object_: ObjectID, entry: ObjectEntry) -> None:
        more = entry.more
        owner = object_[:WORKER_ID_SIZE]
        if more is not None and more.registrations and not self.gone(owner):
            self.out.append(Send(owner, BorrowRelease([object_], [more.registrations]), more.owner_address))

    # --- values -------------------------------------------------------------------------------------------------------

    def receive(self, value: Value, sender: WorkerID) -> None:
        """A value came in whose sender has registered us for the refs inside: count them, and hold them until `let_go`.

        What this process sends to itself is held since `register`.
        """
        if sender == self.me:
            return
        for info in refs_inside(value):
            entry = self.hold(info.object, info.owner_address)
            if entry.more is not None and not self.owns(info.object):
                entry.more.registrations += 1

    def contain(self, value: Value) -> None:
        """The value becomes an object's: the refs inside live at least as long as that."""
        for info in refs_inside(value):
            self.hold(info.object, info.owner_address)

    def let_go(self, value: Value | None) -> None:
        """The counterpart of `receive`: the value is where it belongs, or nobody wants it."""
        for info in refs_inside(value):
            self.release(info.object)

    def settle(self, object_: ObjectID, entry: ObjectEntry, value: Value, ready: list[ObjectID]) -> None:
        """Give the object its value; those who asked for it get it, and ``ready`` grows if a local thread waits."""
        entry.value = value
        if type(value) is not bytes:
            self.contain(value)
        if entry.watched:
            entry.watched = False
            ready.append(object_)
        if entry.more is not None and entry.more.watchers:
            watchers, entry.more.watchers = entry.more.watchers, []
            for watcher in watchers:
                self.send_value(watcher, object_, value)

    def replace(self, entry: ObjectEntry, value: Value) -> None:
        """Another value takes the place of the object's, and what was in that is let go."""
        self.contain(value)
        old, entry.value = entry.value, value
        self.let_go(old)

    def send_value(self, to: WorkerID, object_: ObjectID, value: Value) -> None:
        self.register(to, refs_inside(value))
        self.out.append(Send(to, ObjectReady(object_, value)))

    # --- borrowing ----------------------------------------------------------------------------------------------------

    def register(self, borrower: WorkerID, infos: list[RefInfo]) -> None:
        """We pass these refs on to ``borrower``: see to it that their owners count it."""
        if borrower == self.me:
            for info in infos:
                self.hold(info.object, info.owner_address)
            return
        others: list[RefInfo] = []
        for info in infos:
            owner = info.object[:WORKER_ID_SIZE]
            if owner == borrower or self.gone(borrower):
                continue
            if owner == self.me:
                entry = self.objects.get(info.object)
                if entry is not None:
                    self._count(entry, borrower, 1)
            elif not self.gone(owner):
                others.append(info)
        self.passed_on.tell(borrower, others)

    def _count(self, entry: ObjectEntry, borrower: WorkerID, change: int) -> None:
        more = entry.more
        if more is None:
            more = entry.more = Borrowing()
        count = more.borrowers.get(borrower, 0) + change
        if count:
            more.borrowers[borrower] = count
        else:
            more.borrowers.pop(borrower, None)

    def on_borrow_add(self, sender: WorkerID, message: BorrowAdd) -> None:
        if not self.gone(message.borrower):
            for object_ in message.objects:
                entry = self.objects.get(object_)
                if entry is not None:
                    self._count(entry, message.borrower, 1)
                    if entry.local <= 0 and entry.holds <= 0:
                        self._maybe_free(object_, entry)
        self.out.append(Send(sender, BorrowAck(message.request)))

    def on_borrow_release(self, sender: WorkerID, message: BorrowRelease) -> None:
        if self.gone(sender):
            return
        for object_, count in zip(message.objects, message.counts, strict=True):
            entry = self.objects.get(object_)
            if entry is not None:
                self._count(entry, sender, -count)
                if entry.local <= 0 and entry.holds <= 0:
                    self._maybe_free(object_, entry)

    def on_get_objects(self, sender: WorkerID, message: GetObjects) -> None:
        """Answer what is there, and note who waits for the rest."""
        for object_ in message.objects:
            entry = self.objects.get(object_)
            if entry is None:
                self.out.append(Send(sender, ObjectReady(object_, self._freed_fault(object_))))
            elif entry.value is not None:
                self.send_value(sender, object_, entry.value)
            else:
                if entry.more is None:
                    entry.more = Borrowing()
                entry.more.watchers.append(sender)

    def address_of(self, object_: ObjectID) -> str:
        """Where the owner of an object listens that is known here."""
        if self.owns(object_):
            return self.address
        entry = self.objects.get(object_)
        return entry.more.owner_address if entry is not None and entry.more is not None else ""

    # --- deaths -------------------------------------------------------------------------------------------------------

    def lends(self, borrower: WorkerID) -> bool:
        """Whether the process holds an object of ours, which it may have passed on."""
        return any(entry.more is not None and borrower in entry.more.borrowers for entry in self.objects.values())

    def on_death(self, who: bytes, reason: str) -> list[ObjectID]:
        """A process, or a node with all its processes, is dead: its borrows are void.

        Returns the objects that it owned and whose value is not here: they are lost.
        """
        if who in self.dead:
            return []
        self.dead[who] = reason
        if len(self.dead) > REMEMBERED:
            del self.dead[next(iter(self.dead))]
        lost: list[ObjectID] = []
        for object_, entry in list(self.objects.items()):
            more = entry.more
            if more is None:
                continue
            more.watchers = [watcher for watcher in more.watchers if not watcher.startswith(who)]
            gone = [borrower for borrower in more.borrowers if borrower.startswith(who)]
            for borrower in gone:
                del more.borrowers[borrower]
            if gone and entry.local <= 0 and entry.holds <= 0:
                self._maybe_free(object_, entry)
            elif object_.startswith(who) and entry.value is None:
                lost.append(object_)
        self.passed_on.end(who)
        return lost

    @staticmethod
    def owner_died(object_: ObjectID, reason: str) -> Fault:
        text = f"object {object_.hex()} is lost because its owner died: {reason}"
        return Fault(FaultKind.OWNER_DIED, text, worker=object_[:WORKER_ID_SIZE])

    @staticmethod
    def _freed_fault(object_: ObjectID) -> Fault:
        return Fault(
            FaultKind.OBJECT_FREED,
            "This is a use after free: its owner let it go when the last ref that counts was dropped. What is made "
            "again from an id does not count: pass the ref itself on, and keep it as long as it is used.",
        )

    def ready_effect(self, ready: list[ObjectID]) -> None:
        if ready:
            self.out.append(Ready(ready))

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises AssertionError when the table contradicts itself."""
        objects, me = self.objects, self.me
        for object_, entry in objects.items():
            local, holds, more, value = entry.local, entry.holds, entry.more, entry.value
            assert local >= 0 and holds >= 0, f"object {object_.hex()}: negative count {entry}"
            alive = local or holds or entry.lineage or (more is not None and more.is_borrowed())
            assert alive, f"object {object_.hex()} is held by nobody and still here"
            if object_[:WORKER_ID_SIZE] != me:
                assert more is not None, f"object {object_.hex()}: borrowed from nobody"
                assert not more.borrowers, f"object {object_.hex()}: only an owner counts borrowers"
            for info in () if type(value) is bytes else refs_inside(value):
                inside = objects.get(info.object)
                assert inside is not None and inside.holds > 0, (
                    f"object {object_.hex()} holds {info.object.hex()}, which is gone"
                )
