"""A new interpreter that brings a system up, and measures that: ``python -m benchmarks.fresh PROBE SYSTEM DESCRIPTOR``.

What is imported here before the clock starts is not charged to the system, so it is kept to what every interpreter
has loaded anyway; everything else is imported once the measuring is done.
"""

from __future__ import annotations

import sys
from time import perf_counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Report = Callable[[dict[str, float]], None]

CYCLES = 15
"""Most restarts in one process."""

LIMIT = 6.0
"""Seconds of restarts after which no further one begins."""

QUEUED = 20_000


def life(name: str, report: Report) -> None:
    """Cold start, idle memory, shutdown, and starts and shutdowns again."""
    begun = perf_counter()
    from benchmarks.system import load

    system = load(name)
    system.start()
    answer = system.call(7)
    cold = perf_counter() - begun

    if answer != 7 or system.burst(200) != 19_900:
        raise ValueError(f"{name} answered wrongly")
    idle = _settled_memory()

    begun = perf_counter()
    system.stop()
    stops = [perf_counter() - begun]
    starts: list[float] = []
    while not starts or (len(starts) < CYCLES and sum(starts) + sum(stops) < LIMIT):
        begun = perf_counter()
        system.start()
        system.call(7)
        starts.append(perf_counter() - begun)
        begun = perf_counter()
        system.stop()
        stops.append(perf_counter() - begun)

    from statistics import median

    report(
        {
            "cold_start": cold,
            "warm_start": 1000 * median(starts),
            "shutdown": 1000 * median(stops),
            "idle_memory": idle / 1e6,
        }
    )


def _settled_memory() -> int:
    """The PSS of all of the system's processes once it has been idle for a moment.

    The runner adopts orphans, so all that runs below it belongs to the system, also what has left the driver's tree.
    """
    import os
    import time

    from benchmarks.processes import descendants, proportional

    time.sleep(1.0)
    return proportional(descendants(os.getppid()))


def queue(name: str, report: Report) -> None:
    """The driver's private memory per task that waits behind busy workers."""
    import gc
    import os
    import tempfile
    import time

    from benchmarks.processes import private
    from benchmarks.system import WORKERS, load

    system = load(name)
    system.start()
    system.burst(200)
    with tempfile.TemporaryDirectory() as folder:
        gate = os.path.join(folder, "gate")
        os.mkfifo(gate)
        for index in range(WORKERS):
            system.queue_hold(gate, index)
        while not all(os.path.exists(f"{gate}.{index}") for index in range(WORKERS)):
            time.sleep(0.01)
        system.queue(QUEUED // 10)
        time.sleep(1.0)
        gc.collect()
        before = private(os.getpid())
        system.queue(QUEUED)
        time.sleep(1.0)
        gc.collect()
        report({"queued_task": (private(os.getpid()) - before) / QUEUED})
        # A pipe that is open for both lets every worker through, also one that comes late.
        os.open(gate, os.O_RDWR)
        system.stop()


def main() -> None:
    """Measures one probe and reports it."""
    probe, name, descriptor = sys.argv[1:]

    def report(values: dict[str, float]) -> None:
        from benchmarks.metrics import Sample
        from benchmarks.records import Record, Status

        samples = {metric: Sample(value) for metric, value in values.items()}
        Record(probe, Status.MEASURED, samples).send(int(descriptor))

    {"life": life, "queue": queue}[probe](name, report)


if __name__ == "__main__":
    main()
