"""Hubs to test with, all turned by the test's own thread, and a peer that is not a hub."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rustyray.engines.native.network import address
from rustyray.engines.native.network.certificates import Certificates
from rustyray.engines.native.network.hub import Hub
from rustyray.model.messages import BorrowAck, DefineFunction, Message, Role
from rustyray.wire.codec import encode
from rustyray.wire.framing import header
from rustyray.wire.handshake import ClientHandshake, Credentials, Handshake

SESSION = b"session1"
KEY = bytes(range(32))
PATIENCE = 20.0


class Clock:
    """The monotonic clock, and what the test adds to it."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


class Node:
    """A hub with what it has received and lost, in one list: ``(peer, message or reason)``."""

    def __init__(
        self,
        name: str,
        session: bytes = SESSION,
        key: bytes = KEY,
        role: Role = Role.WORKER,
        certificates: Certificates | None = None,
    ) -> None:
        self.id = name.encode().ljust(12, b".")
        self.log: list[tuple[bytes, Message | str]] = []
        self.clock = Clock()
        self.address = ""
        self.hub = Hub(
            role=role,
            identity=self.id,
            session=session,
            key=key,
            on_lost=lambda peer, reason: self.log.append((peer, reason)),
            clock=self.clock,
            certificates=certificates,
        )

    def listen(self, where: str = "") -> Node:
        listener = address.listen(where or address.default_address(SESSION, self.id + id(self).to_bytes(8, "big")))
        self.address = address.format_address(listener)
        self.hub.listen(listener)
        return self

    def close(self) -> None:
        self.hub.close()

    def send(self, to: Node, *messages: Message) -> None:
        for message in messages:
            self.hub.send(to.id, message, to.address)
        self.hub.flush()

    def turn(self, timeout: float = 0.0) -> None:
        self.log += self.hub.process(self.hub.wait(timeout))

    def got(self, peer: Node) -> list[Message]:
        return [what for who, what in self.log if who == peer.id and not isinstance(what, str)]

    def lost(self, peer: Node | bytes) -> list[str]:
        wanted = peer if isinstance(peer, bytes) else peer.id
        return [what for who, what in self.log if who == wanted and isinstance(what, str)]


def acks(*numbers: int) -> list[Message]:
    return [BorrowAck(number) for number in numbers]


def blob(size: int, fill: bytes = b"x") -> DefineFunction:
    return DefineFunction(b"fn", fill * size, "name")


def turn_until(condition: Callable[[], object], *nodes: Node) -> None:
    """Turn the hubs until ``condition`` holds; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, [node.log[-3:] for node in nodes]
        for node in nodes:
            node.turn(0.001 if node is nodes[-1] else 0.0)


def connected(a: Node, b: Node) -> None:
    """Let ``a`` connect to ``b``."""
    before = len(b.got(a))
    a.send(b, BorrowAck(0))
    turn_until(lambda: len(b.got(a)) > before, a, b)


class RawPeer:
    """A client made of a blocking socket, which says whatever it is told to."""

    def __init__(self, to: Node, name: bytes = b"raw peer....", key: bytes = KEY) -> None:
        self.id = name
        self.socket = dial(to.address)
        self._to = to
        self._handshake = ClientHandshake(Credentials(Role.WORKER, name, SESSION, key), to.id, b"n" * 32)
        self.sent = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)
        self.sent += data

    def hello(self) -> bytes:
        return self._handshake.hello

    def authenticate(self) -> RawPeer:
        self.send(self.hello())
        while self._handshake.peer is None:
            self.send(self._handshake.receive(read_while_turning(self.socket, self._handshake, self._to)))
        return self

    def say(self, *messages: Message) -> None:
        self.send(b"".join(frame(message) for message in messages))

    def close(self) -> None:
        self.socket.close()


def frame(message: Message) -> bytes:
    payload = encode(message)
    return header(len(payload)) + payload


def read_while_turning(sock: socket.socket, handshake: Handshake, node: Node) -> bytes:
    """What the hub says next, as much as the handshake needs."""
    sock.setblocking(False)
    data: list[bytes] = []

    def read() -> bool:
        try:
            data.append(sock.recv(handshake.needed))
        except BlockingIOError:
            return False
        return True

    turn_until(read, node)
    sock.setblocking(True)
    return data[0]


def ended(sock: socket.socket) -> bool:
    """Whether the other side has closed ``sock`` (what it said before is thrown away)."""
    sock.setblocking(False)
    try:
        while sock.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
    return True


def dial(where: str) -> socket.socket:
    family, name = address.parse(where)
    sock = socket.socket(family)
    sock.settimeout(PATIENCE)
    try:
        sock.connect(name)
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def nodes(*names: str) -> Iterator[list[Node]]:
    """Listening hubs of one session, closed in the end."""
    made = [Node(name).listen() for name in names]
    try:
        yield made
    finally:
        for node in made:
            node.close()
