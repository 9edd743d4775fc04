"""Which bytes of the arena are free: page-aligned extents, and the pages touched last are used first.

Writing into pages that were written before is several times faster than into fresh ones. So an extent is cut from a
free one of about its size, the most recently freed of equals, else from a larger one, and fresh pages are used only
when there is none. Everything above ``high`` is fresh. Neighbours that are both free are one extent.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

#: So many free extents of about the right size are compared, the most recently freed first.
COMPARED: Final = 32


class Arena:
    """The allocator. Sizes and offsets are in bytes, all multiples of ``page``."""

    __slots__ = ("_bins", "_checked", "_ends", "_free", "_written", "capacity", "high", "page", "turns", "used")

    def __init__(self, capacity: int, page: int) -> None:
        self.page = page
        self.capacity = capacity - capacity % page
        self.used = 0
        #: The end of what was ever used.
        self.high = 0
        #: How often anything was taken or given back.
        self.turns = 0
        #: As it was checked last: its counts, how many extents were free, and what was taken.
        self._checked: tuple[object, ...] = ()
        #: By page, up to some page: whether it was written, so that it exists.
        self._written = bytearray()
        self._free: dict[int, int] = {}  # start → size
        self._ends: dict[int, int] = {}  # end → start
        #: The starts of the free extents by the length of their size in bits; the most recently freed last.
        self._bins: list[dict[int, None]] = [{} for _ in range((self.capacity // page).bit_length() + 1)]

    def round_up(self, size: int) -> int:
        return max(1, -(-size // self.page)) * self.page

    def take(self, size: int) -> tuple[int, int] | None:
        """`(offset, touched bytes)` of an extent for ``size``, rounded up, or None if there is no such piece."""
        size = self.round_up(size)
        self.turns += 1
        start = self._find(size, COMPARED)
        if start is None:
            # Fresh pages, together with the free ones right below them.
            start = self._ends.get(self.high, self.high)
            if start + size <= self.capacity:
                if start < self.high:
                    self._remove(start)
                self.high = start + size
                self.used += size
                return start, self._touched(start, size)
            start = self._find(size, len(self._free))
            if start is None:
                return None
        have = self._remove(start)
        if have > size:
            self._insert(start + size, have - size)
        self.used += size
        return start, self._touched(start, size)

    def _touched(self, start: int, size: int) -> int:
        """How many bytes from ``start`` on were written before."""
        first, last = start // self.page, (start + size) // self.page
        hole = self._written.find(0, first, last)
        return (max(first, min(last, len(self._written)) if hole < 0 else hole) - first) * self.page

    def written(self, start: int, size: int) -> None:
        """All of the extent was written."""
        first, last = start // self.page, (start + size) // self.page
        if len(self._written) < last:
            self._written.extend(bytes(last - len(self._written)))
        self._written[first:last] = b"\1" * (last - first)

    def trim(self, most: int) -> list[tuple[int, int]]:
        """Free extents, ``most`` bytes or a few more, of which anything was written; now they count as fresh."""
        found = []
        for start, size in self._free.items():
            first, last = start // self.page, min((start + size) // self.page, len(self._written))
            at = self._written.find(1, first, last)
            if at < 0:
                continue
            last = min(last, at + -(-most // self.page))
            self._written[at:last] = bytes(last - at)
            found.append((at * self.page, (last - at) * self.page))
            most -= (last - at) * self.page
            if most <= 0:
                break
        return found

    def give(self, start: int, size: int, written: bool = True) -> None:
        """The extent, as taken (``size`` as asked for), is free again. If it was not ``written``, it may be fresh."""
        size = self.round_up(size)
        self.turns += 1
        if written:
            self.written(start, size)
        self.used -= size
        before = self._ends.get(start)
        if before is not None:
            size += self._remove(before)
            start = before
        if start + size in self._free:
            size += self._remove(start + size)
        self._insert(start, size)

    def largest(self) -> int:
        """The largest size that `take` can serve now."""
        top = self.capacity - self._ends.get(self.high, self.high)
        return max([top, *self._free.values()])

    def _find(self, size: int, compare: int) -> int | None:
        """The tightest fit among up to ``compare`` extents of about this size, else one that is larger for certain."""
        length = (size // self.page).bit_length()
        if length >= len(self._bins):
            return None
        best = None
        waste = size
        free = self._free
        for start in islice(reversed(self._bins[length]), compare):
            left = free[start] - size
            if 0 <= left < waste:
                best, waste = start, left
                if not left:
                    break
        if best is not None:
            return best
        for larger in self._bins[length + 1 :]:
            if larger:
                return next(reversed(larger))
        return None

    def _insert(self, start: int, size: int) -> None:
        self._free[start] = size
        self._ends[start + size] = start
        self._bins[(size // self.page).bit_length()][start] = None

    def _remove(self, start: int) -> int:
        size = self._free.pop(start)
        del self._ends[start + size]
        del self._bins[(size // self.page).bit_length()][start]
        return size

    def check(self, taken: list[tuple[int, int]]) -> None:
        """The extents ``taken`` and the free ones cover the arena below ``high`` exactly once."""
        seen = (self.turns, self.high, self.used, len(self._free), taken)
        if self._checked == seen:
            return
        extents = [(start, self.round_up(size), "taken") for start, size in taken]
        used = sum([size for _, size, _ in extents])
        extents += [(start, size, "free") for start, size in self._free.items()]
        extents.sort()
        position, last = 0, "taken"
        for start, size, kind in extents:
            assert start == position, f"{kind} extent at {start} does not start where the one before ends ({position})"
            assert size > 0, f"empty {kind} extent at {start}"
            assert start % self.page == size % self.page == 0, f"extent {start}+{size} is not page-aligned"
            assert (last, kind) != ("free", "free"), f"the free extent at {start} should be one with its neighbour"
            position, last = start + size, kind
        assert position == self.high <= self.capacity, f"extents end at {position}, high is {self.high}"
        assert self._ends == {start + size: start for start, size in self._free.items()}, "free extents' ends are wrong"
        binned = [start for starts in self._bins for start in starts]
        assert sorted(binned) == sorted(self._free), "the bins do not hold the free extents"
        assert used == self.used, f"{used} bytes are taken, the count says {self.used}"
        self._checked = seen
