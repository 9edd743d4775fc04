"""What atheris runs: bytes of a peer, in the form that the first byte chooses, and nothing but a refusal may be raised.

python tests/stress/fuzz_wire.py -max_total_time=60 [CORPUS]
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["rustyray.wire"]):
    from rustyray.model.messages import Role
    from rustyray.wire.codec import decode, decode_chunk
    from rustyray.wire.errors import ProtocolError, WireError
    from rustyray.wire.framing import FrameBuffer
    from rustyray.wire.handshake import ClientHandshake, Credentials, Handshake, ServerHandshake

SESSION = b"session1"
ME = Credentials(Role.NODE, b"me", SESSION, bytes(32))
PEER = Credentials(Role.WORKER, b"peer", SESSION, b"k" * 32)
NONCE = bytes(32)
#: The largest frame here, so that no time goes into large buffers.
LIMIT = 1 << 16
HELLO = ClientHandshake(PEER, b"me", NONCE).hello


def shake(handshake: Handshake, data: bytes) -> None:
    """It never asks for more than it said, and never believes."""
    while data and handshake.needed:
        piece, data = data[: handshake.needed], data[handshake.needed :]
        handshake.receive(piece)
        assert handshake.peer is None, "somebody without the key was believed"
        assert handshake.needed <= 200


def stream(data: bytes) -> None:
    """Frames, cut as the data says; bodies are skipped; what is complete is decoded."""
    frames = FrameBuffer(LIMIT, initial=64)
    skip = 0
    while data:
        size, data = data[0] + 1, data[1:]
        space = frames.space()
        piece, data = data[: min(size, len(space))], data[min(size, len(space)) :]
        space[: len(piece)] = piece
        for frame in frames.take(len(piece)):
            read(frame)
        while frames.marked is not None:
            try:
                skip = decode_chunk(frames.marked).size
            except ProtocolError:
                skip = 1
            frames.rest(max(0, skip))
            for frame in frames.take(0):
                read(frame)
        assert frames.capacity <= 4 * LIMIT


def read(frame: memoryview | bytes) -> None:
    try:
        decode(frame)
    except ProtocolError:
        pass  # the refusal


def target(data: bytes) -> None:
    kind, data = data[:1], data[1:]
    try:
        match kind:
            case b"\0":
                shake(ServerHandshake(ME, NONCE), data)
            case b"\1":
                shake(ServerHandshake(ME, NONCE), HELLO + data)
            case b"\2":
                shake(ClientHandshake(PEER, b"me", NONCE), data)
            case b"\3":
                stream(data)
            case b"\4":
                decode_chunk(data)
            case _:
                decode(data)
    except WireError:
        pass  # the refusal


if __name__ == "__main__":
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()
