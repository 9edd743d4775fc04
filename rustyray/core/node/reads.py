"""Those who want several objects mapped at once: the arguments of a task, or what one `get` asks for.

Whoever has some of them and waits for the rest keeps room from others. If many did, all would wait for ever. So it
waits without holding anything while others gather what they asked for, unless there is room for its objects, too. Who
has something mapped already is let through: it would be waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.core.node.base import NodeBase
from rustyray.model.messages import StorePin, StorePinAll

if TYPE_CHECKING:
    from rustyray.core.node.store import Store

#: This part of the arena is left to those who write.
SPARED: Final = 8


class Read:
    """``client`` has asked for all of ``pins`` at once, at the time ``since``."""

    __slots__ = ("client", "pins", "since")

    def __init__(self, client: bytes, pins: list[StorePin], since: float) -> None:
        self.client = client
        self.pins = pins
        self.since = since


class Reads:
    """Who gathers objects, and who has to wait with that."""

    __slots__ = ("_base", "_due", "_gathering", "_store", "_waiting")

    def __init__(self, base: NodeBase, store: Store) -> None:
        self._base = base
        self._store = store
        #: The pins that those who gather have not got yet, each with the bytes that it will take.
        self._gathering: dict[tuple[bytes, int], int] = {}
        self._waiting: list[Read] = []
        self._due = False

    def ask(self, client: bytes, message: StorePinAll, now: float) -> None:
        """Pin them all, now or as soon as that leaves nobody without room."""
        read = Read(client, message.pins, now)
        if self._may_begin(read, self._starves(self._waiting, now)):
            self._begin(read, now)
        else:
            self._waiting.append(read)

    def _starves(self, waiting: list[Read], now: float) -> bool:
        """Whether the first of them was overtaken for long enough."""
        return bool(waiting) and waiting[0].since + self._base.limits.starving <= now

    def _takes(self, pin: StorePin) -> int:
        """The bytes that it will keep; none if somebody has the object mapped already."""
        copy = self._store.objects.get(pin.object)
        return 0 if copy is not None and copy.pins else self._store.arena.round_up(pin.size)

    def _may_begin(self, read: Read, others_first: bool) -> bool:
        if not self._gathering or read.client in self._store.pins.clients():
            return True
        if others_first:
            return False
        capacity = self._store.arena.capacity
        free = capacity - capacity // SPARED - self._store.pins.mapped - sum(self._gathering.values())
        return sum(map(self._takes, read.pins)) <= free

    def _begin(self, read: Read, now: float) -> None:
        self._gathering |= {(read.client, pin.request): self._takes(pin) for pin in read.pins}
        for pin in read.pins:
            self._store.pin(read.client, pin, now)

    def answered(self, client: bytes, request: int) -> None:
        """The client has this pin, or will not get it."""
        self._gathering.pop((client, request), None)
        self.look_soon()

    def look_soon(self) -> None:
        """Somebody who waits may begin now, perhaps."""
        if self._waiting and not self._due:
            self._due = True
            self._base.timers.at(0.0, self._look)

    def _look(self, now: float) -> None:
        """In order; others may overtake, unless the one in front has waited long."""
        self._due = False
        waiting, self._waiting = self._waiting, []
        left: list[Read] = []
        for read in waiting:
            if self._may_begin(read, self._starves(left, now)):
                self._begin(read, now)
            else:
                left.append(read)
        self._waiting = left + self._waiting

    def client_gone(self, client: bytes) -> None:
        self._waiting = [read for read in self._waiting if read.client != client]
        for key in [key for key in self._gathering if key[0] == client]:
            self.answered(*key)
        self.look_soon()

    def check(self) -> None:
        assert not self._waiting or self._gathering or self._due, "somebody waits, and nobody gathers"
