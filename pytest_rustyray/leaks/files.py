"""Descriptors that are still open: files, pipes, sockets, shared memory; values in memory of a runtime that has ended;
and the folders of clusters that `rustyray start` has started.
"""

from __future__ import annotations

import gc
import io
import os
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from pytest_rustyray.leaks import of_loky, of_ray, origins, processes
from pytest_rustyray.leaks.finding import Leak, runtime_module
from pytest_rustyray.lifetimes import running_engine

#: As files under these names are memory.
_MEMORY: Final = ("/dev/shm/", "/memfd:")
_ARENA: Final = "/memfd:rustyray-arena"
#: Number, device and inode: a number may be used again.
Descriptor = tuple[int, int, int]


class Descriptors:
    """Whatever is open, but for the standard streams, which pytest's capture exchanges all the time."""

    cheap: Final = True

    def look(self) -> list[Descriptor]:
        found = []
        for name in os.listdir("/dev/fd"):
            number = int(name)
            if number > 2:
                try:
                    status = os.fstat(number)
                except OSError:
                    continue  # the one that the folder was read with
                found.append((number, status.st_dev, status.st_ino))
        return found

    def leak(self, thing: Descriptor) -> Leak | None:
        try:
            return self._leak(thing)
        except OSError:
            return None  # another thread has closed it meanwhile

    def _leak(self, thing: Descriptor) -> Leak | None:
        number, _, inode = thing
        if number in _by_design() or inode == _arena_in_use() or not _is_open(thing):
            return None
        if of_ray.has_native_descriptors() and next(_owners(number), None) is None:
            return None
        is_socket = stat.S_ISSOCK(os.fstat(number).st_mode)
        target = _target(number)

        def owner() -> object:
            return next(_owners(number), None)

        if is_socket:
            return Leak("sockets", f"descriptor {number}, {_socket(number)}", lambda: close(thing), owner)
        kind = "memory" if target.startswith(_MEMORY) else "descriptors"
        return Leak(kind, f"descriptor {number} of {target}", lambda: close(thing), owner)


class Mappings:
    """Memory of runtimes that have ended, which stays as long as a value is looked at that lies in it."""

    cheap: Final = False

    def __init__(self) -> None:
        self._made = 0
        self._found: set[int] = set()

    def look(self) -> set[int]:
        arena = runtime_module("engines.native.arena")
        made = arena.maps_made if arena is not None else 0
        if made > self._made or self._found:  # else there is none, as before
            self._made, self._found = made, _arenas()
        return self._found

    def leak(self, thing: int) -> Leak | None:
        if thing == _arena_in_use():
            return None
        text = "the store of a runtime that has ended: a value that was read from it is still referred to"
        return Leak("memory", text, lambda: "goes with the last such value")


def _arenas() -> set[int]:
    """The inodes of those that this process has mapped. A process with many libraries has a long list to read."""
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="replace") as file:
            return {int(line.split()[4]) for line in file if _ARENA in line}
    except OSError:
        return set()


class Folders:
    """Of clusters whose processes we have to end."""

    cheap: Final = False

    def look(self) -> list[str]:
        base = os.environ.get("RUSTYRAY_TMPDIR") or os.path.join(tempfile.gettempdir(), f"rustyray-{os.geteuid()}")
        try:
            return [os.path.join(base, name) for name in os.listdir(base)]
        except OSError:
            return []

    def leak(self, thing: str) -> Leak | None:
        try:
            pids = {int(name.split(".")[0]) for name in os.listdir(thing) if name[0].isdigit()}
        except OSError:
            return None
        if pids.isdisjoint(processes.children(os.getpid())):
            return None  # somebody else's
        return Leak("folders", f"{thing}, of a cluster that runs", lambda: _remove(thing))


def _remove(folder: str) -> str:
    shutil.rmtree(folder, ignore_errors=True)
    return "removed"


def close(thing: Descriptor) -> str:
    """Close it by the object that has it, or let its number stand for nothing, as somebody may still use it."""
    number = thing[0]
    if not _is_open(thing):
        return ""  # it went with another one
    owners = list(_owners(number))
    for owner in owners:
        try:
            owner.close()
            if hasattr(owner, "unlink"):
                owner.unlink()
        except (OSError, BufferError):
            continue
    if not _is_open(thing):
        return f"closed ({type(owners[0]).__name__})"
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, number, inheritable=False)
    os.close(null)
    return "closed; its number stands for /dev/null"


def _is_open(thing: Descriptor) -> bool:
    try:
        status = os.fstat(thing[0])
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == thing[1:]


def _owners(number: int) -> Iterator[Any]:
    """Objects that close the descriptor when they are closed; what wraps others comes before these."""
    memory: Any = sys.modules.get("multiprocessing.shared_memory")
    shared = memory.SharedMemory if memory is not None else ()
    found: list[Any] = []
    for one in gc.get_objects():
        kind = type(one)
        if issubclass(kind, shared):
            number_of = one._fd
        elif issubclass(kind, io.IOBase | socket.socket):
            try:
                number_of = one.fileno()
            except (OSError, ValueError, AttributeError):
                continue
        else:
            continue
        if number_of == number:
            found.append(one)
    order = (io.TextIOBase, io.BufferedIOBase)
    yield from sorted(found, key=lambda one: next((at for at, kind in enumerate(order) if isinstance(one, kind)), 2))


def _target(number: int) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return "a file"


def _socket(number: int) -> str:
    """What it is, and where it leads."""
    with socket.socket(fileno=os.dup(number)) as one:
        kind = f"{one.family.name}, {one.type.name}"
        try:
            here, there = one.getsockname(), one.getpeername()
        except OSError:
            try:
                return f"a socket ({kind}) at {one.getsockname()!r}"
            except OSError:
                return f"a socket ({kind})"
        return f"a socket ({kind}) from {here!r} to {there!r}"


def _arena_in_use() -> int:
    """The inode of the store that a runtime which is up has mapped here; 0 if there is none."""
    arena: Any = getattr(running_engine(), "arena", None)
    try:
        return os.fstat(arena.fd).st_ino if arena is not None and arena.fd >= 0 else 0
    except OSError:
        return 0  # another thread shuts it down


def _by_design() -> set[int | None]:
    """What libraries, and a runtime that is up, open once and keep."""
    numbers: set[int | None] = {*of_loky.descriptors()}
    zygote, spawn = runtime_module("engines.native.processes.zygote"), runtime_module("engines.native.processes.spawn")
    process = zygote._shared._process if zygote is not None else None
    if process is not None:
        numbers.add(process.fileno())
    elif spawn is not None and spawn._early is not None:
        numbers.add(spawn._early.socket.fileno())
    hub: Any = getattr(getattr(running_engine(), "pump", None), "hub", None)
    if hub is not None:
        numbers |= hub.descriptors()
    for process in origins.processes():
        numbers.update(getattr(getattr(process._popen, "finalizer", None), "_args", ()))  # they are the process'
    for library in ("multiprocessing", "multiprocess"):
        tracker: Any = sys.modules.get(f"{library}.resource_tracker")
        server: Any = sys.modules.get(f"{library}.forkserver")
        numbers.add(getattr(getattr(tracker, "_resource_tracker", None), "_fd", None))
        numbers.add(getattr(getattr(server, "_forkserver", None), "_forkserver_alive_fd", None))
    return numbers
