"""What a process holds of the system, so that one can see whether a runtime gave all of it back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import NamedTuple


class Held(NamedTuple):
    """What this process holds: its open descriptors, threads, child processes and signal handlers, as texts."""

    descriptors: frozenset[str]
    threads: frozenset[str]
    children: frozenset[str]
    handlers: frozenset[str]

    def beyond(self, before: Held) -> list[str]:
        """What is held now and was not before; empty where nothing is new."""
        kinds = zip(self._fields, self, before, strict=True)
        return [f"{kind[:-1]} {one}" for kind, now, then in kinds for one in sorted(now - then)]


def held() -> Held:
    """What this process holds now. Where there is no ``/proc``, descriptors and processes are not seen."""
    here = threading.get_ident()
    return Held(
        frozenset(_descriptors()),
        frozenset(f"{one.name} ({one.ident})" for one in threading.enumerate() if one.ident != here),
        frozenset(str(pid) for child in children(os.getpid()) for pid in (child, *children(child)) if alive(pid)),
        frozenset(f"{name}: {signal.getsignal(number)!r}" for name, number in _SIGNALS),
    )


_SIGNALS = [("SIGINT", signal.SIGINT), ("SIGTERM", signal.SIGTERM), ("SIGCHLD", signal.SIGCHLD)]


def _descriptors() -> list[str]:
    if not sys.platform.startswith("linux"):
        return []
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{fd} -> {os.readlink(f'/proc/self/fd/{fd}')}")
        except FileNotFoundError:
            continue  # the listing's own
    return found


def children(pid: int) -> list[int]:
    """The processes that a process has forked and not waited for."""
    found = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found += [int(child) for child in file.read().split()]
    except OSError:
        pass  # it has ended, or the thread has; or there is no /proc
    return found


def descendants(pid: int) -> list[int]:
    """Children, their children, and so on."""
    below = children(pid)
    return below + [other for child in below for other in descendants(child)]


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
