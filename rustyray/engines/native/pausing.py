"""A node that stops and goes on, with its workers: for tests of what others make of its silence."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

#: Seconds that a process may take to stop after the signal, and between two looks.
PATIENCE: Final = 5.0
LOOK: Final = 0.001


def pause(node: int) -> None:
    """Stop the process ``node``, and its workers with all that they started. Raises RuntimeError if it has ended."""
    _signal(node, signal.SIGSTOP)
    _wait_stopped(node)  # from then on it forks no more
    workers = _children(node)
    for worker in workers:
        _signal_group(worker, signal.SIGSTOP)
    for worker in workers:
        _wait_stopped(worker)


def resume(node: int) -> None:
    """Let it go on. Raises RuntimeError if it has ended."""
    for worker in _children(node):
        _signal_group(worker, signal.SIGCONT)
    _signal(node, signal.SIGCONT)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        raise RuntimeError(f"the node process (pid {pid}) has ended") from None


def _signal_group(leader: int, number: signal.Signals) -> None:
    """To a worker and what it has started: a worker leads a process group."""
    try:
        os.killpg(leader, number)
    except (PermissionError, ProcessLookupError):
        pass  # it has ended meanwhile


def _wait_stopped(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while _state(pid) not in "TtZX" and time.monotonic() < deadline:
        time.sleep(LOOK)


def _state(pid: int) -> str:
    """A letter; T, for stopped, where there is no way to know; X if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return "X" if os.path.isdir("/proc/self") else "T"


def _children(pid: int) -> list[int]:
    if os.path.isdir("/proc/self"):
        return [number for number in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(number) == pid]
    import subprocess  # macOS

    lines = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, lines.splitlines()) if int(parent) == pid]


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return -1  # it has ended meanwhile
