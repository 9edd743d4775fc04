"""What everybody says to the head, and the head and nodes to each other: actors, names, jobs, nodes."""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from rustyray.model.ids import ActorID, GroupID, JobID, NodeID, WorkerID
from rustyray.model.messages.base import Demand, Part
from rustyray.model.messages.data_path import Arg
from rustyray.model.messages.entries import AskEntry
from rustyray.model.messages.groups import (
    BundlesPrepared,
    CreateGroup,
    FindGroup,
    ListGroups,
    RemoveGroup,
    WatchGroup,
)
from rustyray.model.messages.inside import InspectHead
from rustyray.model.messages.leases import JobSetup, WorkerDied
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy
from rustyray.model.values import Failed, Fault, RefInfo

# --- anyone ↔ head ----------------------------------------------------------------------------------------------------


class ActorSpec(Part):
    """All that is needed to (re)create an actor. ``fn`` and ``blob`` are its class; ``args`` as in `Task`.

    ``resources`` are held while it lives, ``placement`` must be free when it is placed (1 CPU unless asked otherwise).
    ``max_restarts`` and ``max_task_retries``: -1 means without end. ``groups``: how many calls of each concurrency
    group run at once; ``max_concurrency`` is of those that are in none.
    """

    actor: ActorID
    job: JobID
    fn: bytes
    blob: bytes
    class_name: str
    owner_address: str
    methods: list[str]
    args: bytes = b""
    deps: list[Arg] | None = None
    buffers: list[bytes] | None = None
    refs: list[RefInfo] | None = None
    resources: Demand = msgspec.field(default_factory=dict)
    placement: Demand = msgspec.field(default_factory=dict)
    name: str = ""
    namespace: str = ""
    detached: bool = False
    max_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int = 0
    is_async: bool = False
    handle_meta: bytes = b""
    strategy: Strategy | None = None
    groups: dict[str, int] = msgspec.field(default_factory=dict)
    env: bytes = b""
    ahead: int = 0


class ActorState(enum.IntEnum):
    """Where an actor is in its life; the head decides, everybody else is told."""

    PENDING = 1
    ALIVE = 2
    RESTARTING = 3
    DEAD = 4


class CreateActor(msgspec.Struct, array_like=True, gc=False, tag=50):
    """Register and place an actor. With ``get_if_exists`` a living actor of that name is answered instead."""

    request: int
    spec: ActorSpec
    get_if_exists: bool = False


class ActorInfo(msgspec.Struct, array_like=True, gc=False, tag=51):
    """The state of an actor, told to its creator and to all who asked; the answer to a look-up carries ``request``.

    ``incarnation`` counts starts from 0. ``fault`` says why it is DEAD (or RESTARTING). ``handle_meta`` is what a
    handle needs to be built (opaque to the cores).
    """

    actor: ActorID
    state: ActorState
    incarnation: int = 0
    worker: WorkerID = b""
    address: str = ""
    pid: int = 0
    fault: Fault | None = None
    request: int = 0
    handle_meta: bytes = b""
    owner_address: str = ""
    max_task_retries: int = 0


class HeadError(msgspec.Struct, array_like=True, gc=False, tag=52):
    """The head refuses ``request``: ``kind`` is ``"name_taken"``, ``"no_such_actor"`` or ``"unknown"``.

    An owner sends itself ``"argument_failed"`` for a request that it will never make.
    """

    request: int
    kind: str
    message: str


class WatchActor(msgspec.Struct, array_like=True, gc=False, tag=53):
    """Tell the sender the actor's state now and at every change."""

    actor: ActorID


class FindActor(msgspec.Struct, array_like=True, gc=False, tag=54):
    """Look a named actor up; answered by `ActorInfo` or `HeadError`. The sender watches it from then on."""

    request: int
    name: str
    namespace: str


class KillActor(msgspec.Struct, array_like=True, gc=False, tag=55):
    """End the actor: at once (``graceful`` False: no ``atexit``, as ``kill``), or after the calls already sent."""

    actor: ActorID
    no_restart: bool
    graceful: bool
    reason: str


