"""More objects than the store has room for: they go to disk and come back, or it is said why not."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rustyray
from rustyray.exceptions import ObjectLostError, ObjectStoreFullError, OutOfDiskError, RayError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import children

MB = 1 << 20
STORE = 16 * MB


def block(number: int, size: int = 2 * MB) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    made = np.full(size, number, np.uint8)
    made[0] = number + 1
    return made


@rustyray.remote
def make(number: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return block(number)


@rustyray.remote
def add(one: np.ndarray[tuple[int], np.dtype[np.uint8]], number: int) -> int:
    return int(one[0]) + int(one[-1]) + number


def spill_files(directory: Path) -> list[Path]:
    """Ways to the spill files there of all processes beneath this one: they have no names."""
    nodes = [node for zygote in children(os.getpid()) for node in children(zygote)]
    return [entry for node in nodes for entry in open_files(node) if points_into(entry, directory)]


def open_files(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return []  # it has ended meanwhile


def points_into(entry: Path, directory: Path) -> bool:
    try:
        return os.readlink(entry).startswith(f"{directory}/")
    except FileNotFoundError:
        return False


def test_four_times_the_store(start: Start) -> None:
    with start(object_store_memory=STORE):
        refs = [rustyray.put(block(number)) for number in range(32)]
        for number, ref in enumerate(refs):
            value = rustyray.get(ref)
            assert value[0] == number + 1
            assert (value[1:] == number).all()
            del value
        assert rustyray.get([add.remote(ref, 1) for ref in refs]) == [2 * number + 2 for number in range(32)]


def test_results_and_their_arguments(start: Start) -> None:
    with start(object_store_memory=STORE):
        made = [make.remote(number) for number in range(24)]
        assert sum(rustyray.get([add.remote(ref, 0) for ref in made])) == sum(2 * number + 1 for number in range(24))
        assert int(rustyray.get(made[0])[0]) == 1


def test_an_actor_keeps_more_than_the_store_holds(start: Start) -> None:
    @rustyray.remote
    class Keeper:
        def __init__(self) -> None:
            self.refs = [rustyray.put(block(number)) for number in range(20)]

        def look(self, number: int) -> int:
            return int(rustyray.get(self.refs[number])[0])

    with start(object_store_memory=STORE):
        keeper = Keeper.remote()
        assert rustyray.get([keeper.look.remote(number) for number in range(20)]) == list(range(1, 21))


def test_what_never_fits_fails_at_once(start: Start) -> None:
    with start(object_store_memory=STORE):
        with pytest.raises(ObjectStoreFullError, match=r"capacity 16\.8 MB"):
            rustyray.put(block(1, STORE + 1))
        with pytest.raises(RayError, match="no room for an object"):
            rustyray.get(rustyray.remote(lambda: block(1, STORE + 1)).remote())


@pytest.mark.stress
def test_what_is_mapped_cannot_leave(start: Start) -> None:
    with start(object_store_memory=STORE):
        kept = [rustyray.get(rustyray.put(block(number))) for number in range(7)]
        with pytest.raises(ObjectStoreFullError, match=r"mapped by readers 14\.7 MB"):
            rustyray.put(block(1, 6 * MB))
        assert [int(value[0]) for value in kept] == list(range(1, 8))


def test_without_spilling(start: Start) -> None:
    start(object_store_memory=STORE, _system_config={"automatic_object_spilling_enabled": False})
    with pytest.raises(ObjectStoreFullError):
        _ = [rustyray.put(block(number)) for number in range(9)]


@pytest.mark.native_only("its files are real")
class TestFiles:
    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of 4 MB."""
        mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(tmp_path)]
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot mount a small file system: {done.stderr.strip()}")
        yield tmp_path
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)

    def test_a_full_disk(self, start: Start, small_disk: Path) -> None:
        with start(object_store_memory=STORE, object_spilling_directory=str(small_disk)):
            refs = [rustyray.put(block(number)) for number in range(7)]
            refs.append(rustyray.put(block(7)))  # this one, the disk has room for
            with pytest.raises(OutOfDiskError, match=r"No space left on device \(.* of 4.19 MB free\)") as caught:
                rustyray.put(block(8))
            assert "capacity 16.8 MB" in str(caught.value)
            assert [int(rustyray.get(ref)[0]) for ref in refs[1:]] == list(range(2, 9))
            del refs[2:4]
            assert [int(rustyray.get(ref)[0]) for ref in refs] == [1, 2, 5, 6, 7, 8]
            assert int(rustyray.get(rustyray.put(block(1)))[0]) == 2

    def test_nobody_sees_the_file_and_it_goes_with_the_node(self, start: Start, tmp_path: Path) -> None:
        with start(object_store_memory=STORE, object_spilling_directory=str(tmp_path)) as session:
            refs = [rustyray.put(block(number)) for number in range(20)]
            assert os.listdir(tmp_path) == []
            assert len(spill_files(tmp_path)) == 1
            node = int(spill_files(tmp_path)[0].parts[2])
            os.kill(node, signal.SIGKILL)
            assert eventually(lambda: not spill_files(tmp_path), 5)
            del refs, session
        assert os.listdir(tmp_path) == []

    def test_a_bad_file_is_noticed_and_what_a_task_made_is_made_again(self, start: Start, tmp_path: Path) -> None:
        with start(object_store_memory=STORE, object_spilling_directory=str(tmp_path)):
            put = rustyray.put(block(1))
            made = make.remote(2)
            rustyray.wait([made])
            more = [rustyray.put(block(number)) for number in range(8)]
            (file,) = spill_files(tmp_path)
            with open(file, "r+b") as opened:
                size = os.path.getsize(file)
                opened.write(bytes(255 for _ in range(size)))
            del more
            with pytest.raises(ObjectLostError, match=r"its checksum is .* it was put"):
                rustyray.get(put, timeout=20)
            assert int(rustyray.get(made, timeout=20)[0]) == 3

    def test_a_directory_that_is_not_there(self, start: Start, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="is no directory that this process may write to"):
            start(object_spilling_directory=str(tmp_path / "none"))


