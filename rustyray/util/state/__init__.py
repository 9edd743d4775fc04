"""What there is and what it does at the moment: tasks, actors, objects, nodes, workers, jobs, placement groups.

The functions, and the fields of what they return, have the names of Ray's ``ray.util.state``; beyond those,
`stuck_tasks` and `who_waits` tell why nothing goes on.

rows.py       what is returned
asking.py     the processes are asked, and their answers become rows
tasks.py      the same for tasks, out of what happened to them
choosing.py   filters and limits
listing.py    ``list_…`` and ``get_…``
summing.py    ``summarize_…``
logs.py       ``get_log``, ``list_logs``
client.py     ``StateApiClient``
common.py     the rows once more, where Ray has them, and what the client takes
api.py        all of it, where Ray has it
"""

from __future__ import annotations

from rustyray.api.states import stuck_tasks
from rustyray.api.waiting import who_waits
from rustyray.util.state.choosing import RayStateApiException
from rustyray.util.state.client import StateApiClient
from rustyray.util.state.listing import (
    get_actor,
    get_job,
    get_node,
    get_objects,
    get_placement_group,
    get_task,
    get_worker,
    list_actors,
    list_cluster_events,
    list_jobs,
    list_nodes,
    list_objects,
    list_placement_groups,
    list_runtime_envs,
    list_tasks,
    list_workers,
)
from rustyray.util.state.logs import get_log, list_logs
from rustyray.util.state.rows import (
    ActorState,
    ClusterEventState,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    RuntimeEnvState,
    TaskState,
    WorkerState,
)
from rustyray.util.state.summing import summarize_actors, summarize_objects, summarize_tasks

__all__ = [
    "ActorState",
    "ClusterEventState",
    "JobState",
    "NodeState",
    "ObjectState",
    "PlacementGroupState",
    "RayStateApiException",
    "RuntimeEnvState",
    "StateApiClient",
    "TaskState",
    "WorkerState",
    "get_actor",
    "get_job",
    "get_log",
    "get_node",
    "get_objects",
    "get_placement_group",
    "get_task",
    "get_worker",
    "list_actors",
    "list_cluster_events",
    "list_jobs",
    "list_logs",
    "list_nodes",
    "list_objects",
    "list_placement_groups",
    "list_runtime_envs",
    "list_tasks",
    "list_workers",
    "stuck_tasks",
    "summarize_actors",
    "summarize_objects",
    "summarize_tasks",
    "who_waits",
]
