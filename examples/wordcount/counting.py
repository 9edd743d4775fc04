"""Count words in many files: one task per batch of files, then a tree of tasks that merges the counts.

The driver only holds refs. Partial counts travel from worker to worker, and no merge takes more than `fan_in` of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import rustyray
from examples.corpus import read

WORD = re.compile(r"[^\W\d_]+")


def words(text: str) -> list[str]:
    """Returns the words of a text in lower case."""
    return WORD.findall(text.lower())


@rustyray.remote
def count_words(paths: Sequence[Path]) -> Counter[str]:
    """Counts the words of some files together."""
    counts: Counter[str] = Counter()
    for path in paths:
        counts.update(words(read(path)))
    return counts


@rustyray.remote
def merge(*parts: Counter[str]) -> Counter[str]:
    """Adds counts up."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return total


def word_count(paths: Sequence[Path], batches: int = 8, fan_in: int = 3) -> Counter[str]:
    """Counts the words of all files.

    Args:
        paths: The files to read; each is read by one task.
        batches: How many counting tasks to start.
        fan_in: How many partial counts one merging task adds up, at least 2.
    """
    if fan_in < 2:
        raise ValueError(f"a merge needs at least two parts, not {fan_in}")
    level = [count_words.remote(paths[start::batches]) for start in range(batches)]
    while len(level) > 1:
        level = [merge.remote(*level[start : start + fan_in]) for start in range(0, len(level), fan_in)]
    return rustyray.get(level[0])
