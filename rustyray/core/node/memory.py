"""The memory monitor: whose work is ended before the system runs out of memory and ends anything.

The host measures now and then. When the node is over its threshold, one worker is killed, and no other before that one
is gone: the one whose work costs least to do again. Work of an owner that is gone comes first, then what may be
retried, then the rest; the newest first in each (Ray's order, too). Who uses less than a tenth of what the largest
uses is spared, as it would help little. With ``enforce_memory`` a worker is also killed that uses more than the
``memory=`` that its task or actor asked for.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rustyray.core.effects import MeasureMemory
from rustyray.core.node.base import NodeBase
from rustyray.core.node.copies import mb
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.workers import Worker, WorkerState
from rustyray.model.ids import WorkerID
from rustyray.model.messages import KilledForMemory
from rustyray.model.resources import MEMORY, UNIT

#: Far below its threshold a node is looked at this many times less often.
CALM: Final = 4
#: That is: below this part of it.
FAR: Final = 0.8
#: So many workers are named in an error.
NAMED: Final = 5
#: Who uses less than this part of what the largest uses is spared.
SMALL: Final = 0.1

_WORKING: Final = frozenset({WorkerState.LEASED, WorkerState.ACTOR, WorkerState.ORPHANED})


class Memory(msgspec.Struct, frozen=True):
    """What was measured, in bytes: ``used`` of ``total``, and what each worker has for itself alone."""

    used: int
    total: int
    workers: dict[WorkerID, int]


class MemoryMonitor:
    """Has the memory measured, and decides who has to go."""

    __slots__ = ("_base", "_desk", "_victim")

    def __init__(self, base: NodeBase, desk: LeaseDesk) -> None:
        self._base = base
        self._desk = desk
        self._victim: WorkerID = b""

    def start(self, now: float) -> None:
        if self._base.limits.memory_interval > 0:
            self._base.timers.at(now + self._base.limits.memory_interval, self._measure)

    def _measure(self, now: float) -> None:
        if not self._base.stopping:
            self._base.out.append(MeasureMemory())

    def measured(self, memory: Memory, now: float) -> None:
        """The host's answer to `MeasureMemory`."""
        limits = self._base.limits
        calm = memory.used < FAR * limits.memory_threshold * memory.total and not limits.enforce_memory
        self._base.timers.at(now + limits.memory_interval * (CALM if calm else 1), self._measure)
        workers = self._desk.pool.workers
        if limits.enforce_memory:
            for id_, used in memory.workers.items():
                if id_ in workers:
                    self._enforce(workers[id_], used, now)
        if memory.used > limits.memory_threshold * memory.total and self._victim not in workers:
            self._relieve(memory, now)

    def _enforce(self, worker: Worker, used: int, now: float) -> None:
        asked = worker.held.get(MEMORY, 0) // UNIT
        if asked and used > asked and worker.state in _WORKING:
            text = (
                f"the worker (pid {worker.pid}) was killed because it used {mb(used)} of memory, and its task or actor "
                f"had asked for memory={asked} ({mb(asked)}), which enforce_memory=True makes the most that it may use"
            )
            self._kill(worker, text, True, now)

    def _relieve(self, memory: Memory, now: float) -> None:
        used = memory.workers
        working = [worker for worker in self._desk.pool.workers.values() if worker.state in _WORKING]
        least = SMALL * max((used.get(worker.id, 0) for worker in working), default=0)
        candidates = [worker for worker in working if used.get(worker.id, 0) >= least]
        if not candidates:
            return
        victim = min(candidates, key=self._cost)
        self._victim = victim.id
        self._kill(victim, self._reason(victim, memory), len(candidates) < 2, now)

    def _cost(self, worker: Worker) -> tuple[bool, bool, float]:
        return worker.state is not WorkerState.ORPHANED, not worker.retriable, -worker.given_at

    def _kill(self, worker: Worker, reason: str, counts: bool, now: float) -> None:
        """``counts``: nobody else was in its way, so that it would go as before if it were tried for nothing."""
        if worker.lease:
            owner = self._desk.leases[worker.lease].owner
            self._base.send(owner, KilledForMemory(worker.id, reason, counts))
        worker.for_memory = True
        self._desk.stop(worker, reason, now, None, intended=False)

    def _reason(self, victim: Worker, memory: Memory) -> str:
        limits, used = self._base.limits, memory.workers
        largest = sorted(self._desk.pool.workers.values(), key=lambda worker: -used.get(worker.id, 0))[:NAMED]
        which = ", ".join(f"pid {worker.pid}: {mb(used.get(worker.id, 0))}" for worker in largest)
        return (
            f"node {self._base.node.hex()} used {mb(memory.used)} of {mb(memory.total)} of memory, over its threshold "
            f"of {limits.memory_threshold:.0%}, and the worker (pid {victim.pid}, {mb(used.get(victim.id, 0))}) was "
            f"killed because its work costs least to do again; the largest workers: {which}. Have fewer at a time "
            f"(num_cpus=, memory=), need less, or raise memory_usage_threshold"
        )
