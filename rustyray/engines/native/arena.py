"""The memory that large objects live in: one sparse, anonymous file, shared by every process of a node.

The file has no name, so nothing of it can be left behind, and it takes memory only where something was written.
Processes get it as a descriptor. Which bytes belong to which object the node decides; this module only lays an object
out in its extent, writes it, and reads it in place.

A first write goes through ``pwritev``, which fills fresh pages about twice as fast as touching them in a mapping, and
reports a full memory as an error where a mapping would be killed with SIGBUS. Pages that have been written before are
faster to overwrite through a mapping, which runs at the speed of memcpy and takes no lock of the file.

A reader maps the whole arena once, read-only, and each value that it reads gets a small exporter of its own on top: the
arrays inside hold it, and when the last of them is gone the object's pin is released. (A map for each object would take
a descriptor and a system call each, and fault all pages in anew every time; `mmap.mmap` duplicates its descriptor.)
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import pickle
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Final

from rustyray.engines.client.layout import layout_size, parts_of, read_from
from rustyray.runtime.serialization import Serialized

PAGE: Final = mmap.ALLOCATIONGRANULARITY
_IOV_MAX: Final = 1024
#: One system call (under the file's lock) or one copy (under the interpreter's) moves at most this much at a time.
_WRITE_STEP: Final = 8 << 20
_COPY_STEP: Final = 8 << 20
_CHUNK_SHIFT: Final = 21
_MADV_POPULATE_WRITE: Final = 23  # Linux 5.14; the mmap module has no name for it
_MFD_CLOEXEC: Final = 1
_MFD_ALLOW_SEALING: Final = 2


#: How many mappings of arenas this process has made so far.
maps_made = 0


class Arena:
    """The shared memory of one node, as one of its processes sees it. Safe to use from several threads."""

    __slots__ = ("_map", "_mapped", "_readable", "fd", "size")

    def __init__(self, fd: int, size: int) -> None:
        self.fd = fd
        self.size = size
        self._map: mmap.mmap | None = None
        #: Per 2 MiB: whether this process has its pages in its page table.
        self._mapped = bytearray()
        self._readable: _ReadOnlyMap | None = None

    @classmethod
    def create(cls, size: int) -> Arena:
        """An empty arena of ``size`` bytes, of which none is taken yet."""
        if size <= 0:
            raise ValueError(f"an arena needs a size in bytes above 0, got {size}")
        if not hasattr(os, "memfd_create"):
            return cls(_unlinked_file(size), size)
        fd = os.memfd_create("rustyray-arena", _MFD_CLOEXEC | _MFD_ALLOW_SEALING)
        try:
            os.ftruncate(fd, size)
        except OSError as error:
            os.close(fd)
            text = f"an object store of {size} bytes cannot be made ({error.strerror}): see object_store_memory"
            raise OSError(error.errno, text) from None
        # A file that was cut under a mapping would kill its readers.
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        return cls(fd, size)

    @classmethod
    def from_fd(cls, fd: int) -> Arena:
        """The arena that another process made, by the descriptor that it passed on."""
        return cls(fd, os.fstat(fd).st_size)

    def close(self) -> None:
        """Close the descriptor. Values that were read stay valid."""
        if self._map is not None:
            self._map.close()
            self._map = None
        self._readable = None
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def write(self, offset: int, serialized: Serialized, touched: bool = False) -> int:
        """Write a value at ``offset``; ``touched`` says that all of these bytes were written before by somebody.

        Returns:
            The bytes it takes, which are `layout_size`.

        Raises:
            OSError: The system has no memory left for it (ENOSPC, ENOMEM) or a limit forbids it (EFBIG).
        """
        size = layout_size(serialized)
        self._check(offset, size)
        parts = parts_of(serialized)
        try:
            if not touched or not self._copy(offset, size, parts):
                _write_all(self.fd, offset, parts)
        except OSError as error:
            raise OSError(error.errno, f"no room for {size} bytes in shared memory: {error.strerror}") from error
        return size

    def read(self, offset: int, size: int, on_release: Callable[[], None]) -> Any:
        """The value at ``offset``; its arrays are read-only views of the arena itself.

        ``on_release`` is called once, when nothing refers to these bytes any more: from any thread, even inside a
        garbage collection, so it must not take locks. A value without buffers releases them before this returns.
        """
        self._check(offset, size)
        if self._readable is None:
            self._readable = _ReadOnlyMap(self.fd, self.size)
            _count_map()
        view = self._readable.view(offset, size, on_release)
        return read_from(view, offset)

    def in_place(self, offset: int, size: int, written: bool = False) -> memoryview | None:
        """These bytes of objects themselves; None when this process cannot have them mapped (a limit on its memory).

        Args:
            written: all pages were written before, and are to be now: the page table is filled at once.
        """
        try:
            target = self._mapping()
        except (OSError, ValueError):
            return None
        if written:
            chunks = slice(offset >> _CHUNK_SHIFT, (offset + size - 1 >> _CHUNK_SHIFT) + 1)
            if not all(self._mapped[chunks]):
                start = offset - offset % PAGE
                _populate(target, start, offset + size - start)
                self._mapped[chunks] = b"\x01" * (chunks.stop - chunks.start)
        return memoryview(target)[offset : offset + size]

    def is_part(self, data: memoryview) -> bool:
        """Whether these bytes were got from `in_place`."""
        return data.obj is self._map

    def punch(self, offset: int, size: int) -> None:
        """Give the memory of whole pages back to the system; reading them gives zeros."""
        self._check(offset, size)
        if hasattr(mmap, "MADV_REMOVE"):
            self._mapping().madvise(mmap.MADV_REMOVE, offset, size)

    def resident(self) -> int:
        """Bytes of memory that the arena takes at present."""
        return os.fstat(self.fd).st_blocks * 512

    def _check(self, offset: int, size: int) -> None:
        if offset < 0 or offset % PAGE or size <= 0 or offset + size > self.size:
            raise ValueError(f"{size} bytes at {offset} are not an extent of an arena of {self.size} bytes")

    def _mapping(self) -> mmap.mmap:
        if self._map is None:
            self._mapped = bytearray((self.size >> _CHUNK_SHIFT) + 1)
            self._map = mmap.mmap(self.fd, self.size)
            _count_map()
        return self._map

    def _copy(self, offset: int, size: int, parts: list[bytes | memoryview]) -> bool:
        """Write through the mapping; False when this process cannot have one (a limit on its address space)."""
        target = self.in_place(offset, size, written=True)
        if target is None:
            return False
        at = 0
        for part in parts:
            for begin in range(0, len(part), _COPY_STEP):
                piece = part[begin : begin + _COPY_STEP]
                target[at : at + len(piece)] = piece
                at += len(piece)
        return True


def _count_map() -> None:
    global maps_made
    maps_made += 1


class _ReadOnlyMap:
    """The arena in this process' address space; unmapped when the arena is closed and no value is left in it."""

    __slots__ = ("_address", "_array_type", "_libc", "_size")

    def __init__(self, fd: int, size: int) -> None:
        import ctypes  # only here: it would cost every start several ms

        libc = ctypes.CDLL(None, use_errno=True)
        word, pointer = ctypes.c_int, ctypes.c_void_p
        libc.mmap.argtypes = (pointer, ctypes.c_size_t, word, word, word, ctypes.c_long)
        libc.mmap.restype = pointer
        libc.munmap.argtypes = (pointer, ctypes.c_size_t)
        address = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
        if address is None or address == ctypes.c_void_p(-1).value:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot map an arena of {size} bytes: {os.strerror(number)}")
        self._address: int = address
        self._array_type = ctypes.c_ubyte * size
        self._libc = libc
        self._size = size

    def view(self, offset: int, size: int, on_release: Callable[[], None]) -> memoryview:
        """The bytes of one extent, by an exporter of its own: ``on_release`` is called when its last view is gone."""
        # One type for all, so its end lies beyond the arena's; nobody sees more than the slice.
        exporter = self._array_type.from_address(self._address + offset)
        weakref.finalize(exporter, _released, self, on_release).atexit = False
        return pickle.PickleBuffer(exporter).raw()[:size].toreadonly()

    def __del__(self, finalizing: Callable[[], bool] = sys.is_finalizing) -> None:
        # While the interpreter ends, this may go before the last view does.
        if hasattr(self, "_libc") and not finalizing():
            self._libc.munmap(self._address, self._size)


