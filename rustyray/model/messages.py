"""Every message that one process sends another, typed. None of them is ever pickled.

On the wire a message is a msgpack array with its tag first (``msgspec``, ``array_like``). A frame holds one message;
messages that are worth batching carry lists. The sections below follow the links: who speaks to whom.

Peers are named by id: a worker or driver by its WorkerID, a node by its NodeID, the head by ``HEAD``.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec

from rustyray.model.ids import ActorID, JobID, NodeID, ObjectID, TaskID, WorkerID
from rustyray.model.resources import ResourceSet
from rustyray.model.values import Failed, Fault, RefInfo, Value

#: The name under which every process addresses the head, wherever it runs.
HEAD: Final = b"head"


class Role(enum.StrEnum):
    """What a peer claims to be when it connects; the claim is inside the handshake's MAC."""

    DRIVER = "driver"
    WORKER = "worker"
    NODE = "node"
    HEAD = "head"


class Part(msgspec.Struct, array_like=True, gc=False):
    """Base of the pieces that messages are made of."""


# --- owner → worker: the data path ------------------------------------------------------------------------------------


class Arg(Part):
    """A top-level ref argument, resolved by the owner: the object, and its value (for ``Stored``: read it there)."""

    object: ObjectID
    value: Value
    owner_address: str = ""


class Task(Part):
    """One attempt at a task, as pushed to a leased worker.

    ``args`` is the pickled ``(args, kwargs)``, empty when there are none; ``buffers`` are its out-of-band parts; top
    level refs in it are numbered placeholders, resolved by ``deps``. ``refs`` are the refs nested inside it.
    ``returns`` is the number of return values; the attempt counts from 0.
    """

    id: TaskID
    fn: bytes
    args: bytes = b""
    returns: int = 1
    name: str = ""
    attempt: int = 0
    max_attempts: int = 1
    deps: list[Arg] | None = None
    buffers: list[bytes] | None = None
    refs: list[RefInfo] | None = None


class Call(Part):
    """One call of an actor's method. Calls of one caller run in the order of ``seq``, which counts per caller and actor
    incarnation; ``method`` is its name; ``group`` a concurrency group or empty."""

    id: TaskID
    actor: ActorID
    method: str
    seq: int
    args: bytes = b""
    returns: int = 1
    attempt: int = 0
    max_attempts: int = 1
    deps: list[Arg] | None = None
    buffers: list[bytes] | None = None
    refs: list[RefInfo] | None = None
    group: str = ""


class DefineFunction(msgspec.Struct, array_like=True, gc=False, tag=1):
    """The code of a function (cloudpickle), sent once per connection before the first task that uses it."""

    fn: bytes
    blob: bytes
    name: str


class PushTasks(msgspec.Struct, array_like=True, gc=False, tag=2):
    """Run these, in order, under ``lease``, which holds ``resources``."""

    lease: int
    tasks: list[Task]
    resources: ResourceSet = {}


class PushCalls(msgspec.Struct, array_like=True, gc=False, tag=3):
    """Run these methods of the actor that lives in the receiving worker."""

    calls: list[Call]


class TakeBack(msgspec.Struct, array_like=True, gc=False, tag=4):
    """The owner has an idle worker elsewhere: give back up to ``count`` tasks that have not started, last ones first."""

    lease: int
    count: int


class CancelTask(msgspec.Struct, array_like=True, gc=False, tag=5):
    """Drop the task if it has not started; otherwise interrupt it, or with ``force`` kill the process."""

    task: TaskID
    force: bool
    recursive: bool


# --- worker → owner ---------------------------------------------------------------------------------------------------


class Done(Part):
    """The end of one attempt.

    ``values`` is the single inline value, or one value per return. ``kept`` are the borrowed refs from the task's
    arguments that the worker still holds: the owner registers it as their borrower. ``failed`` marks an exception
    (``values`` then holds one `Failed` or `Fault`).
    """

    task: TaskID
    values: bytes | list[Value]
    failed: bool = False
    kept: list[ObjectID] | None = None


class Results(msgspec.Struct, array_like=True, gc=False, tag=6):
    """Attempts that ended since the last message, and the seconds that the worker spent running them."""

    done: list[Done]
    seconds: float


class GiveBack(msgspec.Struct, array_like=True, gc=False, tag=7):
    """Tasks that have not started and will not: the worker blocks, or was asked with `TakeBack` (maybe none are left)."""

    lease: int
    tasks: list[TaskID]
    blocked: bool


class Unblocked(msgspec.Struct, array_like=True, gc=False, tag=8):
    """The worker that gave its tasks back because it blocked runs again; the lease may be used as before."""

    lease: int


# --- borrower ↔ owner -------------------------------------------------------------------------------------------------


class GetObjects(msgspec.Struct, array_like=True, gc=False, tag=10):
    """A borrower wants these values, each as soon as it is there."""

    objects: list[ObjectID]


