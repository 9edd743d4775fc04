"""Room in the arena, for those who want to write an object or to have one back from the spill file.

The order: use free pages again; evict what can be had again for nothing (spares, and copies that the spill file has
too); spill the originals that nobody maps, those used longest ago first; wait for others to let go; refuse, with the
numbers. Who waits is served in order, except that what is small may overtake, for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from rustyray.core.effects import FreeExtent, TrimArena, TrimSpilled
from rustyray.core.node.arena import Arena
from rustyray.core.node.base import NodeBase
from rustyray.core.node.copies import SEALED, SPILLED, Copy, CopyEvent, CopyState, mb
from rustyray.core.node.pressure import Pressure
from rustyray.core.node.spilling import Spilling
from rustyray.model.ids import ObjectID, owner_of
from rustyray.model.values import Fault, FaultKind

if TYPE_CHECKING:
    from rustyray.core.node.store import Store

#: Seconds for which a disk may be silent before those who wait for it are told.
SILENT: Final = 60.0
#: So many who wait are looked at each time that something has changed.
OVERTAKEN: Final = 32
#: This part of the arena is kept ready to leave while others have to: it is in the spill file already.
AHEAD: Final = 4
#: So many bytes are given back to the system at a time, and so many seconds lie between: it holds the node up.
TRIM_STEP: Final = 64 << 20
TRIM_PAUSE: Final = 0.05


class Wish:
    """``client`` (nobody: the node itself) waits for ``size`` bytes for ``object``.

    It is ``granted`` an offset with the number of bytes there that were written before, or ``refused``.
    """

    __slots__ = ("client", "granted", "object", "refused", "since", "size", "until")

    def __init__(
        self,
        client: bytes,
        object_: ObjectID,
        size: int,
        granted: Callable[[int, int], None],
        refused: Callable[[Fault], None],
    ) -> None:
        self.client = client
        self.object = object_
        self.size = size
        self.granted = granted
        self.refused = refused
        self.since = self.until = 0.0


class Room:
    """Who gets which part of the arena, and what has to leave it."""

    __slots__ = (
        "_base",
        "_clean",
        "_clean_bytes",
        "_dirty",
        "_heard",
        "_pressed",
        "_store",
        "_trim_set",
        "_waiting",
        "arena",
        "pressure",
        "spilling",
    )

    def __init__(self, base: NodeBase, capacity: int, store: Store) -> None:
        self._base = base
        self._store = store
        self.arena = Arena(capacity, base.limits.page)
        self.pressure = Pressure(base, self.arena)
        self.spilling = Spilling(base)
        #: Copies that nobody maps, used longest ago first: those that may go at once, and those to be spilled before.
        self._clean: OrderedDict[Copy, None] = OrderedDict()
        self._dirty: OrderedDict[Copy, None] = OrderedDict()
        self._clean_bytes = 0
        #: Something had to leave since the last time that anything was spilled.
        self._pressed = False
        self._waiting: list[Wish] = []
        self._heard = 0.0
        self._trim_set = False

    # --- asking -------------------------------------------------------------------------------------------------------

    def ask(self, wish: Wish, now: float) -> None:
        """Grant it now or later, or refuse it."""
        limits = self._base.limits
        fits_ever = self.arena.round_up(wish.size) <= self.arena.capacity
        starves = self._waiting and self._waiting[0].since + limits.starving <= now
        if fits_ever and (not starves or self._is_urgent(wish)) and self._serve(wish):
            if self._pressed:
                self._spill(now)
            return
        can_wait = limits.store_wait > 0 or (self._dirty and self.spilling.can_write(now))
        if not fits_ever or not can_wait:
            wish.refused(self._full(wish.size))
            return
        wish.since = now
        wish.until = now + limits.store_wait
        self._waiting.append(wish)
        self._base.timers.at(wish.until, self._look)
        self._spill(now)

    def cancel(self, client: bytes, object_: ObjectID | None = None) -> None:
        """The client waits no more, for this object or any. It may have kept those behind from overtaking."""
        if not self._waiting:
            return
        left = [wish for wish in self._waiting if wish.client != client or object_ not in (None, wish.object)]
        if len(left) < len(self._waiting):
            self._waiting = left
            self._base.timers.at(0.0, self.look_for_waiting)

    def refuse_all(self, fault: Fault) -> None:
        waiting, self._waiting = self._waiting, []
        for wish in waiting:
            wish.refused(fault)

    def _serve(self, wish: Wish) -> bool:
        extent = self.arena.take(wish.size) or self._evict(wish.size)
        if extent is None and self._is_urgent(wish):
            extent = self._take_back(wish.size)
        if extent is None:
            return False
        wish.granted(*extent)
        self.pressure.look()
        return True

    def _serve_waiting(self, now: float) -> None:
        """In order; a few of those behind who has to wait may overtake, unless that one starves."""
        waiting, self._waiting = self._waiting, []
        left: list[Wish] = []
        for wish in waiting:
            starves = left and left[0].since + self._base.limits.starving <= now
            passed_over = (starves or len(left) > OVERTAKEN) and not self._is_urgent(wish)
            if passed_over or not self._serve(wish):
                left.append(wish)
        self._waiting = left + self._waiting
        self._spill(now)

    def _evict(self, size: int) -> tuple[int, int] | None:
        """Room from copies that can be had again."""
        while self._clean:
            copy = next(iter(self._clean))
            self.busy(copy)
            if copy.place >= 0:
                self._pressed = True
                self._store.move(copy, CopyEvent.SPILL)
            else:
                self._store.evicted(copy)
            self._free(copy)
            extent = self.arena.take(size)
            if extent is not None:
                return extent
        return None

    def _is_urgent(self, wish: Wish) -> bool:
        """Whether other nodes wait for it: they may keep room free for it that we wait for ourselves."""
        return not wish.client and self._store.transfers.serving.is_awaited(wish.object)

    def _take_back(self, size: int) -> tuple[int, int] | None:
        """Room from pulls of which nothing has come yet, unless something is about to leave the arena anyway."""
        extent = None
        while extent is None and not self._dirty and not self.spilling.busy:
            copy = self._store.give_way()
            if copy is None:
                break
            self._free(copy, written=False)
            extent = self.arena.take(size)
        return extent

    def _spill(self, now: float) -> None:
        """Write as much to the spill file as those who wait need, and some more: they will not be the last."""
        spilling = self.spilling
        if not (self._waiting or self._pressed) or not spilling.can_write(now):
            return
        self._pressed = False
        wanted = sum(wish.size for wish in islice(self._waiting, OVERTAKEN)) + self.arena.capacity // AHEAD
        if not spilling.busy:
            self._heard = now
        while self._dirty and spilling.writing + self._clean_bytes < wanted:
            copy, _ = self._dirty.popitem(last=False)
            if not spilling.write(copy):
                self._dirty[copy] = None
                break

    # --- copies that come and go --------------------------------------------------------------------------------------

    def idle(self, copy: Copy) -> None:
        """The sealed copy is mapped by nobody, for now."""
        self.busy(copy)
        if copy.leaving:
            return
        if copy.source or copy.place >= 0:
            self._clean[copy] = None
            self._clean_bytes += copy.size
        else:
            self._dirty[copy] = None

    def busy(self, copy: Copy) -> None:
        """It is mapped, or on its way out, or not needed any more."""
        if copy in self._clean:
            del self._clean[copy]
            self._clean_bytes -= copy.size
        else:
            self._dirty.pop(copy, None)

    def look_for_waiting(self, now: float) -> None:
        """Something may leave now that could not before."""
        if self._waiting:
            self._serve_waiting(now)

    def gone(self, copy: Copy, now: float, written: bool = True) -> None:
        """Nobody needs it, wherever it lies."""
        self.busy(copy)
        if copy.coming:
            self.cancel(b"", copy.object)
            copy.coming = False
        self.spilling.drop(copy)
        if copy.offset >= 0:
            self._free(copy, written)
            if not self._trim_set:
                self._trim_set = True
                self._base.timers.at(now + self._base.limits.trim, partial(self._trim, self.arena.turns))
        self.look_for_waiting(now)

    def _free(self, copy: Copy, written: bool = True) -> None:
        self.arena.give(copy.offset, copy.size, written)
        self._base.out.append(FreeExtent(copy.offset, self.arena.round_up(copy.size)))
        copy.offset = -1
        self.pressure.look()

    # --- the spill file -----------------------------------------------------------------------------------------------

    def on_spilled(self, place: int, checksum: int, problem: str, now: float) -> None:
        """The host's answer to `SpillObject`."""
        copy = self.spilling.writes[place]
        self._heard = now
        self.spilling.written(place, checksum, problem, now)
        if copy.state is CopyState.SEALED and not copy.pins:
            self.idle(copy)
        if problem:
            self._base.timers.at(self.spilling.retry, self.look_for_waiting)
        self._serve_waiting(now)

    def restore(self, copy: Copy, now: float) -> None:
        """Have the copy in the arena again, if it is not."""
        if copy.away and not copy.coming:
            copy.coming = True
            wish = Wish(b"", copy.object, copy.size, partial(self._read, copy), partial(self._cannot_restore, copy))
            self.ask(wish, now)

    def _read(self, copy: Copy, offset: int, touched: int) -> None:
        self._store.move(copy, CopyEvent.RESTORE)
        copy.offset = offset
        self.spilling.read(copy)

    def _cannot_restore(self, copy: Copy, fault: Fault) -> None:
        copy.coming = False
        self._store.came_back(copy, fault)

    def on_restored(self, place: int, problem: str, now: float) -> None:
        """The host's answer to `RestoreObject`."""
        copy = self.spilling.has_read(place, problem)
        self._heard = now
        copy.coming = False
        self._store.move(copy, CopyEvent.LOST if problem else CopyEvent.RESTORED)
        if copy.state is CopyState.SEALED:
            self.arena.written(copy.offset, self.arena.round_up(copy.size))
            self.idle(copy)
            self._store.came_back(copy)
        else:
            self.gone(copy, now, written=False)
            self._store.lost(copy, problem)
        self._serve_waiting(now)

    # --- giving memory back to the system -----------------------------------------------------------------------------

    def _trim(self, turns: int, now: float) -> None:
        """When nothing was taken or freed for a while, free memory need not be kept warm; give it back bit by bit."""
        again = self._base.limits.trim
        self._trim_set = False
        if turns == self.arena.turns:
            if not self.trim():
                return
            again = TRIM_PAUSE
        self._trim_set = True
        self._base.timers.at(now + again, partial(self._trim, self.arena.turns))

    def trim(self) -> bool:
        """Give a part of the free memory and of the free places in the spill file back; False if there was none."""
        extents, places = self.arena.trim(TRIM_STEP), self.spilling.file.trim(TRIM_STEP)
        if extents:
            self._base.out.append(TrimArena(extents))
        if places:
            self._base.out.append(TrimSpilled(places))
        return bool(extents or places)

    # --- refusals -----------------------------------------------------------------------------------------------------

    def _look(self, now: float) -> None:
        """Whoever has waited long is refused, unless the disk is at work for them, or others may let go."""
        late = [wish for wish in self._waiting if wish.until <= now]
        at_work = self.spilling.busy and now - self._heard < SILENT
        spared = [wish for wish in late if at_work or self._may_hope(wish, now)]
        if spared:
            until = now + max(self._base.limits.store_wait, 0.1)
            for wish in spared:
                wish.until = until
            self._base.timers.at(until, self._look)
        self._waiting = [wish for wish in self._waiting if wish.until > now]
        for wish in late:
            if wish.until > now:
                continue
            wish.refused(self._full(wish.size, silent=self.spilling.busy))

    def _may_hope(self, wish: Wish, now: float) -> bool:
        """Whether others use some of the arena, and may be done with it. Not for ever: they may wait, too."""
        return now - wish.since < self._base.limits.mapped_wait and self._store.others_use(wish.client, wish.object)

    def _full(self, size: int, silent: bool = False) -> Fault:
        node, arena, spilling = self._base.node, self.arena, self.spilling
        copies = [copy for copy in self._store.objects.values() if copy.offset >= 0]
        pinned = sum(copy.size for copy in copies if copy.pins)
        largest = sorted(copies, key=lambda copy: -copy.size)[:3]
        which = ", ".join(
            f"{copy.object.hex()} ({mb(copy.size)}, owned by {owner_of(copy.object).hex()}"
            f"{', freed but still mapped' if copy.freed else ''})"
            for copy in largest
        )
        text = (
            f"no room for an object of {mb(size)} in the store of node {node.hex()}: capacity "
            f"{mb(arena.capacity)}, used {mb(arena.used)}, mapped by readers {mb(pinned)}, largest free "
            f"piece {mb(arena.largest())}, spilled {mb(spilling.file.used)}; the largest objects: {which or 'none'}. "
        )
        if spilling.problem or silent:
            problem = spilling.problem or f"the disk has not answered for {SILENT:g} s"
            text += (
                f"Objects could not be spilled: {problem}. Free space there, or name another directory in "
                "init(object_spilling_directory=...)"
            )
            return Fault(FaultKind.OUT_OF_DISK, text, node=node)
        text += "Drop references that are no longer needed, or give init(object_store_memory=...) more"
        return Fault(FaultKind.STORE_FULL, text, node=node)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self, copies: list[Copy]) -> None:
        """``copies`` are all that there are."""
        for copy in copies:
            state = copy.state
            idle = state is SEALED and not copy.pins and not copy.leaving
            clean = idle and (bool(copy.source) or copy.place >= 0)
            assert (copy in self._clean) is clean, f"{copy.object.hex()} ({copy.state.name}) may leave at once, or not"
            assert (copy in self._dirty) is (idle and not clean), f"{copy.object.hex()} ({copy.state.name}) may leave"
            assert (copy.offset < 0) is (state is SPILLED), f"{copy.object.hex()} is {copy.state.name}"
        if not (copies or self._clean or self._dirty or self._clean_bytes or self.spilling.reads):
            self.arena.check([])
            self.spilling.check([])
            return
        clean_bytes = sum(copy.size for copy in self._clean)
        assert clean_bytes == self._clean_bytes, f"{clean_bytes} bytes may leave, the count says {self._clean_bytes}"
        assert self._clean.keys() | self._dirty.keys() <= set(copies), "a copy is to leave that is not there"
        reads = [copy for copy in self.spilling.reads.values() if copy.state is CopyState.RESTORING_FREED]
        everything = list(dict.fromkeys(copies + reads))
        self.arena.check([(copy.offset, copy.size) for copy in everything if copy.offset >= 0])
        self.spilling.check(everything)
