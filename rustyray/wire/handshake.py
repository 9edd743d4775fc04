"""How two processes prove to each other that they hold the session's key, before either believes a word.

Sans I/O, one state machine for each side. All integers are little-endian; a name is one byte of length and 31 bytes,
padded with zeros; everything has a fixed size:

    client → server   hello   "RRAY" kind=1 version:u16 role:u8 session:8 identity:name wanted:name nonce:32
    server → client   answer  "RRAY" kind=2 version:u16 role:u8 session:8 identity:name nonce:32 mac:32
    client → server   proof   mac:32

    answer.mac = HMAC-SHA256(key, "rustyray server" + hello + answer without mac)
    proof.mac  = HMAC-SHA256(key, "rustyray client" + hello + answer)

Each side's MAC covers both nonces, so an old one is worthless, and all that both sides claim; it begins with the name
of its side, so that neither can be made to answer its own challenge. Inside TLS it ends with what is unique to that
session, so that nobody in between can pass it on. The client's frames may follow its proof at once;
the server's follow the check of the proof. A server of another version answers with its seven first bytes only: that is
enough for the client to say what is wrong. It proves who is there when the connection is made; it does not encrypt,
which is the business of TLS.
"""

from __future__ import annotations

import hmac
import struct
from typing import Final

import msgspec

from rustyray.model.ids import short
from rustyray.model.messages import Role
from rustyray.wire.errors import AuthenticationError, ProtocolError, VersionMismatch

PROTOCOL_VERSION: Final = 1
NONCE_SIZE: Final = 32
SESSION_SIZE: Final = 8
MIN_KEY_SIZE: Final = 16
MAX_IDENTITY_SIZE: Final = 31

_MAGIC: Final = b"RRAY"
_HELLO_KIND: Final = 1
_ANSWER_KIND: Final = 2
_MAC_SIZE: Final = 32
_PREAMBLE: Final = struct.Struct("<4sBH")
_HELLO: Final = struct.Struct("<4sBHB8s32p32p32s")
_ANSWER: Final = struct.Struct("<4sBHB8s32p32s32s")
_SERVER_LABEL: Final = b"rustyray server"
_CLIENT_LABEL: Final = b"rustyray client"
_CODES: Final = {Role.DRIVER: 1, Role.WORKER: 2, Role.NODE: 3, Role.HEAD: 4}
_ROLES: Final = {code: role for role, code in _CODES.items()}


class Peer(msgspec.Struct, frozen=True, gc=False):
    """Who is at the other end, as proven by the handshake."""

    role: Role
    identity: bytes


class Credentials:
    """Who this process is, and the key that proves it. Raises ValueError for parts of a wrong size."""

    __slots__ = ("identity", "key", "role", "session")

    def __init__(self, role: Role, identity: bytes, session: bytes, key: bytes) -> None:
        _check_identity(identity)
        if len(session) != SESSION_SIZE:
            raise ValueError(f"a session id has {SESSION_SIZE} bytes, not {len(session)}")
        if len(key) < MIN_KEY_SIZE:
            raise ValueError(f"a session's key has at least {MIN_KEY_SIZE} bytes, not {len(key)}")
        self.role = role
        self.identity = identity
        self.session = session
        self.key = key

    def __repr__(self) -> str:
        return f"Credentials({self.role.value} {short(self.identity)}, session {self.session.hex()})"