class ObjectReady(msgspec.Struct, array_like=True, gc=False, tag=11):
    """A value that the receiver asked for. Refs inside it are registered for the receiver already."""

    object: ObjectID
    value: Value


class BorrowAdd(msgspec.Struct, array_like=True, gc=False, tag=12):
    """The sender passed refs on to ``borrower`` and holds them until the owner acknowledges ``request``.

    One entry of ``objects`` adds one to the borrower's count; counts commute with `BorrowRelease`, so that messages on
    different connections may arrive in any order.
    """

    request: int
    borrower: WorkerID
    objects: list[ObjectID]


class BorrowAck(msgspec.Struct, array_like=True, gc=False, tag=13):
    request: int


class BorrowRelease(msgspec.Struct, array_like=True, gc=False, tag=14):
    """The sender no longer holds the objects; ``counts`` are the registrations it knows of, taken back together."""

    objects: list[ObjectID]
    counts: list[int]


# --- client (driver, worker) ↔ node -----------------------------------------------------------------------------------


class RegisterDriver(msgspec.Struct, array_like=True, gc=False, tag=20):
    """A driver joins. ``sys_path``, ``cwd`` and ``env`` are what its workers take over; ``by_value`` its own modules
    that travel with the functions."""

    pid: int
    namespace: str
    sys_path: list[str]
    cwd: str
    env: dict[str, str]


class Registered(msgspec.Struct, array_like=True, gc=False, tag=21):
    """The node's answer to a driver: its id and job; the head's address; the arena's size (its descriptor comes along)."""

    worker: WorkerID
    node: NodeID
    job: JobID
    namespace: str
    head_address: str
    arena_size: int
    resources: ResourceSet


class WorkerReady(msgspec.Struct, array_like=True, gc=False, tag=22):
    """A worker that the node forked listens at ``address``."""

    worker: WorkerID
    pid: int
    address: str


class RequestLease(msgspec.Struct, array_like=True, gc=False, tag=23):
    """The owner asks for one worker with ``resources`` for job ``job``; ``request`` is the owner's number for it.

    ``hops`` counts how often it was sent elsewhere, so that it cannot wander for ever; ``local_only`` pins it here.
    """

    request: int
    job: JobID
    resources: ResourceSet
    label: str = ""
    hops: int = 0
    local_only: bool = False


class CancelLease(msgspec.Struct, array_like=True, gc=False, tag=24):
    """The owner no longer wants ``request``; a grant that crosses this message is returned by the owner."""

    request: int


class LeaseGranted(msgspec.Struct, array_like=True, gc=False, tag=25):
    """Worker ``worker`` at ``address`` is the owner's until it returns lease ``lease`` (numbered by the node)."""

    request: int
    lease: int
    worker: WorkerID
    address: str
    pid: int


class LeaseElsewhere(msgspec.Struct, array_like=True, gc=False, tag=26):
    """Ask node ``node`` at ``address`` instead."""

    request: int
    node: NodeID
    address: str


class LeaseWaits(msgspec.Struct, array_like=True, gc=False, tag=27):
    """No node can ever grant ``request`` as things are; it stays queued. ``reason`` is the one warning to show."""

    request: int
    reason: str


class LeaseFailed(msgspec.Struct, array_like=True, gc=False, tag=28):
    """Request ``request`` can not be granted, finally."""

    request: int
    fault: Fault


class ReturnLease(msgspec.Struct, array_like=True, gc=False, tag=29):
    """The owner is done with the worker. ``reusable`` is False when the owner saw it fail."""

    lease: int
    reusable: bool = True


class ReclaimLeases(msgspec.Struct, array_like=True, gc=False, tag=30):
    """Others wait for workers: return idle leases now instead of keeping them warm."""


class Blocked(msgspec.Struct, array_like=True, gc=False, tag=31):
    """The worker's task waits in ``get``: its CPUs are free for others until `Resumed`."""


class Resumed(msgspec.Struct, array_like=True, gc=False, tag=32):
    """The worker's task runs again; its CPUs are taken back at once, even below zero (as in Ray)."""


class WorkerDied(msgspec.Struct, array_like=True, gc=False, tag=33):
    """Sent to every client of a node, and by a node to the head. ``reason`` is a sentence: signal, exit code, who asked."""

    worker: WorkerID
    reason: str
    intended: bool = False
    kind: int = 1


class NodeDied(msgspec.Struct, array_like=True, gc=False, tag=34):
    node: NodeID
    reason: str


class KillWorker(msgspec.Struct, array_like=True, gc=False, tag=35):
    """The owner of a running task asks for its worker's death (``cancel(force=True)``)."""

    worker: WorkerID
    reason: str


# --- store: client ↔ node ---------------------------------------------------------------------------------------------


class StoreCreate(msgspec.Struct, array_like=True, gc=False, tag=40):
    """Reserve ``size`` bytes for ``object``; the caller writes them and then seals."""

    request: int
    object: ObjectID
    size: int


