"""How fast objects go to the spill file and come back, beside a plain file: ``python -m benchmarks.spilling``.

512 MB in objects of 16 MB go out and come back: by the node's threads alone, and as a program sees it, which puts them
into a store of 128 MB and gets them one by one. The peer writes and reads a file of as many bytes in the same
directory, 8 MB at a time. All stay in the system's cache as far as it likes, and nobody syncs. The best of some rounds,
which take turns, counts, for writing and for reading.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

import rustyray
from rustyray.core.effects import RestoreObject, SpillObject
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.spill_file import SpillFile

SIZE = 16 << 20
COUNT = 32
STORE = 128 << 20
STEP = 8 << 20
ROUNDS = 5


def raw(directory: str) -> tuple[float, float]:
    """Seconds to write a fresh file, and to read it."""
    data = os.urandom(STEP)
    into = bytearray(STEP)
    with tempfile.TemporaryFile(dir=directory, buffering=0) as file:
        began = time.perf_counter()
        for _ in range(COUNT * SIZE // STEP):
            file.write(data)
        written = time.perf_counter()
        file.seek(0)
        while file.readinto(into):
            pass
        return written - began, time.perf_counter() - written


def by_the_threads(directory: str, arena: Arena) -> tuple[float, float]:
    """Seconds for the node's part of it, to a fresh file and back."""
    done = threading.Semaphore(0)
    file = SpillFile(directory, arena.fd, done.release)

    def seconds(work: Sequence[SpillObject | RestoreObject]) -> float:
        began = time.perf_counter()
        for piece in work:
            file.do(piece)
        for _ in work:
            done.acquire()
        return time.perf_counter() - began

    written = seconds([SpillObject(start, start, SIZE) for start in range(0, COUNT * SIZE, SIZE)])
    answers = file.answers()
    assert not any(problem for _, _, problem in answers)
    read = seconds([RestoreObject(work.place, work.offset, SIZE, checksum) for work, checksum, _ in answers])
    assert not any(problem for _, _, problem in file.answers())
    file.after_fork()  # which closes it
    return written, read


def spilled(directory: str) -> tuple[float, float]:
    """Seconds to put more than the store holds, and to get all again."""
    block = np.frombuffer(os.urandom(SIZE - 4096), np.uint8)
    with rustyray.init(num_cpus=1, object_store_memory=STORE, object_spilling_directory=directory):
        began = time.perf_counter()
        refs = [rustyray.put(block) for _ in range(COUNT)]
        written = time.perf_counter()
        for ref in refs:
            value = rustyray.get(ref)
            assert value[-1] == block[-1]
            del value
        return written - began, time.perf_counter() - written


def best_of_all(directory: str) -> dict[str, tuple[float, float]]:
    """Seconds to write and to read, by who does it."""
    arena = Arena.create(COUNT * SIZE)
    for offset in range(0, COUNT * SIZE, STEP):
        os.pwrite(arena.fd, os.urandom(STEP), offset)
    runs: dict[str, Callable[[str], tuple[float, float]]] = {
        "raw file": raw,
        "the threads": partial(by_the_threads, arena=arena),
        "put, get": spilled,
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for number in range(1 + ROUNDS):
        for name, run in runs.items():
            seconds = run(directory)
            if number:  # the first round only warms up: memory that no process had before is slow in virtual machines
                taken[name].append(seconds)
    arena.close()
    return {
        name: (min(round_[0] for round_ in rounds), min(round_[1] for round_ in rounds))
        for name, rounds in taken.items()
    }


def main() -> None:
    directory = tempfile.gettempdir()
    gigabytes = COUNT * SIZE / 1e9
    print(f"{COUNT} objects of {SIZE / 1e6:.0f} MB, a store of {STORE / 1e6:.0f} MB, files in {directory}; GB/s")
    print(f"{'':11} {'write':>8} {'read':>8} {'both':>8}")
    best = best_of_all(directory)
    for name, (write, read) in best.items():
        print(f"{name:11} {gigabytes / write:8.2f} {gigabytes / read:8.2f} {2 * gigabytes / (write + read):8.2f}")
    print(f"the threads' ratio {sum(best['raw file']) / sum(best['the threads']):.2f} (at least 0.6 is wanted)")


if __name__ == "__main__":
    main()
