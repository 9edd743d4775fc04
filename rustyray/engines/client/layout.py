"""How a large value lies in its extent: a head, the pickle, and the buffers, each where SIMD code likes it."""

from __future__ import annotations

import struct
from typing import Any, Final

from rustyray.runtime.serialization import Serialized, loads

#: Buffers start at multiples of this many bytes.
ALIGNMENT: Final = 64

_MAGIC: Final = 0x31_59_41_52
_HEAD: Final = struct.Struct("<IIQ")  # magic, number of buffers, bytes of pickle; then a u64 length for each buffer
_PADDING: Final = bytes(ALIGNMENT)


def layout_size(serialized: Serialized) -> int:
    """How many bytes the value takes in the arena."""
    data, buffers, _, _ = serialized
    end = _HEAD.size + 8 * len(buffers) + len(data)
    for buffer in buffers:
        end += -end % ALIGNMENT + buffer.nbytes
    return end


def parts_of(serialized: Serialized) -> list[bytes | memoryview]:
    """The value's bytes, one piece after the other; its buffers are not copied."""
    data, buffers, _, _ = serialized
    lengths = [buffer.nbytes for buffer in buffers]
    head = _HEAD.pack(_MAGIC, len(buffers), len(data)) + struct.pack(f"<{len(lengths)}Q", *lengths)
    end = len(head) + len(data)
    parts: list[bytes | memoryview] = [head, memoryview(data)]
    for buffer in buffers:
        padding = -end % ALIGNMENT
        parts.append(_PADDING[:padding])
        parts.append(buffer)
        end += padding + buffer.nbytes
    return [part for part in parts if len(part)]


def read_from(view: memoryview, offset: int) -> Any:
    """The value that lies in ``view``; its arrays are views of that. ``offset`` is what an error calls the place."""
    magic, count, length = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        raise ValueError(f"there is no object at offset {offset} of the arena")
    start = _HEAD.size + 8 * count
    end = start + length
    buffers = []
    for (nbytes,) in struct.iter_unpack("<Q", view[_HEAD.size : start]):
        begin = end + -end % ALIGNMENT
        end = begin + nbytes
        buffers.append(view[begin:end])
    return loads(view[start : start + length], buffers)
