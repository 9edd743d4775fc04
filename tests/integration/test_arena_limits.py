"""Where the arena ends: bad extents, full memory, limits of the system; and what memory it takes and gives back."""

import errno
import mmap
import os
import re
import resource
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from rustyray.engines.native.arena import PAGE, Arena
from rustyray.runtime.serialization import dumps
from tests.integration.test_arena import LINUX, SIZE, arena, assert_same, ignore, in_child, nested, there_and_back

__all__ = ["arena"]  # a fixture


class TestLimits:
    @pytest.mark.parametrize(("offset", "size"), [(1, 100), (-PAGE, 100), (SIZE, 100), (SIZE - PAGE, PAGE + 1), (0, 0)])
    def test_extents_outside_the_arena_are_refused(self, arena: Arena, offset: int, size: int) -> None:
        with pytest.raises(ValueError, match="not an extent"):
            arena.read(offset, size, ignore)
        if size:
            with pytest.raises(ValueError, match="not an extent"):
                arena.write(offset, dumps(bytes(200_000)))

    def test_a_place_without_an_object_is_recognised(self, arena: Arena) -> None:
        with pytest.raises(ValueError, match="no object at offset"):
            arena.read(PAGE, 1000, ignore)

    def test_an_arena_needs_a_size(self) -> None:
        with pytest.raises(ValueError, match="above 0"):
            Arena.create(0)

    @LINUX
    def test_nobody_can_cut_it(self, arena: Arena) -> None:
        with pytest.raises(PermissionError):
            os.ftruncate(arena.fd, PAGE)
        with pytest.raises(PermissionError):
            os.ftruncate(arena.fd, 2 * SIZE)

    @LINUX
    def test_memory_that_is_full_is_a_clear_error(self) -> None:
        full = Arena(os.open("/dev/full", os.O_RDWR), SIZE)
        with pytest.raises(OSError, match=r"no room for \d+ bytes in shared memory: No space left") as caught:
            full.write(0, dumps(bytes(200_000)))
        assert caught.value.errno == errno.ENOSPC
        full.close()

    @LINUX
    def test_a_size_above_a_limit_on_file_sizes_is_a_clear_error(self) -> None:
        def work() -> bool:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
            try:
                Arena.create(2 << 20)
            except OSError as error:
                return error.errno == errno.EFBIG and "an object store of 2097152 bytes cannot be made" in str(error)
            return False

        assert in_child(work) == 0

    def test_a_limit_on_file_sizes_is_a_clear_error(self, arena: Arena) -> None:
        def work() -> bool:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
            try:
                arena.write(0, dumps(bytes(2 << 20)))
            except OSError as error:
                return error.errno == errno.EFBIG and "no room for" in str(error)
            return False

        assert in_child(work) == 0

    @LINUX
    def test_pages_that_are_not_there_after_all_are_an_error_and_no_sigbus(self, tmp_path: Path) -> None:
        def work() -> bool:
            fd = os.open(tmp_path / "arena", os.O_RDWR | os.O_CREAT)
            os.ftruncate(fd, SIZE)
            arena = Arena.from_fd(fd)
            arena.write(0, dumps(bytes(200_000)), touched=True)
            os.ftruncate(fd, PAGE)
            try:
                arena.write(4 << 20, dumps(bytes(200_000)), touched=True)
            except OSError as error:
                return "no room for" in str(error)
            return False

        assert in_child(work) == 0

    def test_no_address_space_for_the_map_of_the_writer(self, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse_map(*args: object) -> NoReturn:
            raise OSError(errno.ENOMEM, "no address space")

        monkeypatch.setattr(mmap, "mmap", refuse_map)
        assert np.array_equal(there_and_back(arena, np.arange(1000), touched=True), np.arange(1000))

    def test_no_address_space_for_the_map_of_the_reader(self, arena: Arena) -> None:
        size = arena.write(0, dumps(np.arange(1000)))

        def work() -> bool:
            resource.setrlimit(resource.RLIMIT_AS, (SIZE, resource.RLIM_INFINITY))
            try:
                arena.read(0, size, ignore)
            except OSError as error:
                return error.errno == errno.ENOMEM and "cannot map an arena" in str(error)
            return False

        assert in_child(work) == 0

    def test_without_memfd_a_file_without_a_name(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "memfd_create", raising=False)
        arena = Arena.create(SIZE)
        assert_same(there_and_back(arena, nested()), nested())
        assert os.fstat(arena.fd).st_nlink == 0
        assert os.fstat(arena.fd).st_size == SIZE
        arena.close()


@LINUX
class TestMemory:
    def test_only_what_is_written_takes_memory(self, arena: Arena) -> None:
        assert arena.resident() == 0
        arena.write(0, dumps(bytes(1 << 20)))
        assert 1 << 20 <= arena.resident() <= (1 << 20) + 2 * PAGE

    def test_punching_gives_memory_back(self, arena: Arena) -> None:
        arena.write(0, dumps(bytes(1 << 20)))
        size = arena.write(4 << 20, dumps(np.arange(1000)))
        arena.punch(0, 2 << 20)
        assert arena.resident() <= 4 * PAGE
        assert arena.read(4 << 20, size, ignore)[-1] == 999
        with pytest.raises(ValueError, match="no object"):
            arena.read(0, 1 << 20, ignore)
        assert np.array_equal(there_and_back(arena, np.arange(1000)), np.arange(1000))

    def test_the_name_in_the_process_map_tells_whose_memory_it_is(self, arena: Arena) -> None:
        value = there_and_back(arena, np.arange(1000))
        assert re.search(r"r--s .*memfd:rustyray-arena", Path("/proc/self/maps").read_text())
        assert value[-1] == 999
