"""Leases that are asked for back. Owners keep idle leases warm, and cannot know that somebody waits.

So those who wait are looked after here: when they come, and again and again while they starve, the owners of leases are
asked to return what is idle. Which leases are, only they know.
"""

from __future__ import annotations

from collections.abc import Mapping

from rustyray.core.node.base import NodeBase
from rustyray.core.node.claims import Claim, ClaimQueue, Lease
from rustyray.model.messages import ReclaimLeases


class Recall:
    """Asks owners; none of them more often than each ``reclaim_gap`` seconds."""

    __slots__ = ("_asked", "_base", "_fresh", "_leases", "_looks", "_queue")

    def __init__(self, base: NodeBase, queue: ClaimQueue, leases: Mapping[int, Lease]) -> None:
        self._base = base
        self._queue = queue
        self._leases = leases
        self._asked: dict[bytes, float] = {}
        #: Owners that were granted a lease and have not been told whether others wait.
        self._fresh: dict[bytes, None] = {}
        #: Whether a look at who starves is due.
        self._looks = False

    def starves(self, claim: Claim, now: float) -> bool:
        """Whether others overtook it for too long."""
        return claim.feasible and claim.since + self._base.limits.starving <= now

    def waits(self, claim: Claim, now: float) -> None:
        """It found no room, and is feasible."""
        self._ask_others(claim, now)
        if not self._looks:
            self._looks = True
            self._base.timers.at(now + self._base.limits.starving, self._look)

    def _look(self, now: float) -> None:
        """Ask the holders of leases again, as long as anybody waits: they cannot know that somebody still does."""
        self._looks = False
        waiting = next((line[0] for line in self._queue.lines() if line[0].feasible), None)
        if waiting is not None and not self._base.stopping:
            self.waits(waiting, now)

    def _ask_others(self, claim: Claim, now: float) -> None:
        """Who waits gives back what is idle by itself. But if it keeps its other workers busy it may overtake its own
        request for ever, so one that starves is told as well.
        """
        starves = self.starves(claim, now)
        for lease in self._leases.values():
            if lease.owner != claim.client or (starves and lease.claim.need != claim.need):
                self._ask(lease.owner, now)

    def ask_all(self, now: float) -> None:
        """Somebody who does not queue here found no room."""
        for lease in self._leases.values():
            self._ask(lease.owner, now)

    def _ask(self, owner: bytes, now: float) -> None:
        if now - self._asked.get(owner, float("-inf")) >= self._base.limits.reclaim_gap:
            self._asked[owner] = now
            self._base.send(owner, ReclaimLeases())

    def granted(self, owner: bytes) -> None:
        """It has a new lease, for which it could not be asked before: `tell_fresh` makes up for that."""
        self._fresh[owner] = None

    def tell_fresh(self) -> None:
        if not self._fresh:
            return
        fresh, self._fresh = self._fresh, {}
        waiting = self._queue.clients
        for owner in fresh:
            if len(waiting) > (owner in waiting):
                self._base.send(owner, ReclaimLeases())

    def forget(self, owner: bytes) -> None:
        self._asked.pop(owner, None)
