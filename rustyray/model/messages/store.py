"""What drivers and workers say to their node about its store.

The bytes themselves never travel: they are in the arena.
"""

from __future__ import annotations

import msgspec

from rustyray.model.ids import ObjectID
from rustyray.model.values import Fault


class StoreCreate(msgspec.Struct, array_like=True, gc=False, tag=40):
    """Reserve ``size`` bytes for ``object``; the caller writes them and then seals."""

    request: int
    object: ObjectID
    size: int


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
    """Keep ``object`` where it is while the caller maps it (pulling or restoring it first if need be)."""

    request: int
    object: ObjectID


class StorePinned(msgspec.Struct, array_like=True, gc=False, tag=46):
    request: int
    offset: int
    size: int


class StoreUnpin(msgspec.Struct, array_like=True, gc=False, tag=47):
    """One pin less on each of ``objects``."""

    objects: list[ObjectID]


class StoreFree(msgspec.Struct, array_like=True, gc=False, tag=48):
    """The owner's last reference is gone: free the extents as soon as nobody maps them."""

    objects: list[ObjectID]
