"""One stream connection: first its handshake, then messages in and out. It never blocks."""

from __future__ import annotations

import os
import socket
import sys
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.network.bodies import STEP, Bodies
from rustyray.model.ids import short
from rustyray.wire.codec import decode, decode_chunk
from rustyray.wire.errors import ProtocolError, VersionMismatch, WireError
from rustyray.wire.framing import HEADER_SIZE, FrameBuffer, header, pack_header
from rustyray.wire.handshake import ClientHandshake, Handshake, Peer

if TYPE_CHECKING:
    from rustyray.engines.native.network.tls import TlsSocket
    from rustyray.model.messages import Chunk, Message

_NO_SIGPIPE: Final = getattr(socket, "MSG_NOSIGNAL", 0)
#: Up to here a frame is copied once more to be one piece with its header.
_SMALL: Final = 32 << 10
#: Up to here queued frames are joined; above, the kernel gathers them.
_JOINED: Final = 128 << 10
_MAX_PIECES: Final = 512
#: Receives that what is left on a link may take, once its peer is given up.
_LAST_RECEIVES: Final = 4096
#: The largest body of a chunk.
MAX_BODY: Final = 16 << 20


class Ended(Exception):
    """The link is of no more use; the text says why, as a sentence without its subject.

    ``early``: the peer went away before it had said anything wrong, so another attempt may go better.
    """

    def __init__(self, reason: str, early: bool = False) -> None:
        super().__init__(reason)
        self.early = early


