"""What the parts of the head share: limits, timers, journal, the way out, and who is known to be dead."""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.core.effects import Effect, Send
from rustyray.core.story import Journal
from rustyray.core.timers import Timers
from rustyray.model.ids import NodeID, WorkerID, node_of
from rustyray.model.messages import Message

#: So many dead workers and drivers are remembered, and so many dead actors.
REMEMBERED: Final = 10_000


class HeadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers by which the head decides. Times are in seconds.

    A node that was silent for ``suspect`` is not given new work, after ``dead`` it is dead; so is one whose connection
    is gone and that is not back within ``come_back``. What is free is told to the nodes at most every ``view_gap``. An
    actor that never came up is started again after ``first_delay``, then twice as long each time, up to ``last_delay``.
    A group that cannot be placed says so after ``explain``: nodes may be about to join.
    """

    suspect: float = 3.0
    dead: float = 10.0
    come_back: float = 2.0
    view_gap: float = 0.1
    first_delay: float = 0.05
    last_delay: float = 5.0
    explain: float = 0.5


class HeadBase:
    """The common ground of the head's parts."""

    __slots__ = ("_gone", "away", "changes", "journal", "limits", "out", "timers")

    def __init__(self, limits: HeadLimits) -> None:
        self.limits = limits
        #: What has to be written down, by kind and key; None when nothing ever is.
        self.changes: dict[tuple[str, bytes], object] | None = None
        self.out: list[Effect] = []
        #: Nodes that may have missed something, and have to register again before anything else that they say counts;
        #: what they die of if they do not.
        self.away: dict[NodeID, str] = {}
        self.timers = Timers()
        self.journal = Journal()
        self._gone: dict[bytes, str] = {}

    def send(self, to: bytes, message: Message, address: str = "") -> None:
        """What is for a node that is away is not sent: the node is told all that counts when it is there again."""
        if to not in self.away:
            self.out.append(Send(to, message, address))

    def changed(self, kind: str, key: bytes, what: object) -> None:
        """``what`` is not what it was (None: it is no more), and is to be known again should the head come back."""
        if self.changes is not None:
            self.changes[kind, key] = what

    def gone(self) -> list[tuple[bytes, str]]:
        """The dead that are remembered, with the reasons."""
        return list(self._gone.items())

    def note_gone(self, worker: WorkerID, reason: str) -> None:
        """A worker or driver is dead for good. Remembered for a while: its last messages may still come."""
        self._gone[worker] = reason
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]

    def why_gone(self, peer: bytes) -> str | None:
        """Why the worker, driver or node is dead; None while nobody knows that it is."""
        return self._gone.get(peer, self._gone.get(node_of(peer)))
