"""A node's spill file, and the threads that write and read it, so that the node's loop never waits for a disk.

The file has no name (or loses it before anybody can see it): the kernel frees it when the node's process is gone,
however that ended. The node forks workers while the threads run; so they hold no locks, import nothing, and the worker
closes its copy of the descriptor.

Bytes go straight between the file and a mapping of the arena. (Through a buffer it took half as long again.) Two
threads share the steps of an object: the kernel lets one at a time write to a file, and meanwhile the other computes
the checksum of the next step, which brings it into the processor's cache. (One alone took half as long again.)
"""

from __future__ import annotations

import errno
import mmap
import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, NamedTuple, TypeAlias

from rustyray.core.effects import RestoreObject, SpillObject, TrimSpilled
from rustyray.engines.native.processes import kernel

#: Bytes that a thread sums up and writes at a time, or reads and sums up, while the processor's cache has them.
STEP: Final = 1 << 20

Work: TypeAlias = SpillObject | RestoreObject | TrimSpilled
#: What was asked for, the checksum (of what was written), and what went wrong.
Answer: TypeAlias = tuple[SpillObject | RestoreObject, int, str]
#: Checksums have 64 bits.
_MASK: Final = (1 << 64) - 1


class _Steps(NamedTuple):
    """What is left to do of an object, for both threads: where steps begin, what is done there, and what came of it."""

    begins: deque[int]
    do: Callable[[int], int]
    sums: list[int]
    problems: list[Exception]


class SpillFile:
    """See the module.

    Args:
        directory: where the file is made, when it is needed first.
        arena_fd: the arena.
        wake: called, in the thread, when there is an answer.
    """

    def __init__(self, directory: str, arena_fd: int, wake: Callable[[], None]) -> None:
        self._directory = directory
        self._arena_fd = arena_fd
        self._wake = wake
        self._fd = -1
        self._work: SimpleQueue[Work] = SimpleQueue()
        self._answers: deque[Answer] = deque()
        #: What the second thread is to help with, and its word that it has no step of that any more.
        self._shared: SimpleQueue[_Steps] = SimpleQueue()
        self._helped: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._arena: memoryview | None = None
        self._digest: Callable[[memoryview, int], int] = _no_digest

    def do(self, work: Work) -> None:
        """Have it done, in the order in which it is asked for."""
        if not self._threads:
            import xxhash  # only here, and not in the threads: see the module

            self._digest = xxhash.xxh3_64_intdigest
            for run in (self._run, self._help):
                self._threads.append(threading.Thread(target=run, name="rustyray-spill", daemon=True))
                self._threads[-1].start()
        self._work.put(work)

    def answers(self) -> list[Answer]:
        """What was done since the last time."""
        found = []
        while self._answers:
            found.append(self._answers.popleft())
        return found

    def after_fork(self) -> None:
        """In a worker: let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)

    # --- in the threads -----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            work = self._work.get()
            if isinstance(work, TrimSpilled):
                for start, size in work.extents:
                    kernel.punch_hole(self._fd, start, size)
                continue
            checksum, problem = 0, ""
            try:
                if isinstance(work, SpillObject):
                    checksum = self._spill(work)
                else:
                    self._restore(work)
            except OSError as error:
                problem = f"{self._directory}: {error.strerror}{self._room()}"
            except _Corrupt as error:
                problem = str(error)
            self._answers.append((work, checksum, problem))
            self._wake()

    def _help(self) -> None:
        while True:
            _take(self._shared.get())
            self._helped.put(None)

    def _spill(self, work: SpillObject) -> int:
        if self._fd < 0:
            self._fd = open_unnamed(self._directory)
        whole = self._extent(work)

        def step(begin: int) -> int:
            part = whole[begin : begin + STEP]
            checksum = self._digest(part, begin)
            _write(self._fd, part, work.place + begin)
            return checksum

        return self._in_steps(work.size, step)

    def _restore(self, work: RestoreObject) -> None:
        whole = self._extent(work)

        def step(begin: int) -> int:
            part = whole[begin : begin + STEP]
            if _read(self._fd, part, work.place + begin) < len(part):
                raise _Corrupt(f"the spill file in {self._directory} has lost its end")
            return self._digest(part, begin)

        checksum = self._in_steps(work.size, step)
        if checksum != work.checksum:
            raise _Corrupt(
                f"what was read back from {self._directory} is not what was written there: its checksum is "
                f"{checksum:016x} and not {work.checksum:016x}"
            )

    def _in_steps(self, size: int, do: Callable[[int], int]) -> int:
        """The checksum of all: the sum of those of its steps, each of which depends on where that step is."""
        steps = _Steps(deque(range(0, size, STEP)), do, [], [])
        if size > STEP:
            self._shared.put(steps)
        _take(steps)
        if size > STEP:
            self._helped.get()
        if steps.problems:
            raise steps.problems[0]
        return sum(steps.sums) & _MASK

    def _extent(self, work: SpillObject | RestoreObject) -> memoryview:
        if self._arena is None:
            self._arena = memoryview(mmap.mmap(self._arena_fd, os.fstat(self._arena_fd).st_size))
        return self._arena[work.offset : work.offset + work.size]

    def _room(self) -> str:
        try:
            found = os.statvfs(self._directory)
        except OSError:
            return ""
        free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
        return f" ({free / 1e6:.3g} of {total / 1e6:.3g} MB free)"


def _no_digest(part: memoryview, before: int) -> int:
    raise AssertionError("the thread has not started")


def _take(steps: _Steps) -> None:
    """Do what is left, until nothing is, or one of the two fails."""
    while steps.begins:
        try:
            begin = steps.begins.popleft()
        except IndexError:  # the other thread has just taken the last
            return
        try:
            steps.sums.append(steps.do(begin))
        except Exception as problem:  # noqa: BLE001 - raised again in the thread that answers
            steps.problems.append(problem)
            steps.begins.clear()


class _Corrupt(Exception):
    """What was read back is not what was written."""


def open_unnamed(directory: str) -> int:
    """A file in ``directory`` that nobody can open by name. Raises OSError."""
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL):
                raise
            # The file system or the kernel has no such files.
    path = os.path.join(directory, f"rustyray-spill-{os.getpid()}")
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_EXCL | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return fd


def _read(fd: int, into: memoryview, offset: int) -> int:
    """Fill ``into``; returns less than its length at the end of the file."""
    done = 0
    while done < len(into):
        count = os.preadv(fd, [into[done:]], offset + done)
        if not count:
            break
        done += count
    return done


def _write(fd: int, part: memoryview, offset: int) -> None:
    done = 0
    while done < len(part):
        done += os.pwrite(fd, part[done:], offset + done)
