"""Ids as values."""

from __future__ import annotations

import pickle

import pytest

from rustyray import ActorID, JobID, NodeID, TaskID, WorkerID
from rustyray.api.ids import BaseID

KINDS: list[type[BaseID]] = [ActorID, JobID, NodeID, TaskID, WorkerID]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_values(kind: type[BaseID]) -> None:
    one = kind(bytes(range(kind.size())))
    same = kind.from_hex(one.hex())
    assert one == same
    assert len({one, same}) == 1
    assert one.binary() == bytes(range(kind.size()))
    assert repr(one) == f"{kind.__name__}({one.hex()})"
    assert pickle.loads(pickle.dumps(one)) == one
    assert kind.from_binary(one.binary()) == kind.from_hex(hex_id=one.hex()) == one
    assert kind.from_random() != kind.from_random()
    assert kind.nil().is_nil()
    assert not one.is_nil()
    assert kind.nil() < one
    with pytest.raises(AttributeError):
        one.other = 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KINDS)
def test_ids_have_one_length(kind: type[BaseID]) -> None:
    with pytest.raises(ValueError, match=f"{kind.__name__} takes {kind.size()} bytes, got 3"):
        kind(b"abc")
    with pytest.raises(TypeError, match=f"{kind.__name__} takes bytes, got 'abc'"):
        kind("abc")  # type: ignore[arg-type]


def test_jobs_are_numbered() -> None:
    assert JobID.from_int(258).int() == 258
    assert JobID.from_int(1).hex() == "00000001"


def test_ids_of_different_kinds_differ() -> None:
    assert ActorID.nil() != TaskID.nil()
    with pytest.raises(TypeError):
        _ = ActorID.nil() < TaskID.nil()  # type: ignore[operator]
