"""What a runtime counts. Every number is since the start of the process that tells it, or of the present moment."""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.model.events import Inside

#: Latencies are counted in so many classes, each twice as wide as the one before; the first ends at a microsecond.
CLASSES: Final = 40


class TaskStats(Inside, frozen=True, kw_only=True, gc=False):
    """Tasks, or calls of actors, that a process submitted.

    Now: ``waiting`` for arguments or their next attempt, ``queued`` for a worker or for their actor, and ``pushed`` to
    one. Ever: ``submitted``, and how they ended, ``finished``, ``failed`` or ``cancelled``; ``retried`` counts attempts
    after the first, ``rebuilt`` those that were run again because their result was lost.
    """

    submitted: int = 0
    waiting: int = 0
    queued: int = 0
    pushed: int = 0
    finished: int = 0
    failed: int = 0
    cancelled: int = 0
    retried: int = 0
    rebuilt: int = 0


class ObjectStats(Inside, frozen=True, kw_only=True, gc=False):
    """Objects that a process knows: those it owns, the bytes of their values that it has itself, those in the nodes'
    stores and their bytes, and those that it has borrowed of others."""

    owned: int = 0
    inline_bytes: int = 0
    stored: int = 0
    stored_bytes: int = 0
    borrowed: int = 0


class LatencyStats(Inside, frozen=True, kw_only=True, gc=False):
    """Seconds from a submission to its result: of the last task in each message of results, so not of all.

    ``classes[n]`` counts those of less than 2**n microseconds, and not less than half of that.
    """

    classes: tuple[int, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.classes)

    def quantile(self, part: float) -> float:
        """Seconds within which this part of them (0.5: half) had their result, rounded up to a class; 0 if none."""
        left = part * self.count
        for number, count in enumerate(self.classes):
            left -= count
            if count and left <= 0:
                return float(2**number) / 1e6
        return 0.0


class ProcessStats(Inside, frozen=True, kw_only=True, gc=False):
    """What one driver or worker counts.

    ``tasks`` and ``calls`` are those that it submitted itself. ``ran`` counts the tasks and calls that ran in it,
    ``running`` those that run, ``behind`` those that wait there for their turn. ``leases`` are the workers it has.
    """

    role: str = ""
    process: str = ""
    node: str = ""
    pid: int = 0
    tasks: TaskStats = TaskStats()
    calls: TaskStats = TaskStats()
    objects: ObjectStats = ObjectStats()
    latency: LatencyStats = LatencyStats()
    leases: int = 0
    ran: int = 0
    running: int = 0
    behind: int = 0


class StoreStats(Inside, frozen=True, kw_only=True, gc=False):
    """A node's store. Sizes are in bytes; ``pinned`` counts objects that somebody maps.

    Ever: objects (and bytes) ``spilled`` to the disk, ``restored``, and ``pulled`` from other nodes. ``pulling`` now.
    """

    capacity: int = 0
    used: int = 0
    objects: int = 0
    pinned: int = 0
    spilled: int = 0
    spilled_bytes: int = 0
    restored: int = 0
    restored_bytes: int = 0
    pulling: int = 0
    pulled: int = 0
    pulled_bytes: int = 0


class NodeStats(Inside, frozen=True, kw_only=True, gc=False):
    """What one node counts: its workers by state, ``forked`` ever, ``leases`` now and ``granted`` ever, the requests
    for workers that wait in its ``queue``, and its store."""

    node: str = ""
    pid: int = 0
    workers: dict[str, int] = msgspec.field(default_factory=dict)
    forked: int = 0
    leases: int = 0
    granted: int = 0
    queue: int = 0
    store: StoreStats = StoreStats()


class HeadStats(Inside, frozen=True, kw_only=True, gc=False):
    """What the head counts: nodes and actors by state, restarts of actors that it still knows, jobs that run."""

    nodes: dict[str, int] = msgspec.field(default_factory=dict)
    actors: dict[str, int] = msgspec.field(default_factory=dict)
    restarts: int = 0
    jobs: int = 0


class Stats(Inside, frozen=True, kw_only=True, gc=False):
    """What the whole runtime counts.

    ``tasks``, ``calls``, ``objects`` and ``latency`` are the sums over ``processes``, ``store`` that over ``nodes``.
    ``head`` is None, and ``silent`` has names, if some did not answer.
    """

    tasks: TaskStats
    calls: TaskStats
    objects: ObjectStats
    latency: LatencyStats
    store: StoreStats
    processes: list[ProcessStats]
    nodes: list[NodeStats]
    head: HeadStats | None
    silent: list[str]
