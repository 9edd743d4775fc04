"""End what runs of clusters on this machine."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import jobs
from rustyray.engines.native.standing.places import Place, ProcessFile

#: Seconds that a process has to end when it is asked to, and when it is killed.
PATIENCE: Final = 10.0
KILLED: Final = 5.0


def stop(place: Place, force: bool = False, patience: float = PATIENCE) -> tuple[list[ProcessFile], list[ProcessFile]]:
    """End the cluster's processes on this machine, nodes first, and remove what was written down about it.

    Those that have not ended after so many seconds are killed.

    Returns:
        The processes that ended, and those of them that had to be killed (all, with ``force``).
    """
    jobs.stop_all(place)
    running = place.processes()
    nodes = [process for process in running if process.node]
    head = [process for process in running if not process.node]
    killed = [process for group in (nodes, head) for process in end(group, force, patience)]
    place.remove()
    return running, killed


def end(running: list[ProcessFile], force: bool, patience: float = PATIENCE) -> list[ProcessFile]:
    """End these; returns those that had to be killed."""
    if not force:
        for process in running:
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + patience
        for process in running:
            kernel.wait_for_end(process.pid, max(0.0, deadline - time.monotonic()))
    killed = [process for process in running if process.is_alive()]
    for process in killed:
        _signal(process, signal.SIGKILL)
        kernel.wait_for_end(process.pid, KILLED)
    return killed


def _signal(process: ProcessFile, number: signal.Signals) -> None:
    if process.is_alive():
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            pass  # it ended at this moment, which is what is wanted
