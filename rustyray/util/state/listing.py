"""``list_…`` and ``get_…``. All of them take the same arguments (as in Ray).

address      of the cluster, if it is not clear: that of this program's
filters      ``[("state", "=", "RUNNING"), ("name", "!=", "f")]``: rows that fit all of them
limit        so many rows at most
timeout      seconds to wait for processes that do not answer
detail       of no effect: rows have all their fields
raise_on_missing_output  raise `RayStateApiException` when the head or a node did not answer, not only tell the rest

They raise RuntimeError when the runtime is not up, and ValueError for filters that cannot be.
"""
# ruff: noqa: A002 - ``id`` is Ray's name

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rustyray.api.inside import events
from rustyray.model.events import Query
from rustyray.runtime.engine import Engine, HeadAway, Inspection
from rustyray.runtime.ref import ObjectRef
from rustyray.util.state import asking
from rustyray.util.state.choosing import Filters, RayStateApiException, chosen, complete, engine_at
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

if TYPE_CHECKING:
    from rustyray.model.messages import GroupInfo

#: Events that each process is asked for.
EVENTS = 10_000
R = TypeVar("R", bound=Row)


class Asked:
    """What the caller of a listing wants to know from whom."""

    def __init__(self, engine: Engine, timeout: float, complete: bool) -> None:
        self.engine = engine
        self.timeout = timeout
        self._complete = complete

    def inspect(self, query: Query, *roles: str) -> Inspection:
        """What the processes tell. Raises RayStateApiException if one of these roles must answer and does not."""
        found = self.engine.inspect(query, self.timeout)
        if self._complete:
            complete(found, roles)
        return found

    def groups(self) -> list[GroupInfo]:
        """The placement groups. Raises RayStateApiException if the head must answer and does not."""
        try:
            return self.engine.list_groups(self.timeout)
        except HeadAway as away:
            if self._complete:
                raise RayStateApiException(str(away)) from None
            return []


class Lists(Protocol[R]):
    """The signature of all listings."""

    def __call__(
        self,
        address: str | None = None,
        filters: Filters = None,
        limit: int = 100,
        timeout: float = 30,
        detail: bool = False,
        raise_on_missing_output: bool = True,
        _explain: bool = False,
    ) -> list[R]: ...


def listing(row: type[R]) -> Callable[[Callable[[Asked], Iterable[R]]], Lists[R]]:
    """Makes a listing, whose rows are of this class, out of a function that returns all that there are."""

    def decorate(rows: Callable[[Asked], Iterable[R]]) -> Lists[R]:
        def lists(
            address: str | None = None,
            filters: Filters = None,
            limit: int = 100,
            timeout: float = 30,
            detail: bool = False,
            raise_on_missing_output: bool = True,
            _explain: bool = False,
        ) -> list[R]:
            return chosen(rows(Asked(engine_at(address), timeout, raise_on_missing_output)), row, filters, limit)

        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(lists, name, getattr(rows, name))
        return lists

    return decorate


@listing(TaskState)
def list_tasks(asked: Asked) -> Iterable[TaskState]:
    """The tasks and calls of actors: those that are not done, and the last that are, as far as it is remembered."""
    return tasks(asked.inspect(Query(events=EVENTS, kinds=("task",), states=True, lists=True), "head", "node"))


@listing(RuntimeEnvState)
def list_runtime_envs(asked: Asked) -> Iterable[RuntimeEnvState]:
    """The runtime environments that workers have, each once for each node; the plain one is none."""
    return asking.runtime_envs(asked.inspect(Query(states=True), "head", "node"))


@listing(ClusterEventState)
def list_cluster_events(asked: Asked) -> Iterable[ClusterEventState]:
    """What happened to nodes, workers, actors and jobs, and what went wrong, as far as it is remembered."""
    kinds = ("node", "worker", "actor", "lifecycle", "fault")
    return asking.cluster_events(events(kind=kinds, timeout=asked.timeout))


@listing(ActorState)
def list_actors(asked: Asked) -> Iterable[ActorState]:
    """The actors, and the last of the dead ones."""
    return asking.actors(asked.inspect(Query(lists=True), "head"))


@listing(ObjectState)
def list_objects(asked: Asked) -> Iterable[ObjectState]:
    """The objects, each once, as its owner sees it."""
    return asking.objects(asked.inspect(Query(lists=True, states=True), "head", "node"))


@listing(NodeState)
def list_nodes(asked: Asked) -> Iterable[NodeState]:
    """The nodes, dead ones too."""
    return asking.nodes(asked.inspect(Query(states=True), "head"), asked.engine)


@listing(WorkerState)
def list_workers(asked: Asked) -> Iterable[WorkerState]:
    """The worker processes, and what runs in each; those that did not answer in time are so marked."""
    return asking.workers(asked.inspect(Query(states=True), "head", "node"))


@listing(JobState)
def list_jobs(asked: Asked) -> Iterable[JobState]:
    """The programs that use the cluster or did."""
    return asking.jobs(asked.inspect(Query(lists=True), "head"))


@listing(PlacementGroupState)
def list_placement_groups(asked: Asked) -> Iterable[PlacementGroupState]:
    """The placement groups, and the last that were removed."""
    return asking.groups(asked.groups())


# --- one of them ------------------------------------------------------------------------------------------------------


def get_task(
    id: str | ObjectRef[Any], address: str | None = None, timeout: float = 30, _explain: bool = False
) -> TaskState | None:
    """The task with that id, or which makes that ref; None if nothing is known of it."""
    wanted = id.task_id().hex() if isinstance(id, ObjectRef) else id
    return _first(list_tasks(address, [("task_id", "=", wanted)], timeout=timeout))


def get_actor(id: str, address: str | None = None, timeout: float = 30, _explain: bool = False) -> ActorState | None:
    """The actor with that id; None if nothing is known of it."""
    return _first(list_actors(address, [("actor_id", "=", id)], timeout=timeout))


def get_objects(id: str, address: str | None = None, timeout: float = 30, _explain: bool = False) -> list[ObjectState]:
    """The object with that id, in a list (in Ray there is one for each process that has a ref)."""
    return list_objects(address, [("object_id", "=", id)], timeout=timeout)


def get_node(id: str, address: str | None = None, timeout: float = 30, _explain: bool = False) -> NodeState | None:
    """The node with that id; None if nothing is known of it."""
    return _first(list_nodes(address, [("node_id", "=", id)], timeout=timeout))


def get_worker(id: str, address: str | None = None, timeout: float = 30, _explain: bool = False) -> WorkerState | None:
    """The worker with that id; None if nothing is known of it."""
    return _first(list_workers(address, [("worker_id", "=", id)], timeout=timeout))


def get_job(id: str, address: str | None = None, timeout: float = 30, _explain: bool = False) -> JobState | None:
    """The job with that id; None if nothing is known of it."""
    return _first(list_jobs(address, [("job_id", "=", id)], timeout=timeout))


def get_placement_group(
    id: str, address: str | None = None, timeout: float = 30, _explain: bool = False
) -> PlacementGroupState | None:
    """The placement group with that id; None if nothing is known of it."""
    return _first(list_placement_groups(address, [("placement_group_id", "=", id)], timeout=timeout))


def _first(rows: list[R]) -> R | None:
    return rows[0] if rows else None