def _released(keep: _ReadOnlyMap, on_release: Callable[[], None]) -> None:
    """``keep`` is an argument so that the map outlives every view of it."""
    on_release()


def _write_all(fd: int, offset: int, parts: list[bytes | memoryview]) -> None:
    for batch in _batches(parts):
        rest = batch
        while rest:
            written = os.pwritev(fd, rest, offset)
            offset += written
            rest = _after(rest, written)


def _batches(parts: list[bytes | memoryview]) -> Iterator[list[bytes | memoryview]]:
    """The parts in portions that one system call takes."""
    batch: list[bytes | memoryview] = []
    room = _WRITE_STEP
    for part in parts:
        for begin in range(0, len(part), _WRITE_STEP):
            piece = part[begin : begin + _WRITE_STEP]
            if batch and (len(piece) > room or len(batch) == _IOV_MAX):
                yield batch
                batch, room = [], _WRITE_STEP
            batch.append(piece)
            room -= len(piece)
    if batch:
        yield batch


def _after(parts: list[bytes | memoryview], written: int) -> list[bytes | memoryview]:
    """What is left of ``parts`` when ``written`` bytes of them are done: a write may be cut short."""
    for index, part in enumerate(parts):
        if written < len(part):
            return [memoryview(part)[written:], *parts[index + 1 :]]
        written -= len(part)
    return []


def _populate(target: mmap.mmap, offset: int, size: int) -> None:
    """Put existing pages into the page table at once; where one is missing after all, this fails instead of SIGBUS."""
    if sys.platform != "linux":
        return
    for begin in range(offset, offset + size, _COPY_STEP):
        try:
            target.madvise(_MADV_POPULATE_WRITE, begin, min(_COPY_STEP, offset + size - begin))
        except OSError as error:
            if error.errno == errno.EINVAL:  # an older kernel; the copy will fault the pages in one by one
                return
            raise


def _unlinked_file(size: int) -> int:
    """Where the system has no memfd: a file in memory if possible, whose name is gone before anybody can see it."""
    import tempfile  # only here: it would slow every start down

    with tempfile.TemporaryFile(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as file:
        os.ftruncate(file.fileno(), size)
        return os.dup(file.fileno())
