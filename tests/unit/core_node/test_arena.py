"""Free extents: where the next one comes from, and that no byte is ever lost or given twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rustyray.core.node.arena import Arena

PAGE = 4096


def arena(pages: int = 10) -> Arena:
    return Arena(pages * PAGE, PAGE)


def take(where: Arena, pages: int) -> tuple[int, int] | None:
    """Like `Arena.take`, in pages."""
    found = where.take(pages * PAGE)
    return None if found is None else (found[0] // PAGE, found[1] // PAGE)


def give(where: Arena, start: int, pages: int) -> None:
    where.give(start * PAGE, pages * PAGE)


def test_fresh_pages_come_from_the_bottom() -> None:
    where = arena()
    assert [take(where, 2), take(where, 3)] == [(0, 0), (2, 0)]


def test_sizes_are_rounded_up_to_pages() -> None:
    where = arena()
    assert where.take(1) == (0, 0)
    assert where.take(PAGE + 1) == (PAGE, 0)
    assert where.used == 3 * PAGE
    assert Arena(PAGE + 100, PAGE).capacity == PAGE


def test_freed_pages_are_used_before_fresh_ones() -> None:
    where = arena()
    take(where, 2)
    take(where, 2)
    give(where, 0, 2)
    assert take(where, 2) == (0, 2)


def test_of_equals_the_most_recently_freed_is_used() -> None:
    where = arena()
    for _ in range(5):
        take(where, 2)
    give(where, 4, 2)
    give(where, 0, 2)
    assert take(where, 2) == (0, 2)
    assert take(where, 2) == (4, 2)


def test_a_small_one_leaves_the_large_extent_whole_if_it_can() -> None:
    where = arena(20)
    take(where, 1)
    take(where, 1)
    take(where, 8)
    take(where, 1)
    give(where, 0, 1)
    give(where, 2, 8)
    assert take(where, 1) == (0, 1)
    assert take(where, 8) == (2, 8)


def test_neighbours_become_one() -> None:
    where = arena(6)
    for _ in range(3):
        take(where, 2)
    for start in (0, 4, 2):
        give(where, start, 2)
    assert take(where, 6) == (0, 6)


def test_free_pages_below_the_fresh_ones_are_extended() -> None:
    where = arena(6)
    take(where, 2)
    take(where, 2)
    give(where, 2, 2)
    assert take(where, 4) == (2, 2)
    assert take(where, 1) is None


def test_full_and_the_largest_piece() -> None:
    where = arena(6)
    assert where.largest() == 6 * PAGE
    take(where, 4)
    assert where.largest() == 2 * PAGE
    assert take(where, 3) is None
    assert take(where, 2) == (4, 0)
    assert where.largest() == 0


def test_pages_that_were_not_written_after_all_are_fresh_until_they_are() -> None:
    """A writer that the system gave no memory to, or that died: the pages may not exist."""
    where = arena()
    take(where, 4)
    where.give(0, 4 * PAGE, written=False)
    assert take(where, 2) == (0, 0)
    assert take(where, 2) == (2, 0)
    where.written(0, 2 * PAGE)
    give(where, 0, 2)
    where.give(2 * PAGE, 2 * PAGE, written=False)
    assert take(where, 4) == (0, 2), "half of it is in doubt"
    where.written(0, 4 * PAGE)
    give(where, 0, 4)
    assert take(where, 4) == (0, 4)


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 20)), max_size=60))
def test_extents_cover_the_arena_exactly(steps: list[tuple[int, int]]) -> None:
    """Take ``pages``, or give back one of those taken, at random."""
    where = arena(24)
    taken: list[tuple[int, int]] = []
    for pages, which in steps:
        if which < len(taken):
            where.give(*taken.pop(which))
        elif (found := where.take(pages * PAGE)) is not None:
            start, touched = found
            assert 0 <= touched <= pages * PAGE
            taken.append((start, pages * PAGE))
        else:
            assert where.largest() < pages * PAGE
        where.check(taken)