class StoreCreated(msgspec.Struct, array_like=True, gc=False, tag=41):
    """Write at ``offset`` (bytes, page-aligned). ``touched`` bytes from there have been written before, so are cheap."""

    request: int
    offset: int
    touched: int


class StoreFailed(msgspec.Struct, array_like=True, gc=False, tag=42):
    """The node can not do what ``request`` asked: full (with the numbers), or no such object."""

    request: int
    fault: Fault


class StoreSeal(msgspec.Struct, array_like=True, gc=False, tag=43):
    """The object is complete and from now on immutable. The creator's pin becomes the primary copy's."""

    object: ObjectID


class StoreAbort(msgspec.Struct, array_like=True, gc=False, tag=44):
    """The creator could not write the object; its extent is free again."""

    object: ObjectID


class StorePin(msgspec.Struct, array_like=True, gc=False, tag=45):
    """Keep ``object`` where it is while the caller maps it (pulling or restoring it first if need be)."""

    request: int
    object: ObjectID


class StorePinned(msgspec.Struct, array_like=True, gc=False, tag=46):
    request: int
    offset: int
    size: int


class StoreUnpin(msgspec.Struct, array_like=True, gc=False, tag=47):
    """One pin less on each of ``objects``."""

    objects: list[ObjectID]


class StoreFree(msgspec.Struct, array_like=True, gc=False, tag=48):
    """The owner's last reference is gone: free the extents as soon as nobody maps them."""

    objects: list[ObjectID]


# --- anyone ↔ head ----------------------------------------------------------------------------------------------------


class ActorSpec(Part):
    """All that is needed to (re)create an actor. ``fn`` and ``blob`` are its class; ``args`` as in `Task`.

    ``resources`` are held while it lives, ``placement`` must be free when it is placed (1 CPU unless asked otherwise).
    ``max_restarts`` and ``max_task_retries``: -1 means without end.
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
    resources: ResourceSet = {}
    placement: ResourceSet = {}
    name: str = ""
    namespace: str = ""
    detached: bool = False
    max_restarts: int = 0
    max_task_retries: int = 0
    max_concurrency: int = 0
    is_async: bool = False
    handle_meta: bytes = b""


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
    labels: dict[str, str] = {}
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


class JobAccepted(msgspec.Struct, array_like=True, gc=False, tag=63):
    """Head → node: the driver's job, and the namespace that it lives in."""

    driver: WorkerID
    job: JobID
    namespace: str


# --- head ↔ node ------------------------------------------------------------------------------------------------------


class RegisterNode(msgspec.Struct, array_like=True, gc=False, tag=70):
    info: NodeInfo


class NodeAccepted(msgspec.Struct, array_like=True, gc=False, tag=71):
    node: NodeID


class NodeRefused(msgspec.Struct, array_like=True, gc=False, tag=72):
    """The node was declared dead or its id is in use: it must stop and start anew under another id."""

    node: NodeID
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
    """Head → node → worker: start this incarnation."""

    spec: ActorSpec
    incarnation: int


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
    """Worker → node → head: the actor ends by its own wish (``exit_actor``) or as it was told; not a failure."""

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
    """Worker → node: it is idle, but others need what it owns."""


# --- shutdown ---------------------------------------------------------------------------------------------------------


class Shutdown(msgspec.Struct, array_like=True, gc=False, tag=90):
    """Driver → node: stop the workers (TERM, after ``grace`` seconds KILL), then yourself."""

    grace: float


class ShutdownDone(msgspec.Struct, array_like=True, gc=False, tag=91):
    """Node → driver: all is gone; ``lines`` are the node's part of the shutdown report, ``forced`` what had to be killed."""

    lines: list[str]
    forced: list[str]


Message = (
    DefineFunction
    | PushTasks
    | PushCalls
    | TakeBack
    | CancelTask
    | Results
    | GiveBack
    | Unblocked
    | GetObjects
    | ObjectReady
    | BorrowAdd
    | BorrowAck
    | BorrowRelease
    | RegisterDriver
    | Registered
    | WorkerReady
    | RequestLease
    | CancelLease
    | LeaseGranted
    | LeaseElsewhere
    | LeaseWaits
    | LeaseFailed
    | ReturnLease
    | ReclaimLeases
    | Blocked
    | Resumed
    | WorkerDied
    | NodeDied
    | KillWorker
    | StoreCreate
    | StoreCreated
    | StoreFailed
    | StoreSeal
    | StoreAbort
    | StorePin
    | StorePinned
    | StoreUnpin
    | StoreFree
    | CreateActor
    | ActorInfo
    | HeadError
    | WatchActor
    | FindActor
    | KillActor
    | ListActors
    | NamedActors
    | DescribeCluster
    | ClusterDescription
    | JobFinished
    | RegisterJob
    | JobAccepted
    | OwnerDied
    | RegisterNode
    | NodeAccepted
    | NodeRefused
    | Heartbeat
    | ClusterView
    | StartActor
    | ActorStarted
    | StopActor
    | ActorExited
    | StopWorker
    | WorkerStays
    | Shutdown
    | ShutdownDone
)
