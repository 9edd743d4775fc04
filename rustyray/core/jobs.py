"""What a worker has to do, and what its executor asks of the host that does it."""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.core.effects import Effect
from rustyray.model.ids import ObjectID, TaskID, WorkerID
from rustyray.model.messages import Call, StartActor, Task

#: What a lease without GPUs has: always this very object.
NO_GPUS: Final[tuple[int, ...]] = ()


class Job(msgspec.Struct, gc=False, eq=False):
    """A task or call on its way through this worker; ``lease`` is 0 for calls. ``orphaned``: its lease is over.

    A call that runs beside others does so since ``begun``. Of the refs in what it came to so far, those in ``back`` go
    back to their owner, and are held until that is sent.
    """

    caller: WorkerID
    lease: int
    task: Task | Call
    cancelled: bool = False
    orphaned: bool = False
    begun: float = 0.0
    back: list[ObjectID] | None = None


class Interrupt(Effect):
    """Interrupt the running job: KeyboardInterrupt for a task, a flag or asyncio cancellation for a call; with
    ``force`` end the process. ``recursive``: its own children are to be cancelled too."""

    task: TaskID
    force: bool
    recursive: bool


class Start(Effect):
    """Construct the actor, then let its calls run."""

    message: StartActor


class Stop(Effect):
    """End this process: after what is queued (``graceful``), or at once. ``may_stay``: not before others need nothing
    of what it owns, because it is only its actor that is to end, or it has run a function as often as it may."""

    graceful: bool
    reason: str
    may_stay: bool = False
