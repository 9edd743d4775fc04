"""One process with an owner core: what arrives, what the core asks for, who waits, which refs are held.

The duties towards the core are those of every engine: carry its effects out in order, settle dropped refs at safe
points, flush before waiting, answer `JudgeFailure` outside. A program that waits yields `Sleep` or `Until`.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from rustyray.core.owner import OwnerCore
from rustyray.model.ids import JobID, NodeID, ObjectID, WorkerID
from rustyray.model.messages import (
    Message,
)

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World

#: Seconds that a wait takes longer than was asked for: never less, when the clocks' readings are rounded.
GRAIN: Final = 1e-6
#: A moment that does not come.
NEVER: Final = math.inf
#: Seconds until somebody else than the program sends and settles what the program left lying.
TICK: Final = 0.005


class Sleep:
    """Yielded by a program: go on after ``seconds``."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Until:
    """Yielded by a program: go on when it is ``done``; `need` events are missing, or one error.

    ``forsaken``: the program was interrupted while it waited for the pin of this object. ``deadline``: it goes on then
    in any case. ``what`` it waits for, for people.
    """

    __slots__ = ("deadline", "done", "forsaken", "need", "reply", "stop_at_error", "what")

    def __init__(self, need: int = 1, stop_at_error: bool = False) -> None:
        self.need = need
        self.stop_at_error = stop_at_error
        self.done = False
        self.deadline = NEVER
        self.what = ""
        self.forsaken: ObjectID = b""
        self.reply: Message | None = None


class Interrupted(BaseException):
    """The running task was cancelled."""


T = TypeVar("T")
Program: TypeAlias = Generator[Sleep | Until, None, T]


class OwnerProcess:
    """A process with an owner core, as the world and its books see it.

    ``executes``: it is a worker. ``done``: nothing of it has to go on. ``to_interrupt``: throw `Interrupted` into its
    programs. ``held`` counts the refs that its programs hold, by object, where that is known; ``kept`` are values that
    it is still to let go. ``outlives_node``: it is the node's process that ends with a node, not the machine.
    """

    executes = False
    done = True
    outlives_node = False

    def __init__(self, world: World, me: WorkerID, node: NodeID, job: JobID, namespace: str) -> None:
        self.world = world
        self.me = me
        self.node = node
        self.address = f"sim:{me.hex()}"
        self.namespace = namespace
        self.alive = True
        self.to_interrupt = False
        self.core = OwnerCore(me, self.address, node, job, lambda: world.fraction("jitter"))
        self.dropped: deque[ObjectID] = deque()
        self.unpinned: deque[ObjectID] = deque()
        self.warnings: list[str] = []
        self.held: dict[ObjectID, int] = {}
        #: What its core knew of when that was looked at last (`Books`).
        self.known: set[ObjectID] = set()
        self.kept: list[Any] = []

    @abstractmethod
    def receive(self, peer: bytes, message: Message) -> None:
        """A message has arrived."""

    @abstractmethod
    def lost(self, peer: bytes, reason: str) -> None:
        """The connection to a peer is gone."""

    @abstractmethod
    def tick(self) -> None:
        """What the background thread does: send and settle, and look at the time."""

    @abstractmethod
    def what_it_waits_for(self) -> str:
        """For people."""

    def next_deadline(self) -> float | None:
        return self.core.next_deadline()

    def check(self) -> None:
        self.core.check()

    def let_go(self) -> None:
        """Drop what the process still holds after its programs."""
        self.kept.clear()

    @property
    def restless(self) -> bool:
        """Whether something lies here that the background thread would send."""
        return bool(self.dropped or self.unpinned or self.core.has_unsent or self.core.freeing.untold)
