"""Processes that are still there: children of this one, and orphans, which come to it as to a subreaper."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from pytest_rustyray.leaks import of_loky, of_pools, of_ray, origins
from pytest_rustyray.leaks.finding import LOOK, Leak, runtime_module
from pytest_rustyray.lifetimes import clusters, running_engine

_PR_SET_CHILD_SUBREAPER: Final = 36
#: Seconds that a killed process may take to be gone.
GONE: Final = 5.0
#: So much of a command line is told.
SHOWN: Final = 120
_LIBRARIES: Final = ("multiprocessing", "multiprocess")


def adopt_orphans(adopt: bool) -> None:
    """Whether from now on a process whose parent has ended becomes our child, so that it is found."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_CHILD_SUBREAPER, int(adopt), 0, 0, 0)


@contextmanager
def orphans_ended() -> Iterator[None]:
    """What has become an orphan in ``with``, and so our child, is killed at its end."""
    before = {*children(os.getpid())}
    adopt_orphans(True)
    try:
        yield
    finally:
        adopt_orphans(False)
        for pid in {*children(os.getpid())} - before:
            if origins.popen(pid) is None and pid not in [process.pid for process in origins.processes()]:
                end(pid)


@cache
def _libc() -> Any:
    import ctypes

    return ctypes.CDLL(None)


class Processes:
    """Children of this process, and the zygote's, which are nodes."""

    cheap: Final = True

    def look(self) -> list[int]:
        pids = [*children(os.getpid())]
        zygote = _zygote()
        if zygote in pids:
            pids += children(zygote)
        return pids

    def leak(self, thing: int) -> Leak | None:
        if thing in _by_design() or of_ray.is_own(thing):
            return None
        state = _state(thing)
        if not state:
            return None
        if state == "Z":
            _reap(thing)  # an orphan has nobody else
            return None
        text = f"process {thing} ({command(thing)})"
        return Leak("processes", text, lambda: _put_away(thing), lambda: origins.popen(thing))


def children(pid: int) -> Iterator[int]:
    """Processes whose parent this one is."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return  # it is gone, or there is no /proc
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                yield from map(int, file.read().split())
        except OSError:
            pass  # the thread has ended


def command(pid: int) -> str:
    """Its command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return "gone"
    if words == _own_command():
        words = "a fork of this one"
    words = " ".join(words.split())
    return words if len(words) <= SHOWN else words[: SHOWN - 1] + "…"


def _own_command() -> str:
    with open("/proc/self/cmdline", "rb") as file:
        return file.read().rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")


def _put_away(pid: int) -> str:
    return of_pools.ENDED if of_pools.end(pid) and not _state(pid) else end(pid)


def end(pid: int) -> str:
    """Kill a process, and all below it; those become our children as their parents end."""
    ended, queue = 0, [pid]
    while queue:
        one = queue.pop()
        queue += children(one)
        _kill(one)
        ended += 1
    return "killed" if ended == 1 else f"killed, with {ended - 1} below it"


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    if (child := origins.popen(pid)) is not None:
        child.wait(GONE)  # so that it knows
        return
    for process in origins.processes():
        if process.pid == pid:
            process.join(GONE)
            return
    deadline = time.perf_counter() + GONE
    while _state(pid) and not _reap(pid) and time.perf_counter() < deadline:
        time.sleep(LOOK)


def _reap(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False  # not our child, or somebody else has waited for it


def _state(pid: int) -> str:
    """A letter, as in ``ps``; empty if there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0].decode()
    except OSError:
        return ""


def _zygote() -> int:
    """The process that all runtimes of this one are forked from; 0 if there is none."""
    engine, spawn = runtime_module("engines.native.processes.zygote"), runtime_module("engines.native.processes.spawn")
    process = engine._shared._process if engine is not None else None
    if process is None and spawn is not None:
        process = spawn._early
    return int(process.pid) if process is not None else 0


def _by_design() -> set[int | None]:
    """Helpers that libraries start once and keep, and nodes of a runtime or cluster that is up."""
    nodes: Any = getattr(running_engine(), "node_processes", None)
    pids: set[int | None] = {_zygote(), *of_loky.pids()}
    if nodes is not None:
        pids.update(node.pid for node in nodes.all.values())
    pids.update(*(cluster.pids() for cluster in clusters()))
    for library in _LIBRARIES:
        tracker: Any = sys.modules.get(f"{library}.resource_tracker")
        server: Any = sys.modules.get(f"{library}.forkserver")
        pids.add(getattr(getattr(tracker, "_resource_tracker", None), "_pid", None) or 0)
        pids.add(getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None) or 0)
    return pids
