"""Who is ready, who is silent, what runs and what waits: `rustyray.util.state`."""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.model.events import Query
from rustyray.model.ids import owner_of, task_of
from rustyray.model.states import TaskState, WorkerState
from rustyray.runtime import context
from rustyray.runtime.engine import Inspection

#: A task is stuck if it is where it is for so many seconds, and so many times as long as its like usually runs.
STUCK_AFTER: Final = 10.0
MUCH_LONGER: Final = 10.0


def tasks_of(found: Inspection) -> list[TaskState]:
    """The tasks and calls that are not done and what each waits for, of what the processes have told."""
    runs = {run.task_id: run for worker in workers_of(found) for run in worker.runs}
    silent = {process.hex() for _, process in found.silent}
    tasks = [_with_run(task, runs.get(task.task_id), silent) for report in found.reports for task in report.tasks]
    names = {task.task_id: task.name for task in tasks}
    return [_with_names(task, names) for task in tasks]


def stuck_tasks(longer_than: float | None = None, *, timeout: float = 5.0) -> list[TaskState]:
    """The tasks and calls that are where they are for too long, the longest first, with what each waits for.

    Args:
        longer_than: seconds that are too long; by default 10, or ten times what a run of the same function takes.
        timeout: seconds to wait for processes that do not answer.

    Raises:
        RuntimeError: The runtime is not up.
    """
    found = context.require_engine("stuck_tasks()").inspect(Query(states=True), timeout)
    stuck = [task for task in tasks_of(found) if task.seconds > _patience(task, longer_than)]
    return sorted(stuck, key=lambda task: -task.seconds)


def _patience(task: TaskState, longer_than: float | None) -> float:
    return max(STUCK_AFTER, MUCH_LONGER * task.usual) if longer_than is None else longer_than


def workers_of(found: Inspection) -> list[WorkerState]:
    """The workers: what the nodes tell, with what the workers themselves tell."""
    own = {report.process.hex(): report for report in found.reports if report.role == "worker"}
    silent = {process.hex() for role, process in found.silent if role == "worker"}
    workers = []
    for worker in (worker for report in found.reports if report.role == "node" for worker in report.workers):
        told = own.get(worker.worker_id)
        answers = True if told is not None else False if worker.worker_id in silent else None
        runs = [run for one in told.workers for run in one.runs] if told is not None else []
        workers.append(msgspec.structs.replace(worker, answers=answers, runs=runs))
    return workers


def _with_names(task: TaskState, names: dict[str, str]) -> TaskState:
    """A worker does not know which task makes an object that it has borrowed; here we may."""
    waits_for = task.waits_for
    for object_ in task.awaits:
        id_ = bytes.fromhex(object_)
        name = names.get(task_of(id_).hex())
        if name is not None:
            waits_for = waits_for.replace(f"object {object_} of worker {owner_of(id_).hex()}", f"the result of {name}")
    return msgspec.structs.replace(task, waits_for=waits_for)


def _with_run(task: TaskState, run: TaskState | None, silent: set[str]) -> TaskState:
    """What its owner knows, and what the worker knows on which it is."""
    if run is not None:
        return msgspec.structs.replace(run, owner=task.owner, usual=task.usual)
    if task.worker_id in silent and task.state == "on a worker":
        return msgspec.structs.replace(task, waits_for=f"worker {task.worker_id}, which does not answer")
    return task
