"""How values of a class are pickled, said by the program."""

from __future__ import annotations

import io
import threading
from typing import Any

import pytest

import rustyray
from rustyray.util import deregister_serializer, inspect_serializability, register_serializer


class Guarded:
    def __init__(self, number: int) -> None:
        self.number = number
        self.lock = threading.Lock()


def test_values_are_pickled_as_the_program_says(local: rustyray.Session) -> None:
    with pytest.raises(TypeError, match="lock"):
        rustyray.put(Guarded(1))
    register_serializer(Guarded, serializer=lambda guarded: guarded.number, deserializer=Guarded)
    try:
        assert rustyray.get(rustyray.put([Guarded(2)]))[0].number == 2

        @rustyray.remote
        def number(guarded: Any) -> int:
            return int(guarded.number)

        assert rustyray.get(number.remote(Guarded(3))) == 3
    finally:
        deregister_serializer(Guarded)
    with pytest.raises(TypeError, match="lock"):
        rustyray.put(Guarded(1))
    deregister_serializer(Guarded)  # for a second time, nothing


def test_what_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match="takes a class"):
        register_serializer("Guarded", serializer=str, deserializer=str)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="deserializer must be a function"):
        register_serializer(Guarded, serializer=str, deserializer=3)  # type: ignore[arg-type]


def test_what_is_to_blame_is_told() -> None:
    told = io.StringIO()
    guarded = Guarded(1)
    fits, found = inspect_serializability({"a": [guarded]}, name="box", print_file=told)
    assert not fits
    assert found[0].obj is guarded.lock
    assert found[0].name == "box['a'][0].lock"
    assert "box['a'][0].lock" in told.getvalue()
    assert inspect_serializability([1, 2], print_file=told) == (True, [])
