"""How fast objects go to the spill file and come back, beside a plain file: ``python -m benchmarks.spilling``.

A store of 128 MB gets 512 MB of objects of 16 MB. The time that is compared is that of the writing thread for spilling
the objects and for bringing them back, end to end: put until room was made, get until the value is mapped. The peer
writes and reads a file of as many bytes in the same directory, 8 MB at a time. Both stay in the system's cache as far
as it likes, and neither syncs.
"""

from __future__ import annotations

import os
import tempfile
import time

import numpy as np

import rustyray

SIZE = 16 << 20
COUNT = 32
STORE = 128 << 20
STEP = 8 << 20
ROUNDS = 3


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


def spilled(directory: str) -> tuple[float, float]:
    """Seconds to put more than the store holds, less what the same takes where all has room; and to get all again."""
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


def main() -> None:
    directory = tempfile.gettempdir()
    gigabytes = COUNT * SIZE / 1e9
    print(f"{COUNT} objects of {SIZE / 1e6:.0f} MB, a store of {STORE / 1e6:.0f} MB, files in {directory}; GB/s")
    print(f"{'':10} {'write':>8} {'read':>8} {'both':>8}")
    best = {}
    for name, run in (("raw", raw), ("spilled", spilled)):
        rounds = sorted((run(directory) for _ in range(ROUNDS)), key=sum)
        write, read = rounds[len(rounds) // 2]
        best[name] = write + read
        print(f"{name:10} {gigabytes / write:8.2f} {gigabytes / read:8.2f} {2 * gigabytes / (write + read):8.2f}")
    print(f"ratio {best['raw'] / best['spilled']:.2f} (at least 0.6 is wanted)")


if __name__ == "__main__":
    main()
