"""An actor as the head knows it, and the moves of its life."""

from __future__ import annotations

import enum
from typing import Final

from rustyray.core.story import StateTable
from rustyray.model.ids import GroupID, NodeID, WorkerID
from rustyray.model.messages import ActorInfo, ActorSpec, ActorState
from rustyray.model.values import Fault, FaultKind


class ActorEvent(enum.IntEnum):
    STARTED = 1
    LOST = 2
    DIED = 3


_S, _E = ActorState, ActorEvent

ACTOR_TABLE = StateTable(
    "actor",
    _S.PENDING,
    {
        (_S.PENDING, _E.STARTED): _S.ALIVE,
        (_S.PENDING, _E.LOST): _S.RESTARTING,
        (_S.ALIVE, _E.LOST): _S.RESTARTING,
        (_S.RESTARTING, _E.STARTED): _S.ALIVE,
        (_S.RESTARTING, _E.LOST): _S.RESTARTING,
        **{(state, _E.DIED): _S.DEAD for state in (_S.PENDING, _S.ALIVE, _S.RESTARTING)},
    },
)

#: The process or its place was lost, which says nothing about the actor's own code: it may be started again.
LOSSES: Final = frozenset({FaultKind.WORKER_CRASHED, FaultKind.OUT_OF_MEMORY, FaultKind.NODE_DIED, FaultKind.SHUT_DOWN})


class Actor:
    """One actor, through all its incarnations; when it is dead, ``spec`` keeps only what a handle needs.

    ``node`` is empty while it has no place, ``worker`` until it is up. ``failures`` counts starts in a row that came to
    nothing, and ``not_before`` is when the next may be tried. ``stopping`` says why it is to end when its calls are
    done, ``killed`` why its process is being killed while it may be restarted.
    """

    __slots__ = (
        "address",
        "failures",
        "fault",
        "id",
        "incarnation",
        "killed",
        "node",
        "not_before",
        "pid",
        "restarts",
        "spec",
        "state",
        "stopping",
        "told_unplaceable",
        "was_created",
        "what",
        "worker",
    )

    def __init__(self, spec: ActorSpec) -> None:
        self.id = spec.actor
        self.spec = spec
        self.what = f"actor {spec.class_name} ({spec.actor.hex()})" if spec.class_name else f"actor {spec.actor.hex()}"
        self.state = ACTOR_TABLE.initial
        self.incarnation = 0
        self.restarts = 0
        self.failures = 0
        self.not_before = float("-inf")
        self.told_unplaceable = False
        #: Its constructor has come to its end once.
        self.was_created = False
        self.node: NodeID = b""
        self.worker: WorkerID = b""
        self.address = ""
        self.pid = 0
        self.fault: Fault | None = None
        self.stopping = ""
        self.killed = ""

    @property
    def name(self) -> tuple[str, str] | None:
        return (self.spec.namespace, self.spec.name) if self.spec.name else None

    def may_restart(self) -> bool:
        limit = self.spec.max_restarts
        return not self.stopping and (limit < 0 or self.restarts < limit)

    def is_in(self, group: GroupID) -> bool:
        """Whether it runs in a bundle of the group."""
        return self.spec.strategy is not None and self.spec.strategy.group == group

    def fault_of(self, kind: FaultKind, reason: str) -> Fault:
        return Fault(kind, reason, actor=self.id, pid=self.pid, worker=self.worker, node=self.node)

    def forget_what_it_needs(self) -> None:
        """It is dead: let go of its code and its arguments."""
        spec = self.spec
        self.spec = ActorSpec(
            spec.actor,
            spec.job,
            b"",
            b"",
            spec.class_name,
            spec.owner_address,
            [],
            name=spec.name,
            namespace=spec.namespace,
            detached=spec.detached,
            max_task_retries=spec.max_task_retries,
            handle_meta=spec.handle_meta,
        )

    def info(self, request: int = 0) -> ActorInfo:
        """What others are told. Only an answer (``request``) carries what a handle is built from."""
        return ActorInfo(
            self.id,
            self.state,
            self.incarnation,
            self.worker,
            self.address,
            self.pid,
            self.fault,
            request,
            self.spec.handle_meta if request else b"",
            self.spec.owner_address,
            self.spec.max_task_retries,
        )
