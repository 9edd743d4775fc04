"""What owners and workers say to each other: tasks, calls, results, and references.

This is the data path: it is direct, and nothing central sees it.
"""

from __future__ import annotations

import msgspec

from rustyray.model.ids import ActorID, ObjectID, TaskID, WorkerID
from rustyray.model.messages.base import Part
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy
from rustyray.model.values import RefInfo, Value

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
    ``returns`` is the number of return values; the attempt counts from 0. ``trace`` is the context of a trace, if any.
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
    trace: dict[str, str] | None = None


class Call(Part):
    """One call of an actor's method. Calls of one caller run in the order of ``seq``, which counts per caller and actor
    incarnation; ``method`` is its name; ``group`` a concurrency group or empty; ``name`` the call's own name, if any.
    """

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
    trace: dict[str, str] | None = None
    name: str = ""


class DefineFunction(msgspec.Struct, array_like=True, gc=False, tag=1):
    """The code of a function (cloudpickle), sent once per connection before the first task that uses it."""

    fn: bytes
    blob: bytes
    name: str


class PushTasks(msgspec.Struct, array_like=True, gc=False, tag=2):
    """Run these, in order, under ``lease``, which holds ``resources``, among them ``gpus``, and was asked for with
    ``strategy``.

    ``max_calls``: how often one process may run each of their functions; 0: any number of times.
    """

    lease: int
    tasks: list[Task]
    resources: ResourceSet = {}
    strategy: Strategy | None = None
    max_calls: int = 0
    gpus: list[int] = []


class PushCalls(msgspec.Struct, array_like=True, gc=False, tag=3):
    """Run these methods of the actor that lives in the receiving worker."""

    calls: list[Call]


class TakeBack(msgspec.Struct, array_like=True, gc=False, tag=4):
    """The owner has an idle worker elsewhere: give back up to ``count`` tasks that have not started, the last first."""

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
    attempt: int = 0


class Results(msgspec.Struct, array_like=True, gc=False, tag=6):
    """Attempts that ended since the last message, and the seconds that the worker spent running them.

    ``spent``: they were the worker's last ones. What else was pushed to it has not begun, and will not.
    """

    done: list[Done]
    seconds: float
    spent: bool = False


class GiveBack(msgspec.Struct, array_like=True, gc=False, tag=7):
    """Tasks that will not start: the worker blocks, or was asked with `TakeBack` (and maybe none were left)."""

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


class CancelObject(msgspec.Struct, array_like=True, gc=False, tag=15):
    """A borrower wants the task or call cancelled that makes ``object``."""

    object: ObjectID
    force: bool
    recursive: bool


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
