"""One blocking connection to a process of a cluster, for who has a question or two and no runtime of its own."""

from __future__ import annotations

import array
import os
import socket
from typing import TYPE_CHECKING, Final

from rustyray.engines.native.network import address as addresses
from rustyray.engines.native.network.certificates import contexts
from rustyray.model.messages import Message, Role
from rustyray.wire.codec import decode, encode
from rustyray.wire.errors import WireError
from rustyray.wire.framing import HEADER_SIZE, header
from rustyray.wire.handshake import NONCE_SIZE, ClientHandshake, Credentials

if TYPE_CHECKING:
    from types import TracebackType

    from rustyray.engines.native.network.certificates import Certificates
    from rustyray.engines.native.standing.places import ClusterFile

#: The most that an answer may have, in bytes.
MAX_ANSWER: Final = 16 << 20


class Refused(ConnectionError):
    """Somebody listens there, and hangs up: whose key, or certificates, are others."""


class Caller:
    """A connection to the process ``wanted`` of a cluster at ``address``, which proves who it is. Use it in ``with``.

    Raises:
        ConnectionError: nobody can be reached there, or (`Refused`) somebody who does not hold the key; ``timeout``
            (seconds) is the most that each step may take.
    """

    def __init__(self, cluster: ClusterFile, address: str, wanted: bytes, timeout: float = 10.0) -> None:
        self.address = address
        family, where = addresses.parse(address, encrypted=cluster.certificates is not None)
        self._sock = socket.socket(family, socket.SOCK_STREAM)
        self._sock.settimeout(timeout)
        reached = False
        if family != socket.AF_UNIX:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or it waits 40 ms between two messages
        try:
            me = Credentials(Role.DRIVER, os.urandom(16), cluster.session_bytes, cluster.key_bytes)
            self._sock.connect(where)
            reached = True
            handshake = ClientHandshake(me, wanted, os.urandom(NONCE_SIZE))
            if cluster.certificates is not None and family != socket.AF_UNIX:
                self._encrypt(cluster.certificates, handshake)
            self._greet(handshake)
        except (OSError, WireError) as error:
            self._sock.close()
            kind = Refused if reached and not isinstance(error, TimeoutError) else ConnectionError
            raise kind(f"nobody of the cluster can be reached at {address}: {error}") from error

    def _encrypt(self, own: Certificates, handshake: ClientHandshake) -> None:
        context = contexts(own)[1]
        sock = self._sock = context.wrap_socket(self._sock)
        handshake.binding = sock.get_channel_binding("tls-unique") or b""

    def _greet(self, handshake: ClientHandshake) -> None:
        self._sock.sendall(handshake.hello)
        while handshake.peer is None:
            data = self._sock.recv(handshake.needed)
            if not data:
                raise ConnectionResetError("it closed the connection: its key may be another")
            self._sock.sendall(handshake.receive(data))

    def ask(self, message: Message) -> tuple[Message, list[int]]:
        """Send ``message`` and return the next one that comes, with the descriptors beside it (the caller closes them).

        Raises:
            ConnectionError: the peer is gone, or does not answer in time.
        """
        payload = encode(message)
        fds: list[int] = []
        try:
            self._sock.sendall(header(len(payload)) + payload)
            size = int.from_bytes(self._read(HEADER_SIZE, fds), "little")
            if size > MAX_ANSWER:
                raise ConnectionError(f"{self.address} answers with {size} bytes; at most {MAX_ANSWER} are expected")
            return decode(self._read(size, fds)), fds
        except (OSError, WireError) as error:
            for fd in fds:
                os.close(fd)
            raise ConnectionError(f"{self.address} does not answer: {error}") from error

    def _read(self, size: int, fds: list[int]) -> bytearray:
        data = bytearray()
        while len(data) < size:
            if self._sock.family == socket.AF_UNIX:
                part, rights, _, _ = self._sock.recvmsg(size - len(data), socket.CMSG_SPACE(4))
                for _, _, received in rights:
                    fds.extend(array.array("i", received[: len(received) // 4 * 4]))
            else:
                part = self._sock.recv(size - len(data))
            if not part:
                raise ConnectionResetError("it closed the connection")
            data += part
        return data

    def close(self) -> None:
        self._sock.close()

    def __enter__(self) -> Caller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
