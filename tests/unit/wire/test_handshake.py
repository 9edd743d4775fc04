"""Two honest holders of the key get through, in any number of pieces; nobody else does, whatever they change."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.model.messages import Role
from rustyray.wire import handshake as module
from rustyray.wire.errors import AuthenticationError, ProtocolError, VersionMismatch, WireError
from rustyray.wire.handshake import ClientHandshake, Credentials, Handshake, Peer, ServerHandshake

KEY = bytes(range(32))
SESSION = b"session1"
DRIVER = b"driver driver"[:12]
WORKER = b"worker worker"[:12]
HELLO_SIZE, ANSWER_SIZE, PROOF_SIZE = 112, 112, 32


def client(
    key: bytes = KEY, session: bytes = SESSION, wanted: bytes = WORKER, nonce: bytes = b"c" * 32
) -> ClientHandshake:
    return ClientHandshake(Credentials(Role.DRIVER, DRIVER, session, key), wanted, nonce)


def server(
    key: bytes = KEY, session: bytes = SESSION, identity: bytes = WORKER, nonce: bytes = b"s" * 32
) -> ServerHandshake:
    return ServerHandshake(Credentials(Role.WORKER, identity, session, key), nonce)


def feed(side: Handshake, data: bytes, cuts: list[int] | None = None) -> bytes:
    """Hand ``data`` over in pieces, never more than is needed, and return what was said in turn."""
    said = b""
    cuts = list(cuts or [])
    while data:
        size = min(side.needed, cuts.pop() if cuts else len(data))
        assert size > 0
        said += side.receive(data[:size])
        data = data[size:]
    return said


def peer_of(side: Handshake) -> Peer | None:
    return side.peer


def test_both_learn_who_is_there() -> None:
    c, s = client(), server()
    answer = feed(s, c.hello)
    assert peer_of(s) is None
    proof = feed(c, answer)
    assert c.peer == Peer(Role.WORKER, WORKER)
    assert feed(s, proof) == b""
    assert s.peer == Peer(Role.DRIVER, DRIVER)
    assert c.needed == s.needed == 0
    assert (len(c.hello), len(answer), len(proof)) == (HELLO_SIZE, ANSWER_SIZE, PROOF_SIZE)


def test_the_bytes_are_as_specified() -> None:
    c, s = client(), server()
    name = {who: bytes([12]) + who + bytes(19) for who in (DRIVER, WORKER)}
    assert c.hello == b"RRAY\x01\x01\x00\x01" + SESSION + name[DRIVER] + name[WORKER] + b"c" * 32
    answer = feed(s, c.hello)
    assert answer[:-32] == b"RRAY\x02\x01\x00\x02" + SESSION + name[WORKER] + b"s" * 32


@given(st.lists(st.integers(1, 40)), st.lists(st.integers(1, 40)), st.lists(st.integers(1, 40)))
def test_pieces_do_not_matter(first: list[int], second: list[int], third: list[int]) -> None:
    c, s = client(), server()
    feed(s, feed(c, feed(s, c.hello, first), second), third)
    assert c.peer is not None
    assert s.peer is not None


@given(st.integers(0, 2), st.data())
def test_any_flipped_bit_is_refused(which: int, data: st.DataObject) -> None:
    c, s = client(), server()

    def maybe_flip(number: int, message: bytes) -> bytes:
        if number != which:
            return message
        bit = data.draw(st.integers(0, 8 * len(message) - 1))
        changed = bytearray(message)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    with pytest.raises(WireError):
        feed(s, maybe_flip(2, feed(c, maybe_flip(1, feed(s, maybe_flip(0, c.hello))))))
    assert s.peer is None
    assert c.peer is None or which == 2


@pytest.mark.parametrize("nonce", [b"s" * 32, b"z" * 32])
def test_a_recorded_proof_is_worth_nothing_later(nonce: bytes) -> None:
    c, s = client(), server()
    proof = feed(c, feed(s, c.hello))
    feed(s, proof)
    later = server(nonce=b"t" * 32)
    feed(later, client(nonce=nonce).hello)
    with pytest.raises(AuthenticationError):
        feed(later, proof)
    again = server(nonce=b"u" * 32)
    feed(again, c.hello)
    with pytest.raises(AuthenticationError):
        feed(again, proof)
    assert later.peer is None
    assert again.peer is None


def test_a_recorded_answer_is_worth_nothing_later() -> None:
    answer = feed(server(), client().hello)
    victim = client(nonce=b"d" * 32)
    with pytest.raises(AuthenticationError, match="does not hold this session's key"):
        feed(victim, answer)
    assert victim.peer is None


def test_nobody_answers_their_own_challenge() -> None:
    c, s = client(), server()
    with pytest.raises(ProtocolError):
        feed(client(), c.hello)
    answer = feed(s, c.hello)
    with pytest.raises(AuthenticationError):
        feed(s, answer[-32:])
    mirror = ClientHandshake(Credentials(Role.WORKER, WORKER, SESSION, KEY), DRIVER, b"m" * 32)
    with pytest.raises(AuthenticationError, match="claims to be this very process"):
        feed(mirror, answer)
    assert s.peer is None
    assert mirror.peer is None


@pytest.mark.parametrize(
    ("the_client", "the_server", "complaint"),
    [
        (lambda: client(key=b"k" * 32), server, "does not hold this session's key"),
        (client, lambda: server(key=b"k" * 32), "does not hold this session's key"),
        (lambda: client(session=b"session2"), server, f"belongs to session {b'session2'.hex()}.*{SESSION.hex()}"),
        (lambda: client(wanted=b"another one"), server, "the peer wants .*, and this is"),
        (client, lambda: server(identity=DRIVER), "claims to be this very process"),
    ],
    ids=["wrong key", "wrong key there", "wrong session", "another was wanted", "oneself"],
)
def test_the_wrong_one_is_refused(
    the_client: Callable[[], ClientHandshake], the_server: Callable[[], ServerHandshake], complaint: str
) -> None:
    c, s = the_client(), the_server()
    with pytest.raises(AuthenticationError, match=complaint):
        feed(s, feed(c, feed(s, c.hello)))
    assert s.peer is None


def test_another_than_the_wanted_one_is_refused_by_the_client_too() -> None:
    c = client(wanted=b"another one")
    impostor = ServerHandshake(Credentials(Role.WORKER, b"another one", SESSION, KEY), b"s" * 32)
    honest = feed(impostor, c.hello)
    name = honest[16:48]
    claim = honest.replace(name, bytes([12]) + WORKER + bytes(19))
    with pytest.raises(AuthenticationError, match="answered where"):
        feed(c, claim)


def test_a_role_cannot_be_changed_on_the_way() -> None:
    c, s = client(), server()
    promoted = bytearray(c.hello)
    promoted[7] = 3
    answer = feed(s, bytes(promoted))
    with pytest.raises(AuthenticationError):
        feed(c, answer)
    unknown = bytearray(c.hello)
    unknown[7] = 9
    with pytest.raises(ProtocolError, match="unknown role 9"):
        feed(server(), bytes(unknown))


def test_versions_are_named_on_both_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    old = client()
    monkeypatch.setattr(module, "PROTOCOL_VERSION", 7)
    new = server()
    with pytest.raises(VersionMismatch, match="version 1 of the protocol and this process version 7") as at_server:
        feed(new, old.hello[:7])
    monkeypatch.setattr(module, "PROTOCOL_VERSION", 1)
    with pytest.raises(VersionMismatch, match="version 7 of the protocol and this process version 1") as at_client:
        feed(old, at_server.value.reply)
    assert (at_client.value.ours, at_client.value.theirs, at_client.value.reply) == (1, 7, b"")


def test_a_stranger_is_refused_at_the_first_wrong_byte() -> None:
    s = server()
    assert s.receive(b"RR") == b""
    with pytest.raises(ProtocolError, match="does not speak this protocol: it began with b'RRG'"):
        s.receive(b"G")


@given(st.binary(min_size=1, max_size=400), st.booleans(), st.booleans())
def test_random_bytes_are_refused_and_few_are_ever_needed(data: bytes, at_server: bool, with_magic: bool) -> None:
    side: Handshake = server() if at_server else client()
    if with_magic:
        data = (b"RRAY\x01\x01\x00" if at_server else b"RRAY\x02\x01\x00") + data
    try:
        while data and side.needed:
            assert side.needed <= HELLO_SIZE
            piece, data = data[: side.needed], data[side.needed :]
            side.receive(piece)
    except WireError:
        pass
    assert side.peer is None


def test_more_than_needed_is_the_hosts_mistake() -> None:
    with pytest.raises(ValueError, match="113 bytes for a handshake that needs 112"):
        server().receive(bytes(113))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Credentials(Role.NODE, b"", SESSION, KEY),
        lambda: Credentials(Role.NODE, b"x" * 32, SESSION, KEY),
        lambda: Credentials(Role.NODE, b"x", b"short", KEY),
        lambda: Credentials(Role.NODE, b"x", SESSION, b"weak"),
        lambda: client(nonce=b"n"),
        lambda: client(wanted=b""),
    ],
)
def test_parts_of_a_wrong_size_are_the_hosts_mistake(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"has (at least )?\d+ "):
        make()


def test_the_key_is_never_shown() -> None:
    text = repr(Credentials(Role.NODE, b"n" * 8, SESSION, KEY))
    assert SESSION.hex() in text
    assert repr(KEY) not in text
    assert KEY.hex() not in text
