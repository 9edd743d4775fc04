"""What goes over TCP inside TLS: the same messages, and nobody without a certificate of the cluster."""

from __future__ import annotations

import random
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rustyray.engines.native.network import address, certificates, link, tls
from rustyray.engines.native.network.certificates import CertificateError, Certificates, contexts
from rustyray.engines.native.network.greeter import MAX_STRANGERS, STRANGER_PATIENCE
from rustyray.model.messages import BorrowAck, Message, Output, Role
from rustyray.wire.framing import MAX_FRAME
from rustyray.wire.handshake import ClientHandshake, Credentials
from tests.integration.hub.hubs import KEY, SESSION, Node, connected, dial, ended, frame, turn_until

LOOPBACK = "tcp:127.0.0.1:0"


@pytest.fixture(scope="module")
def own() -> Certificates:
    return certificates.make("tested")


@pytest.fixture
def server(own: Certificates) -> Iterator[Node]:
    node = Node("server", certificates=own).listen(LOOPBACK)
    yield node
    node.close()


@pytest.fixture
def client(own: Certificates) -> Iterator[Node]:
    node = Node("client", certificates=own).listen(LOOPBACK)
    yield node
    node.close()


def secured(server: Node, context: ssl.SSLContext) -> ssl.SSLSocket:
    """A client that is not a hub, past TLS' own handshake."""
    sock = context.wrap_socket(dial(server.address), do_handshake_on_connect=False)
    sock.setblocking(False)

    def shaken() -> bool:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    turn_until(shaken, server)
    sock.setblocking(True)
    return sock


def big(size: int) -> Message:
    """A message of about this many bytes, no two of which are alike for long."""
    return Output(b"w" * 12, 1, False, random.Random(size).randbytes(size))


def test_messages_of_all_sizes_arrive_in_order_in_both_directions(server: Node, client: Node) -> None:
    connected(client, server)
    sizes = [0, 1, 1000, 16_384 - 100, 16_384, 16_385, 32_700, 40_000, 131_000, 300_000, 3_000_000, 17, 0]
    there, back = [big(size) for size in sizes], [big(size + 1) for size in sizes]
    client.send(server, *there)
    server.send(client, *back)
    turn_until(lambda: len(server.got(client)) > len(sizes) and len(client.got(server)) == len(sizes), server, client)
    assert server.got(client)[1:] == there
    assert client.got(server) == back


def test_a_slow_reader_gets_everything(server: Node, client: Node) -> None:
    """The kernel takes only a part again and again, and more is queued meanwhile."""
    connected(client, server)
    sent = []
    for number in range(60):
        sent.append(big(200_000 + number))
        client.send(server, sent[-1], BorrowAck(number))
        client.turn()
    assert client.hub.backlog(server.id)
    turn_until(lambda: len(server.got(client)) == 2 * len(sent) + 1, server, client)
    assert server.got(client)[1::2] == sent


def test_nothing_of_it_can_be_read_on_the_way(server: Node, own: Certificates) -> None:
    """A relay between the two sees neither names nor contents; and it works: it is not the middle that is trusted."""
    secret = b"the secret of the message"
    listener = socket.create_server(("127.0.0.1", 0))
    client = Node("client", certificates=own)
    client.hub.send(server.id, Output(b"w" * 12, 1, False, secret), address.format_address(listener))
    client.hub.flush()
    near, _ = listener.accept()
    far = dial(server.address)
    seen = bytearray()
    pipes = ((near, far), (far, near))
    for sock in (near, far):
        sock.setblocking(False)

    def relayed() -> bool:
        for source, target in pipes:
            try:
                data = source.recv(1 << 16)
            except BlockingIOError:
                continue
            seen.extend(data)
            target.sendall(data)
        return bool(server.got(client))

    turn_until(relayed, server, client)
    assert len(seen) > 1000
    assert secret not in seen
    assert client.id not in seen
    for each in (near, far, listener):
        each.close()
    client.close()


