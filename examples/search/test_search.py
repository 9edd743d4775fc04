"""What the index finds is what reading the files one after another finds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import rustyray
from examples.corpus import read, stdlib_sources
from examples.search.index import Index, read_postings, shard_of
from examples.wordcount.counting import words

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

FILES = stdlib_sources(60)


def search_here(paths: list[Path], query: list[str]) -> list[str]:
    counts = {path.name: Counter(words(read(path))) for path in paths}
    hits = [name for name, count in counts.items() if all(count[word] for word in query)]
    return sorted(hits, key=lambda name: (-sum(counts[name][word] for word in query), name))


@rustyray.remote
def vocabulary(paths: list[Path]) -> set[str]:
    return {word for path in paths for word in words(read(path))}


@pytest.mark.parametrize("query", [["asyncio"], ["thread", "lock"], ["class", "self", "return"], ["qqqq"], []])
def test_a_search_finds_what_reading_finds(query: list[str]) -> None:
    index = Index()
    index.add(FILES)
    assert index.search(query) == (search_here(FILES, query) if query else [])


def test_every_word_is_known_to_one_shard() -> None:
    known = Index(shards=3).add(FILES)
    assert known == len(rustyray.get(vocabulary.remote(FILES)))


def test_files_can_be_added_later_and_twice() -> None:
    index = Index()
    index.add(FILES[:20])
    assert index.search(["bisect"]) == search_here(FILES[:20], ["bisect"])
    index.add(FILES[10:])
    assert index.search(["bisect"]) == search_here(FILES, ["bisect"])


def test_each_shard_gets_its_own_words() -> None:
    parts = rustyray.get(read_postings.remote(FILES[:5], 4))
    assert [all(shard_of(word, 4) == number for word in part) for number, part in enumerate(parts)] == [True] * 4
    assert set().union(*parts) == rustyray.get(vocabulary.remote(FILES[:5]))
