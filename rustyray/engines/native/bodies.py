"""The bodies of chunks: they go from the arena of one node into that of another past the encoding of messages.

A sender's socket reads them from the arena's mapping. A receiver's puts them into one kept buffer, small enough for
the processor's cache, and the arena's file takes them from there: over pages that were never written this is about
twice as fast as receiving into a mapping, over others as fast, and a full memory is an error here and no SIGBUS.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from typing import Final, Protocol

from rustyray.core.node import THROWN_AWAY
from rustyray.model.messages import Chunk
from rustyray.wire.errors import ProtocolError

#: So much is received of one body before others have their turn.
STEP: Final = 1 << 20


class Places(Protocol):
    """What is asked of a node's core."""

    def place(self, sender: bytes, chunk: Chunk) -> int | None: ...
    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None: ...


class Bodies:
    """What `Hub` does with bodies in a node's process. ``clock`` is the loop's."""

    __slots__ = ("_clock", "_core", "_fd", "_map", "buffer")

    def __init__(self, core: Places, arena_fd: int, arena_size: int, clock: Callable[[], float]) -> None:
        self._core = core
        self._fd = arena_fd
        self._clock = clock
        #: Where links receive.
        self.buffer = memoryview(bytearray(STEP))
        self._map: memoryview | None = None
        try:
            mapping = mmap.mmap(arena_fd, arena_size, prot=mmap.PROT_READ)
        except (OSError, ValueError):
            return  # a limit on the address space; chunks are copied out then
        if hasattr(mmap, "MADV_DONTFORK"):
            mapping.madvise(mmap.MADV_DONTFORK)
        self._map = memoryview(mapping)

    def view(self, offset: int, size: int, copied: bool = False) -> memoryview:
        """These bytes of the arena, or a copy of them."""
        if copied or self._map is None:
            return memoryview(os.pread(self._fd, size, offset))
        return self._map[offset : offset + size]

    def take(self, peer: bytes, chunk: Chunk, position: int, data: memoryview) -> None:
        """Put what has arrived of a body, from its byte ``position`` on, to its place.

        Raises:
            ProtocolError: nobody asked for it.
        """
        place = self._core.place(peer, chunk)
        if place is None:
            raise ProtocolError(f"{chunk.size} bytes of object {chunk.object.hex()} that nobody asked for")
        if place is THROWN_AWAY:
            return
        try:
            while data:
                written = os.pwrite(self._fd, data, place + chunk.begin + position)
                position += written
                data = data[written:]
        except OSError as error:
            self._core.not_written(peer, chunk, error.strerror or str(error), self._clock())
