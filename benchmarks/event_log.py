"""What remembering the events of tasks costs: ``python -m benchmarks.event_log [PAIRS]``.

Bursts of 10,000 tasks on one worker, each with the event log as it is, and once more with the parts left out that
remember what happens to each message of tasks. Both follow one another in pairs, in turning order, in the same
processes; what counts is the CPU time that the driver's process and the worker's main thread take. The line gives the
median of what the log adds, and the interval in which that median lies with a probability of 95 %.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any

import rustyray
from rustyray.core.executor import ExecutorCore
from rustyray.core.owner.history import History

TASKS = 10_000
WARM_UP = 8


@rustyray.remote
def nothing(value: int) -> int:
    return value


@rustyray.remote
def set_log_here(on: bool) -> int:
    """In a worker; returns its pid."""
    set_log(on, ExecutorCore, "_remember")
    return os.getpid()


def forgets(*_: Any) -> None:
    """In place of what remembers."""


def set_log(on: bool, of: type, *methods: str) -> None:
    for name in methods:
        kept = f"_kept_{name}"
        remembers = of.__dict__.get(kept) or of.__dict__[name]
        setattr(of, kept, remembers)
        setattr(of, name, remembers if on else forgets)


def cpu_of(pid: int) -> float:
    """Seconds that the main thread of this process has run."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0]) / 1e9


def burst(on: bool) -> tuple[float, float, float]:
    """Seconds: the driver's CPU, the worker's, and of time."""
    set_log(on, History, "were_pushed", "have_ended")
    worker = rustyray.get(set_log_here.remote(on))
    gc.collect()
    theirs, mine, began = cpu_of(worker), time.process_time(), time.perf_counter()
    rustyray.get([nothing.remote(1) for _ in range(TASKS)])
    ended = time.perf_counter()
    return time.process_time() - mine, cpu_of(worker) - theirs, ended - began


def told(what: str, added: list[float]) -> str:
    """The median, and where it may lie: by the order of the values, whatever their distribution."""
    added.sort()
    middle, off = len(added) / 2, 0.98 * len(added) ** 0.5
    low, high = added[max(0, int(middle - off))], added[min(len(added) - 1, int(middle + off))]
    return f"{what}: {added[len(added) // 2]:+.1%} ({low:+.1%} to {high:+.1%})"


def main(pairs: int) -> None:
    with rustyray.init(num_cpus=1):
        for _ in range(WARM_UP):
            burst(True)
        added: list[list[float]] = [[], [], []]
        for number in range(pairs):
            first, second = burst(number % 2 == 0), burst(number % 2 == 1)
            with_log, without = (first, second) if number % 2 == 0 else (second, first)
            for values, one, other in zip(added, with_log, without, strict=True):
                values.append(one / other - 1)
    for what, values in zip(("CPU of the driver", "CPU of the worker", "time"), added, strict=True):
        print(told(what, values))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
