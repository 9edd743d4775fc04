"""Who has which objects mapped. What is mapped stays where it is, freed or not."""

from __future__ import annotations

from collections.abc import Callable, KeysView

from rustyray.core.node.copies import Copy
from rustyray.core.node.room import Room
from rustyray.model.ids import ObjectID


class Pins:
    """Counts them, by client and copy. ``unused`` is told of a copy that nobody has mapped any more."""

    __slots__ = ("_by_client", "_objects", "_room", "_unused", "mapped")

    def __init__(self, objects: dict[ObjectID, Copy], room: Room, unused: Callable[[Copy, float], None]) -> None:
        self._objects = objects
        self._room = room
        self._unused = unused
        self._by_client: dict[bytes, dict[ObjectID, int]] = {}
        #: The bytes of all copies that somebody has mapped.
        self.mapped = 0

    def clients(self) -> KeysView[bytes]:
        """Those who have anything mapped."""
        return self._by_client.keys()

    def has(self, client: bytes, object_: ObjectID) -> bool:
        return object_ in self._by_client.get(client, ())

    def add(self, client: bytes, copy: Copy) -> None:
        pins = self._by_client.setdefault(client, {})
        pins[copy.object] = pins.get(copy.object, 0) + 1
        if not copy.pins:
            self._room.busy(copy)
            self.mapped += self._room.arena.round_up(copy.size)
        copy.pins += 1

    def remove(self, client: bytes, objects: list[ObjectID], now: float) -> None:
        """One pin less on each, of those that the client has."""
        pins = self._by_client.get(client)
        if pins is None:
            return
        for object_ in objects:
            if object_ in pins:
                self._remove(pins, object_, 1, now)
        if not pins:
            del self._by_client[client]

    def client_gone(self, client: bytes, now: float) -> None:
        pins = self._by_client.pop(client, {})
        for object_, count in list(pins.items()):
            self._remove(pins, object_, count, now)

    def _remove(self, pins: dict[ObjectID, int], object_: ObjectID, count: int, now: float) -> None:
        if pins[object_] == count:
            del pins[object_]
        else:
            pins[object_] -= count
        copy = self._objects[object_]
        copy.pins -= count
        if not copy.pins:
            self.mapped -= self._room.arena.round_up(copy.size)
            self._unused(copy, now)

    def check(self) -> None:
        for object_, copy in self._objects.items():
            pins = sum([mine.get(object_, 0) for mine in self._by_client.values()])
            assert copy.pins == pins, f"object {object_.hex()} has {copy.pins} pins, its clients hold {pins}"
        for mine in self._by_client.values():
            for object_, count in mine.items():
                assert count > 0, f"{count} pins of one client on {object_.hex()}"
                assert object_ in self._objects, f"a pin on {object_.hex()}, which is not there"
        mapped = sum([self._room.arena.round_up(copy.size) for copy in self._objects.values() if copy.pins])
        assert mapped == self.mapped, f"{mapped} bytes are mapped, the count says {self.mapped}"
