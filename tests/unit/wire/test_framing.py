"""However a stream is cut, the same frames come out; memory follows the frames up and down."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.wire.errors import ProtocolError
from rustyray.wire.framing import HEADER_SIZE, MAX_FRAME, FrameBuffer, header

KEPT = 256 << 10


def stream(payloads: list[bytes]) -> bytes:
    return b"".join(header(len(payload)) + payload for payload in payloads)


def feed(buffer: FrameBuffer, data: bytes, most: int = 1 << 30) -> list[bytes]:
    """Receive ``data`` as a socket would: each time as much as there is room for, but at most ``most`` bytes."""
    payloads = []
    while data:
        space = buffer.space()
        size = min(len(space), len(data), most)
        assert size > 0
        space[:size] = data[:size]
        payloads += [bytes(frame) for frame in buffer.take(size)]
        data = data[size:]
    return payloads


@given(
    st.lists(st.one_of(st.binary(max_size=20), st.integers(0, 3000).map(bytes)), max_size=20),
    st.lists(st.integers(1, 2000), max_size=60),
    st.integers(1, 300),
)
def test_any_cut_gives_the_same_frames(payloads: list[bytes], cuts: list[int], initial: int) -> None:
    data = stream(payloads)
    buffer = FrameBuffer(initial=initial)
    got = []
    for cut in cuts:
        got += feed(buffer, data[:cut])
        data = data[cut:]
    got += feed(buffer, data)
    assert got == payloads
    assert buffer.partial == 0


@given(
    st.lists(st.tuples(st.binary(max_size=40), st.one_of(st.none(), st.binary(min_size=1, max_size=400))), max_size=20),
    st.lists(st.integers(1, 500), max_size=60),
    st.integers(1, 300),
)
def test_bodies_go_elsewhere_however_the_stream_is_cut(
    sent: list[tuple[bytes, bytes | None]], cuts: list[int], initial: int
) -> None:
    data = b"".join(header(len(payload), body is not None) + payload + (body or b"") for payload, body in sent)
    sizes = [len(body) for _, body in sent if body is not None]
    buffer = FrameBuffer(initial=initial)
    got: list[tuple[bytes, bytes | None]] = []
    body, left = b"", 0

    def read(frames: list[memoryview]) -> None:
        nonlocal body, left
        got.extend((bytes(frame), None) for frame in frames)
        if buffer.marked is not None:
            payload = bytes(buffer.marked)
            size = sizes.pop(0)
            body = bytes(buffer.rest(size))
            left = size - len(body)
            got.append((payload, body))
            if not left:
                read(buffer.take(0))

    while data:
        most = cuts.pop() if cuts else 1 << 30
        if left:
            size = min(left, most, len(data))
            body += data[:size]
            left -= size
            got[-1] = (got[-1][0], body)
        else:
            space = buffer.space()
            size = min(len(space), len(data), most)
            space[:size] = data[:size]
            read(buffer.take(size))
        data = data[size:]
    assert got == sent
    assert (left, buffer.partial) == (0, 0)


def test_a_marked_frame_has_the_same_limit() -> None:
    with pytest.raises(ValueError, match="over the limit"):
        header(MAX_FRAME + 1, body=True)
    buffer = FrameBuffer(limit=100)
    buffer.space()[:4] = header(101, body=True)
    with pytest.raises(ProtocolError, match="a frame of"):
        buffer.take(4)


def test_frames_of_one_receive_are_views_that_stay_valid_together() -> None:
    payloads = [bytes([number]) * number for number in range(1, 50)]
    data = stream(payloads) + header(9)
    buffer = FrameBuffer()
    buffer.space()[: len(data)] = data
    frames = buffer.take(len(data))
    assert [bytes(frame) for frame in frames] == payloads
    assert len({id(frame.obj) for frame in frames}) == 1
    assert buffer.partial == HEADER_SIZE


@pytest.mark.parametrize("size", [100_000, KEPT, KEPT + 1, 3 << 20])
def test_memory_grows_to_the_frame_and_goes_after_it(size: int) -> None:
    buffer = FrameBuffer()
    assert feed(buffer, stream([bytes(size), b"small"]), most=70_000) == [bytes(size), b"small"]
    assert buffer.capacity <= max(size + HEADER_SIZE, KEPT)
    assert feed(buffer, stream([b"next"])) == [b"next"]
    assert buffer.capacity <= KEPT


def test_a_frame_behind_a_huge_one_does_not_keep_its_memory() -> None:
    buffer = FrameBuffer()
    huge = bytes(3 << 20)
    assert feed(buffer, stream([huge]) + header(100) + b"part") == [huge]
    buffer.space()
    assert buffer.capacity <= KEPT
    assert feed(buffer, bytes(96)) == [b"part" + bytes(96)]


def test_a_busy_stream_gets_more_room_and_an_idle_one_little() -> None:
    idle, busy = FrameBuffer(), FrameBuffer()
    feed(idle, stream([b"x"]))
    feed(busy, stream([b"x" * 100] * 10_000))
    assert idle.capacity == 16 << 10
    assert busy.capacity == KEPT


@pytest.mark.parametrize("behind", [0, 5000])
def test_a_frame_over_the_limit_is_refused(behind: int) -> None:
    buffer = FrameBuffer(limit=1000)
    assert feed(buffer, stream([bytes(1000)])) == [bytes(1000)]
    with pytest.raises(ProtocolError, match="a frame of 1001 bytes; the limit is 1000"):
        feed(buffer, header(1001) + bytes(behind))
    assert buffer.capacity <= 64 << 10


def test_a_header_that_promises_too_much_allocates_nothing() -> None:
    buffer = FrameBuffer()
    with pytest.raises(ProtocolError, match=f"a frame of {2**32 - 1} bytes"):
        feed(buffer, b"\xff\xff\xff\xff")
    assert buffer.capacity == 16 << 10


def test_a_message_over_the_limit_is_refused_by_the_sender() -> None:
    assert header(MAX_FRAME) == b"\x00\x00\x00\x10"
    with pytest.raises(ValueError, match="over the limit"):
        header(MAX_FRAME + 1)
