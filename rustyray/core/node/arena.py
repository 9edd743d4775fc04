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

    __slots__ = ("_bins", "_doubtful", "_ends", "_free", "capacity", "high", "page", "used")

    def __init__(self, capacity: int, page: int) -> None:
        self.page = page
        self.capacity = capacity - capacity % page
        self.used = 0
        #: The end of what was ever used.
        self.high = 0
        #: Extents (start, end) that were taken and given back unwritten, so that their pages may not exist.
        self._doubtful: list[tuple[int, int]] = []
        self._free: dict[int, int] = {}  # start → size
        self._ends: dict[int, int] = {}  # end → start
        #: The starts of the free extents by the length of their size in bits; the most recently freed last.
        self._bins: list[dict[int, None]] = [{} for _ in range((self.capacity // page).bit_length() + 1)]

    def round_up(self, size: int) -> int:
        return max(1, -(-size // self.page)) * self.page

    def take(self, size: int) -> tuple[int, int] | None:
        """`(offset, touched bytes)` of an extent for ``size``, rounded up, or None if there is no such piece."""
        size = self.round_up(size)
        start = self._find(size, COMPARED)
        if start is None:
            # Fresh pages, together with the free ones right below them.
            start = self._ends.get(self.high, self.high)
            if start + size <= self.capacity:
                touched = self.high - start
                if touched:
                    self._remove(start)
                self.high = start + size
                self.used += size
                return start, self._surely(start, touched)
            start = self._find(size, len(self._free))
            if start is None:
                return None
        have = self._remove(start)
        if have > size:
            self._insert(start + size, have - size)
        self.used += size
        return start, self._surely(start, size)

    def _surely(self, start: int, touched: int) -> int:
        for first, end in self._doubtful:
            if first < start + touched and start < end:
                touched = max(0, first - start)
        return touched

    def written(self, start: int, size: int) -> None:
        """All of the extent was written."""
        if self._doubtful:
            end = start + size
            self._doubtful = [extent for extent in self._doubtful if extent[0] < start or extent[1] > end]

    def give(self, start: int, size: int, written: bool = True) -> None:
        """The extent, as taken (``size`` as asked for), is free again. If it was not ``written``, it may be fresh."""
        size = self.round_up(size)
        if not written:
            self._doubtful.append((start, start + size))
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
        extents = sorted([(start, self.round_up(size), "taken") for start, size in taken])
        extents = sorted(extents + [(start, size, "free") for start, size in self._free.items()])
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
        used = sum(self.round_up(size) for _, size in taken)
        assert used == self.used, f"{used} bytes are taken, the count says {self.used}"
