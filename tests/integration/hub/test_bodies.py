"""Bodies over real sockets: they arrive where they belong, other messages go first, and nobody else's are taken."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from rustyray.core.node import THROWN_AWAY, Place
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.network.bodies import STEP, Bodies
from rustyray.engines.native.network.link import MAX_BODY
from rustyray.model.messages import BorrowAck, Chunk
from rustyray.wire.codec import encode
from rustyray.wire.framing import header
from tests.integration.hub.hubs import Node, RawPeer, connected, ended, frame, nodes, turn_until

SIZE = 32 << 20
OBJECT = b"o" * 24


class Core:
    """Answers as a node's core does."""

    def __init__(self) -> None:
        self.places: dict[int, Place] = {}
        self.failed: list[str] = []

    def place(self, sender: bytes, chunk: Chunk) -> Place | None:
        return self.places.get(chunk.pull)

    def not_written(self, sender: bytes, chunk: Chunk, why: str, now: float) -> None:
        self.failed.append(why)
        self.places[chunk.pull] = THROWN_AWAY


class Store:
    """A hub with an arena to send from and to receive into."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.core = Core()
        self.arena = Arena.create(SIZE)
        self.bodies = node.hub.bodies = Bodies(self.core, self.arena, lambda: 0.0)

    def fill(self, offset: int, size: int) -> bytes:
        data = os.urandom(size)
        os.pwrite(self.arena.fd, data, offset)
        return data

    def send(self, to: Node, pull: int, offset: int, begin: int, size: int) -> None:
        self.node.hub.send_body(to.id, Chunk(OBJECT, pull, begin, size), self.bodies.view(offset + begin, size))
        self.node.hub.flush()

    def holds(self, offset: int, size: int) -> bytes:
        return os.pread(self.arena.fd, size, offset)


@pytest.fixture(params=["unix", "tcp"])
def stores(request: pytest.FixtureRequest) -> Iterator[tuple[Store, Store]]:
    a, b = Node("a"), Node("b").listen("tcp:127.0.0.1:0" if request.param == "tcp" else "")
    connected(a, b)
    both = Store(a), Store(b)
    yield both
    for store in both:
        store.node.close()
        store.arena.close()


@pytest.fixture
def listening() -> Iterator[Store]:
    with nodes("a") as (a,):
        store = Store(a)
        yield store
        store.arena.close()


def raw_chunk(pull: int, size: int, body: bytes = b"") -> bytes:
    payload = encode(Chunk(OBJECT, pull, 0, size))
    return header(len(payload), body=True) + payload + body


def test_bodies_land_in_the_arena_between_other_messages(stores: tuple[Store, Store]) -> None:
    a, b = stores
    sizes = [1, 4096, STEP - 1, STEP, STEP + 1, 5 * STEP]
    offsets = [sum(sizes[:number]) for number in range(len(sizes))]
    data = [a.fill(offset, size) for offset, size in zip(offsets, sizes, strict=True)]
    for number, (offset, size) in enumerate(zip(offsets, sizes, strict=True)):
        b.core.places[number] = Place(8 << 20, number % 2 == 1)
        a.send(b.node, number, offset, 0, size)
        turn_until(lambda: len(b.node.got(a.node)) > 1 + number, a.node, b.node)  # noqa: B023 - called at once
        assert b.node.got(a.node)[-1] == Chunk(OBJECT, number, 0, size)
        assert b.holds(8 << 20, size) == data[number]
    b.core.places[99] = Place(0, False)
    for number in range(20):
        a.send(b.node, 99, 0, number * 100_000, 100_000)
        a.node.send(b.node, BorrowAck(number))
    whole = a.holds(0, 2_000_000)
    turn_until(lambda: len(b.node.got(a.node)) == 1 + len(sizes) + 40, a.node, b.node)
    assert b.holds(0, 2_000_000) == whole
    got = b.node.got(a.node)[-40:]
    assert [chunk.begin for chunk in got if isinstance(chunk, Chunk)] == [number * 100_000 for number in range(20)]
    assert [ack for ack in got if isinstance(ack, BorrowAck)] == [BorrowAck(number) for number in range(20)]


def test_copies_stay_as_they_were_however_many_wait(stores: tuple[Store, Store]) -> None:
    a, b = stores
    for turn in range(3):
        whole = a.fill(0, 12 << 20)
        b.core.places[turn] = Place(0, False)
        for begin in range(0, len(whole), STEP):
            view = a.bodies.view(begin, STEP, copied=True)
            a.node.hub.send_body(b.node.id, Chunk(OBJECT, turn, begin, STEP), view)
        a.fill(0, len(whole))
        a.node.hub.flush()
        turn_until(lambda: len(b.node.got(a.node)) == 1 + 12 * (turn + 1), a.node, b.node)  # noqa: B023 - called at once
        assert b.holds(0, len(whole)) == whole


def test_what_else_is_said_waits_for_one_body_at_most(stores: tuple[Store, Store]) -> None:
    a, b = stores
    b.core.places[1] = Place(0, False)
    for number in range(8):
        a.send(b.node, 1, 0, number * 2 * STEP, 2 * STEP)
    a.node.send(b.node, BorrowAck(77))
    turn_until(lambda: BorrowAck(77) in b.node.got(a.node), a.node, b.node)
    before = b.node.got(a.node).index(BorrowAck(77)) - 1
    assert before <= 2, "one on its way, one that had begun"
    turn_until(lambda: len(b.node.got(a.node)) == 10, a.node, b.node)


def test_pulls_take_turns(stores: tuple[Store, Store]) -> None:
    a, b = stores
    for pull in (1, 2, 3):
        b.core.places[pull] = Place(0, False)
    for number in range(14):
        a.send(b.node, 1, 0, number * 2 * STEP, 2 * STEP)
    for pull in (2, 3, 2):
        a.send(b.node, pull, 0, 0, 1000)
    turn_until(lambda: len(b.node.got(a.node)) == 18, a.node, b.node)
    chunks = [chunk.pull for chunk in b.node.got(a.node) if isinstance(chunk, Chunk)]
    behind = chunks.index(2)  # what was on its way, and the one that had begun
    assert behind < 10
    assert [pull for pull in chunks[behind:] if pull != 1] == [2, 3, 2]
    assert chunks[-1] == 1
    assert 1 in chunks[behind : len(chunks) - chunks[::-1].index(2)], "it had its turn between the two"


def test_a_body_of_a_pull_that_is_over_is_read_and_thrown_away(stores: tuple[Store, Store]) -> None:
    a, b = stores
    a.fill(0, 3 * STEP)
    b.core.places[1] = THROWN_AWAY
    a.send(b.node, 1, 0, 0, 3 * STEP)
    turn_until(lambda: len(b.node.got(a.node)) == 2, a.node, b.node)
    assert b.arena.resident() == 0
    connected(a.node, b.node)


def test_a_full_memory_is_told_and_the_rest_is_read(stores: tuple[Store, Store]) -> None:
    a, b = stores
    b.core.places[1] = Place(SIZE - STEP, False)
    a.send(b.node, 1, 0, 0, 3 * STEP)
    turn_until(lambda: len(b.node.got(a.node)) == 2, a.node, b.node)
    assert len(b.core.failed) == 1
    connected(a.node, b.node)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        (raw_chunk(5, 100, bytes(100)), "that nobody asked for"),
        (raw_chunk(1, MAX_BODY + 1), f"a body of {MAX_BODY + 1} bytes; the limit is {MAX_BODY}"),
        (raw_chunk(1, 0), "a body of 0 bytes"),
        (raw_chunk(1, -5), "a body of -5 bytes"),
        (frame(Chunk(OBJECT, 1, 0, 10)), "Invalid value 93"),
        (b"\x01\x00\x00\x80\x00", "before a body"),
    ],
)
def test_who_sends_what_nobody_asked_for_is_cut_off(listening: Store, said: bytes, complaint: str) -> None:
    a = listening.node
    listening.core.places[1] = Place(0, False)
    raw = RawPeer(a).authenticate()
    raw.send(frame(BorrowAck(1)) + said)
    turn_until(lambda: a.lost(raw.id), a)
    assert a.log[0] == (raw.id, BorrowAck(1))
    assert complaint in a.lost(raw.id)[0]
    assert ended(raw.socket)
    assert listening.arena.resident() == 0
    raw.close()


def test_a_process_that_is_no_node_takes_no_bodies() -> None:
    with nodes("a") as (a,):
        raw = RawPeer(a).authenticate()
        raw.send(raw_chunk(1, 10, bytes(10)))
        turn_until(lambda: a.lost(raw.id), a)
        assert "to a process that is no node" in a.lost(raw.id)[0]
        raw.close()


def test_an_end_in_the_middle_of_a_body_is_said(listening: Store) -> None:
    a = listening.node
    listening.core.places[1] = Place(0, False)
    raw = RawPeer(a).authenticate()
    raw.send(raw_chunk(1, 1000, b"x" * 400))
    raw.socket.shutdown(socket.SHUT_WR)
    turn_until(lambda: a.lost(raw.id), a)
    assert "closed the connection 400 bytes into a message" in a.lost(raw.id)[0]
    assert listening.holds(0, 400) == b"x" * 400
    raw.close()
