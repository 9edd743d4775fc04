"""One object's bytes on this node: written, sealed, maybe in the spill file, freed."""

from __future__ import annotations

import enum

from rustyray.core.story import StateTable
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID


class CopyState(enum.IntEnum):
    WRITING = 1
    WRITING_FREED = 2
    SEALED = 3
    FREED = 4
    GONE = 5
    SPILLED = 6
    RESTORING = 7
    RESTORING_FREED = 8


#: Of an enumeration they are looked up much more slowly, in Python 3.11.
SEALED, FREED, SPILLED = CopyState.SEALED, CopyState.FREED, CopyState.SPILLED


class CopyEvent(enum.IntEnum):
    SEAL = 1
    ABORT = 2
    FREE = 3
    UNUSED = 4
    MADE_AGAIN = 5
    SPILL = 6
    RESTORE = 7
    RESTORED = 8
    LOST = 9


_S, _E = CopyState, CopyEvent

COPY_TABLE = StateTable(
    "stored copy",
    _S.WRITING,
    {
        (_S.WRITING, _E.SEAL): _S.SEALED,
        (_S.WRITING, _E.ABORT): _S.GONE,
        (_S.WRITING, _E.FREE): _S.WRITING_FREED,
        (_S.WRITING_FREED, _E.FREE): _S.WRITING_FREED,
        (_S.WRITING_FREED, _E.SEAL): _S.GONE,
        (_S.WRITING_FREED, _E.ABORT): _S.GONE,
        (_S.SEALED, _E.FREE): _S.FREED,
        (_S.FREED, _E.FREE): _S.FREED,
        (_S.FREED, _E.UNUSED): _S.GONE,
        (_S.FREED, _E.MADE_AGAIN): _S.SEALED,
        (_S.SEALED, _E.SPILL): _S.SPILLED,
        (_S.SPILLED, _E.FREE): _S.FREED,
        (_S.SPILLED, _E.RESTORE): _S.RESTORING,
        (_S.RESTORING, _E.RESTORED): _S.SEALED,
        (_S.RESTORING, _E.LOST): _S.GONE,
        (_S.RESTORING, _E.FREE): _S.RESTORING_FREED,
        (_S.RESTORING_FREED, _E.FREE): _S.RESTORING_FREED,
        (_S.RESTORING_FREED, _E.RESTORED): _S.GONE,
        (_S.RESTORING_FREED, _E.LOST): _S.GONE,
    },
)


class Copy:
    """An object's ``size`` bytes: at ``offset`` in the arena (-1: not there), at ``place`` in the spill file.

    It is mapped ``pins`` times. A spare was pulled from another node, its ``source``, which has the original; it is
    ``orphaned`` when that has died, and stays as long as anybody maps it. While it is written to the spill file it is
    ``leaving``; ``coming`` says that it was asked back, or is being read.
    """

    __slots__ = (
        "attempt",
        "checksum",
        "coming",
        "leaving",
        "object",
        "offset",
        "orphaned",
        "pins",
        "place",
        "size",
        "source",
        "state",
    )

    def __init__(self, object_: ObjectID, offset: int, size: int, attempt: int, source: NodeID = b"") -> None:
        self.object = object_
        self.offset = offset
        self.size = size
        self.attempt = attempt
        self.pins = 0
        self.source = source
        self.orphaned = False
        self.state = COPY_TABLE.initial
        self.place = -1
        self.checksum = 0
        self.leaving = False
        self.coming = False

    @property
    def freed(self) -> bool:
        """Its owner needs it no more; whoever maps it may go on."""
        return self.state is FREED

    @property
    def away(self) -> bool:
        """It is in the spill file alone, or on its way back."""
        return self.state is CopyState.SPILLED or self.state is CopyState.RESTORING


def is_node(client: bytes) -> bool:
    """Whether this client of the store is another node."""
    return len(client) == NODE_ID_SIZE


def mb(size: float) -> str:
    return f"{size / 1e6:.3g} MB"