def test_who_sits_between_with_a_certificate_of_the_cluster_cannot_pass_the_handshake_on(
    server: Node, own: Certificates
) -> None:
    """Someone who stole the certificate and not the key, and ends TLS on both sides."""
    listener = socket.create_server(("127.0.0.1", 0))
    client = Node("client", certificates=own)
    client.hub.send(server.id, BorrowAck(1), address.format_address(listener))
    client.hub.flush()
    near = contexts(own)[0].wrap_socket(listener.accept()[0], server_side=True, do_handshake_on_connect=False)
    far = secured(server, contexts(own)[1])
    near.setblocking(False)
    far.setblocking(False)

    def shaken() -> bool:
        try:
            near.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    turn_until(shaken, client)

    def relayed() -> bool:
        for source, target in ((near, far), (far, near)):
            try:
                data = source.recv(1 << 16)
            except ssl.SSLWantReadError:
                continue
            if data:
                target.sendall(data)
        return bool(client.lost(server))

    turn_until(relayed, server, client)
    assert "does not hold this session's key" in client.lost(server)[0]
    assert server.log == []
    for each in (near, far, listener):
        each.close()
    client.close()


def test_a_certificate_of_another_authority_is_refused_on_both_sides(server: Node) -> None:
    stranger = Node("stranger", certificates=certificates.make("another"))
    stranger.send(server, BorrowAck(1))
    turn_until(lambda: stranger.lost(server) and server.hub.refused, stranger, server)
    assert "the peer's certificate is not one of this cluster's" in stranger.lost(server)[0]
    assert "TLS failed" in server.hub.last_refusal
    assert server.log == []
    stranger.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
def test_without_a_certificate_or_with_an_old_version_nobody_comes_in(
    server: Node, own: Certificates, version: ssl.TLSVersion
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=own.authority)
    context.maximum_version = version
    sock = context.wrap_socket(dial(server.address), do_handshake_on_connect=False)
    sock.setblocking(False)

    def refused() -> int:
        try:
            sock.do_handshake()
        except ssl.SSLError:
            pass  # one side refuses, sooner or later
        return server.hub.refused

    turn_until(refused, server)
    assert "TLS" in server.hub.last_refusal
    sock.close()


def test_a_peer_that_speaks_no_tls_is_told_so(server: Node, client: Node) -> None:
    plain = dial(server.address)
    plain.sendall(ClientHandshake(Credentials(Role.WORKER, b"plain", SESSION, KEY), server.id, b"n" * 32).hello)
    turn_until(lambda: ended(plain), server)
    plain.close()
    assert "does not speak TLS" in server.hub.last_refusal

    node = Node("plain").listen(LOOPBACK)
    client.send(node, BorrowAck(1))

    def lost() -> list[str]:
        client.clock.ahead += 1.0
        return client.lost(node)

    turn_until(lost, node, client)
    assert "closed the connection" in client.lost(node)[0]
    assert "does not speak this protocol: it began with b'\\x16\\x03" in node.hub.last_refusal
    node.close()


