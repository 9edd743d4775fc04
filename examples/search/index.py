"""An inverted index: which files hold a word, and how often.

Tasks read files and post what they found to shards; each shard is an actor and owns the words whose checksum falls to
it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from zlib import crc32

import rustyray
from examples.completion import as_completed
from examples.corpus import read
from examples.wordcount.counting import words

Postings = dict[str, dict[str, int]]
"""For each word: the names of the files that hold it, and how often each does."""


def shard_of(word: str, shards: int) -> int:
    """Returns the shard that owns a word, the same one in every process (`hash` is salted)."""
    return crc32(word.encode()) % shards


@rustyray.remote
def read_postings(paths: Sequence[Path], shards: int) -> list[Postings]:
    """Reads files and returns their postings, one part for each shard."""
    parts: list[Postings] = [{} for _ in range(shards)]
    for path in paths:
        for word, count in Counter(words(read(path))).items():
            parts[shard_of(word, shards)].setdefault(word, {})[path.name] = count
    return parts


@rustyray.remote
class Shard:
    """The postings of the words that belong to one shard."""

    def __init__(self) -> None:
        self._postings: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def add(self, part: Postings) -> int:
        """Takes postings in and returns how many words the shard knows now."""
        for word, files in part.items():
            self._postings[word].update(files)
        return len(self._postings)

    def find(self, word: str) -> dict[str, int]:
        """Returns the files that hold the word."""
        return self._postings.get(word, {})


class Index:
    """A searchable set of files, spread over shards."""

    def __init__(self, shards: int = 2) -> None:
        self._shards = [Shard.remote() for _ in range(shards)]

    def add(self, paths: Sequence[Path], batch: int = 10) -> int:
        """Indexes files, `batch` of them a task, and returns how many words are known."""
        batches = [paths[start : start + batch] for start in range(0, len(paths), batch)]
        for ref in as_completed(read_postings.remote(files, len(self._shards)) for files in batches):
            stored = [shard.add.remote(part) for shard, part in zip(self._shards, rustyray.get(ref), strict=True)]
            rustyray.get(stored)
        known = rustyray.get([shard.add.remote({}) for shard in self._shards])
        return sum(known)

    def search(self, query: Iterable[str]) -> list[str]:
        """Returns the names of the files that hold every word of the query, the fullest first."""
        asked = [self._shards[shard_of(word, len(self._shards))].find.remote(word) for word in query]
        found = rustyray.get(asked)
        if not found:
            return []
        names = set.intersection(*(set(files) for files in found))
        return sorted(names, key=lambda name: (-sum(files[name] for files in found), name))
