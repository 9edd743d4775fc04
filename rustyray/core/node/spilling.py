"""The spill file: which object lies where in it, and what is on its way there and back.

All that a node spills goes to one file without a name, next to one another, so that many small objects are one long
write. The file's places are handed out as the arena's are: those freed last first, because the file system has them
allocated and in its cache. The host writes and reads beside its loop, computes a checksum on the way out, and compares
it on the way in.

A copy that came back keeps its place in the file until it is freed: it can leave the arena again without being written.
"""

from __future__ import annotations

from typing import Final

from rustyray.core.effects import RestoreObject, SpillObject
from rustyray.core.node.arena import Arena
from rustyray.core.node.base import NodeBase
from rustyray.core.node.copies import Copy, mb

#: Seconds after which a disk that failed to take an object is tried again.
TRY_AGAIN: Final = 1.0


class Spilling:
    """What is in the spill file. ``problem`` is why the last write failed; ``retry`` when to try again."""

    __slots__ = ("_base", "counts", "file", "problem", "reads", "retry", "writes", "writing")

    def __init__(self, base: NodeBase) -> None:
        self._base = base
        self.file = Arena(base.limits.spill_capacity, base.limits.page)
        #: On their way to the file, and back, by place.
        self.writes: dict[int, Copy] = {}
        self.reads: dict[int, Copy] = {}
        self.writing = 0
        self.problem = ""
        self.retry = 0.0
        #: Objects and bytes ever written, objects and bytes ever read.
        self.counts = [0, 0, 0, 0]

    def can_write(self, now: float) -> bool:
        return self.file.capacity > 0 and now >= self.retry

    def write(self, copy: Copy) -> bool:
        """Begin to write a copy to the file; False when the file may not grow any more."""
        extent = self.file.take(copy.size)
        if extent is None:
            self.problem = f"the spill file has reached its limit of {mb(self.file.capacity)}"
            return False
        place = extent[0]
        copy.leaving = True
        self.writes[place] = copy
        self.writing += copy.size
        self._base.out.append(SpillObject(place, copy.offset, copy.size))
        return True

    def written(self, place: int, checksum: int, problem: str, now: float) -> Copy | None:
        """The host's answer; the copy, if the file has it now."""
        copy = self.writes.pop(place)
        copy.leaving = False
        self.writing -= copy.size
        if problem:
            self.problem, self.retry = problem, now + TRY_AGAIN
        else:
            self.problem, self.retry = "", 0.0
            self.counts[0] += 1
            self.counts[1] += copy.size
        if problem or copy.freed or copy.offset < 0:
            self.file.give(place, copy.size)
            return None
        copy.place, copy.checksum = place, checksum
        return copy

    def read(self, copy: Copy) -> None:
        """Begin to read a copy into its extent."""
        self.reads[copy.place] = copy
        self._base.out.append(RestoreObject(copy.place, copy.offset, copy.size, copy.checksum))

    def has_read(self, place: int, problem: str) -> Copy:
        copy = self.reads.pop(place)
        if not problem:
            self.counts[2] += 1
            self.counts[3] += copy.size
        return copy

    def drop(self, copy: Copy) -> None:
        """What the file has of it is not needed any more."""
        if copy.place >= 0:
            self.file.give(copy.place, copy.size)
            copy.place = -1
            self.retry = 0.0

    @property
    def busy(self) -> bool:
        return bool(self.writes or self.reads)

    def check(self, copies: list[Copy]) -> None:
        if not (copies or self.reads or self.writes or self.writing):
            self.file.check([])
            return
        places = {copy.place: copy.size for copy in copies if copy.place >= 0}
        places |= {place: copy.size for place, copy in self.reads.items()}
        assert not places.keys() & self.writes.keys(), "an object is written over another in the spill file"
        places |= {place: copy.size for place, copy in self.writes.items()}
        self.file.check(list(places.items()))
        assert self.writing == sum(copy.size for copy in self.writes.values()), "bytes being spilled are counted wrong"
