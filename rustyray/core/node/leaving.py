"""The node's end that nobody here has asked for: the head refuses it, or stays away.

The head refuses a node that it took for dead. What was here it has given to others, so none of it may go on: no worker,
no object, no lease. But the machine is well, it seems. So another node takes this one's place, new in all but what it
has to offer; unless that has happened too often of late: then something is wrong that a new node does not mend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rustyray.core.effects import Refusal, StartAgain, Warn
from rustyray.core.node.base import NodeBase
from rustyray.core.node.drivers import Drivers
from rustyray.core.node.shutdown import NodeShutdown
from rustyray.model.ids import NodeID
from rustyray.model.messages import HEAD, HeadEnds, NodeEnds, NodeRefused

#: What events say of the head.
HEAD_ENDS: Final = "head ends"
HEAD_IS_BACK: Final = "head is back"
#: The longest pause before a node takes another's place, in seconds.
LONGEST: Final = 60.0


class Leaving:
    """Decides what becomes of the node. ``refusals`` are those of the nodes that had its place before, oldest first."""

    __slots__ = ("_base", "_drivers", "_refusals", "_shutdown")

    def __init__(
        self, base: NodeBase, drivers: Drivers, shutdown: NodeShutdown, refusals: Sequence[Refusal] = ()
    ) -> None:
        self._base = base
        self._drivers = drivers
        self._shutdown = shutdown
        self._refusals = list(refusals)

    @property
    def replaces(self) -> NodeID:
        """The node that had this one's place before; empty if none had."""
        return self._refusals[-1].node if self._refusals else b""

    # --- refused ------------------------------------------------------------------------------------------------------

    def on_refused(self, sender: bytes, message: NodeRefused, now: float) -> None:
        """The cluster took this node for dead."""
        if sender != HEAD or message.node != self._base.node:
            return
        self._base.journal.note("node", self._base.node, "refused", message.reason)
        if not self._base.stopping:
            future = self._future(now)
            if future:
                self._base.tell_head(NodeEnds(self._base.node, future))
                self._base.out.append(Warn(f"{message.reason}; {future}"))
            self._tell_drivers(f"{message.reason}; {future}" if future else message.reason)
        self._shutdown.at_once(now)

    def _future(self, now: float) -> str:
        """Have another node take this one's place, or not; says which, if that is to be expected at all."""
        limits = self._base.limits
        if not limits.restarts:
            return ""
        recent = [refusal for refusal in self._refusals if refusal.at > now - limits.restart_window]
        if len(recent) >= limits.restarts:
            return (
                f"that has happened {len(recent) + 1} times within {limits.restart_window:g} s, so no other takes its "
                "place: see what keeps this machine from answering the head, and start a node here with "
                f"'rustyray start --address={self._base.head_address.removeprefix('tcp:')}'"
            )
        pause = min(limits.restart_pause * 2 ** len(recent), LONGEST)
        self._base.out.append(StartAgain(pause, [*recent, Refusal(self._base.node, now)]))
        return f"another takes its place in {pause:g} s"

    # --- without a head -----------------------------------------------------------------------------------------------

    def on_head_ends(self, sender: bytes, message: HeadEnds, now: float) -> None:
        """The head ends because it has to, and says why: so that whoever waits for it knows what to do."""
        if sender != HEAD:
            return
        self._base.journal.note("fault", b"", HEAD_ENDS, message.reason)
        self._drivers.head_ended = message.reason
        self._base.out.append(Warn(message.reason))
        for driver in self._drivers.all():
            self._base.send(driver, message)

    def head_is_back(self) -> None:
        if self._drivers.head_ended:
            self._base.journal.note("fault", b"", HEAD_IS_BACK)
            self._drivers.head_ended = ""

    def head_stays_away(self, now: float) -> None:
        """It was called for long enough."""
        why = f" ({self._drivers.head_ended})" if self._drivers.head_ended else ""
        away = f"the head could not be reached for {self._base.limits.head_away:g} s{why}"
        text = f"{away}: node {self._base.node.hex()} ends"
        self._base.out.append(Warn(text))
        self._tell_drivers(text)
        self._shutdown.at_once(now)

    def _tell_drivers(self, why: str) -> None:
        """Their work ends with this node. (One whose own this node is hears of it as of any other death.)"""
        if not self._drivers.embedded:
            for driver in self._drivers.all():
                self._base.send(driver, NodeEnds(self._base.node, why))