class ListActors(msgspec.Struct, array_like=True, gc=False, tag=56):
    """Names of the living actors, answered by `NamedActors`."""

    request: int
    namespace: str
    all_namespaces: bool


class NamedActors(msgspec.Struct, array_like=True, gc=False, tag=57):
    request: int
    names: list[tuple[str, str]]


class DescribeCluster(msgspec.Struct, array_like=True, gc=False, tag=58):
    """Answered by `ClusterDescription`: what there is and what is free at this moment."""

    request: int


class NodeInfo(Part):
    node: NodeID
    address: str
    alive: bool
    total: ResourceSet
    available: ResourceSet
    hostname: str = ""
    pid: int = 0
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    reason: str = ""


class ClusterDescription(msgspec.Struct, array_like=True, gc=False, tag=59):
    request: int
    nodes: list[NodeInfo]


class JobFinished(msgspec.Struct, array_like=True, gc=False, tag=60):
    """The driver of ``job`` is gone: end its actors that are not detached."""

    job: JobID
    driver: WorkerID


class OwnerDied(msgspec.Struct, array_like=True, gc=False, tag=61):
    """A worker or driver is dead, wherever it was: its objects are lost, its actors end, its borrows are void."""

    worker: WorkerID
    reason: str


class RegisterJob(msgspec.Struct, array_like=True, gc=False, tag=62):
    """Node → head: a driver joined; an empty ``namespace`` asks for one of its own. Answered by `JobAccepted`."""

    driver: WorkerID
    namespace: str
    pid: int
    setup: JobSetup | None = None


class JobAccepted(msgspec.Struct, array_like=True, gc=False, tag=63):
    """Head → node: the driver's job, and the namespace that it lives in."""

    driver: WorkerID
    job: JobID
    namespace: str


class DescribeJob(msgspec.Struct, array_like=True, gc=False, tag=64):
    """Node → head: a worker for ``job`` is wanted here. Answered by `JobDescribed` or `JobOver`."""

    job: JobID


class JobDescribed(msgspec.Struct, array_like=True, gc=False, tag=65):
    """Head → node: what the workers of ``job`` need to know."""

    job: JobID
    driver: WorkerID
    namespace: str
    setup: JobSetup | None


class JobOver(msgspec.Struct, array_like=True, gc=False, tag=66):
    """Head → node: nothing runs for ``job`` any more; its workers are of no use to others."""

    job: JobID
    reason: str


# --- head ↔ node ------------------------------------------------------------------------------------------------------


class HostedActor(Part):
    """An incarnation of an actor that its node has. It has a ``worker`` once it was given one, and is ``running`` when
    its constructor has returned."""

    actor: ActorID
    incarnation: int
    running: bool = False
    worker: WorkerID = b""
    address: str = ""
    pid: int = 0


class RegisterNode(msgspec.Struct, array_like=True, gc=False, tag=70):
    """A node joins, or is there again after its connection with the head, or the head, was gone.

    ``seq`` counts on with the heartbeats'. The rest is for the head to compare with what it knows: the ``actors`` of
    the node, its living ``processes`` (workers and drivers), what it has reported last (``reports``, in order), the
    ``jobs`` that it has workers for, and the placement ``groups`` that have bundles there or that it does not know to
    be removed, with their last rounds. The workers that it starts later are numbered from ``next`` on. It takes
    the place of the node ``replaces``, if any.
    """

    info: NodeInfo
    seq: int = 0
    actors: list[HostedActor] = msgspec.field(default_factory=list)
    processes: list[WorkerID] = msgspec.field(default_factory=list)
    reports: list[ActorStarted | ActorExited | WorkerDied | JobFinished] = msgspec.field(default_factory=list)
    jobs: list[JobID] = msgspec.field(default_factory=list)
    groups: list[tuple[GroupID, int]] = msgspec.field(default_factory=list)
    next: int = 0
    replaces: NodeID = b""


