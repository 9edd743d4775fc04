"""Who wants to know when the store fills up, and whether they have been told."""

from __future__ import annotations

from typing import Final

from rustyray.core.node.arena import Arena
from rustyray.core.node.base import NodeBase
from rustyray.model.messages import StorePressure, UnwatchPressure, WatchPressure

#: Whoever was told is told again only after the store's use was this share of it below theirs.
BACK: Final = 0.05


class Pressure:
    """Watches of clients, by their numbers: the share of the arena that each names, and whether it is armed."""

    __slots__ = ("_arena", "_base", "_watches")

    def __init__(self, base: NodeBase, arena: Arena) -> None:
        self._base = base
        self._arena = arena
        self._watches: dict[tuple[bytes, int], tuple[float, bool]] = {}

    def watch(self, client: bytes, message: WatchPressure, now: float) -> None:
        self._watches[client, message.number] = (message.fraction, True)
        self.look()

    def unwatch(self, client: bytes, message: UnwatchPressure, now: float) -> None:
        self._watches.pop((client, message.number), None)

    def client_gone(self, client: bytes) -> None:
        for key in [key for key in self._watches if key[0] == client]:
            del self._watches[key]

    def look(self) -> None:
        """The arena's use has changed."""
        if not self._watches:
            return
        used, capacity = self._arena.used, self._arena.capacity
        for (client, number), (fraction, armed) in self._watches.items():
            if armed and used >= fraction * capacity:
                self._watches[client, number] = (fraction, False)
                self._base.send(client, StorePressure(number, used, capacity))
            elif not armed and used < (fraction - BACK) * capacity:
                self._watches[client, number] = (fraction, True)
