"""Ids as values: what an actor's handle, or a program ported from Ray, shows and compares."""

from __future__ import annotations

import os
from typing import Any, ClassVar, Self

from rustyray.model import ids


class BaseID:
    """An id: bytes of a fixed length, immutable, hashable and ordered. All zeros is nil."""

    _size: ClassVar[int] = 0
    __slots__ = ("_bytes",)

    def __init__(self, binary: bytes) -> None:
        if not isinstance(binary, bytes):
            raise TypeError(f"{type(self).__name__} takes bytes, got {binary!r}")
        if len(binary) != self._size:
            raise ValueError(f"{type(self).__name__} takes {self._size} bytes, got {len(binary)}")
        self._bytes = binary

    @classmethod
    def _of(cls, binary: bytes) -> Self:
        """An id that an engine has made, of whatever length its ids have."""
        made = cls.__new__(cls)
        made._bytes = binary
        return made

    @classmethod
    def size(cls) -> int:
        """How many bytes it has."""
        return cls._size

    @classmethod
    def from_binary(cls, binary: bytes) -> Self:
        return cls(binary)

    @classmethod
    def from_hex(cls, hex_id: str) -> Self:
        return cls(bytes.fromhex(hex_id))

    @classmethod
    def from_random(cls) -> Self:
        """One that nothing has."""
        return cls(os.urandom(cls._size))

    @classmethod
    def nil(cls) -> Self:
        return cls(bytes(cls._size))

    def is_nil(self) -> bool:
        return not any(self._bytes)

    def binary(self) -> bytes:
        return self._bytes

    def hex(self) -> str:
        return self._bytes.hex()

    def __eq__(self, other: object) -> bool:
        return self._bytes == other._bytes if type(other) is type(self) else NotImplemented

    def __lt__(self, other: Self) -> bool:
        return self._bytes < other._bytes if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._bytes.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self)._of, (self._bytes,)


class JobID(BaseID):
    """A driver's program."""

    __slots__ = ()
    _size = ids.JOB_ID_SIZE

    @classmethod
    def from_int(cls, value: int) -> Self:
        return cls(value.to_bytes(cls._size, "big"))

    def int(self) -> int:
        """Its number."""
        return int.from_bytes(self._bytes, "big")


class NodeID(BaseID):
    __slots__ = ()
    _size = ids.NODE_ID_SIZE


class WorkerID(BaseID):
    """A worker's process, or a driver's."""

    __slots__ = ()
    _size = ids.WORKER_ID_SIZE


class TaskID(BaseID):
    __slots__ = ()
    _size = ids.TASK_ID_SIZE


class ActorID(BaseID):
    __slots__ = ()
    _size = ids.TASK_ID_SIZE


class PlacementGroupID(BaseID):
    __slots__ = ()
    _size = ids.TASK_ID_SIZE
