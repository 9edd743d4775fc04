"""``list_…`` and ``get_…``. All of them take the same arguments (as in Ray).

address      of the cluster, if it is not clear: that of this program's
filters      ``[("state", "=", "RUNNING"), ("name", "!=", "f")]``: rows that fit all of them
limit        so many rows at most
timeout      seconds to wait for processes that do not answer
detail       of no effect: rows have all their fields
raise_on_missing_output  raise `RayStateApiException` when the head or a node did not answer, not only tell the rest

They raise RuntimeError when the runtime is not up, and ValueError for filters that cannot be.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rustyray.api.inside import events
from rustyray.model.events import Query
from rustyray.runtime.ref import ObjectRef
from rustyray.util.state import asking
from rustyray.util.state.choosing import Filters, chosen, complete, engine_at
from rustyray.util.state.rows import (
    ActorState,
    ClusterEventState,
    JobState,
    NodeState,
    ObjectState,
    PlacementGroupState,
    Row,
    RuntimeEnvState,
    TaskState,
    WorkerState,
)
from rustyray.util.state.tasks import tasks

#: Events that each process is asked for.
EVENTS = 10_000
R = TypeVar("R", bound=Row)


def list_tasks(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[TaskState]:
    """The tasks and calls of actors: those that are not done, and the last that are, as far as it is remembered."""
    query = Query(events=EVENTS, kinds=("task",), states=True, lists=True)
    found = engine_at(address).inspect(query, timeout)
    if raise_on_missing_output:
        complete(found, ("head", "node"))
    return chosen(tasks(found), TaskState, filters, limit)


def list_runtime_envs(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[RuntimeEnvState]:
    """The runtime environments that workers have, each once for each node; the plain one is none."""
    found = engine_at(address).inspect(Query(states=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head", "node"))
    return chosen(asking.runtime_envs(found), RuntimeEnvState, filters, limit)


def list_cluster_events(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ClusterEventState]:
    """What happened to nodes, workers, actors and jobs, and what went wrong, as far as it is remembered."""
    engine_at(address)
    happened = events(kind=("node", "worker", "actor", "lifecycle", "fault"), timeout=timeout)
    return chosen(asking.cluster_events(happened), ClusterEventState, filters, limit)


def list_actors(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ActorState]:
    """The actors, and the last of the dead ones."""
    found = engine_at(address).inspect(Query(lists=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head",))
    return chosen(asking.actors(found), ActorState, filters, limit)


def list_objects(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[ObjectState]:
    """The objects, each once, as its owner sees it."""
    found = engine_at(address).inspect(Query(lists=True, states=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head", "node"))
    return chosen(asking.objects(found), ObjectState, filters, limit)


def list_nodes(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[NodeState]:
    """The nodes, dead ones too."""
    engine = engine_at(address)
    found = engine.inspect(Query(states=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head",))
    return chosen(asking.nodes(found, engine), NodeState, filters, limit)


def list_workers(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[WorkerState]:
    """The worker processes, and what runs in each; those that did not answer in time are so marked."""
    found = engine_at(address).inspect(Query(states=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head", "node"))
    return chosen(asking.workers(found), WorkerState, filters, limit)


def list_jobs(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[JobState]:
    """The programs that use the cluster or did."""
    found = engine_at(address).inspect(Query(lists=True), timeout)
    if raise_on_missing_output:
        complete(found, ("head",))
    return chosen(asking.jobs(found), JobState, filters, limit)


def list_placement_groups(
    address: str | None = None,
    filters: Filters = None,
    limit: int = 100,
    timeout: float = 30,
    detail: bool = False,
    raise_on_missing_output: bool = True,
    _explain: bool = False,
) -> list[PlacementGroupState]:
    """The placement groups, and the last that were removed."""
    return chosen(asking.groups(engine_at(address).list_groups()), PlacementGroupState, filters, limit)


# --- one of them ------------------------------------------------------------------------------------------------------


def get_task(
    id: str | ObjectRef[Any],  # noqa: A002 - Ray's name
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> TaskState | None:
    """The task with that id, or which makes that ref; None if nothing is known of it."""
    wanted = id.task_id().hex() if isinstance(id, ObjectRef) else id
    return _first(list_tasks(address, [("task_id", "=", wanted)], timeout=timeout))


def get_actor(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> ActorState | None:
    """The actor with that id; None if nothing is known of it."""
    return _first(list_actors(address, [("actor_id", "=", id)], timeout=timeout))


def get_objects(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> list[ObjectState]:
    """The object with that id, in a list (in Ray there is one for each process that has a ref)."""
    return list_objects(address, [("object_id", "=", id)], timeout=timeout)


def get_node(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> NodeState | None:
    """The node with that id; None if nothing is known of it."""
    return _first(list_nodes(address, [("node_id", "=", id)], timeout=timeout))


def get_worker(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> WorkerState | None:
    """The worker with that id; None if nothing is known of it."""
    return _first(list_workers(address, [("worker_id", "=", id)], timeout=timeout))


def get_job(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> JobState | None:
    """The job with that id; None if nothing is known of it."""
    return _first(list_jobs(address, [("job_id", "=", id)], timeout=timeout))


def get_placement_group(
    id: str,  # noqa: A002
    address: str | None = None,
    timeout: float = 30,
    _explain: bool = False,
) -> PlacementGroupState | None:
    """The placement group with that id; None if nothing is known of it."""
    return _first(list_placement_groups(address, [("placement_group_id", "=", id)], timeout=timeout))


def _first(rows: list[R]) -> R | None:
    return rows[0] if rows else None
