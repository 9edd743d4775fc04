"""A message survives the wire; anything else is refused by name."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rustyray.model import messages as m
from rustyray.model.values import Failed, Fault, FaultKind, Packed, RefInfo, Stored
from rustyray.wire.codec import decode, decode_chunk, encode
from rustyray.wire.errors import ProtocolError

REF = RefInfo(b"o" * 24, "unix:@somewhere")
FAILED = Failed(b"cause", "f", "Traceback…", pid=7, refs=[REF])
MESSAGES: list[m.Message] = [
    m.ReclaimLeases(),
    m.DefineFunction(b"digest", b"\x00" * 1000, "module.f"),
    m.PushTasks(3, [m.Task(b"t" * 20, b"f", deps=[m.Arg(b"o" * 24, Stored(b"n" * 8, 1 << 40))], refs=[REF])]),
    m.PushCalls([m.Call(b"t" * 20, b"a" * 20, "method", 2**40, buffers=[b"", b"x"])]),
    m.Results([m.Done(b"t" * 20, b"value"), m.Done(b"u" * 20, [FAILED], failed=True)], 0.25),
    m.ObjectReady(b"o" * 24, Packed(b"data", [b"buffer"], [REF])),
    m.ObjectReady(b"o" * 24, Fault(FaultKind.ACTOR_DIED, "gone", cause=FAILED)),
    m.ActorInfo(b"a" * 20, m.ActorState.RESTARTING, incarnation=2),
    m.RequestLease(1, b"job1", {"é": 10_000}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_survives(message: m.Message) -> None:
    assert decode(encode(message)) == message


def test_bytes_in_a_message_are_copies() -> None:
    data = bytearray(encode(m.DefineFunction(b"digest", b"code", "f")))
    message = decode(memoryview(data))
    data[:] = bytes(len(data))
    assert message == m.DefineFunction(b"digest", b"code", "f")


@pytest.mark.parametrize(
    ("plain", "complaint"),
    [
        ([3, "no list"], r"Expected `array`, got `str` - at `\$\[1\]`"),
        ([13], "Expected `array` of at least length 2, got 1"),
        ([9999, 1], "Invalid value 9999"),
        ({"type": 3}, "Expected `array`, got `object`"),
        (None, "Expected `array`, got"),
    ],
)
def test_a_malformed_message_is_refused_with_the_reason(plain: object, complaint: str) -> None:
    data = msgspec.msgpack.encode(plain)
    with pytest.raises(ProtocolError, match=rf"a malformed message of {len(data)} bytes: .*{complaint}"):
        decode(data)


def test_a_chunk_comes_with_a_body_or_not_at_all() -> None:
    chunk = m.Chunk(b"o" * 24, 3, 0, 100)
    assert decode_chunk(encode(chunk)) == chunk
    with pytest.raises(ProtocolError, match="Invalid value 93"):
        decode(encode(chunk))
    with pytest.raises(ProtocolError, match="before a body: "):
        decode_chunk(encode(m.ReclaimLeases()))


def test_what_is_too_deep_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode(b"\x91" * 100_000)


@given(st.sampled_from(MESSAGES), st.data())
def test_a_truncated_message_is_refused(message: m.Message, data: st.DataObject) -> None:
    whole = encode(message)
    with pytest.raises(ProtocolError):
        decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.binary(max_size=200))
def test_random_bytes_make_a_message_or_a_refusal(data: bytes) -> None:
    try:
        message = decode(data)
    except ProtocolError:
        return
    assert decode(encode(message)) == message


def test_what_is_no_unicode_in_texts_is_escaped() -> None:
    """As in the name of a file, which an exception then names."""
    odd = "report-\udcff"

    def results(text: str) -> m.Results:
        return m.Results([m.Done(b"t", [Failed(b"\xff", text, story) for story in (text, "x")], failed=True)], 0.5)

    assert decode(encode(results(odd))) == results("report-\\udcff")
    assert decode(encode(m.RequestLease(1, b"job1", {odd: 3}))) == m.RequestLease(1, b"job1", {"report-\\udcff": 3})


def test_strings_and_numbers_of_other_classes_go_as_pythons_own() -> None:
    name, amount = np.array(["abc"])[0], np.array([3])[0]
    assert decode(encode(m.RequestLease(amount, b"job1", {name: amount}))) == m.RequestLease(3, b"job1", {"abc": 3})
