"""What has happened in a run: its last events for people, all of them as a fingerprint."""

from __future__ import annotations

import hashlib
from collections import deque
from typing import Final, TypeAlias

from rustyray.model.ids import NODE_ID_SIZE, WORKER_ID_SIZE, node_of
from rustyray.wire.codec import decode, decode_chunk

#: Events that are not told, only counted in the fingerprint.
QUIET: Final = frozenset({"Heartbeat", "ReclaimLeases", "ClusterView", "run", "due", "later"})
#: So many events wait to be counted in the fingerprint: few runs have more, and few are asked for it.
WAITING: Final = 2000

#: When it was, what, from where, to where, and the encoding of a message.
Told: TypeAlias = tuple[float, str, bytes, bytes, bytes]


def short(some_id: bytes) -> str:
    """A process' or object's name in stories: its node's number, its own, and the object's."""
    if not some_id:
        return ""
    name = node_of(some_id).decode(errors="replace").removeprefix("node-").lstrip("0") or "0"
    if len(some_id) == NODE_ID_SIZE:
        return f"node {name}"
    name = f"{name}.{int.from_bytes(some_id[8:12], 'big')}"
    return name if len(some_id) == WORKER_ID_SIZE else f"{name}/{int.from_bytes(some_id[12:20], 'big')}"


class Story:
    """The events of a run, in order. ``size``: so many of them can be told."""

    def __init__(self, size: int = 150) -> None:
        self.events: deque[Told] = deque(maxlen=size)
        #: How often each kind of event happened; messages count by type, when they arrive.
        self.counts: dict[str, int] = {}
        #: Everything that was told, if that is to be kept.
        self.all: list[Told] | None = None
        #: The fingerprint leaves contents out: pickles of code and of sets differ from one interpreter to the next.
        self.only_ways = False
        self._digest = hashlib.blake2b(digest_size=16)
        #: What has been told and is not yet in the digest.
        self._open: list[Told] = []

    def tell(self, now: float, what: str, frm: bytes = b"", to: bytes = b"", content: bytes = b"") -> None:
        """``what`` happened; for a message, ``content`` is its encoding."""
        event = (now, what, frm, to, content)
        self.counts[what] = self.counts.get(what, 0) + 1
        if self.all is not None:
            self.all.append(event)
        if what not in QUIET:
            self.events.append(event)
        self._open.append(event)
        if len(self._open) >= WAITING:
            self._fold()

    def _fold(self) -> None:
        for now, what, frm, to, content in self._open:
            self._digest.update(b"%.9f %b " % (now, what.encode()) + frm + to + (b"" if self.only_ways else content))
        self._open.clear()

    def ignore(self, now: float, what: str, frm: bytes = b"", to: bytes = b"", content: bytes = b"") -> None:
        """In place of `tell`, when nobody is going to ask."""

    def fingerprint(self) -> str:
        """The same for two runs in which the same bytes went the same ways at the same times."""
        self._fold()
        return self._digest.hexdigest()

    def lines(self) -> list[str]:
        """The last events, one line each."""
        return [line(*event) for event in self.events]


def line(now: float, what: str, frm: bytes, to: bytes, content: bytes) -> str:
    """An event for people."""
    read = decode_chunk if what == "Chunk" else decode
    told = repr(read(content))[:300] if content else what
    return f"{now:.4f} {short(frm)} -> {short(to)}: {told}" if to else f"{now:.4f} {what} {short(frm)}"
