"""``summarize_…``: how many there are of what, in which state."""

from __future__ import annotations

from typing import Any

from rustyray.util.state.listing import list_actors, list_objects, list_tasks

#: So many rows are counted at most.
COUNTED = 100_000


def summarize_tasks(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True, _explain: bool = False
) -> dict[str, Any]:
    """How many tasks there are of each name, by state; arguments as of `list_tasks` (keys as in Ray)."""
    summary: dict[str, dict[str, Any]] = {}
    totals = dict.fromkeys(("NORMAL_TASK", "ACTOR_TASK", "ACTOR_CREATION_TASK"), 0)
    for task in list_tasks(address, None, COUNTED, timeout, raise_on_missing_output=raise_on_missing_output):
        row = summary.setdefault(
            task.name, {"func_or_class_name": task.func_or_class_name, "type": task.type, "state_counts": {}}
        )
        _count(row["state_counts"], task.state)
        totals[task.type] += 1
    return _cluster(
        summary=summary,
        total_tasks=totals["NORMAL_TASK"],
        total_actor_tasks=totals["ACTOR_TASK"],
        total_actor_scheduled=totals["ACTOR_CREATION_TASK"],
        summary_by="func_name",
    )


def summarize_actors(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True, _explain: bool = False
) -> dict[str, Any]:
    """How many actors there are of each class, by state; arguments as of `list_actors` (keys as in Ray)."""
    summary: dict[str, dict[str, Any]] = {}
    actors = list_actors(address, None, COUNTED, timeout, raise_on_missing_output=raise_on_missing_output)
    for actor in actors:
        row = summary.setdefault(actor.class_name, {"class_name": actor.class_name, "state_counts": {}})
        _count(row["state_counts"], actor.state)
    return _cluster(summary=summary, total_actors=len(actors), summary_by="class")


def summarize_objects(
    address: str | None = None, timeout: float = 30, raise_on_missing_output: bool = True, _explain: bool = False
) -> dict[str, Any]:
    """How many objects there are, and how large, by the task that made them (in Ray: by the place in the code)."""
    summary: dict[str, dict[str, Any]] = {}
    processes: dict[str, set[int]] = {}
    objects = list_objects(address, None, COUNTED, timeout, raise_on_missing_output=raise_on_missing_output)
    for object_ in objects:
        key = object_.task_name or "put"
        row = summary.setdefault(
            key,
            {
                "total_objects": 0,
                "total_size_mb": 0.0,
                "total_num_workers": 0,
                "task_state_counts": {},
                "ref_type_counts": {},
            },
        )
        row["total_objects"] += 1
        row["total_size_mb"] += max(0, object_.object_size) / 2**20
        _count(row["task_state_counts"], object_.task_status)
        _count(row["ref_type_counts"], object_.reference_type)
        processes.setdefault(key, set()).add(object_.pid)
        row["total_num_workers"] = len(processes[key])
    size = sum(row["total_size_mb"] for row in summary.values())
    return _cluster(
        summary=summary, total_objects=len(objects), total_size_mb=size, callsite_enabled=False, summary_by="task"
    )


def _count(counts: dict[str, int], state: str) -> None:
    counts[state] = counts.get(state, 0) + 1


def _cluster(**summary: Any) -> dict[str, Any]:
    return {"cluster": summary}