def test_a_wrong_key_inside_tls_is_refused(server: Node, own: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[object] = []
    monkeypatch.setattr(link, "decode", decoded.append)
    stranger = Node("stranger", key=b"k" * 32, certificates=own)
    stranger.send(server, BorrowAck(1))
    turn_until(lambda: stranger.lost(server) and server.hub.refused, stranger, server)
    assert "does not hold this session's key" in stranger.lost(server)[0]
    assert decoded == []
    stranger.close()


def test_what_comes_in_one_record_with_the_proof_is_read(server: Node, own: Certificates) -> None:
    """The poller does not see what has been received already."""
    sock = secured(server, contexts(own)[1])
    handshake = ClientHandshake(Credentials(Role.WORKER, b"raw", SESSION, KEY), server.id, b"n" * 32)
    handshake.binding = sock.get_channel_binding("tls-unique") or b""
    sock.sendall(handshake.hello)
    sock.setblocking(False)
    answer: list[bytes] = []

    def answered() -> bool:
        try:
            answer.append(sock.recv(handshake.needed))
        except ssl.SSLWantReadError:
            return False
        return True

    turn_until(answered, server)
    proof = handshake.receive(answer[0])
    sock.setblocking(True)
    sock.sendall(proof + b"".join(frame(BorrowAck(number)) for number in range(100)))
    turn_until(lambda: len(server.log) == 100, server)
    assert server.log == [(b"raw", BorrowAck(number)) for number in range(100)]
    sock.close()


def test_silent_strangers_and_floods_end_at_their_caps(server: Node, own: Certificates) -> None:
    silent = [dial(server.address) for _ in range(MAX_STRANGERS // 2)]
    halves = [dial(server.address) for _ in range(MAX_STRANGERS // 2)]
    hello = ssl.MemoryBIO()
    half = contexts(own)[1].wrap_bio(ssl.MemoryBIO(), hello)
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    first = hello.read()
    for sock in halves:
        sock.sendall(first[:-1])
    turn_until(lambda: server.hub._greeter.strangers == MAX_STRANGERS, server)
    server.clock.ahead += STRANGER_PATIENCE
    turn_until(lambda: server.hub.refused == MAX_STRANGERS, server)
    assert all(ended(sock) for sock in silent + halves)
    for sock in silent + halves:
        sock.close()
    assert server.log == []


def test_who_says_too_much_before_the_proof_is_cut_off(
    server: Node, client: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "MAX_FROM_STRANGER", 100)
    raw = dial(server.address)
    raw.sendall(b"\x16\x03\x01\x10\x00" + bytes(1000))
    turn_until(lambda: ended(raw), server)
    assert server.hub.last_refusal == "a stranger was refused: over 100 bytes before it was authenticated"
    raw.close()


def test_a_frame_over_the_limit_ends_the_connection(server: Node, client: Node) -> None:
    connected(client, server)
    client.hub._routes[server.id].push(b"x")
    client.hub._routes[server.id].out.append((MAX_FRAME + 1).to_bytes(4, "little"))
    client.hub._routes[server.id].queued += 4
    client.send(server, BorrowAck(1))
    turn_until(lambda: server.lost(client), server, client)
    assert "was cut off for sending" in server.lost(client)[0]


def test_unix_sockets_stay_plain(own: Certificates) -> None:
    a, b = (Node(name, certificates=own).listen() for name in ("a", "b"))
    connected(a, b)
    assert isinstance(a.hub._routes[b.id].sock, socket.socket)
    a.close()
    b.close()


def test_without_certificates_nothing_leaves_the_machine() -> None:
    a = Node("a")
    a.hub.send(b"far", BorrowAck(1), "tcp:10.1.2.3:4")
    a.turn()
    assert "what leaves this machine must be encrypted" in a.lost(b"far")[0]
    a.close()


def write(folder: Path, own: Certificates) -> list[str]:
    paths = [folder / name for name in ("cert.pem", "key.pem", "ca.pem")]
    for path, text in zip(paths, (own.chain, own.key, own.authority), strict=True):
        path.write_text(text)
    return [str(path) for path in paths]


def test_the_users_own_are_read_and_tried(own: Certificates, tmp_path: Path) -> None:
    paths = write(tmp_path, own)
    assert certificates.read(*paths) == own
    with pytest.raises(CertificateError, match=r"nothing.pem cannot be read as PEM"):
        certificates.read(str(tmp_path / "nothing.pem"), *paths[1:])
    other = certificates.make("other")
    (tmp_path / "ca.pem").write_text(other.authority)
    with pytest.raises(CertificateError, match=r"a peer would not accept the certificate: .*verify failed"):
        certificates.read(*paths)
    (tmp_path / "key.pem").write_text(other.key)
    with pytest.raises(CertificateError, match=r"cannot be used: .*KEY_VALUES_MISMATCH"):
        certificates.read(*paths)
    assert own.key not in repr(own)


def test_without_the_package_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "rustyray.engines.native.network.new_certificates", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(CertificateError, match=r"pip install 'rustyray\[tls\]', or bring your own with --tls-cert"):
        certificates.make("x")


def test_openssl_finds_nothing_wrong_with_ours(own: Certificates, tmp_path: Path) -> None:
    cert, _, authority = write(tmp_path, own)
    try:
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", authority, cert]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("no openssl here")
    assert done.stdout.strip().endswith("OK"), done.stderr
