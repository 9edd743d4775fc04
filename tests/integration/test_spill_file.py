"""The spill file's two threads: what they write comes back, and what goes wrong in either of them is told."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rustyray.core.effects import RestoreObject, SpillObject
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.spill_file import STEP, SpillFile

#: The threads never end by themselves, as a node does not before its process.
pytestmark = pytest.mark.rustyray_isolated

#: Some whole steps and a part of one, in pages.
SIZE = 5 * STEP + 12 * 4096


class File:
    """A spill file whose answers can be waited for."""

    def __init__(self, directory: Path) -> None:
        self.arena = Arena.create(2 * SIZE)
        self.answered = threading.Semaphore(0)
        self.file = SpillFile(str(directory), self.arena.fd, self.answered.release)

    def do(self, work: SpillObject | RestoreObject) -> tuple[int, str]:
        """The checksum and the problem."""
        self.file.do(work)
        assert self.answered.acquire(timeout=30)
        ((done, checksum, problem),) = self.file.answers()
        assert done == work
        return checksum, problem


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path)
    yield made
    made.file.after_fork()
    made.arena.close()


@pytest.mark.parametrize("size", [4096, STEP, SIZE])
def test_what_is_written_comes_back(file: File, size: int) -> None:
    content = os.urandom(size)
    os.pwrite(file.arena.fd, content, 0)
    checksum, problem = file.do(SpillObject(0, 0, size))
    assert not problem
    assert file.do(RestoreObject(0, SIZE, size, checksum)) == (0, "")
    assert os.pread(file.arena.fd, size, SIZE) == content


@pytest.mark.parametrize("at", [0, STEP - 1, 2 * STEP + 7, SIZE - 1])
def test_a_byte_that_changed_is_found_in_any_step(file: File, at: int) -> None:
    os.pwrite(file.arena.fd, bytes(SIZE), 0)
    checksum, _ = file.do(SpillObject(0, 0, SIZE))
    os.pwrite(file.arena.fd, b"\x01", at)
    other, _ = file.do(SpillObject(SIZE, 0, SIZE))
    _, problem = file.do(RestoreObject(SIZE, 0, SIZE, checksum))
    assert f"its checksum is {other:016x} and not {checksum:016x}" in problem


def test_steps_that_changed_places_are_found(file: File) -> None:
    one, other = os.urandom(STEP), os.urandom(STEP)
    os.pwrite(file.arena.fd, one + other, 0)
    checksum, _ = file.do(SpillObject(0, 0, 2 * STEP))
    os.pwrite(file.arena.fd, other + one, 0)
    file.do(SpillObject(SIZE, 0, 2 * STEP))
    assert "its checksum is" in file.do(RestoreObject(SIZE, 0, 2 * STEP, checksum))[1]


def test_what_goes_wrong_is_told_and_the_next_goes_well(file: File) -> None:
    os.pwrite(file.arena.fd, os.urandom(SIZE), 0)
    checksum, _ = file.do(SpillObject(0, 0, SIZE))
    assert "has lost its end" in file.do(RestoreObject(STEP, SIZE, SIZE, checksum))[1]
    assert file.do(RestoreObject(0, SIZE, SIZE, checksum)) == (0, "")


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    file = File(tmp_path / "gone")
    _, problem = file.do(SpillObject(0, 0, SIZE))
    assert problem == f"{tmp_path}/gone: No such file or directory"
    file.arena.close()
