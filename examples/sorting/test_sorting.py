"""Recursion over tasks ends, even on one CPU, and returns what `sorted` returns."""

from __future__ import annotations

import pytest

import rustyray
from examples.corpus import read, stdlib_sources
from examples.sorting.mergesort import follow, sort, sort_without_waiting
from examples.wordcount.counting import words

pytestmark = pytest.mark.usefixtures("rustyray_local")

WORDS = [word for path in stdlib_sources(8) for word in words(read(path))]


@rustyray.remote
def depth(levels: int) -> int:
    return 0 if levels == 0 else 1 + rustyray.get(depth.remote(levels - 1))


@pytest.mark.rustyray(num_cpus=2)
def test_words_are_sorted() -> None:
    assert len(WORDS) > 5000
    assert rustyray.get(sort.remote(WORDS, len(WORDS) // 4)) == sorted(WORDS)


@pytest.mark.rustyray(num_cpus=1)
def test_one_cpu_is_enough_for_any_depth() -> None:
    assert rustyray.get(depth.remote(6)) == 6


@pytest.mark.rustyray(num_cpus=2)
def test_refs_can_be_returned_and_followed() -> None:
    items = WORDS[:4000]
    assert follow(sort_without_waiting.remote(items, 1000)) == sorted(items)
