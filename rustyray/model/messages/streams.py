"""What owners and workers say to each other about the items of generators. All of it is about one attempt."""

from __future__ import annotations

import msgspec

from rustyray.model.ids import TaskID
from rustyray.model.values import Value


class Items(msgspec.Struct, array_like=True, gc=False, tag=16):
    """Worker to owner: the generator yielded these, of which the first is number ``first``."""

    task: TaskID
    attempt: int
    first: int
    values: list[Value]


class ItemsRead(msgspec.Struct, array_like=True, gc=False, tag=17):
    """Owner to worker: so many items have been read; a generator that waits for that may go on."""

    task: TaskID
    attempt: int
    count: int


class StreamOver(msgspec.Struct, array_like=True, gc=False, tag=18):
    """Owner to worker: nobody wants more items; the generator is closed at its next ``yield``."""

    task: TaskID
    attempt: int
