"""One message to bytes and back: msgpack by `msgspec`, checked against the type of every field, never a pickle."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Final

import msgspec

from rustyray.model.messages import Alone, Chunk, Message
from rustyray.wire.errors import ProtocolError


def as_plain(value: Any) -> Any:
    """A string or number of a class of its own, such as NumPy's, as one of Python's."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise NotImplementedError


_encode: Final[Callable[[Message], bytes]] = msgspec.msgpack.Encoder(enc_hook=as_plain).encode
_decode: Final[Callable[[bytes | bytearray | memoryview], Message]] = msgspec.msgpack.Decoder(Alone).decode
_decode_chunk: Final[Callable[[bytes | bytearray | memoryview], Chunk]] = msgspec.msgpack.Decoder(Chunk).decode


def encode(message: Message) -> bytes:
    """One message as bytes. What is no Unicode in its texts (a file's name may have such) is escaped.

    Raises:
        TypeError, OverflowError: A field is not what msgpack can hold.
    """
    try:
        return _encode(message)
    except UnicodeEncodeError:
        return _encode(escaped(message))


def escaped(part: Any) -> Any:
    """A message, or a part of one, as `encode` has it."""
    if isinstance(part, str):
        return part.encode("utf-8", "backslashreplace").decode()
    if isinstance(part, list | tuple):
        return type(part)(map(escaped, part))
    if isinstance(part, dict):
        return {escaped(key): escaped(value) for key, value in part.items()}
    if isinstance(part, msgspec.Struct):
        return type(part)(**{name: escaped(getattr(part, name)) for name in part.__struct_fields__})
    return part


def decode(data: bytes | bytearray | memoryview) -> Message:
    """The message in ``data``, which holds nothing else, and needs no body; bytes in it are copies.

    Raises:
        ProtocolError: it is not a message; the text names the field that is wrong.
    """
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a malformed message of {len(data)} bytes: {error}") from error


def decode_chunk(data: bytes | bytearray | memoryview) -> Chunk:
    """As `decode`, for what a body follows."""
    try:
        return _decode_chunk(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"a malformed message of {len(data)} bytes before a body: {error}") from error
