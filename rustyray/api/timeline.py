"""``timeline``: what ran where and when, for the tracing page of Chromium's browsers or https://ui.perfetto.dev."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rustyray.api.inside import events

if TYPE_CHECKING:
    from rustyray.model.events import Event

_BEGAN = "run began"
_ENDED = ("run ended", "run failed")


def timeline(filename: str | os.PathLike[str] | None = None, *, timeout: float = 5.0) -> list[dict[str, Any]]:
    """The runs of tasks and calls, as far as the processes remember them, as trace events (as in Ray).

    A row for each worker, grouped by node; times are in microseconds since the epoch. A run that goes on ends now.

    Args:
        filename: where to write them, too, as JSON.
        timeout: seconds to wait for processes that do not answer.

    Raises:
        OSError: The file cannot be written.
        RuntimeError: The runtime is not up.
    """
    import json
    import time

    open_runs: dict[tuple[str, str], Event] = {}
    trace = []
    for event in events(kind="task", timeout=timeout):
        key = event.task, event.process
        if event.what == _BEGAN:
            open_runs[key] = event
        elif event.what in _ENDED and key in open_runs:
            trace.append(_run(open_runs.pop(key), event.time, event.what == "run failed"))
    now = time.time()
    trace += [_run(began, now, False) for began in open_runs.values()]
    if filename is not None:
        with open(filename, "w", encoding="utf-8") as file:
            json.dump(trace, file)
    return trace


def _run(began: Event, end: float, failed: bool) -> dict[str, Any]:
    return {
        "cat": "task" if not began.actor else "actor task",
        "name": began.name,
        "ph": "X",
        "ts": began.time * 1e6,
        "dur": max(0.0, end - began.time) * 1e6,
        "pid": f"node {began.node}",
        "tid": f"worker {began.process}",
        "cname": "terrible" if failed else "generic_work",
        "args": {"task_id": began.task, "actor_id": began.actor, "job_id": began.job, "attempt": began.attempt},
    }
