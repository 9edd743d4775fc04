"""Merge sort: every task sorts by starting two more, until the parts are small enough to sort on the spot.

Most tasks spend their life waiting for others. A task that waits gives its CPU back, so the number of CPUs does not
limit the depth of the recursion.
"""

from __future__ import annotations

import heapq

import rustyray


@rustyray.remote
def sort(items: list[str], small: int) -> list[str]:
    """Returns the items in order; lists of up to `small` items are sorted without further tasks."""
    if len(items) <= small:
        return sorted(items)
    middle = len(items) // 2
    halves = rustyray.get([sort.remote(items[:middle], small), sort.remote(items[middle:], small)])
    return list(heapq.merge(*halves))


@rustyray.remote
def sort_without_waiting(items: list[str], small: int) -> list[str] | rustyray.ObjectRef[list[str]]:
    """Does the same, but hands its children's refs on to a merging task instead of waiting for them."""
    if len(items) <= small:
        return sorted(items)
    middle = len(items) // 2
    left, right = (sort_without_waiting.remote(half, small) for half in (items[:middle], items[middle:]))
    return merge.remote([left, right])


@rustyray.remote
def merge(halves: list[rustyray.ObjectRef[list[str] | rustyray.ObjectRef[list[str]]]]) -> list[str]:
    """Merges what the refs, or the refs they lead to, stand for."""
    return list(heapq.merge(*(follow(half) for half in halves)))


def follow(ref: rustyray.ObjectRef[list[str] | rustyray.ObjectRef[list[str]]]) -> list[str]:
    """Returns the value at the end of a chain of refs."""
    value = rustyray.get(ref)
    while isinstance(value, rustyray.ObjectRef):
        value = rustyray.get(value)
    return value
