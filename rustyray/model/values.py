"""What an object's value looks like while it travels or waits: never a Python object of the user's, always bytes.

A value is one of

    bytes    the whole value, pickled, small, holding no references: the common case, and the cheapest
    Packed   pickled, with out-of-band buffers or with object refs inside
    Stored   sealed in the arena of a node; whoever wants it asks its own node to pin it
    Failed   the application raised: the cause, pickled, with the context in plain text
    Fault    the runtime failed: a kind and a sentence, no pickle at all

The cores pass values along without looking inside; ``rustyray.runtime.serialization`` makes and reads them.
"""

from __future__ import annotations

import enum

import msgspec

from rustyray.model.ids import NodeID, ObjectID


class RefInfo(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A reference found inside a value: which object, and where its owner listens."""

    object: ObjectID
    owner_address: str


class Packed(msgspec.Struct, array_like=True, gc=False, tag=1, frozen=True):
    """A small pickled value with buffers, or with references inside (``refs``, in pickling order)."""

    data: bytes
    buffers: list[bytes] | None = None
    refs: list[RefInfo] | None = None


class Stored(msgspec.Struct, array_like=True, gc=False, tag=2, frozen=True):
    """A value sealed in the arena of ``node``: ``size`` bytes under the object's own id, by its task's ``attempt``."""

    node: NodeID
    size: int
    refs: list[RefInfo] | None = None
    attempt: int = 0


class Failed(msgspec.Struct, array_like=True, gc=False, tag=3, frozen=True):
    """An exception raised by user code.

    ``cause`` is the pickled exception (empty when it would not pickle: ``traceback`` then still tells). The other
    fields are the context every error repeats.
    """

    cause: bytes
    function: str
    traceback: str
    task: bytes = b""
    actor: bytes = b""
    actor_repr: str = ""
    attempt: int = 0
    max_attempts: int = 0
    pid: int = 0
    worker: bytes = b""
    node: bytes = b""
    address: str = ""
    job: bytes = b""
    refs: list[RefInfo] | None = None


class FaultKind(enum.IntEnum):
    """Which of the runtime's own failures it was; each is one class of ``rustyray.exceptions``."""

    WORKER_CRASHED = 1
    TASK_CANCELLED = 2
    ACTOR_DIED = 3
    ACTOR_UNAVAILABLE = 4
    ACTOR_INIT_FAILED = 5
    OWNER_DIED = 6
    OBJECT_LOST = 7
    OBJECT_FREED = 8
    RECONSTRUCTION_FAILED = 9
    MAX_ATTEMPTS = 10
    LINEAGE_EVICTED = 11
    NODE_DIED = 12
    OUT_OF_MEMORY = 13
    STORE_FULL = 14
    OUT_OF_DISK = 15
    UNSCHEDULABLE = 16
    ACTOR_UNSCHEDULABLE = 17
    RUNTIME_ENV = 18
    SHUT_DOWN = 19
    SYSTEM = 20
    FUNCTION_UNAVAILABLE = 21
    GROUP_REMOVED = 22
    ACTORS_GROUP_REMOVED = 23


class Fault(msgspec.Struct, array_like=True, gc=False, tag=4, frozen=True):
    """A failure of the runtime: what died, why, and what it was about. ``cause`` may carry the application's part."""

    kind: FaultKind
    message: str
    task: bytes = b""
    actor: bytes = b""
    function: str = ""
    attempt: int = 0
    max_attempts: int = 0
    pid: int = 0
    worker: bytes = b""
    node: bytes = b""
    cause: Failed | None = None


Value = bytes | Packed | Stored | Failed | Fault