class RegisterAgain(msgspec.Struct, array_like=True, gc=False, tag=81):
    """Head → node: the connection was gone, or the head was. Say what there is."""

    node: NodeID


class NodeAccepted(msgspec.Struct, array_like=True, gc=False, tag=71):
    node: NodeID


class NodeRefused(msgspec.Struct, array_like=True, gc=False, tag=72):
    """The node was declared dead or its id is in use: it must stop and start anew under another id."""

    node: NodeID
    reason: str


class NodeEnds(msgspec.Struct, array_like=True, gc=False, tag=82):
    """Node → head: it was refused, and ends; ``reason`` says what comes after. Node → driver: why it ends."""

    node: NodeID
    reason: str


class HeadEnds(msgspec.Struct, array_like=True, gc=False, tag=83):
    """Head → node → driver: the head ends because it has to, and ``reason`` says what to do."""

    reason: str


class Heartbeat(msgspec.Struct, array_like=True, gc=False, tag=73):
    """The node is alive; ``seq`` counts up, so that an old one cannot be mistaken for news."""

    node: NodeID
    seq: int
    available: ResourceSet
    queued: int


class ClusterView(msgspec.Struct, array_like=True, gc=False, tag=74):
    """What the head knows of all nodes, for the nodes' decisions to send requests elsewhere."""

    nodes: list[NodeInfo]


class StartActor(msgspec.Struct, array_like=True, gc=False, tag=75):
    """Head → node → worker: start this incarnation. The node says which GPUs it has."""

    spec: ActorSpec
    incarnation: int
    gpus: list[int] = []


class ActorStarted(msgspec.Struct, array_like=True, gc=False, tag=76):
    """Worker → node → head: the constructor returned, or raised (``failed``)."""

    actor: ActorID
    incarnation: int
    worker: WorkerID
    address: str
    pid: int
    failed: Failed | Fault | None = None


class StopActor(msgspec.Struct, array_like=True, gc=False, tag=77):
    """Head → node → worker: end this incarnation, at once or when the calls it has received are done."""

    actor: ActorID
    incarnation: int
    graceful: bool
    reason: str


class ActorExited(msgspec.Struct, array_like=True, gc=False, tag=78):
    """Worker → node → head: the actor ends by its own wish (``exit_actor``) or as it was told; not a failure.

    Its callers hear it from the worker, too, behind the last of the results.
    """

    actor: ActorID
    incarnation: int
    reason: str


class StopWorker(msgspec.Struct, array_like=True, gc=False, tag=79):
    """Node → worker: finish what runs, run ``atexit`` hooks, exit.

    With ``if_unneeded`` a worker that owns objects in use refuses with `WorkerStays`: they would die with it.
    """

    reason: str
    if_unneeded: bool = False


class WorkerStays(msgspec.Struct, array_like=True, gc=False, tag=80):
    """Worker → node: it does not end, because others need what it owns, or may need it again.

    Asked to leave, or after a `LeaseOver`, it is idle from now on. After it has said that its actor is over, it holds
    nothing any more, can not be given anything either, and ends by itself when nobody needs what it owns.
    """


#: What anybody says to the head, and what nodes say to it. (A worker says some of those to its node, which passes them
#: on.)
FOR_HEAD: Final = frozenset(
    {
        AskEntry,
        CreateActor,
        CreateGroup,
        DescribeCluster,
        FindActor,
        FindGroup,
        InspectHead,
        KillActor,
        ListActors,
        ListGroups,
        RemoveGroup,
        WatchActor,
        WatchGroup,
    }
)
FROM_NODES: Final = frozenset(
    {
        ActorExited,
        ActorStarted,
        BundlesPrepared,
        DescribeJob,
        Heartbeat,
        JobFinished,
        NodeEnds,
        RegisterJob,
        RegisterNode,
        WorkerDied,
    }
)
