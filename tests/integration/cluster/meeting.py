"""Tasks that tell where they ran; one of them ends when as many of its kind run at once as there should be."""

from __future__ import annotations

import os
import time
from pathlib import Path

import rustyray

PATIENCE = 60.0


@rustyray.remote
def where(seconds: float = 0) -> str:
    """The node where it ran, after so many seconds."""
    time.sleep(seconds)
    return rustyray.get_runtime_context().get_node_id()


@rustyray.remote
def meet(folder: str, count: int) -> tuple[str, int]:
    """Where it ran, and its process; ``folder`` has a file of each that has come."""
    here = rustyray.get_runtime_context()
    Path(folder, str(here.get_task_id())).touch()
    until = time.monotonic() + PATIENCE
    while len(os.listdir(folder)) < count:
        if time.monotonic() > until:
            raise TimeoutError(f"{len(os.listdir(folder))} of {count} have come")
        time.sleep(0.005)
    return here.get_node_id(), os.getpid()