class Handshake:
    """One side of a handshake: feed it with `receive`, send what that returns, until `peer` is there.

    At most ``needed`` bytes may be received before the next call: what comes after them is not the handshake's.
    """

    __slots__ = ("_kind", "_me", "_nonce", "_received", "_size", "binding", "peer")

    def __init__(self, me: Credentials, nonce: bytes, kind: int, size: int) -> None:
        if len(nonce) != NONCE_SIZE:
            raise ValueError(f"a nonce has {NONCE_SIZE} bytes, not {len(nonce)}")
        self.peer: Peer | None = None
        #: What is unique to the TLS session around it, if there is one.
        self.binding = b""
        self._me = me
        self._nonce = nonce
        self._kind = kind
        self._size = size
        self._received = b""

    @property
    def needed(self) -> int:
        """How many bytes the peer's current message still lacks; 0 when the handshake is over."""
        return self._size - len(self._received)

    def receive(self, data: bytes) -> bytes:
        """Take ``data`` from the peer and return what to send (maybe nothing yet).

        Raises:
            ProtocolError: these are not the bytes of a handshake.
            VersionMismatch: the peer speaks another version.
            AuthenticationError: the peer lacks the key, or is not the one that is wanted.
            ValueError: ``data`` is longer than ``needed``.
        """
        if len(data) > self.needed:
            raise ValueError(f"{len(data)} bytes for a handshake that needs {self.needed}")
        self._received += data
        if self._kind:
            self._check_preamble()
        if self.needed:
            return b""
        message, self._received = self._received, b""
        return self._complete(message)

    def _complete(self, message: bytes) -> bytes:
        raise NotImplementedError

    def _check_preamble(self) -> None:
        """Refuse a stranger at the first wrong byte, and another version whatever its message looks like beyond it."""
        got = self._received[: _PREAMBLE.size]
        expected = _MAGIC + bytes([self._kind])
        if got[: len(expected)] != expected[: len(got)]:
            raise ProtocolError(f"the peer does not speak this protocol: it began with {got!r}")
        if len(got) == _PREAMBLE.size:
            version = _PREAMBLE.unpack(got)[2]
            if version != PROTOCOL_VERSION:
                reply = _PREAMBLE.pack(_MAGIC, _ANSWER_KIND, PROTOCOL_VERSION) if self._kind == _HELLO_KIND else b""
                raise VersionMismatch(PROTOCOL_VERSION, version, reply)

    def _check_claim(self, role: int, session: bytes, identity: bytes) -> Peer:
        if role not in _ROLES:
            raise ProtocolError(f"the peer claims the unknown role {role}")
        if session != self._me.session:
            raise AuthenticationError(
                f"the peer belongs to session {session.hex()}, this process to {self._me.session.hex()}"
            )
        if identity == self._me.identity:
            raise AuthenticationError("the peer claims to be this very process")
        return Peer(_ROLES[role], identity)

    def _mac(self, *parts: bytes) -> bytes:
        return hmac.digest(self._me.key, b"".join(parts) + self.binding, "sha256")


class ClientHandshake(Handshake):
    """The side that connects, to a peer named ``wanted``. It speaks first: `hello`."""

    __slots__ = ("_wanted", "hello")

    def __init__(self, me: Credentials, wanted: bytes, nonce: bytes) -> None:
        super().__init__(me, nonce, _ANSWER_KIND, _ANSWER.size)
        _check_identity(wanted)
        self._wanted = wanted
        self.hello = _HELLO.pack(
            _MAGIC, _HELLO_KIND, PROTOCOL_VERSION, _CODES[me.role], me.session, me.identity, wanted, nonce
        )

    def _complete(self, message: bytes) -> bytes:
        _, _, _, role, session, identity, _, mac = _ANSWER.unpack(message)
        peer = self._check_claim(role, session, identity)
        if identity != self._wanted:
            raise AuthenticationError(f"{short(identity)} answered where {short(self._wanted)} was called")
        if not hmac.compare_digest(mac, self._mac(_SERVER_LABEL, self.hello, message[:-_MAC_SIZE])):
            raise AuthenticationError("the peer does not hold this session's key")
        self._size = 0
        self.peer = peer
        return self._mac(_CLIENT_LABEL, self.hello, message)


class ServerHandshake(Handshake):
    """The side that was connected to. It learns who is there from the hello, and believes it after the proof."""

    __slots__ = ("_claim", "_transcript")

    def __init__(self, me: Credentials, nonce: bytes) -> None:
        super().__init__(me, nonce, _HELLO_KIND, _HELLO.size)
        self._claim: Peer | None = None
        self._transcript = b""

    def _complete(self, message: bytes) -> bytes:
        if self._claim is None:
            return self._answer(message)
        if not hmac.compare_digest(message, self._mac(_CLIENT_LABEL, self._transcript)):
            raise AuthenticationError("the peer does not hold this session's key")
        self._size = 0
        self.peer = self._claim
        return b""

    def _answer(self, hello: bytes) -> bytes:
        _, _, _, role, session, identity, wanted, _ = _HELLO.unpack(hello)
        me = self._me
        self._claim = self._check_claim(role, session, identity)
        if wanted != me.identity:
            raise AuthenticationError(f"the peer wants {short(wanted)}, and this is {short(me.identity)}")
        bare = _ANSWER.pack(
            _MAGIC, _ANSWER_KIND, PROTOCOL_VERSION, _CODES[me.role], me.session, me.identity, self._nonce, b""
        )[:-_MAC_SIZE]
        answer = bare + self._mac(_SERVER_LABEL, hello, bare)
        self._transcript = hello + answer
        self._kind = 0
        self._size = _MAC_SIZE
        return answer


def _check_identity(identity: bytes) -> None:
    if not 0 < len(identity) <= MAX_IDENTITY_SIZE:
        raise ValueError(f"an identity has 1 to {MAX_IDENTITY_SIZE} bytes, not {len(identity)}")
