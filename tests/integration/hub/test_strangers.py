"""Who cannot prove who it is gets nothing, costs little, and keeps nobody else out."""

from __future__ import annotations

import os
import resource
import socket
import sys
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rustyray.engines.native.network import address, greeter, link
from rustyray.engines.native.network.greeter import ANSWER_PATIENCE, MAX_STRANGERS, STRANGER_PATIENCE
from rustyray.model.messages import BorrowAck, Role
from rustyray.wire.handshake import ClientHandshake, Credentials
from tests.integration.hub.hubs import KEY, SESSION, Node, RawPeer, connected, dial, ended, frame, nodes, turn_until

REFUSED_KEY = "does not hold this session's key"


@pytest.fixture
def server() -> Iterator[Node]:
    with nodes("server") as (made,):
        yield made


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of everything that was decoded as a message."""
    sizes: list[int] = []
    monkeypatch.setattr(link, "decode", lambda data: sizes.append(len(data)))
    return sizes


def connect_unless_full(where: str) -> socket.socket | None:
    try:
        return address.connect(where)
    except BlockingIOError:
        return None


def lost_after_redials(node: Node, peer: Node) -> str:
    """Turn until ``node`` gives ``peer`` up, with its clock running ahead of the pauses."""

    def lost() -> bool:
        node.clock.ahead += 1.0
        return bool(node.lost(peer))

    turn_until(lost, node, peer)
    return node.lost(peer)[0]


def test_a_wrong_key_is_refused_on_both_sides(server: Node, decoded: list[int]) -> None:
    intruder = Node("intruder", key=b"k" * 32)
    intruder.send(server, BorrowAck(1))
    turn_until(lambda: intruder.lost(server) and server.hub.refused, server, intruder)
    assert intruder.lost(server) == [
        f"peer {server.id.hex()[-12:]} was refused: the peer does not hold this session's key"
    ]
    assert server.hub.refused == 1
    assert server.log == []
    intruder.hub.close()

    raw = RawPeer(server, key=b"k" * 32)
    raw.send(raw.hello())
    turn_until(lambda: server.hub._greeter.strangers == 1, server)
    raw.send(bytes(32) + frame(BorrowAck(1)))
    turn_until(lambda: ended(raw.socket), server)
    raw.close()
    assert REFUSED_KEY in server.hub.last_refusal
    assert decoded == []


def test_another_session_or_identity_is_refused_without_a_word(server: Node) -> None:
    other_session = Node("other session", session=b"session2")
    other_session.send(server, BorrowAck(1))
    assert "closed the connection before it was authenticated" in lost_after_redials(other_session, server)
    assert "belongs to session" in server.hub.last_refusal

    confused = Node("confused")
    confused.hub.send(b"someone else", BorrowAck(1), server.address)
    turn_until(lambda: "the peer wants" in server.hub.last_refusal, confused, server)
    assert server.hub.peers() == []
    other_session.hub.close()
    confused.hub.close()


def test_an_impostor_at_the_address_gets_no_message() -> None:
    listener = address.listen("unix:@rustyray-test-impostor-" + os.urandom(4).hex())
    a = Node("a")
    a.hub.send(b"wanted......", BorrowAck(1), address.format_address(listener))
    a.hub.flush()
    fake, _ = listener.accept()
    hello = fake.recv(1000)
    fake.send(hello)
    turn_until(lambda: a.lost(b"wanted......"), a)
    assert "was refused" in a.lost(b"wanted......")[0]
    assert fake.recv(1000) == b""
    for sock in (fake, listener):
        sock.close()
    a.hub.close()


def test_another_version_is_named_on_both_sides(server: Node) -> None:
    raw = dial(server.address)
    raw.send(b"RRAY\x01\x07\x00")
    turn_until(lambda: server.hub.refused, server)
    assert raw.recv(100) == b"RRAY\x02\x01\x00"
    assert raw.recv(100) == b""
    assert "speaks version 7 of the protocol and this process version 1" in server.hub.last_refusal
    raw.close()

    listener = address.listen("unix:@rustyray-test-version-" + os.urandom(4).hex())
    a = Node("a")
    a.hub.send(b"future......", BorrowAck(1), address.format_address(listener))
    future, _ = listener.accept()
    future.send(b"RRAY\x02\x09\x00")
    turn_until(lambda: a.lost(b"future......"), a)
    assert "speaks version 9 of the protocol and this process version 1" in a.lost(b"future......")[0]
    for sock in (future, listener):
        sock.close()
    a.hub.close()


def test_a_recorded_conversation_is_refused_when_it_is_replayed(server: Node) -> None:
    raw = RawPeer(server).authenticate()
    raw.say(BorrowAck(1))
    turn_until(lambda: server.log == [(raw.id, BorrowAck(1))], server)
    raw.close()
    turn_until(lambda: server.lost(raw.id), server)
    replay = dial(server.address)
    replay.sendall(raw.sent)
    turn_until(lambda: ended(replay), server)
    replay.close()
    assert REFUSED_KEY in server.hub.last_refusal
    assert len(server.log) == 2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5),
    st.sampled_from([b"", b"RRAY\x01\x01\x00", b"hello"]),
    st.booleans(),
)
def test_random_bytes_are_never_decoded_and_disturb_nobody(
    server: Node, decoded: list[int], pieces: list[bytes], prefix: bytes, hang_up: bool
) -> None:
    good = ClientHandshake(Credentials(Role.WORKER, b"fuzz", SESSION, KEY), server.id, b"n" * 32).hello
    raw = dial(server.address)
    refused = server.hub.refused
    try:
        for piece in [good if prefix == b"hello" else prefix, *pieces]:
            raw.sendall(piece)
            server.turn()
    except (BrokenPipeError, ConnectionResetError):
        hang_up = False
    if hang_up:
        raw.close()
    else:
        server.clock.ahead += STRANGER_PATIENCE
        turn_until(lambda: ended(raw), server)
        raw.close()
    turn_until(lambda: server.hub.refused == refused + 1 and not server.hub._links, server)
    assert server.hub._greeter.strangers == 0
    assert server.log == []
    assert decoded == []


def test_a_stranger_costs_little_memory(server: Node) -> None:
    raws = [dial(server.address) for _ in range(MAX_STRANGERS)]
    flood = bytes(1 << 17)
    hello = ClientHandshake(Credentials(Role.WORKER, b"flood", SESSION, KEY), server.id, b"n" * 32).hello
    for raw in raws:
        raw.sendall(hello + flood)
    tracemalloc.start()
    try:
        server.turn()
        turn_until(lambda: server.hub.refused == MAX_STRANGERS, server)
        assert tracemalloc.get_traced_memory()[1] < 8192 * MAX_STRANGERS
    finally:
        tracemalloc.stop()
    for raw in raws:
        raw.close()


def test_silent_strangers_keep_others_out_for_a_few_seconds_at_most(server: Node) -> None:
    silent = [dial(server.address) for _ in range(MAX_STRANGERS + 10)]
    turn_until(lambda: server.hub._greeter.strangers == MAX_STRANGERS, server)
    guest = Node("guest")
    guest.send(server, BorrowAck(1))
    for _ in range(10):
        server.turn(0.001)
        guest.turn()
    assert server.hub._greeter.strangers == MAX_STRANGERS
    assert server.log == []
    assert server.hub.refused == 0
    server.clock.ahead += STRANGER_PATIENCE
    turn_until(lambda: server.got(guest), server, guest)
    assert server.hub.refused == MAX_STRANGERS
    assert server.hub.last_refusal == "a stranger was silent for 5 s"
    assert all(ended(sock) for sock in silent[:MAX_STRANGERS])
    server.clock.ahead += STRANGER_PATIENCE
    turn_until(lambda: server.hub.refused == MAX_STRANGERS + 10, server)
    assert server.hub.peers() == [guest.id]
    for sock in silent:
        sock.close()
    guest.hub.close()


def test_a_proof_that_waited_for_a_busy_server_counts(server: Node) -> None:
    guest = Node("guest")
    guest.send(server, BorrowAck(1))
    server.turn()
    server.turn()
    guest.turn()
    server.clock.ahead += 10 * STRANGER_PATIENCE
    server.log += server.hub.process([])
    turn_until(lambda: server.got(guest), server, guest)
    assert server.hub.refused == 0
    guest.hub.close()


def test_the_wait_ends_when_a_deadline_does(server: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeter, "STRANGER_PATIENCE", 0.05)
    raw = dial(server.address)
    server.turn(20.0)
    server.turn(20.0)
    assert server.hub.refused == 1
    raw.close()


def test_a_peer_that_hangs_up_too_early_is_called_again() -> None:
    a, b = Node("a"), Node("b")
    listener = address.listen("unix:@rustyray-test-again-" + os.urandom(4).hex())
    b.address = address.format_address(listener)
    a.send(b, BorrowAck(1))
    for _ in range(2):
        listener.setblocking(True)
        hasty, _ = listener.accept()
        hasty.close()
        a.turn(20.0)
        a.clock.ahead += 1.0
        a.turn()
    a.send(b, BorrowAck(2))
    b.hub.listen(listener)
    turn_until(lambda: b.got(a) == [BorrowAck(1), BorrowAck(2)], a, b)
    assert a.log == []
    a.hub.close()
    b.hub.close()


def test_a_full_queue_of_connections_is_waited_for() -> None:
    a, b = Node("a"), Node("b")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0rustyray-test-full-" + os.urandom(4).hex())
    listener.listen(0)
    b.address = address.format_address(listener)
    crowd = list(iter(lambda: connect_unless_full(b.address), None))
    assert crowd
    a.send(b, BorrowAck(1))
    assert a.hub.has_link(b.id)
    a.send(b, BorrowAck(2))
    a.turn()
    for sock in crowd:
        sock.close()
    b.hub.listen(listener)
    turn_until(lambda: b.got(a) == [BorrowAck(1), BorrowAck(2)], a, b)
    a.hub.close()
    b.hub.close()


def test_what_was_meant_for_a_call_that_failed_goes_where_the_peer_called_us() -> None:
    a, b = Node("a").listen(), Node("b")
    listener = address.listen("unix:@rustyray-test-other-" + os.urandom(4).hex())
    a.hub.send(b.id, BorrowAck(1), address.format_address(listener))
    a.hub.flush()
    connected(b, a)
    a.send(b, BorrowAck(2))
    assert a.hub.peers() == [b.id]
    assert b.got(a) == []
    listener.close()
    turn_until(lambda: b.got(a) == [BorrowAck(1), BorrowAck(2)], a, b)
    assert a.lost(b) == []
    a.hub.close()
    b.hub.close()


def test_a_peer_that_never_answers_is_given_up() -> None:
    a = Node("a")
    listener = address.listen("unix:@rustyray-test-never-" + os.urandom(4).hex())
    a.hub.send(b"silent......", BorrowAck(1), address.format_address(listener))
    a.turn()
    assert a.log == []
    a.clock.ahead += ANSWER_PATIENCE
    turn_until(lambda: a.log, a)
    assert "did not answer at unix:@rustyray-test-never-" in a.lost(b"silent......")[0]
    assert not a.hub.has_link(b"silent......")
    a.hub.close()
    listener.close()


def test_without_descriptors_the_hub_pauses_and_goes_on(server: Node) -> None:
    guest = Node("guest")
    guest.send(server, BorrowAck(1))
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.open("/dev/null", os.O_RDONLY)
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, limits[1]))
    try:
        turn_until(lambda: server.hub.refused, server)
        # It does not spin meanwhile.
        assert server.hub.wait(0.0) == []
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert "cannot accept a connection: Too many open files" in server.hub.last_refusal
    turn_until(lambda: server.got(guest), server, guest)
    guest.hub.close()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs to become another user")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_process_of_another_user_is_turned_away(server: Node) -> None:
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setuid(65534)
            status = 0 if dial(server.address).recv(9) == b"" else 2
        finally:
            os._exit(status)
    turn_until(lambda: server.hub.refused, server)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert server.hub.last_refusal == "a process of another user connected"
