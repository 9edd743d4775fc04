"""What nodes, workers and tasks are doing at the moment (names as in Ray's ``ray.util.state``), and what is stuck."""

from __future__ import annotations

from rustyray.api.states import list_nodes, list_tasks, list_workers, stuck_tasks
from rustyray.api.waiting import who_waits
from rustyray.model.states import NodeState, TaskState, WorkerState

__all__ = [
    "NodeState",
    "TaskState",
    "WorkerState",
    "list_nodes",
    "list_tasks",
    "list_workers",
    "stuck_tasks",
    "who_waits",
]
