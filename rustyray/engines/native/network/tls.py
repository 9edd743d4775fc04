"""A connection that speaks TLS, and looks like a socket that never blocks.

    recv_into ◄── decrypted ◄── [from the kernel]        send ──► encrypted ──► [what the kernel did not take]

Two things differ from a socket. What has been received and not read is not seen by the poller: then ``unread`` is
called. And what is encrypted must go out as it is: bytes that the kernel does not take at once are kept here, and
count as sent when they are out.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.network import certificates
from rustyray.wire.errors import AuthenticationError, ProtocolError

if TYPE_CHECKING:
    from rustyray.engines.native.network.certificates import Certificates

#: Bytes of one record.
_RECORD: Final = 16 << 10
#: Bytes that are encrypted before the kernel is asked to take them.
_AT_ONCE: Final = 128 << 10
#: Bytes that are received at once.
_RECEIVED: Final = 256 << 10
#: The same from strangers, and all that may come from one until it is authenticated.
_FROM_STRANGER: Final = 4 << 10
MAX_FROM_STRANGER: Final = 64 << 10
#: What a peer is called that begins with something else than TLS.
_NOT_TLS: Final = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNSUPPORTED_PROTOCOL", "PACKET_LENGTH_TOO_LONG"}


class Tls:
    """What the connections of one process share. ``unread`` is given the descriptor of one that has more to read."""

    def __init__(self, own: Certificates, unread: Callable[[int], None]) -> None:
        self.server, self.client = certificates.contexts(own)
        self.unread = unread
        #: Where connections receive, one after the other.
        self.buffer = memoryview(bytearray(_RECEIVED))

    def wrap(self, sock: socket.socket, server_side: bool) -> TlsSocket:
        return TlsSocket(sock, self, server_side)


class TlsSocket:
    """One connection; ``sock`` does not block. Nothing can be sent or received before `shake` has succeeded."""

    __slots__ = (
        "_allowed",
        "_decrypt",
        "_from_kernel",
        "_owed",
        "_sealed",
        "_shared",
        "_sock",
        "_tls",
        "_to_kernel",
        "family",
    )

    def __init__(self, sock: socket.socket, shared: Tls, server_side: bool) -> None:
        self.family = sock.family
        self._sock = sock
        self._shared = shared
        self._from_kernel = ssl.MemoryBIO()
        self._to_kernel = ssl.MemoryBIO()
        context = shared.server if server_side else shared.client
        self._tls = context.wrap_bio(self._from_kernel, self._to_kernel, server_side)
        self._decrypt: Callable[[int, memoryview], int] = self._tls.read  # type: ignore[assignment]
        #: Bytes that a stranger may still send; None once it is none.
        self._allowed: int | None = MAX_FROM_STRANGER
        #: Encrypted bytes that are to go out next, and for how many of the caller's they stand.
        self._sealed = memoryview(b"")
        self._owed = 0

    def shake(self) -> bytes:
        """Go on with TLS' own handshake; when it is done, what is unique to this session and the same on both sides.

        Raises:
            BlockingIOError: the peer has not said enough.
            AuthenticationError: the peer has no certificate of the cluster, or does not speak TLS.
            OSError: the connection has ended.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._push_handshake()
            except ssl.SSLError as error:
                self._push_handshake()  # the alert, so that the peer can say what is wrong
                raise AuthenticationError(_refusal(error)) from error
            if not self._fill():
                raise ConnectionResetError
        self._push_handshake()
        binding = self._tls.get_channel_binding("tls-unique")
        if not binding:
            raise AuthenticationError("this TLS session has nothing that is unique to it")
        return binding

    def authenticated(self) -> None:
        """It is no stranger any more."""
        self._allowed = None

    def recv(self, size: int) -> bytes:
        """A part of the handshake that follows TLS' own. Raises as `shake`."""
        buffer = bytearray(size)
        try:
            return bytes(buffer[: self.recv_into(memoryview(buffer))])
        except ssl.SSLError as error:
            raise AuthenticationError(_refusal(error)) from error

    def recv_into(self, space: memoryview) -> int:
        """As a socket's: what the first receive that completes something completes, as far as there is space."""
        size = len(space)
        done = 0
        while done < size:
            # Not to be told by an exception that there is nothing: that takes longer than to decrypt a message.
            if not (self._from_kernel.pending or self._tls.pending()):
                if done:
                    return done
                if not self._fill():
                    return 0
            try:
                done += self._decrypt(size - done, space[done:])
            except ssl.SSLWantReadError:
                # A part of a record is here.
                if done:
                    return done
                if not self._fill():
                    return 0
            except ssl.SSLZeroReturnError:
                return done
        if self._tls.pending() or self._from_kernel.pending:
            self._shared.unread(self._sock.fileno())
        return done

    def send(self, data: bytes | memoryview, flags: int = 0) -> int:
        """As a socket's. After a BlockingIOError the next call must be given the same bytes (and may be given more)."""
        if self._sealed:
            self._push(flags)
            owed, self._owed = self._owed, 0
            return owed
        view = memoryview(data)[:_AT_ONCE]
        done = 0
        while done < len(view):
            done += self._tls.write(view[done : done + _RECORD])
        self._sealed = memoryview(self._to_kernel.read())
        self._owed = done
        self._push(flags)
        self._owed = 0
        return done

    def sendmsg(self, pieces: Iterable[bytes | memoryview], ancillary: Iterable[object] = (), flags: int = 0) -> int:
        """As a socket's; small pieces are joined, so that they share a record."""
        joined: list[bytes | memoryview] = []
        size = 0
        for piece in pieces:
            size += len(piece)
            if joined and size > _AT_ONCE:
                break
            joined.append(piece)
        return self.send(joined[0] if len(joined) == 1 else b"".join(joined), flags)

    def getsockopt(self, level: int, name: int) -> int:
        return self._sock.getsockopt(level, name)

    def fileno(self) -> int:
        return self._sock.fileno()

    def shutdown(self, how: int) -> None:
        self._sock.shutdown(how)

    def close(self) -> None:
        self._sock.close()

    def _fill(self) -> bool:
        """Receive once; False at the stream's end."""
        buffer = self._shared.buffer
        if self._allowed is not None:
            buffer = buffer[:_FROM_STRANGER]
        size = self._sock.recv_into(buffer)
        if self._allowed is not None:
            self._allowed -= size
            if self._allowed < 0:
                raise ProtocolError(f"over {MAX_FROM_STRANGER} bytes before it was authenticated")
        self._from_kernel.write(buffer[:size])
        return size > 0

    def _push(self, flags: int) -> None:
        while self._sealed:
            sent = self._sock.send(self._sealed, flags)
            self._sealed = self._sealed[sent:]

    def _push_handshake(self) -> None:
        """A part of the handshake always fits into the buffer of a new connection."""
        data = self._to_kernel.read()
        if data and self._sock.send(data, getattr(socket, "MSG_NOSIGNAL", 0)) != len(data):
            raise ConnectionResetError


def _refusal(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the peer's certificate is not one of this cluster's: {error.verify_message}"
    if error.reason in _NOT_TLS:
        return f"the peer does not speak TLS (1.3 or newer), which this cluster requires ({error.reason})"
    return f"TLS failed: {error.reason or error}"
