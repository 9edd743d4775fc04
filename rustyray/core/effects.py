"""What a core asks its host to do. A core appends effects to its ``out`` list; the host takes them, in order.

Effects never fail at once: if a message cannot be delivered, the host reports the peer as lost, later.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from rustyray.model.ids import NodeID, ObjectID, TaskID, WorkerID
from rustyray.model.messages import JobDescribed, Message
from rustyray.model.values import Failed


class Effect(msgspec.Struct, gc=False):
    """Base of all effects."""


class Send(Effect):
    """Deliver ``message`` to peer ``to`` (a worker's, driver's or node's id, or ``HEAD``), in order per peer.

    ``address`` says where it listens if there is no connection yet; empty: the host has one or can look it up.
    """

    to: bytes
    message: Message
    address: str = ""


class Ready(Effect):
    """These objects have a value now (or will never have one: the value is the fault). Wake whoever waits."""

    objects: list[ObjectID]


class JudgeFailure(Effect):
    """Ask the plan's ``retry.on_error`` about this exception, and answer with ``OwnerCore.judged(task, retry)``."""

    task: TaskID
    failed: Failed


class Warn(Effect):
    """Show the user this sentence, once."""

    text: str


class ForkWorker(Effect):
    """Start a worker process that will report as ``worker`` (`WorkerReady`, or `NodeCore.process_ended`).

    On a node that several drivers share it is for ``job`` alone. It sets itself up with ``env``.
    """

    worker: WorkerID
    job: JobDescribed | None = None
    env: bytes = b""


class EndProcess(Effect):
    """End the worker's process: politely (``force`` False: it has been told already, TERM) or with KILL."""

    worker: WorkerID
    force: bool


class FreeExtent(Effect):
    """The arena's extent is free; its pages may be kept for reuse or given back to the system."""

    offset: int
    size: int


class SendChunk(Effect):
    """Send `Chunk` with ``size`` bytes of the object at ``offset`` in the arena, beginning with its byte ``begin``.

    They stay there until the peer has them or is gone, other messages to it may go first; or they are to be ``copied``
    now.
    """

    to: NodeID
    object: ObjectID
    pull: int
    offset: int
    begin: int
    size: int
    copied: bool = False


class SpillObject(Effect):
    """Write ``size`` bytes at ``offset`` of the arena to ``place`` in the spill file; answer: `NodeCore.spilled`."""

    place: int
    offset: int
    size: int


class RestoreObject(Effect):
    """Read ``size`` bytes at ``place`` of the spill file back, to ``offset`` in the arena; answer: `NodeCore.restored`.

    They must have the ``checksum`` that was answered when they were written.
    """

    place: int
    offset: int
    size: int
    checksum: int


class TrimArena(Effect):
    """Give the memory of these free ``extents`` of the arena (start, size) back to the system."""

    extents: list[tuple[int, int]]


class TrimSpilled(Effect):
    """As `TrimArena`, for extents of the spill file."""

    extents: list[tuple[int, int]]


class MeasureMemory(Effect):
    """Measure the machine's memory and the workers'; answer: `NodeCore.measured`."""


class Keep(Effect):
    """Write ``value`` down under ``kind`` and ``key``, in place of what is there, before any effect that follows.

    None: nothing is to be kept there any more.
    """

    kind: str
    key: bytes
    value: bytes | None


class Refusal(NamedTuple):
    """The head has refused ``node``, at this time of the machine's clock."""

    node: NodeID
    at: float


class StartAgain(Effect):
    """When this node has stopped, start another in its place after ``pause`` seconds: with another id, nothing of what
    this one had, and the same to offer. It is to know of the ``refusals``."""

    pause: float
    refusals: list[Refusal]


class Stopped(Effect):
    """The node has nothing left: its process may end."""
