"""Tasks: what happened to each, as the log of events has it, and what those that are not done wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from rustyray.api.inside import named
from rustyray.api.states import tasks_of, workers_of
from rustyray.model.plans import of_shown_call
from rustyray.util.state.rows import TaskState

if TYPE_CHECKING:
    from rustyray.model.events import Event
    from rustyray.model.listed import ActorRow
    from rustyray.model.states import TaskState as Unfinished
    from rustyray.runtime.engine import Inspection

#: The state after an event.
_AFTER: Final = {
    "submitted": "PENDING_NODE_ASSIGNMENT",
    "pushed": "SUBMITTED_TO_WORKER",
    "run began": "RUNNING",
    "retry": "PENDING_NODE_ASSIGNMENT",
    "rebuild": "PENDING_NODE_ASSIGNMENT",
    "finished": "FINISHED",
    "failed": "FAILED",
    "cancelled": "FAILED",
}
#: Those that come in any order within a moment, as different processes tell of them.
_ORDER: Final = {what: number for number, what in enumerate(_AFTER)}
#: By the words of `rustyray.util.state.stuck_tasks`.
_UNFINISHED: Final = {
    "waiting for arguments": "PENDING_ARGS_AVAIL",
    "queued": "PENDING_NODE_ASSIGNMENT",
    "waiting to retry": "PENDING_NODE_ASSIGNMENT",
    "on a worker": "SUBMITTED_TO_WORKER",
    "running": "RUNNING",
}
_OVER: Final = ("FINISHED", "FAILED")


def tasks(found: Inspection) -> Iterator[TaskState]:
    """Those that are not done, and the last of those that are, in the order in which they were submitted."""
    rows: dict[str, dict[str, Any]] = {}
    for event in _events(found):
        _note(rows.setdefault(event.task, {"task_id": event.task, "state": ""}), event)
    for task in tasks_of(found):
        _overlay(rows.setdefault(task.task_id, {"task_id": task.task_id}), task)
    pids = {worker.worker_id: (worker.pid, worker.node_id) for worker in workers_of(found)}
    actors = {row.actor_id: row for report in found.reports for row in report.actors}
    for row in rows.values():
        yield _finished(row, pids, actors)


def _events(found: Inspection) -> Iterable[Event]:
    import msgspec

    told = [
        msgspec.structs.replace(event, time=event.time + shift)
        for report, shift in found.timed()
        for event in report.events
        if event.kind == "task" and event.task
    ]
    return named(sorted(told, key=lambda event: (event.time, _ORDER.get(event.what, 0))))


def _note(row: dict[str, Any], event: Event) -> None:
    known = {"name": event.name, "job_id": event.job, "actor_id": event.actor}
    row |= {field: value for field, value in known.items() if value}
    row["attempt_number"] = max(row.get("attempt_number", 0), event.attempt)
    milliseconds = int(1000 * event.time)
    if event.what == "submitted":
        row["creation_time_ms"] = milliseconds
    elif event.what in ("pushed", "run began"):
        row["worker_id"] = event.worker or event.process
    if event.what == "run began":
        row["start_time_ms"] = milliseconds
    elif event.what in ("run ended", "run failed", "finished", "failed", "cancelled"):
        row.setdefault("end_time_ms", milliseconds)
    if event.what in ("retry", "rebuild"):
        row.pop("end_time_ms", None)
    if event.what in ("failed", "cancelled"):
        row["error_type"] = "TASK_CANCELLED" if event.what == "cancelled" else "TASK_EXECUTION_EXCEPTION"
        row["error_message"] = event.cause
    if event.what in _AFTER and (row["state"] not in _OVER or event.what in ("retry", "rebuild")):
        row["state"] = _AFTER[event.what]


def _overlay(row: dict[str, Any], task: Unfinished) -> None:
    """What its owner and its worker say of a task that is not done."""
    row["name"] = row.get("name") or task.name
    row["state"] = _UNFINISHED.get(task.state, task.state)
    row["attempt_number"] = task.attempt
    known = {"actor_id": task.actor_id, "worker_id": task.worker_id}
    row |= {field: value for field, value in known.items() if value}
    row["owner"], row["seconds"], row["waits_for"] = task.owner, task.seconds, task.waits_for


def _finished(row: dict[str, Any], pids: dict[str, tuple[int, str]], actors: dict[str, ActorRow]) -> TaskState:
    name, id_ = row.get("name", ""), row["task_id"]
    function, own_name = of_shown_call(name)
    actor = actors.get(row.get("actor_id") or id_)
    if id_ in (row.get("actor_id"), actor.actor_id if actor is not None else None):
        kind = "ACTOR_CREATION_TASK"
        function = name = f"{(actor.class_name if actor is not None else name).rpartition('.')[2]}.__init__"
        row["actor_id"] = id_
        if actor is not None and actor.was_created:
            row |= {"state": "FINISHED", "worker_id": actor.worker_id, "waits_for": ""}
        elif actor is not None and actor.state == "DEAD":
            row |= {"state": "FAILED", "waits_for": ""}
            row |= {"error_type": "ACTOR_CREATION_FAILED", "error_message": actor.cause}
    elif row.get("actor_id"):
        kind = "ACTOR_TASK"
        function = f"{actor.class_name.rpartition('.')[2]}.{function}" if actor is not None else function
        name = own_name or function
    else:
        kind = "NORMAL_TASK"
        function = function.rpartition(".")[2]
        name = own_name or function
    pid, node = pids.get(row.get("worker_id", ""), (None, None))
    row |= {"name": name, "func_or_class_name": function, "type": kind, "worker_pid": pid, "node_id": node}
    return TaskState(**row)
