"""A stream of bytes cut into frames: 4 bytes of length, little-endian, then the payload.

A frame may be marked: then a *body* follows it, bytes that are not for this buffer. Its payload says how many, and
whoever reads it takes what has arrived of them by `FrameBuffer.rest`, and receives the others elsewhere.

Sans I/O: the host receives into `FrameBuffer.space` and says how much came. One receive may complete many frames; they
are views into the buffer, so that a payload is copied once only, by whoever decodes it.
"""

from __future__ import annotations

import struct
from typing import Final

from rustyray.wire.errors import ProtocolError

HEADER_SIZE: Final = 4
#: The largest payload. What is bigger belongs into the object store.
MAX_FRAME: Final = 256 << 20

#: In the length: a body follows this frame.
_BODY: Final = 1 << 31
_INITIAL: Final = 16 << 10
_KEPT: Final = 256 << 10
#: The header of a payload of the given size, which the caller knows to be within `MAX_FRAME`.
pack_header: Final = struct.Struct("<I").pack
_unpack: Final = struct.Struct("<I").unpack_from


def header(size: int, body: bool = False) -> bytes:
    """The bytes that go before a payload of ``size`` bytes, marked if a ``body`` follows.

    Raises:
        ValueError: it is beyond `MAX_FRAME`.
    """
    if size > MAX_FRAME:
        raise ValueError(f"a message of {size} bytes is over the limit of {MAX_FRAME}: send it in parts")
    return pack_header(size | _BODY if body else size)


class FrameBuffer:
    """The receiving end of one stream.

    It starts small, doubles up to 256 KiB while the stream fills it, grows for a larger frame as soon as its header is
    there, and lets that memory go after the frame.
    """

    __slots__ = ("_buffer", "_end", "_limit", "_need", "_start", "_view", "_wanted", "marked")

    def __init__(self, limit: int = MAX_FRAME, initial: int = _INITIAL) -> None:
        self._limit = limit
        self._allocate(max(initial, HEADER_SIZE))
        self._wanted = len(self._buffer)
        self._need = HEADER_SIZE
        self._start = self._end = 0
        #: The payload of a marked frame, which ended the last `take`.
        self.marked: memoryview | None = None

    def space(self) -> memoryview:
        """Where to receive next; never empty. Frames taken before may be overwritten from now on."""
        if self._start == self._end:
            self._start = self._end = 0
            if len(self._buffer) != self._wanted:
                self._allocate(self._wanted)
            return self._view
        if self._start or self._need > len(self._buffer):
            self._make_room()
        return self._view[self._end :]

    def take(self, received: int) -> list[memoryview]:
        """The payloads that ``received`` more bytes complete, valid until the next `space`.

        A marked frame ends them, and is in `marked`.

        Call it again, with 0, for what came behind its body.

        Raises:
            ProtocolError: a frame is larger than the limit.
        """
        buffer, view, limit = self._buffer, self._view, self._limit
        first = HEADER_SIZE <= received < self._wanted and not self._end
        if first and _unpack(buffer)[0] == received - HEADER_SIZE <= limit:
            # Mostly it is one whole frame: then nothing changes.
            return [view[HEADER_SIZE:received]]
        start = self._start
        end = self._end = self._end + received
        frames = []
        need = HEADER_SIZE
        while end - start >= HEADER_SIZE:
            (size,) = _unpack(buffer, start)
            marked = size > limit
            if marked:
                size ^= _BODY
                if size > limit:
                    raise ProtocolError(f"a frame of {size ^ _BODY} bytes; the limit is {limit}")
            stop = start + HEADER_SIZE + size
            if stop > end:
                need += size
                break
            frame = view[start + HEADER_SIZE : stop]
            start = stop
            if marked:
                self.marked = frame
                break
            frames.append(frame)
        self._start = start
        self._need = need
        if end == self._wanted < _KEPT:
            self._wanted = min(2 * self._wanted, _KEPT)
        return frames

    def rest(self, most: int) -> memoryview:
        """Take up to ``most`` bytes of a body that came with the marked frame, valid until the next `space`."""
        self.marked = None
        start = self._start
        self._start = stop = min(self._end, start + most)
        return self._view[start:stop]

    @property
    def capacity(self) -> int:
        """Bytes of memory held."""
        return len(self._buffer)

    @property
    def partial(self) -> int:
        """Bytes received of a frame that is not complete."""
        return self._end - self._start

    def _allocate(self, size: int) -> None:
        # A new object, never a resized one: frames of the old one may still be in use.
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)

    def _make_room(self) -> None:
        rest = self._view[self._start : self._end]
        if self._need > self._wanted:
            self._wanted = min(max(2 * self._wanted, self._need), max(self._wanted, _KEPT))
        size = max(self._need, self._wanted)
        if size > len(self._buffer) or (size < len(self._buffer) > _KEPT):
            self._allocate(size)
        self._view[: len(rest)] = rest
        self._start, self._end = 0, len(rest)
