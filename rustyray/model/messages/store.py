"""What drivers and workers say to their node about its store, and nodes to one another about theirs.

The bytes travel between nodes only, in pieces; on one node they are in the arena.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.model.ids import NodeID, ObjectID
from rustyray.model.values import Fault


class StoreCreate(msgspec.Struct, array_like=True, gc=False, tag=40):
    """Reserve ``size`` bytes for ``object``; the caller writes them and then seals. ``attempt`` is its task's."""

    request: int
    object: ObjectID
    size: int
    attempt: int = 0


class StoreCreated(msgspec.Struct, array_like=True, gc=False, tag=41):
    """Write at ``offset`` (bytes, page-aligned). ``touched`` bytes from there were written before, so are cheap."""

    request: int
    offset: int
    touched: int


class StoreFailed(msgspec.Struct, array_like=True, gc=False, tag=42):
    """The node can not do what ``request`` asked: full (with the numbers), or no such object."""

    request: int
    fault: Fault


class StoreSeal(msgspec.Struct, array_like=True, gc=False, tag=43):
    """The object is complete and from now on immutable. The creator's pin becomes the primary copy's."""

    object: ObjectID


class StoreAbort(msgspec.Struct, array_like=True, gc=False, tag=44):
    """The creator could not write the object; its extent is free again."""

    object: ObjectID


class StorePin(msgspec.Struct, array_like=True, gc=False, tag=45):
    """Keep ``object`` where it is while the caller maps it.

    It has ``size`` bytes, and lies on ``node``: who is told pulls it from there if it has no copy yet. Without a node
    it is there, or nowhere.
    """

    request: int
    object: ObjectID
    node: NodeID = b""
    size: int = 0
    attempt: int = 0


class StorePinAll(msgspec.Struct, array_like=True, gc=False, tag=89):
    """As all of ``pins``, which the caller needs at the same time: none is of use to it without the others."""

    pins: list[StorePin]


class StorePinned(msgspec.Struct, array_like=True, gc=False, tag=46):
    request: int
    offset: int
    size: int


class StoreUnpin(msgspec.Struct, array_like=True, gc=False, tag=47):
    """One pin less on each of ``objects``."""

    objects: list[ObjectID]


class StoreFree(msgspec.Struct, array_like=True, gc=False, tag=48):
    """The owner's last reference is gone: free the extents as soon as nobody maps them.

    They lie on ``node`` if one is named, or the owner does not know where (``anywhere``): the owner's own node passes
    it on. What later ``attempts`` than these made is not meant: it may be there before this is said. Without them all
    copies are meant.
    """

    objects: list[ObjectID]
    node: NodeID = b""
    anywhere: bool = False
    attempts: list[int] | None = None


class ObjectLost(msgspec.Struct, array_like=True, gc=False, tag=49):
    """To the owner of ``object``: what ``attempt`` has left on ``node`` is lost, though the node is not."""

    object: ObjectID
    node: NodeID
    attempt: int
    reason: str


class WatchPressure(msgspec.Struct, array_like=True, gc=False, tag=86):
    """Tell the sender, under its ``number``, when the store is filled to ``fraction``."""

    number: int
    fraction: float


class UnwatchPressure(msgspec.Struct, array_like=True, gc=False, tag=87):
    """It does not want to know any more."""

    number: int


class StorePressure(msgspec.Struct, array_like=True, gc=False, tag=88):
    """The store has passed the fraction of watch ``number``: ``used`` of ``capacity`` bytes."""

    number: int
    used: int
    capacity: int


# --- node ↔ node ------------------------------------------------------------------------------------------------------


class PullChunk(msgspec.Struct, array_like=True, gc=False, tag=92):
    """Send ``size`` bytes of ``object`` from ``begin`` on: answered by `Chunk` or `PullFailed`. The first pins it.

    ``pull`` is a number of the asking node's, never used again for another pull, or another node to pull from. Who has
    the original may answer with `PullElsewhere`, once for the pull, unless it is asked to do it itself (``direct``).
    Others answer only for the ``attempt`` that they have.
    """

    object: ObjectID
    pull: int
    begin: int
    size: int
    attempt: int = 0
    direct: bool = False


class Chunk(msgspec.Struct, array_like=True, gc=False, tag=93):
    """The bytes that `PullChunk` asked for: not in the message, but right behind it, as they are (its *body*)."""

    object: ObjectID
    pull: int
    begin: int
    size: int


class PullFailed(msgspec.Struct, array_like=True, gc=False, tag=94):
    object: ObjectID
    pull: int
    fault: Fault


class PullElsewhere(msgspec.Struct, array_like=True, gc=False, tag=96):
    """``node`` has the object too, or will: ask there."""

    object: ObjectID
    pull: int
    node: NodeID


class PullDone(msgspec.Struct, array_like=True, gc=False, tag=95):
    """All of ``object`` is here: the pin goes."""

    object: ObjectID


#: What a node says to another as such, and not on behalf of the head in its process.
BETWEEN_NODES: Final = frozenset({PullChunk, Chunk, PullFailed, PullElsewhere, PullDone, StoreFree, ObjectLost})
