"""What drivers and workers say to their node: joining, leases, blocking, deaths, and the end."""

from __future__ import annotations

import msgspec

from rustyray.model.ids import JobID, NodeID, WorkerID
from rustyray.model.messages.base import Demand, Part
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy
from rustyray.model.values import Fault

# --- client (driver, worker) ↔ node -----------------------------------------------------------------------------------


class JobSetup(Part):
    """What the workers of a job take over from its driver, as far as they are on its ``machine``.

    What those of a ``quiet`` one write goes nowhere.
    """

    machine: str
    sys_path: list[str]
    argv: list[str]
    cwd: str
    env: dict[str, str]
    umask: int
    quiet: bool = False


class RegisterDriver(msgspec.Struct, array_like=True, gc=False, tag=20):
    """A driver joins. Workers of a node that is the driver's own have its ``setup`` already."""

    pid: int
    namespace: str
    setup: JobSetup | None = None


class Registered(msgspec.Struct, array_like=True, gc=False, tag=21):
    """The node's answer to a driver: its id and job, the head's address, the arena's size in bytes."""

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
    With a ``strategy`` the owner's own node sends it where it belongs, and there it stays. ``retriable``: the tasks
    that it is for may be run again. Its worker is to be set up with ``env``.
    """

    request: int
    job: JobID
    resources: Demand
    hops: int = 0
    local_only: bool = False
    strategy: Strategy | None = None
    retriable: bool = True
    env: bytes = b""


class CancelLease(msgspec.Struct, array_like=True, gc=False, tag=24):
    """The owner no longer wants ``request``; a grant that crosses this message is returned by the owner."""

    request: int


class LeaseGranted(msgspec.Struct, array_like=True, gc=False, tag=25):
    """Worker ``worker`` at ``address`` is the owner's until it returns lease ``lease`` (numbered by the node).

    ``gpus`` are those of the node that belong to the lease.
    """

    request: int
    lease: int
    worker: WorkerID
    address: str
    pid: int
    gpus: list[int] = []


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
    """Sent to every client of a node, and by a node to the head. ``reason``: the signal, the exit code, who asked."""

    worker: WorkerID
    reason: str
    intended: bool = False
    kind: int = 1


class KilledForMemory(msgspec.Struct, array_like=True, gc=False, tag=85):
    """To the owner of a lease, before `WorkerDied`: the worker is killed because of the memory that it uses.

    The attempt ``counts``, unless the task was only in the way of others.
    """

    worker: WorkerID
    reason: str
    counts: bool


class NodeDied(msgspec.Struct, array_like=True, gc=False, tag=34):
    node: NodeID
    reason: str


class KillWorker(msgspec.Struct, array_like=True, gc=False, tag=35):
    """The owner of a running task asks for its worker's death (``cancel(force=True)``)."""

    worker: WorkerID
    reason: str


class LeaseOver(msgspec.Struct, array_like=True, gc=False, tag=36):
    """Node → worker: the owner of lease ``lease`` is gone. The worker drops what it pushed or pushes, and says
    `WorkerStays` when nothing of it runs any more. ``dead``: nobody wants the result of what runs, so it is
    interrupted.
    """

    lease: int
    dead: bool


class WorkerSpent(msgspec.Struct, array_like=True, gc=False, tag=67):
    """Worker → node: it has run a function as often as that function's ``max_calls`` lets it, and ends. Its lease is
    over; who had it knows that from `Results`.
    """

    reason: str


class Output(msgspec.Struct, array_like=True, gc=False, tag=37):
    """Node → driver: what a worker of its job has written to standard output, or to standard ``error``."""

    worker: WorkerID
    pid: int
    error: bool
    data: bytes


class LendArena(msgspec.Struct, array_like=True, gc=False, tag=38):
    """A driver on this machine asks for the store's memory. Its descriptor comes with the answer, `ArenaLent`."""


class ArenaLent(msgspec.Struct, array_like=True, gc=False, tag=39):
    """The store has ``size`` bytes, and the driver is to call itself ``worker`` when it connects in earnest."""

    worker: WorkerID
    size: int


# --- shutdown ---------------------------------------------------------------------------------------------------------


class Shutdown(msgspec.Struct, array_like=True, gc=False, tag=90):
    """Driver → node: stop the workers (TERM, after ``grace`` seconds KILL), then yourself."""

    grace: float


class ShutdownDone(msgspec.Struct, array_like=True, gc=False, tag=91):
    """Node → driver: all is gone. ``lines`` are the node's part of the report, ``forced`` what had to be killed."""

    lines: list[str]
    forced: list[str]
