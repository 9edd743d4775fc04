"""The objects that an owner has, a row for each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from rustyray.core.owner.records import ObjectEntry
from rustyray.model.ids import HANDLE_INDEX, ObjectID, from_hex, task_of
from rustyray.model.listed import ObjectRow
from rustyray.model.values import Failed, Fault, Packed, Stored

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore

#: So many objects of one process are told of.
LISTED: Final = 10_000


def objects(core: OwnerCore, about: str) -> list[ObjectRow]:
    """What the process owns; of ``about`` alone (in hexadecimal) if that is given. Actors' handles are no objects."""
    if about:
        object_ = from_hex(about)
        entry = core.objects.get(object_)
        rows = iter([(object_, entry)] if entry is not None else [])
    else:
        rows = iter(core.objects.items())
    return list(islice(_rows(core, rows), LISTED))


def _rows(core: OwnerCore, entries: Iterator[tuple[ObjectID, ObjectEntry]]) -> Iterator[ObjectRow]:
    me, kinds = core.me.hex(), core.kinds.by_number()
    for object_, entry in entries:
        more, value = entry.more, entry.value
        if object_.endswith(HANDLE_INDEX) or (more is not None and more.owner_address):
            continue
        kind = kinds.of(task_of(object_))
        yield ObjectRow(
            object_id=object_.hex(),
            owner=me,
            task=kind.name if kind is not None else "",
            size=_size(value),
            node=value.node.hex() if isinstance(value, Stored) else "",
            local=entry.local,
            holds=entry.holds,
            borrowers=sum(count > 0 for count in more.borrowers.values()) if more is not None else 0,
            failed=isinstance(value, Failed | Fault),
        )


def _size(value: object) -> int:
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, Packed):
        return len(value.data) + sum(len(buffer) for buffer in value.buffers or ())
    if isinstance(value, Stored):
        return value.size
    return 0 if isinstance(value, Failed | Fault) else -1
