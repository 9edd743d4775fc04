"""The arena on the real system: shared pages, descriptors, limits, forks."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

from rustyray.engines.client import layout
from rustyray.engines.client.layout import ALIGNMENT, layout_size
from rustyray.engines.native import arena as arena_module
from rustyray.engines.native.arena import PAGE, Arena
from rustyray.runtime.serialization import dumps

SIZE = 64 << 20
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has memfd, seals and /proc")


@pytest.fixture
def arena() -> Iterator[Arena]:
    made = Arena.create(SIZE)
    yield made
    made.close()


def ignore() -> None:
    """For reads whose release does not matter."""


def there_and_back(arena: Arena, value: Any, offset: int = 0, touched: bool = False) -> Any:
    size = arena.write(offset, dumps(value), touched)
    return arena.read(offset, size, ignore)


def nested() -> dict[str, Any]:
    return {"a": {"b": [np.arange(1000), np.ones((3, 5))], "c": "text"}, "d": (1, np.zeros(0)), "e": b"x" * 5000}


def assert_same(arrived: Any, value: Any) -> None:
    if isinstance(value, dict):
        assert list(arrived) == list(value)
        for key in value:
            assert_same(arrived[key], value[key])
    elif isinstance(value, (list, tuple)):
        assert type(arrived) is type(value)
        for one, other in zip(arrived, value, strict=True):
            assert_same(one, other)
    elif isinstance(value, np.ndarray):
        assert arrived.dtype == value.dtype
        assert np.array_equal(arrived, value)
    else:
        assert arrived == value


VALUES = {
    "bytes": b"ab" * 100_000,
    "bytearray": bytearray(b"ab" * 100_000),
    "text": "ä" * 200_000,
    "array": np.arange(100_000),
    "fortran": np.asfortranarray(np.arange(10_000.0).reshape(100, 100)),
    "memoryview": memoryview(b"xyz" * 50_000),
    "nested": nested(),
    "many": [np.full(3, number, np.uint16) for number in range(3000)],
    "small": 1,
}


class TestValues:
    @pytest.mark.parametrize("touched", [False, True])
    @pytest.mark.parametrize("name", list(VALUES))
    def test_values_come_back_equal(self, arena: Arena, name: str, touched: bool) -> None:
        value = VALUES[name]
        if touched:
            arena.write(PAGE, dumps(value))
            there_and_back(arena, bytearray(b"\xff") * 500_000, PAGE)
        assert_same(there_and_back(arena, value, PAGE, touched), value)

    def test_a_write_takes_exactly_the_size_laid_out(self, arena: Arena) -> None:
        for value in VALUES.values():
            serialized = dumps(value)
            size = layout_size(serialized)
            marker = b"\xee" * 64
            os.pwrite(arena.fd, marker, size)
            assert arena.write(0, serialized) == size
            assert os.pread(arena.fd, 64, size) == marker
            assert arena.write(0, serialized, touched=True) == size
            assert os.pread(arena.fd, 64, size) == marker

    def test_buffers_are_aligned(self, arena: Arena) -> None:
        arrays = there_and_back(arena, [np.ones(number, np.uint8) for number in (1, 63, 64, 65, 1000)])
        assert [array.ctypes.data % ALIGNMENT for array in arrays] == [0] * 5

    def test_objects_side_by_side(self, arena: Arena) -> None:
        values = [np.full(20_000 + number, number) for number in range(50)]
        extents, offset = [], 0
        for value in values:
            size = arena.write(offset, dumps(value))
            extents.append((offset, size))
            offset += -(-size // PAGE) * PAGE
        for value, (offset, size) in zip(values, extents, strict=True):
            assert np.array_equal(arena.read(offset, size, ignore), value)

    def test_arrays_are_views_and_read_only(self, arena: Arena) -> None:
        array = there_and_back(arena, np.arange(1000))
        view = there_and_back(arena, memoryview(bytes(1000)), 1 << 20)
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.flags.writeable = True
        with pytest.raises(TypeError, match="read-only"):
            view[0] = 1
        before = int(array[1])
        where = layout._HEAD.size
        start = bytes(os.pread(arena.fd, 4096, 0)).index(np.arange(1000).tobytes()[:64], where)
        os.pwrite(arena.fd, (77).to_bytes(8, "little"), start + 8)
        assert (before, int(array[1])) == (1, 77)

    def test_short_writes_and_many_system_calls(self, arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
        pwritev = os.pwritev
        calls = 0

        def short(fd: int, parts: list[Any], offset: int) -> int:
            nonlocal calls
            calls += 1
            assert len(parts) <= 1024
            joined = b"".join(parts)
            return pwritev(fd, [joined[: max(1, len(joined) * 2 // 3)]], offset)

        monkeypatch.setattr(os, "pwritev", short)
        monkeypatch.setattr(arena_module, "_WRITE_STEP", 3000)
        for name in ("nested", "many", "bytearray"):
            assert_same(there_and_back(arena, VALUES[name]), VALUES[name])
        assert calls > 100

    def test_threads_write_and_read_their_own_extents(self, arena: Arena) -> None:
        wrong: list[str] = []

        def work(number: int) -> None:
            for turn in range(20):
                value = np.full(50_000, 100 * number + turn)
                if not np.array_equal(there_and_back(arena, value, number << 20, turn > 0), value):
                    wrong.append(f"thread {number}, turn {turn}")

        run_all([lambda number=number: work(number) for number in range(4)])  # type: ignore[misc]
        assert wrong == []


def run_all(work: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class TestRelease:
    def read(self, arena: Arena, value: Any) -> tuple[Any, list[str]]:
        released: list[str] = []
        size = arena.write(0, dumps(value))
        return arena.read(0, size, lambda: released.append("released")), released

    def test_once_when_the_last_view_is_gone(self, arena: Arena) -> None:
        value, released = self.read(arena, {"x": np.arange(1000), "y": np.arange(5)})
        part = value["x"].reshape(10, 100)[3, 4:6]
        del value
        gc.collect()
        assert released == []
        assert part.tolist() == [304, 305]
        del part
        assert released == ["released"]
        gc.collect()
        assert released == ["released"]

    @pytest.mark.parametrize(
        "value", [[1, "x" * 1000], b"x" * 200_000, bytearray(200_000)], ids=["list", "bytes", "bytearray"]
    )
    def test_at_once_when_everything_was_copied(self, arena: Arena, value: Any) -> None:
        _, released = self.read(arena, value)
        assert released == ["released"]

    def test_when_a_value_in_a_cycle_is_collected(self, arena: Arena) -> None:
        value, released = self.read(arena, [np.arange(1000)])
        value.append(value)
        del value
        gc.collect()
        assert released == ["released"]

    def test_when_the_value_cannot_be_unpickled(self, arena: Arena) -> None:
        released: list[str] = []
        size = arena.write(0, dumps(Refuses()))
        with pytest.raises(RuntimeError, match="refused"):
            arena.read(0, size, lambda: released.append("released"))
        gc.collect()
        assert released == ["released"]

    def test_each_read_is_released_by_itself(self, arena: Arena) -> None:
        size = arena.write(0, dumps(np.arange(1000)))
        released: list[int] = []
        values = [arena.read(0, size, lambda number=number: released.append(number)) for number in range(3)]  # type: ignore[misc]
        del values[1]
        assert released == [1]
        values.clear()
        assert sorted(released) == [0, 1, 2]

    @LINUX
    def test_thousands_of_live_values_take_no_descriptors_or_maps(self, arena: Arena) -> None:
        size = arena.write(0, dumps(np.arange(1000)))
        arena.read(0, size, ignore)
        descriptors, maps = len(os.listdir("/proc/self/fd")), arena_maps()
        values = [arena.read(0, size, ignore) for _ in range(5000)]
        assert (len(os.listdir("/proc/self/fd")), arena_maps()) == (descriptors, maps)
        assert all(value[-1] == 999 for value in values)

    @LINUX
    def test_closing_keeps_values_and_unmaps_with_the_last(self) -> None:
        before = arena_maps()
        arena = Arena.create(SIZE)
        value = there_and_back(arena, np.arange(1000))
        there_and_back(arena, np.arange(1000), touched=True)
        arena.close()
        arena.close()
        assert value[-1] == 999
        assert arena_maps() == before + 1
        del value
        assert arena_maps() == before

    def test_values_that_are_alive_at_exit_do_no_harm(self) -> None:
        program = (
            "import os, sys, numpy as np\n"
            "from rustyray.engines.native.arena import Arena\n"
            "from rustyray.runtime.serialization import dumps\n"
            "class Late:\n"
            "    def __del__(self, write=os.write): write(1, self.value[65:70].tobytes())\n"
            "def late():\n"
            "    made = Late()\n"
            "    made.value = arena.read(0, arena.write(0, dumps(np.arange(100, dtype=np.uint8))), lambda: None)\n"
            "    return made\n"
            "arena = Arena.create(1 << 22)\n"
            "sys.late, last = late(), late()\n"
            "arena.close(); del arena\n"
        )
        assert run(program) == "ABCDE" * 2


class Refuses:
    def __reduce__(self) -> tuple[Callable[..., NoReturn], tuple[Any, ...]]:
        return refuse, (np.arange(100),)


def refuse(array: object) -> NoReturn:
    raise RuntimeError("refused")


def arena_maps() -> int:
    return Path("/proc/self/maps").read_text().count("rustyray-arena")


def run(program: str, *pass_fds: int) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(__file__).parents[2],
        pass_fds=pass_fds,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def in_child(work: Callable[[], bool]) -> int:
    """Fork, run ``work`` there, and tell the exit status: 0 when it returned True."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if work() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TestProcesses:
    def test_a_forked_child_reads_and_answers(self, arena: Arena) -> None:
        question = np.arange(100_000)
        size = arena.write(0, dumps(question))
        kept = arena.read(0, size, ignore)

        def work() -> bool:
            mine = Arena.from_fd(arena.fd)
            read = mine.read(0, size, ignore)
            mine.write(8 << 20, dumps(read * 2))
            return mine.size == SIZE and bool((read == question).all()) and bool((kept == question).all())

        assert in_child(work) == 0
        answer = arena.read(8 << 20, size, ignore)
        assert np.array_equal(answer, question * 2)

    def test_another_program_that_gets_the_descriptor(self, arena: Arena) -> None:
        size = arena.write(PAGE, dumps(np.arange(1000)))
        program = (
            "from rustyray.engines.native.arena import Arena\n"
            f"arena = Arena.from_fd({arena.fd})\n"
            f"print(arena.size, arena.read({PAGE}, {size}, lambda: None).sum())\n"
        )
        assert run(program, arena.fd) == f"{SIZE} 499500\n"

    def test_what_is_not_needed_is_not_imported(self) -> None:
        program = (
            "import sys, rustyray.engines.native.arena as a, rustyray.runtime.serialization as s\n"
            "arena = a.Arena.create(1 << 20)\n"
            "arena.write(0, s.dumps([1, len])); arena.write(0, s.dumps([1, len]), True)\n"
            "print([name for name in ('ctypes', 'cloudpickle', 'numpy') if name in sys.modules])\n"
        )
        assert run(program) == "[]\n"
