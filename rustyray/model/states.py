"""What nodes, workers and tasks are doing at the moment."""

from __future__ import annotations

import msgspec

from rustyray.model.events import Inside


class NodeState(Inside, frozen=True, kw_only=True, gc=False):
    """A node, as the head sees it: ``"ALIVE"``, ``"SUSPECT"`` (silent for some seconds) or ``"DEAD"``, with the reason.

    ``silent`` is the seconds since it was heard, ``queued`` the requests for workers that wait there.
    """

    node_id: str
    state: str
    silent: float
    queued: int
    node_name: str = ""
    pid: int = 0
    reason: str = ""


class WorkerState(Inside, frozen=True, kw_only=True, gc=False):
    """A worker's process, as its node sees it, and what runs in it.

    Args:
        state: ``"STARTING"``, ``"IDLE"``, ``"LEASED"``, ``"ACTOR"``, ``"STOPPING"``, …
        seconds: since it was idle or started.
        answers: whether it answered when it was asked; None while it starts.
        runs: the tasks and calls that run in it, and for how long.
        env: its runtime environment, as a `rustyray.model.environments.Environment` encodes it; empty for none.
    """

    worker_id: str
    node_id: str
    pid: int
    state: str
    seconds: float
    actor_id: str = ""
    reason: str = ""
    answers: bool | None = None
    runs: list[TaskState] = msgspec.field(default_factory=list)
    env: bytes = b""


class TaskState(Inside, frozen=True, kw_only=True, gc=False):
    """A task or a call of an actor that is not done.

    Args:
        state: ``"waiting for arguments"``, ``"queued"``, ``"on a worker"``, ``"running"`` or ``"waiting to retry"``.
        seconds: for so long in this state.
        usual: seconds that a run of the same function takes, negative if that is not known.
        awaits: the ids of the objects that its process waits for.
        waits_for: what has to happen before it goes on; empty if it just runs.
        owner: the process that submitted it.
    """

    task_id: str
    name: str
    state: str
    seconds: float
    attempt: int = 0
    actor_id: str = ""
    worker_id: str = ""
    owner: str = ""
    usual: float = -1.0
    awaits: list[str] = msgspec.field(default_factory=list)
    waits_for: str = ""