class Link:
    """A connection of ours (``address`` says to where) or of a peer's; ``peer`` is b"" until it is known."""

    __slots__ = (
        "_body",
        "_frames",
        "_handshake",
        "_hello",
        "_receive",
        "_send",
        "_tls",
        "address",
        "attempts",
        "bodies",
        "connecting",
        "dirty",
        "established",
        "fd",
        "out",
        "peer",
        "queued",
        "role",
        "sock",
        "writing",
    )

    def __init__(self, peer: bytes = b"", address: str = "") -> None:
        self.peer = peer
        self.role = ""
        self.address = address
        #: -1 while there is no connection: it is being made again.
        self.fd = -1
        #: The peer has proven who it is, and has not ended.
        self.established = False
        #: The kernel is still connecting; the handshake begins when it is done.
        self.connecting = False
        self.attempts = 1
        #: Frames to send, some in two pieces, and their size together.
        self.out: deque[bytes | memoryview] = deque()
        self.queued = 0
        #: Frames whose bodies are to follow them, with these, by their lines: a line's first goes out when there is
        #: nothing else to send, and then it is the others' turn.
        self.bodies: dict[int, deque[tuple[bytes, memoryview]]] = {}
        #: The chunk whose body is being received, and how much of it is here.
        self._body: tuple[Chunk, int] | None = None
        #: It is in the hub's list of links to flush.
        self.dirty = False
        #: The kernel's buffer was full; go on when it says so.
        self.writing = False

    def attach(self, sock: socket.socket | TlsSocket, handshake: Handshake, tls: TlsSocket | None = None) -> None:
        """Use this connection, from the handshake on; that of ``tls``, which is then ``sock``, comes first."""
        self.sock = sock
        self._tls = tls
        self.fd = sock.fileno()
        self._handshake = handshake
        self.connecting = False
        self._receive = sock.recv_into
        self._send = sock.send
        self._hello = handshake.hello if isinstance(handshake, ClientHandshake) else b""

    def __str__(self) -> str:
        return f"{self.role or 'peer'} {short(self.peer)}" if self.peer else "a stranger"

    def push(self, payload: bytes) -> None:
        """Queue a frame."""
        size = len(payload)
        if size <= _SMALL:
            self.out.append(pack_header(size) + payload)
        else:
            self.out.append(header(size))
            self.out.append(payload)
        self.queued += size + HEADER_SIZE

    def push_body(self, payload: bytes, body: memoryview, line: int) -> None:
        """Queue a frame and its body, to go when no frame waits; ``line`` after line. The bytes stay until then."""
        self.bodies.setdefault(line, deque()).append((header(len(payload), body=True) + payload, body))

    def send_with(self, payload: bytes, fd: int) -> bool:
        """Send a small frame now, and a descriptor beside it; False if that cannot be."""
        if self.sock.family != socket.AF_UNIX or not self.established or self.out:
            return False
        frame = pack_header(len(payload)) + payload
        try:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fd.to_bytes(4, sys.byteorder))]
            return self.sock.sendmsg([frame], rights, _NO_SIGPIPE) == len(frame)
        except OSError:
            return False

    def flush(self) -> bool:
        """Send as much of the queue as the kernel takes, and one body at most; True if that was all. Raises `Ended`."""
        out = self.out
        bodies = self.bodies
        if bodies and not out:
            line = next(iter(bodies))
            waiting = bodies.pop(line)
            frame, body = waiting.popleft()
            if waiting:
                bodies[line] = waiting
            out.append(frame)
            out.append(body)
            self.queued = len(frame) + len(body)
        while out:
            try:
                if len(out) == 1:
                    sent = self._send(out[0], _NO_SIGPIPE)
                elif self.queued <= _JOINED:
                    piece = b"".join(out)
                    out.clear()
                    out.append(piece)
                    sent = self._send(piece, _NO_SIGPIPE)
                else:
                    sent = self.sock.sendmsg(islice(out, _MAX_PIECES), (), _NO_SIGPIPE)
            except BlockingIOError:
                return False
            except OSError as error:
                raise Ended(_broke(error)) from error
            if sent == self.queued:
                out.clear()
                self.queued = 0
            else:
                self._forget(sent)
        return not bodies

    def receive(self, into: list[tuple[bytes, Message]], bodies: Bodies | None) -> bool:
        """Append what has arrived to ``into`` (one receive); False if that was nothing. Raises `Ended`.

        A chunk is appended when ``bodies`` has all of its body.
        """
        if self._body is not None and bodies is not None:
            return self._receive_body(self._body, into, bodies)
        frames = self._frames
        try:
            size = self._receive(frames.space())
        except BlockingIOError:
            return False
        except OSError as error:
            raise Ended(_broke(error)) from error
        if not size:
            raise _closed(frames.partial)
        peer = self.peer
        try:
            for frame in frames.take(size):
                into.append((peer, decode(frame)))  # noqa: PERF401 - what comes before a malformed message counts
            while frames.marked is not None:
                self._begin_body(frames.marked, into, bodies)
        except WireError as error:
            raise Ended(f"was cut off for sending {error}") from error
        return True

    def receive_last(self, into: list[tuple[bytes, Message]], bodies: Bodies | None) -> None:
        """Append what has arrived, though the peer is given up."""
        try:
            for _ in range(_LAST_RECEIVES):
                if not self.receive(into, bodies):
                    return
        except Ended:
            return

    def _receive_body(self, body: tuple[Chunk, int], into: list[tuple[bytes, Message]], bodies: Bodies) -> bool:
        """As `receive`, up to the body's end, or as long as there is more of it at once."""
        chunk, done = body
        came = 0
        while self._body is not None and came < STEP:
            try:
                space = bodies.space(self.peer, chunk, done)
                size = self._receive(space)
                if size:
                    self._take_body(chunk, done, space[:size], into, bodies)
            except BlockingIOError:
                break
            except OSError as error:
                raise Ended(_broke(error)) from error
            except WireError as error:
                raise Ended(f"was cut off for sending {error}") from error
            if not size:
                raise _closed(done)
            came += size
            done += size
        return came > 0

    def _begin_body(self, frame: memoryview, into: list[tuple[bytes, Message]], bodies: Bodies | None) -> None:
        """A body follows ``frame``. Some of it may be here already, and more messages behind."""
        chunk = decode_chunk(frame)
        if not 0 < chunk.size <= MAX_BODY:
            raise ProtocolError(f"a body of {chunk.size} bytes; the limit is {MAX_BODY}")
        self._take_body(chunk, 0, self._frames.rest(chunk.size), into, bodies)
        if self._body is None:
            peer = self.peer
            for frame in self._frames.take(0):
                into.append((peer, decode(frame)))  # noqa: PERF401 - as above

    def _take_body(
        self, chunk: Chunk, done: int, data: memoryview, into: list[tuple[bytes, Message]], bodies: Bodies | None
    ) -> None:
        if bodies is None:
            raise ProtocolError("bytes of an object to a process that is no node")
        bodies.take(self.peer, chunk, done, data)
        done += len(data)
        self._body = (chunk, done) if done < chunk.size else None
        if self._body is None:
            into.append((self.peer, chunk))

    def greet(self) -> Peer | None:
        """Go on with the handshake; who it is once it has succeeded. Never reads beyond its bytes. Raises `Ended`."""
        handshake = self._handshake
        if self.connecting:
            code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise Ended(f"could not be reached at {self.address}: {os.strerror(code)}")
            self.connecting = False
        if self._tls is not None and not handshake.binding:
            try:
                handshake.binding = self._tls.shake()
            except BlockingIOError:
                return None
            except OSError as error:
                raise Ended(_broke(error), early=True) from error
            except WireError as error:
                raise Ended(f"was refused: {error}") from error
        if self._hello:
            self._send_now(self._hello)
            self._hello = b""
        while handshake.peer is None:
            try:
                data = self.sock.recv(handshake.needed)
            except BlockingIOError:
                return None
            except OSError as error:
                raise Ended(_broke(error), early=True) from error
            except WireError as error:
                raise Ended(f"was refused: {error}") from error
            if not data:
                raise Ended("closed the connection before it was authenticated", early=True)
            try:
                reply = handshake.receive(data)
            except WireError as error:
                if isinstance(error, VersionMismatch) and error.reply:
                    self._send_now(error.reply)
                raise Ended(f"was refused: {error}") from error
            if reply:
                self._send_now(reply)
        if self._tls is not None:
            self._tls.authenticated()
        self.established = True
        self._frames = FrameBuffer()
        self.peer = handshake.peer.identity
        self.role = handshake.peer.role.value
        return handshake.peer

    def take_over(self, other: Link) -> None:
        """Send what ``other``, whose handshake never ended, had queued."""
        self.out.extend(other.out)
        self.queued += other.queued
        other.out.clear()
        other.queued = 0
        self.bodies.update(other.bodies)
        other.bodies.clear()

    def close(self) -> None:
        """Close it so that the peer notices, even if a forked copy of the descriptor lives on."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # the peer was faster
        self.sock.close()
        self.fd = -1
        self.established = False

    def _forget(self, sent: int) -> None:
        """Drop the first ``sent`` bytes of the queue."""
        out = self.out
        self.queued -= sent
        while sent:
            piece = out.popleft()
            if sent < len(piece):
                out.appendleft(memoryview(piece)[sent:])
                return
            sent -= len(piece)

    def _send_now(self, data: bytes) -> None:
        """Send a part of the handshake: it always fits into the buffer of a new connection."""
        try:
            sent = self._send(data, _NO_SIGPIPE)
        except OSError as error:
            raise Ended(_broke(error), early=True) from error
        if sent != len(data):
            raise Ended("took only a part of the handshake", early=True)


def _closed(partial: int) -> Ended:
    return Ended("closed the connection" + (f" {partial} bytes into a message" if partial else ""))


def _broke(error: OSError) -> str:
    if isinstance(error, (BrokenPipeError, ConnectionResetError)):
        return "closed the connection"
    return f"is cut off: {error.strerror or error}"
