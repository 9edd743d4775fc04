"""What an owner remembers: one `ObjectEntry` per object, one `Record` per task or call that has not settled.

These are made by the hundred thousand, so they are ``msgspec`` structs outside the garbage collector (``gc=False``).
The price: a cycle is never collected, so whoever ends a record unlinks it (`Record.entry`, `ObjectEntry.record`).
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Final, TypeAlias

import msgspec

from rustyray.model.ids import ActorID, NodeID, ObjectID, TaskID, WorkerID
from rustyray.model.messages import ActorInfo, ActorSpec, ActorState, Call, Task
from rustyray.model.plans import MethodPlan, TaskPlan
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy
from rustyray.model.values import Fault, Value


class TaskState(enum.StrEnum):
    """The life of a task or call, as its owner sees it."""

    WAITING = "waiting for arguments"
    QUEUED = "queued"
    PUSHED = "on a worker"
    BACKOFF = "waiting to retry"
    DONE = "done"


# Plain strings on the hot path: an enum member's hash is computed in Python.
WAITING: Final = str(TaskState.WAITING)
QUEUED: Final = str(TaskState.QUEUED)
PUSHED: Final = str(TaskState.PUSHED)
BACKOFF: Final = str(TaskState.BACKOFF)
DONE: Final = str(TaskState.DONE)

#: event → {state: next state}. The docs' diagram is drawn from this table, and `Record.apply` follows it.
TASK_TABLE: Final[dict[str, dict[str, str]]] = {
    "arguments ready": {WAITING: QUEUED},
    "push": {QUEUED: PUSHED},
    "give back": {PUSHED: QUEUED},
    "finish": {PUSHED: DONE},
    "retry": {PUSHED: BACKOFF},
    "back-off over": {BACKOFF: QUEUED},
    "arguments lost": {QUEUED: WAITING, PUSHED: WAITING, BACKOFF: WAITING},
    "rebuild": {DONE: WAITING},
    "fail": {WAITING: DONE, QUEUED: DONE, PUSHED: DONE, BACKOFF: DONE},
}


class IllegalTaskStep(AssertionError):
    """A core's own bug: an event that the table does not know for the state. Carries the task's story."""


class ObjectEntry(msgspec.Struct, gc=False, eq=False):
    """One object known in this process, owned here or borrowed.

    ``local`` counts the refs (and mapped views) of this process; ``holds`` the pending tasks, containing objects and
    unacknowledged transfers that need it; ``lineage`` the records that would need it to rebuild something.
    """

    value: Value | None = None
    local: int = 0
    holds: int = 0
    record: Record | None = None
    watched: bool = False
    lineage: int = 0
    more: Borrowing | None = None


class Borrowing(msgspec.Struct, eq=False):
    """The rarer facts about an object.

    For an owned one: ``borrowers`` counts registrations per process, ``watchers`` asked for the value. A count below
    zero waits for a message that is under way; it keeps nothing alive, because whoever sent that message is counted.
    For a borrowed one: ``owner_address``, the registrations that the owner has (or will have) for this process, and
    whether the value was asked for.
    """

    borrowers: dict[WorkerID, int] = {}
    watchers: list[WorkerID] = []
    dependents: list[Record] = []
    owner_address: str = ""
    registrations: int = 0
    asked: bool = False

    def is_borrowed(self) -> bool:
        return any(count > 0 for count in self.borrowers.values())


class Record(msgspec.Struct, gc=False, eq=False):
    """A task or an actor call from submission until it settles (or as long as its lineage is needed).

    It was ``submitted`` at that time, and waits to be tried again, or for its arguments, ``since`` then.
    ``alone``: it was on a worker, or near, that died. A task of that kind is not pushed together with others. The
    values of its ref arguments that travel with it have ``weight`` bytes.
    """

    task: Task | Call
    plan: TaskPlan | MethodPlan
    target: SchedulingClass | ActorLink
    retries: int
    parent: TaskID = b""
    submitted: float = 0.0
    since: float = 0.0
    state: str = QUEUED
    entry: ObjectEntry | None = None
    lease: Lease | None = None
    missing: int = 0
    held: list[ObjectID] | None = None
    deps: list[ObjectID] | None = None
    cancelled: bool = False
    forced: bool = False
    alone: bool = False
    weight: int = 0

    def apply(self, event: str) -> None:
        """Follow the table; raises IllegalTaskStep."""
        try:
            self.state = TASK_TABLE[event][self.state]
        except KeyError:
            raise IllegalTaskStep(
                f"task {self.task.id.hex()} ({self.plan.name}): {event!r} while it is {self.state!r}"
            ) from None


def is_creation(record: Record) -> bool:
    """Whether it is the constructor of an actor, which is there as long as the actor, for its restarts."""
    return isinstance(record.task, Call) and record.task.id == record.task.actor


class FunctionStats(msgspec.Struct, gc=False, eq=False):
    """What the owner keeps in a plan: how its tasks are scheduled, and the seconds that a run takes.

    ``seconds`` is a moving average, negative while nothing is known; ``attempts`` 0 means without end; ``name`` is how
    its tasks are called; ``home`` is the owner that this is for.
    """

    target: SchedulingClass
    home: WorkerID
    attempts: int
    name: str
    seconds: float = -1.0


class SchedulingClass(msgspec.Struct, eq=False):
    """Tasks that any worker of the same kind can run: they share a queue and leases.

    ``ask_after`` is when a node may be asked for workers again, after one was lost with what it had been asked for.
    ``base`` is the class of the same tasks without large arguments, of one whose strategy is to be near those.
    ``mixed``: they may be out of the order of their numbers. ``why`` a node let it wait, as it said last.
    ``env`` is the environment of their workers. ``max_calls`` as in `PushTasks`.
    """

    resources: ResourceSet
    strategy: Strategy | None = None
    retriable: bool = True
    queue: deque[Record] = msgspec.field(default_factory=deque)
    leases: dict[int, Lease] = {}
    requests: dict[int, NodeID] = {}
    idle: int = 0
    warned: bool = False
    last_result: float = 0.0
    ask_after: float = 0.0
    base: SchedulingClass | None = None
    why: str = ""
    mixed: bool = False
    env: bytes = b""
    max_calls: int = 0


class Lease(msgspec.Struct, eq=False):
    """A worker that is ours until we return it. ``inflight`` is in pushing order: the first one is running.

    ``idle`` is whether its class counts it as idle: it is found out to be when all results of a message are settled,
    and settling one may push another task to it. ``wanted``: others wait for workers, so it goes back once it is idle.
    ``over``: its node has ended it, as we and it lost one another; what runs may still come to its end. ``gpus`` belong
    to it.
    """

    id: int
    node: NodeID
    worker: WorkerID
    address: str
    pid: int
    target: SchedulingClass
    inflight: dict[TaskID, Record] = {}
    idle: bool = True
    idle_since: float = 0.0
    heard: float = 0.0
    blocked: bool = False
    over: bool = False
    asked_back: bool = False
    wanted: bool = False
    gpus: list[int] = []


class ActorLink(msgspec.Struct, eq=False):
    """An actor that this process calls. ``queue`` holds calls not pushed yet, ``inflight`` those pushed, in order.
    ``waiting`` are those that have no place in the order yet, because they need none before their arguments are there.

    ``creation`` is the constructor's record in the process that made the actor: it holds the constructor's arguments
    until the actor is dead, because a restart needs them again. ``cut``: nothing more comes from ``worker`` on the
    connection that there was. ``exited``: why the actor is over, as its worker has said itself.
    """

    actor: ActorID
    max_task_retries: int
    state: ActorState = ActorState.PENDING
    incarnation: int = -1
    worker: WorkerID = b""
    address: str = ""
    pid: int = 0
    seq: int = 0
    queue: deque[Record] = msgspec.field(default_factory=deque)
    inflight: dict[TaskID, Record] = {}
    waiting: dict[TaskID, Record] = {}
    fault: Fault | None = None
    spec: ActorSpec | None = None
    creation: Record | None = None
    watching: bool = False
    held: bool = False
    creating: int = 0
    cut: bool = False
    exited: str = ""


class Ending(msgspec.Struct, eq=False):
    """A process of which others say that it is dead, or an actor in it, while its own last words may be on their way.

    They are waited for until the connection's end has come, or ``until``. ``reason`` is how the process died (None: it
    may be alive), ``news`` what the head has said of its actor meanwhile.
    """

    until: float
    reason: str | None = None
    news: list[ActorInfo] = []


Target: TypeAlias = SchedulingClass | ActorLink
