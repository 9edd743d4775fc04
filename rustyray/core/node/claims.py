"""Claims: demands for one worker with resources, from an owner's lease request or the head's wish to start an actor.

A claim is *queued* until its resources are free, *assigned* once they are held for it and only a worker is missing,
and *granted* when it has one. Claims of one shape (the same demand) queue together, so that a look at the queue costs
one step per shape and not one per claim.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from rustyray.core.node.gpus import NONE, Shares
from rustyray.core.node.workers import Incarnation, Worker
from rustyray.core.story import StateTable
from rustyray.model.ids import GroupID, JobID, WorkerID
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy

Shape: TypeAlias = tuple[tuple[str, int], ...]


class ClaimState(enum.IntEnum):
    QUEUED = 1
    ASSIGNED = 2
    GRANTED = 3
    OVER = 4


class ClaimEvent(enum.IntEnum):
    FITS = 1
    GIVEN = 2
    DROPPED = 3
    ENDED = 4


_S, _E = ClaimState, ClaimEvent

CLAIM_TABLE = StateTable(
    "claim",
    _S.QUEUED,
    {
        (_S.QUEUED, _E.FITS): _S.ASSIGNED,
        (_S.ASSIGNED, _E.GIVEN): _S.GRANTED,
        (_S.QUEUED, _E.DROPPED): _S.OVER,
        (_S.ASSIGNED, _E.DROPPED): _S.OVER,
        (_S.GRANTED, _E.ENDED): _S.OVER,
    },
)


class Claim:
    """One demand. ``need`` must be free when it is placed, ``hold`` is what it then uses (they differ for actors).

    ``given`` is set for the start of ``actor``: what to do with the worker. Otherwise ``client`` asked for a lease; its
    number is ``request``; it may move to other nodes that ``strategy`` allows, unless ``hops`` is None. ``feasible``:
    the node has as much.
    ``group`` is the placement group in whose bundles it is, ``gpus`` those that it got. Its worker must have the
    environment ``env``.
    """

    __slots__ = (
        "actor",
        "client",
        "env",
        "feasible",
        "given",
        "gpus",
        "group",
        "hold",
        "hops",
        "job",
        "need",
        "number",
        "request",
        "retriable",
        "since",
        "state",
        "strategy",
        "warned",
    )

    def __init__(
        self,
        client: bytes,
        request: int,
        job: JobID,
        need: ResourceSet,
        hold: ResourceSet,
        number: int,
        now: float,
        feasible: bool,
    ) -> None:
        self.client = client
        self.request = request
        self.job = job
        self.need = need
        self.hold = hold
        self.number = number
        self.since = now
        self.feasible = feasible
        self.state = CLAIM_TABLE.initial
        self.actor: Incarnation | None = None
        self.given: Callable[[Worker], None] | None = None
        self.group: GroupID = b""
        self.gpus: Shares = NONE
        self.env = b""
        self.retriable = True
        self.hops: int | None = None
        self.strategy: Strategy | None = None
        self.warned = False


class Lease:
    """Worker ``worker`` belongs to ``owner`` until it returns the lease, or either of them ends."""

    __slots__ = ("claim", "id", "owner", "worker")

    def __init__(self, id_: int, owner: bytes, worker: WorkerID, claim: Claim) -> None:
        self.id = id_
        self.owner = owner
        self.worker = worker
        self.claim = claim


class ClaimQueue:
    """Queued claims, by shape, first come first served within one; claims that are over are dropped on the way."""

    __slots__ = ("_shapes", "clients", "count")

    def __init__(self) -> None:
        self._shapes: dict[Shape, deque[Claim]] = {}
        self.count = 0
        #: How many feasible claims each client has in it.
        self.clients: dict[bytes, int] = {}

    def put(self, claim: Claim) -> None:
        shape = tuple(sorted(claim.need.items()))
        queue = self._shapes.get(shape)
        if queue is None:
            queue = self._shapes[shape] = deque()
        queue.append(claim)
        self.count += 1
        if claim.feasible:
            self.clients[claim.client] = self.clients.get(claim.client, 0) + 1

    def left(self, claim: Claim) -> None:
        """The claim, which was queued, is not any more."""
        self.count -= 1
        if claim.feasible:
            self.clients[claim.client] -= 1
            if not self.clients[claim.client]:
                del self.clients[claim.client]

    def lines(self) -> list[deque[Claim]]:
        """The queues, those with the oldest first claim first; none of them is empty."""
        for shape, queue in list(self._shapes.items()):
            while queue and queue[0].state is not ClaimState.QUEUED:
                queue.popleft()
            if not queue:
                del self._shapes[shape]
        if len(self._shapes) < 2:
            return list(self._shapes.values())
        return sorted(self._shapes.values(), key=lambda queue: queue[0].number)

    def all(self) -> list[Claim]:
        return [claim for queue in self.lines() for claim in queue if claim.state is ClaimState.QUEUED]

    def check(self) -> None:
        if not (self._shapes or self.count or self.clients):
            return
        queued = self.all()
        assert len(queued) == self.count, f"{len(queued)} claims are queued, the count says {self.count}"
        clients: dict[bytes, int] = {}
        for claim in queued:
            if claim.feasible:
                clients[claim.client] = clients.get(claim.client, 0) + 1
        assert clients == self.clients, f"claims per client are {clients}, the count says {self.clients}"
