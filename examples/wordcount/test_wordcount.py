"""The parallel count must be the count, however the work is cut up and whatever dies on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rustyray
from examples.completion import as_completed
from examples.corpus import read, stdlib_sources
from examples.wordcount.counting import count_words, word_count, words
from rustyray.exceptions import RayTaskError, WorkerCrashedError

pytestmark = [pytest.mark.usefixtures("rustyray_local"), pytest.mark.rustyray(num_cpus=2)]

FILES = stdlib_sources(120)


def count_here(paths: list[Path]) -> Counter[str]:
    return Counter(word for path in paths for word in words(read(path)))


@rustyray.remote
def longest_word(path: Path) -> str:
    return max(words(read(path)), key=len, default="")


@rustyray.remote
def count_after_crashes(path: Path, crashes: int, journal: Path) -> int:
    """Counts words, but takes its worker down in each of the first `crashes` attempts."""
    with journal.open("a") as attempts:
        attempts.write("x")
    if journal.stat().st_size <= crashes:
        os._exit(1)
    return len(words(read(path)))


def test_the_count_is_the_sequential_count() -> None:
    counts = word_count(FILES)
    assert counts == count_here(FILES)
    assert counts["import"] > 500


@pytest.mark.parametrize(("batches", "fan_in"), [(1, 2), (7, 2), (30, 5)])
def test_the_shape_of_the_tree_does_not_matter(batches: int, fan_in: int) -> None:
    files = FILES[:20]
    assert word_count(files, batches, fan_in) == count_here(files)


def test_a_merge_of_single_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="at least two parts"):
        word_count(FILES[:2], fan_in=1)


def test_a_task_of_this_test_module_runs_in_the_workers() -> None:
    files = FILES[:30]
    refs = {longest_word.remote(path): path for path in files}
    found = {refs[ref]: rustyray.get(ref) for ref in as_completed(refs)}
    assert found == {path: max(words(read(path)), key=len, default="") for path in files}


def test_a_missing_file_is_reported_with_its_own_type_and_name(tmp_path: Path) -> None:
    missing = tmp_path / "missing.py"
    with pytest.raises(FileNotFoundError) as caught:
        rustyray.get(count_words.remote([FILES[0], missing]))
    assert isinstance(caught.value, RayTaskError)
    assert "missing.py" in str(caught.value)
    assert "count_words" in str(caught.value)


def test_one_bad_batch_fails_the_whole_tree(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.py"):
        word_count([*FILES[:8], tmp_path / "missing.py"], batches=4)


def test_a_task_whose_worker_dies_is_tried_again(tmp_path: Path) -> None:
    journal = tmp_path / "attempts"
    counted = rustyray.get(count_after_crashes.remote(FILES[0], 2, journal))
    assert counted == len(words(read(FILES[0])))
    assert journal.stat().st_size == 3


def test_a_task_that_always_kills_its_worker_fails_in_the_end(tmp_path: Path) -> None:
    journal = tmp_path / "attempts"
    ref = count_after_crashes.options(max_retries=1).remote(FILES[0], 100, journal)
    with pytest.raises(WorkerCrashedError):
        rustyray.get(ref)
    assert journal.stat().st_size == 2


def test_the_program_prints_the_commonest_words() -> None:
    root = Path(__file__).parents[2]
    program = [sys.executable, "-m", "examples.wordcount", "5"]
    result = subprocess.run(program, cwd=root, capture_output=True, text=True, timeout=60, check=True)
    expected = count_here(stdlib_sources(200)).most_common(5)
    assert [line.split() for line in result.stdout.splitlines()] == [[str(n), word] for word, n in expected]
