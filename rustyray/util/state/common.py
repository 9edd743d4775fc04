"""The rows, where Ray has them, and what `rustyray.util.state.StateApiClient` takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

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

__all__ = [
    "ActorState",
    "ClusterEventState",
    "GetApiOptions",
    "JobState",
    "ListApiOptions",
    "NodeState",
    "ObjectState",
    "PlacementGroupState",
    "RuntimeEnvState",
    "StateResource",
    "SummaryApiOptions",
    "SummaryResource",
    "TaskState",
    "WorkerState",
]


class StateResource(Enum):
    """What can be listed."""

    ACTORS = "actors"
    JOBS = "jobs"
    PLACEMENT_GROUPS = "placement_groups"
    NODES = "nodes"
    WORKERS = "workers"
    TASKS = "tasks"
    OBJECTS = "objects"
    RUNTIME_ENVS = "runtime_envs"
    CLUSTER_EVENTS = "cluster_events"


class SummaryResource(Enum):
    """What can be summed up."""

    ACTORS = "actors"
    TASKS = "tasks"
    OBJECTS = "objects"


@dataclass
class GetApiOptions:
    """``timeout`` is in seconds."""

    timeout: float = 30


@dataclass
class SummaryApiOptions(GetApiOptions):
    """``timeout`` is in seconds."""


@dataclass
class ListApiOptions:
    """As the arguments of ``list_…``; ``detail`` and ``exclude_driver`` have no effect."""

    limit: int = 100
    timeout: float = 30
    detail: bool = False
    filters: list[tuple[str, str, Any]] | None = field(default_factory=list)
    exclude_driver: bool = True
