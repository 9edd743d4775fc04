"""A node's disk, with the spill file on it: it takes a while, and may be full, or lose what was written."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rustyray.core.effects import RestoreObject, SpillObject

if TYPE_CHECKING:
    from rustyray.engines.sim.world.node import NodeHost

#: Seconds that one piece of work may take.
WORK: Final = (0.0, 0.001, 0.02, 0.7)
#: Seconds for which a disk that is full stays so.
FULL: Final = 1.5


class Disk:
    """What was asked for is done one after the other; the answer is to be fetched when it is `due`."""

    def __init__(self, host: NodeHost, arena: Callable[[], dict[int, bytes]]) -> None:
        self._host = host
        self._arena = arena
        self._work: deque[SpillObject | RestoreObject] = deque()
        self._free = 0.0
        #: When the first piece of work is done.
        self.due: float | None = None
        self.file: dict[int, bytes] = {}
        self.full_until = 0.0

    def do(self, work: SpillObject | RestoreObject) -> None:
        self._work.append(work)
        if self.due is None:
            self._begin()

    def _begin(self) -> None:
        world = self._host.world
        self.due = world.now + WORK[world.pick("disk", len(WORK))] if self._work else None

    def serve(self) -> None:
        """Answer what is done."""
        now = self._host.world.now
        while self.due is not None and self.due <= now:
            work = self._work.popleft()
            self._begin()
            if isinstance(work, SpillObject):
                self._spill(work, now)
            else:
                self._restore(work, now)

    def _spill(self, work: SpillObject, now: float) -> None:
        problem = "the simulated disk is full" if now < self.full_until else ""
        data = self._arena().get(work.offset, b"")  # nothing, if it was freed meanwhile
        if not problem:
            self.file[work.place] = data
        self._host.core.spilled(work.place, zlib.crc32(data), problem, now)

    def _restore(self, work: RestoreObject, now: float) -> None:
        data = self.file[work.place]
        problem = "" if zlib.crc32(data) == work.checksum else "its checksum is wrong"
        self._arena()[work.offset] = data
        self._host.core.restored(work.place, problem, now)

    def rot(self, which: int) -> None:
        """One object in the file goes bad."""
        if self.file:
            place = sorted(self.file)[which % len(self.file)]
            self.file[place] = bytes(byte ^ 255 for byte in self.file[place][:8]) + self.file[place][8:]
