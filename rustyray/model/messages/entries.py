"""Small values that the head keeps for programs, by namespace and key."""

from __future__ import annotations

import enum

import msgspec


class EntryAction(enum.IntEnum):
    """What to do with an entry. ``ADD`` leaves a value that is there; the last two are of all keys with a prefix."""

    GET = 1
    PUT = 2
    ADD = 3
    DELETE = 4
    LIST = 5
    DELETE_ALL = 6


class AskEntry(msgspec.Struct, array_like=True, gc=False, tag=130):
    """Anyone → head. Answered by `EntryAnswer`."""

    request: int
    action: EntryAction
    namespace: bytes
    key: bytes
    value: bytes = b""


class EntryAnswer(msgspec.Struct, array_like=True, gc=False, tag=131):
    """How many entries there were before, with their keys if a list was asked for, else with their value."""

    request: int
    found: int
    values: list[bytes]
