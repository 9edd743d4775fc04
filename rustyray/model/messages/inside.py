"""Looking inside: a program asks the head and the nodes, a node asks its processes; each tells about itself.

A node answers when all its processes have, or after ``patience`` seconds, and names those that have not.
"""

from __future__ import annotations

import msgspec

from rustyray.model.events import Event, Query
from rustyray.model.ids import NodeID
from rustyray.model.listed import ActorRow, CopyRow, JobRow, MetricRow, ObjectRow
from rustyray.model.messages.base import Part
from rustyray.model.states import NodeState, TaskState, WorkerState
from rustyray.model.stats import HeadStats, NodeStats, ProcessStats


class Report(Part):
    """What one process tells about itself. ``now`` is the time there, by which the times in it are to be read.

    ``tasks`` are those that it submitted; a worker tells of those that run there as ``workers``, with itself alone.
    ``awaits`` are the objects that its program waits for, ``told`` what those are that no task makes, ``groups`` the
    placement groups that it has, ``stacks`` where its threads stand: a name, and places.
    """

    role: str
    process: bytes
    node: NodeID
    now: float
    pid: int = 0
    events: list[Event] = msgspec.field(default_factory=list)
    stats: ProcessStats | None = None
    node_stats: NodeStats | None = None
    head_stats: HeadStats | None = None
    tasks: list[TaskState] = msgspec.field(default_factory=list)
    workers: list[WorkerState] = msgspec.field(default_factory=list)
    nodes: list[NodeState] = msgspec.field(default_factory=list)
    awaits: list[bytes] = msgspec.field(default_factory=list)
    stacks: list[tuple[str, list[str]]] = msgspec.field(default_factory=list)
    actors: list[ActorRow] = msgspec.field(default_factory=list)
    jobs: list[JobRow] = msgspec.field(default_factory=list)
    objects: list[ObjectRow] = msgspec.field(default_factory=list)
    copies: list[CopyRow] = msgspec.field(default_factory=list)
    metrics: list[MetricRow] = msgspec.field(default_factory=list)
    told: dict[bytes, str] = msgspec.field(default_factory=dict)
    groups: list[str] = msgspec.field(default_factory=list)


class Inspect(msgspec.Struct, array_like=True, gc=False, tag=100):
    """Client → node: tell about yourself and your workers and drivers."""

    request: int
    query: Query
    patience: float


class InspectHead(msgspec.Struct, array_like=True, gc=False, tag=101):
    """Client → head: tell about yourself, and which nodes there are."""

    request: int
    query: Query


class InspectClient(msgspec.Struct, array_like=True, gc=False, tag=102):
    """Node → worker or driver: tell about yourself."""

    request: int
    query: Query


class Inspected(msgspec.Struct, array_like=True, gc=False, tag=103):
    """The answer: a report of each process, the processes that did not answer, and (the head's) addresses of nodes."""

    request: int
    reports: list[Report]
    silent: list[bytes] = msgspec.field(default_factory=list)
    nodes: dict[NodeID, str] = msgspec.field(default_factory=dict)
