"""Hubs over real sockets: messages in order, losses after them, and nobody blocks."""

from __future__ import annotations

import socket
import threading

import pytest

from rustyray.engines.native.network import sleeping
from rustyray.engines.native.network.poller import SelectorPoller
from rustyray.model.messages import BorrowAck, DefineFunction
from tests.integration.hub.hubs import Node, RawPeer, acks, blob, connected, ended, frame, turn_until

MEGABYTE = 1 << 20


@pytest.mark.parametrize("where", ["", "tcp:127.0.0.1:0", "tcp:[::1]:0", "path"])
@pytest.mark.parametrize("fallback", [False, True], ids=["epoll", "selectors"])
def test_messages_arrive_in_order_whatever_carries_them(
    where: str, fallback: bool, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "tcp:[::1]:0" and not _has_ipv6():
        pytest.skip("no IPv6 here")
    if fallback:
        monkeypatch.setattr(sleeping, "new_poller", SelectorPoller)
    path = tmp_path_factory.mktemp("s") / "b"
    a, b = Node("a"), Node("b").listen(f"unix:{path}" if where == "path" else where)
    a.send(b, *acks(*range(100)))
    assert a.hub.has_link(b.id)
    assert a.hub.peers() == []
    turn_until(lambda: len(b.got(a)) == 100, a, b)
    b.send(a, *acks(*range(100, 200)))
    turn_until(lambda: len(a.got(b)) == 100, a, b)
    assert b.got(a) == acks(*range(100))
    assert a.got(b) == acks(*range(100, 200))
    assert (a.hub.peers(), b.hub.peers()) == ([b.id], [a.id])
    b.hub.close()
    turn_until(lambda: a.lost(b), a)
    a.hub.close()
    assert not path.exists()


def test_send_and_flush_never_fail_at_once(pair: tuple[Node, Node]) -> None:
    a, b = pair
    b.hub.close()
    a.send(b, *acks(1, 2))
    assert a.log == []
    turn_until(lambda: a.lost(b), a)
    assert a.lost(b) == [f"peer {b.id.hex()[-12:]} could not be reached at {b.address}: Connection refused"]


def test_without_an_address_a_stranger_cannot_be_reached(pair: tuple[Node, Node]) -> None:
    a, b = pair
    a.hub.send(b.id, BorrowAck(1))
    a.turn()
    assert a.lost(b) == [f"there is no connection to {b.id.hex()[-12:]}, and no address to reach it at"]
    a.turn()
    assert len(a.log) == 1


def test_a_loss_wakes_the_waiting_thread(pair: tuple[Node, Node]) -> None:
    a, b = pair
    waiting = threading.Thread(target=lambda: a.turn(20.0))
    waiting.start()
    a.hub.send(b.id, BorrowAck(1))
    waiting.join(20)
    assert len(a.lost(b)) == 1


def test_what_is_no_address_cannot_be_reached(pair: tuple[Node, Node]) -> None:
    """Addresses come from peers: a wrong one costs the peer that it is about, and nothing else."""
    a, b = pair
    a.hub.send(b.id, BorrowAck(1), "nonsense")
    a.turn()
    assert "could not be reached at nonsense: not an address: 'nonsense'" in a.lost(b)[0]
    assert not a.hub.has_link(b.id)
    connected(a, b)


def test_a_message_over_the_limit_is_the_callers_mistake(
    pair: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = pair
    connected(a, b)
    monkeypatch.setattr("rustyray.wire.framing.MAX_FRAME", MEGABYTE)
    with pytest.raises(ValueError, match=f"over the limit of {MEGABYTE}"):
        a.hub.send(b.id, blob(MEGABYTE))
    a.send(b, BorrowAck(2))
    turn_until(lambda: b.got(a) == acks(0, 2), a, b)


def test_messages_to_oneself_come_back(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    message = blob(3)
    a.hub.send(a.id, message)
    a.hub.send(a.id, BorrowAck(2))
    a.turn(20.0)
    assert a.got(a) == [message, BorrowAck(2)]
    assert a.got(a)[0] is not message


def test_both_connect_at_once_and_both_stay_in_order(pair: tuple[Node, Node]) -> None:
    a, b = pair
    for number in range(50):
        a.send(b, BorrowAck(number))
        b.send(a, BorrowAck(number))
        if number > 20:
            a.turn()
        if number > 25:
            b.turn()
    turn_until(lambda: len(a.got(b)) == len(b.got(a)) == 50, a, b)
    assert a.got(b) == b.got(a) == acks(*range(50))
    assert (a.hub.peers(), b.hub.peers()) == ([b.id], [a.id])
    b.hub.close()
    turn_until(lambda: a.lost(b), a)
    a.turn()
    assert a.lost(b) == ["worker 2e2e2e2e2e2e closed the connection"]
    assert not a.hub.has_link(b.id)


def test_what_a_peer_said_before_it_ended_comes_before_its_loss(pair: tuple[Node, Node]) -> None:
    a, b = pair
    a.send(b, BorrowAck(0))
    b.send(a, BorrowAck(0))
    turn_until(lambda: a.got(b) and b.got(a), a, b)
    # Two links now. Something waits on each of them, and on ours there is something that can no longer be sent.
    b.send(a, blob(100_000), BorrowAck(1))
    b.hub.close()
    a.send(b, BorrowAck(2))
    turn_until(lambda: a.lost(b), a)
    assert [what if isinstance(what, str) else type(what) for _, what in a.log[1:]] == [
        DefineFunction,
        BorrowAck,
        "worker 2e2e2e2e2e2e closed the connection",
    ]


def test_both_links_are_read_to_their_ends(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    first, second = (RawPeer(a).authenticate() for _ in range(2))
    turn_until(lambda: a.hub.peers() == [first.id], a)
    a.turn()
    second.say(*acks(1, 2))
    second.send(frame(blob(100_000)))
    first.close()
    second.close()
    turn_until(lambda: a.lost(first.id), a)
    a.turn()
    assert [type(what) for _, what in a.log] == [BorrowAck, BorrowAck, DefineFunction, str]


def test_large_frames_cross_without_deadlock_or_lasting_memory(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    a.send(b, blob(20 * MEGABYTE, b"a"), BorrowAck(1))
    b.send(a, blob(20 * MEGABYTE, b"b"), BorrowAck(1))
    assert a.hub.backlog(b.id) > 19 * MEGABYTE
    turn_until(lambda: len(a.got(b)) == 2 and len(b.got(a)) == 3, a, b)
    assert b.got(a)[1:] == [blob(20 * MEGABYTE, b"a"), BorrowAck(1)]
    assert a.got(b) == [blob(20 * MEGABYTE, b"b"), BorrowAck(1)]
    assert a.hub.backlog(b.id) == b.hub.backlog(a.id) == 0


def test_a_full_kernel_buffer_keeps_nobody_waiting(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    for number in range(2000):
        a.send(b, blob(number), BorrowAck(number))
    queued = a.hub.backlog(b.id)
    assert queued > MEGABYTE
    a.turn()
    assert a.hub.backlog(b.id) == queued
    turn_until(lambda: len(b.got(a)) == 4001, a, b)
    assert b.got(a)[2::2] == acks(*range(2000))
    assert a.hub.backlog(b.id) == 0
    # Writable now, and nobody cares: the wait is not cut short.
    assert a.hub.wait(0.0) == []


def test_many_small_messages_and_large_ones_mixed(pair: tuple[Node, Node]) -> None:
    a, b = pair
    sizes = [0, 40_000, 3, 200_000, 1, 1, 70_000, 500_000, 2] * 20
    for size in sizes:
        a.hub.send(b.id, blob(size), b.address)
    a.hub.flush()
    turn_until(lambda: len(b.got(a)) == len(sizes), a, b)
    assert b.got(a) == [blob(size) for size in sizes]


def test_many_peers(pair: tuple[Node, Node]) -> None:
    server, _ = pair
    clients = [Node(f"client {number}") for number in range(100)]
    for number, client in enumerate(clients):
        client.send(server, BorrowAck(number))
    turn_until(lambda: len(server.log) == 100, server, *clients)
    for number, client in enumerate(clients):
        assert server.got(client) == acks(number)
        server.hub.send(client.id, BorrowAck(number))
    server.hub.flush()
    turn_until(lambda: all(client.got(server) for client in clients), *clients)
    assert sorted(server.hub.peers()) == sorted(client.id for client in clients)
    for client in clients:
        client.hub.close()
    turn_until(lambda: not server.hub.peers(), server)
    assert all(len(server.lost(client)) == 1 for client in clients)
    assert server.hub.refused == 0


def test_a_dropped_peer_is_lost_on_both_sides(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    a.hub.drop(b.id, "it has been naughty")
    a.hub.drop(b.id, "once is enough")
    a.hub.send(b.id, BorrowAck(7), b.address)
    turn_until(lambda: a.lost(b) and b.lost(a), a, b)
    assert a.lost(b) == ["it has been naughty"]
    assert b.got(a) == acks(0)
    connected(a, b)


def test_a_lost_peer_may_be_called_again_from_on_lost(pair: tuple[Node, Node]) -> None:
    a, b = pair
    connected(a, b)
    a.hub._on_lost = lambda peer, reason: a.send(b, BorrowAck(8))
    a.hub.drop(b.id, "to see")
    turn_until(lambda: BorrowAck(8) in b.got(a), a, b)


def test_a_malformed_message_ends_its_peer_and_what_came_before_counts(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    raw = RawPeer(a).authenticate()
    raw.send(frame(BorrowAck(1)) + b"\x02\x00\x00\x00\xff\xff" + frame(BorrowAck(2)))
    turn_until(lambda: a.lost(raw.id), a)
    assert a.log[0] == (raw.id, BorrowAck(1))
    assert len(a.log) == 2
    assert "was cut off for sending a malformed message of 2 bytes" in a.lost(raw.id)[0]
    assert ended(raw.socket)
    raw.close()


def test_an_end_in_the_middle_of_a_message_is_said(pair: tuple[Node, Node]) -> None:
    a, _ = pair
    raw = RawPeer(a).authenticate()
    raw.send(frame(blob(1000))[:500])
    raw.close()
    turn_until(lambda: a.lost(raw.id), a)
    assert a.lost(raw.id) == [f"worker {raw.id.hex()[-12:]} closed the connection 500 bytes into a message"]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True
