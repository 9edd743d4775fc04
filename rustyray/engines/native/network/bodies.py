"""The bodies of chunks: they go from the arena of one node into that of another past the encoding of messages.

A sender's socket reads them from the arena's mapping, and a receiver's writes them there, if the pages were written
before. Fresh pages are filled twice as fast through the arena's file, out of one kept buffer that is small enough for
the processor's cache. In both cases a full memory is an error of a system call and no SIGBUS.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Protocol

from rustyray.core.node import THROWN_AWAY, Place
from rustyray.engines.native.arena import Arena
from rustyray.model.messages import Chunk
from rustyray.wire.errors import ProtocolError

#: So much is received of one body before others have their turn.
STEP: Final = 1 << 20
#: So many buffers of this size are kept for copies: fresh ones cost more than to copy, as their pages are cleared.
KEPT: Final = 8
LARGE: Final = 2 << 20


class Places(Protocol):
    """What is asked of a node's core."""

    def place(self, sender: bytes, chunk: Chunk) -> Place | None: ...
    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None: ...


class Bodies:
    """What `Hub` does with bodies in a node's process. ``clock`` is the loop's."""

    __slots__ = ("_arena", "_buffer", "_clock", "_copies", "_core")

    def __init__(self, core: Places, arena: Arena, clock: Callable[[], float]) -> None:
        self._core = core
        self._arena = arena
        self._clock = clock
        #: Made when it is needed: few nodes pull anything, and workers are forked from them.
        self._buffer: memoryview | None = None
        self._copies: list[bytearray] = []

    def view(self, offset: int, size: int, copied: bool = False) -> memoryview:
        """These bytes of the arena, or a copy of them."""
        found = None if copied else self._arena.in_place(offset, size)
        if found is not None:
            return found
        copy = memoryview(self._kept(size))[:size]
        if os.preadv(self._arena.fd, [copy], offset) != size:
            raise OSError(f"the arena ends within {size} bytes at {offset}")
        return copy

    def _kept(self, size: int) -> bytearray:
        """A buffer of at least so many bytes, that nobody has a view of."""
        for buffer in self._copies:
            if len(buffer) >= size and _is_free(buffer):
                return buffer
        if len(self._copies) >= KEPT:
            return bytearray(size)
        self._copies.append(bytearray(max(size, LARGE)))
        return self._copies[-1]

    def space(self, peer: bytes, chunk: Chunk, position: int) -> memoryview:
        """Where to receive a body from its byte ``position`` on; give what came to `take`. Raises as that."""
        place = self._place(peer, chunk)
        left = chunk.size - position
        if place.written:
            found = self._arena.in_place(place.offset + chunk.begin + position, left, written=True)
            if found is not None:
                return found
        if self._buffer is None:
            self._buffer = memoryview(bytearray(STEP))
        return self._buffer[:left]

    def take(self, peer: bytes, chunk: Chunk, position: int, data: memoryview) -> None:
        """Put what has arrived of a body, from its byte ``position`` on, to its place, unless it is there.

        Raises:
            ProtocolError: nobody asked for it.
        """
        if self._arena.is_part(data):
            return
        place = self._place(peer, chunk)
        if place is THROWN_AWAY:
            return
        try:
            while data:
                written = os.pwrite(self._arena.fd, data, place.offset + chunk.begin + position)
                position += written
                data = data[written:]
        except OSError as error:
            self._core.not_written(peer, chunk, error.strerror or str(error), self._clock())

    def _place(self, peer: bytes, chunk: Chunk) -> Place:
        place = self._core.place(peer, chunk)
        if place is None:
            raise ProtocolError(f"{chunk.size} bytes of object {chunk.object.hex()} that nobody asked for")
        return place


def _is_free(buffer: bytearray) -> bool:
    """Whether there is no view of it: it could not grow else."""
    try:
        buffer.append(0)
    except BufferError:
        return False
    buffer.pop()
    return True
