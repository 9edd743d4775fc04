"""What /proc says about a tree of processes: who is in it, and how much memory it holds (Linux)."""

from __future__ import annotations

import ctypes
import os
import signal
import time

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Makes this process the parent of every descendant whose own parent has died, so that none escapes."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(root: int) -> set[int]:
    """The living processes below ``root``, without ``root`` itself."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            parent = _parent(int(entry))
            if parent is not None:
                children.setdefault(parent, []).append(int(entry))
    found: set[int] = set()
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found.update(below)
        waiting += below
    return found


def kill_descendants(grace: float) -> int:
    """Reaps this process' descendants, kills those that outlive ``grace`` seconds, and returns how many it killed."""
    deadline = time.monotonic() + grace
    while _reap() and time.monotonic() < deadline:
        time.sleep(0.02)
    killed: set[int] = set()
    while _reap():
        # In rounds, because a process may start another between the look and the kill.
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed.add(pid)
        time.sleep(0.02)
    return len(killed)


def memory(pid: int, *fields: str) -> int:
    """The sum of the named ``smaps_rollup`` fields of a process, in bytes; 0 once it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as rollup:
            lines = [line.split() for line in rollup]
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line[1]) * 1024 for line in lines if line[0].rstrip(":") in fields)


def private(pid: int) -> int:
    """The bytes that only this process holds."""
    return memory(pid, "Private_Clean", "Private_Dirty")


def proportional(pids: set[int]) -> int:
    """The PSS of several processes, in bytes: a page that n processes share counts 1/n for each."""
    return sum(memory(pid, "Pss") for pid in pids)


def _parent(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            state, parent = stat.read().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if state == "Z" else int(parent)


def _reap() -> bool:
    """Collects every child that has ended; returns whether any is left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