# --- being told -------------------------------------------------------------------------------------------------------


def test_a_program_is_told_when_its_store_fills_up_once_for_each_time(start: Start) -> None:
    told: list[rustyray.MemoryPressure] = []
    with start(object_store_memory=STORE):
        handle = rustyray.on_memory_pressure(told.append, 0.5)
        refs = [rustyray.put(block(number)) for number in range(3)]
        assert not told
        refs += [rustyray.put(block(number)) for number in range(3)]
        assert eventually(lambda: len(told) == 1, 5)
        assert (told[0].capacity, told[0].fraction) == (STORE, 0.5)
        assert told[0].used >= STORE / 2
        del refs
        rustyray.get(rustyray.put(1))
        refs = [rustyray.put(block(number)) for number in range(6)]
        assert eventually(lambda: len(told) == 2, 5)
        handle.unregister()
        handle.unregister()
        del refs
        more = [rustyray.put(block(number)) for number in range(6)]
        rustyray.get(more[0])
        assert len(told) == 2


def test_a_callback_may_use_the_runtime_and_fail(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[int] = []

    def look(pressure: rustyray.MemoryPressure) -> None:
        seen.append(rustyray.get(rustyray.put(pressure.capacity)))
        raise LookupError("no more")

    with start(object_store_memory=STORE):
        rustyray.on_memory_pressure(look, 0.1)
        refs = [rustyray.put(block(number)) for number in range(2)]
        assert eventually(lambda: seen == [STORE], 5)
        assert int(rustyray.get(refs[0])[0]) == 1
    assert "LookupError: no more" in capsys.readouterr().err


def test_in_an_actor_it_is_its_own_node_that_counts(start: Start) -> None:
    @rustyray.remote
    class Watcher:
        def __init__(self) -> None:
            self.told = 0
            self.handle = rustyray.on_memory_pressure(self.note, 0.5)

        def note(self, pressure: rustyray.MemoryPressure) -> None:
            self.told += 1

        def count(self) -> int:
            return self.told

    with start(object_store_memory=STORE):
        watcher = Watcher.remote()
        assert rustyray.get(watcher.count.remote()) == 0
        refs = [rustyray.put(block(number)) for number in range(5)]
        assert eventually(lambda: rustyray.get(watcher.count.remote()) == 1, 5)
        del refs


def test_wrong_calls(start: Start) -> None:
    with pytest.raises(RuntimeError, match="on_memory_pressure"):
        rustyray.on_memory_pressure(print)
    with start():
        with pytest.raises(TypeError, match="needs a function to call, got 3"):
            rustyray.on_memory_pressure(3)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="fraction is a share"):
            rustyray.on_memory_pressure(print, 1.5)


@pytest.mark.stress
def test_who_needs_room_waits_for_tasks_that_map_theirs(start: Start) -> None:
    @rustyray.remote
    def hold(one: np.ndarray[tuple[int], np.dtype[np.uint8]], seconds: float) -> int:
        time.sleep(seconds)
        return int(one[0])

    with start(num_cpus=3, object_store_memory=STORE):
        refs = [rustyray.put(block(number, 9 * MB)) for number in range(3)]
        assert rustyray.get([hold.remote(ref, 3.0) for ref in refs], timeout=60) == [1, 2, 3]
