"""What workers say of themselves, and what follows from how they end; and those that start ahead of anybody's need.

The pool says which workers there are, the lease desk who has them. Here their own words arrive: ready, staying, blocked
in ``get``, going on. A worker whose connection is lost may still run; only the host's word that its process has ended
is final.
"""

from __future__ import annotations

from typing import Final

from rustyray.core.node.actors import HostedActors
from rustyray.core.node.base import NodeBase
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.workers import Worker, WorkerState
from rustyray.model.messages import Blocked, KillWorker, Resumed, WorkerReady, WorkerSpent, WorkerStays
from rustyray.model.values import Fault, FaultKind

_WORKING: Final = frozenset({WorkerState.LEASED, WorkerState.ORPHANED, WorkerState.ACTOR})


class Supervisor:
    """Watches the workers. ``prestart`` is how many are started ahead, one after the other."""

    __slots__ = ("_actors", "_base", "_desk", "_pool", "_prestart")

    def __init__(self, base: NodeBase, desk: LeaseDesk, actors: HostedActors, prestart: int) -> None:
        self._base = base
        self._desk = desk
        self._pool = desk.pool
        self._actors = actors
        self._prestart = prestart

    def prestart_next(self, now: float) -> None:
        """One at a time: the first task, and the worker that it waits for, are not held up by others that start."""
        if self._pool.jobs.shared or self._base.stopping or len(self._pool.workers) >= self._prestart:
            self._prestart = 0
        elif not self._pool.starting:
            self._pool.fork(now)

    # --- what they say ------------------------------------------------------------------------------------------------

    def on_ready(self, sender: bytes, message: WorkerReady, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is not None and worker.state is WorkerState.STARTING:
            self._pool.ready(worker, message.address, message.pid)
            self._desk.offer(worker, now)
            self._desk.schedule(now)
            if self._prestart:
                self._base.timers.at(now + self._base.limits.prestart_pause, self.prestart_next)

    def on_stays(self, sender: bytes, message: WorkerStays, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is None:
            return
        if worker.state in {WorkerState.RETIRING, WorkerState.ORPHANED}:
            self._desk.comes_back(worker, now)
        elif worker.state is WorkerState.STOPPING and self._pool.keep(worker, now):
            self._desk.release(worker)
            self._actors.worker_ended(worker, worker.reason, FaultKind.WORKER_CRASHED)
            self._desk.schedule(now)

    def on_spent(self, sender: bytes, message: WorkerSpent, now: float) -> None:
        """It ends by itself, or stays for what it owns; what it holds is held until then."""
        worker = self._pool.workers.get(sender)
        if worker is not None and worker.state in {WorkerState.LEASED, WorkerState.ORPHANED}:
            self._desk.stop(worker, message.reason, now, self._base.limits.kill, tell=False)

    def on_blocked(self, sender: bytes, message: Blocked, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is not None and not worker.lent and worker.state in _WORKING:
            worker.lent = True
            self._desk.accounts.lend_cpus(worker.held)
            self._desk.schedule(now)

    def on_resumed(self, sender: bytes, message: Resumed, now: float) -> None:
        worker = self._pool.workers.get(sender)
        if worker is not None and worker.lent:
            worker.lent = False
            self._desk.accounts.take_cpus_back(worker.held)

    def on_kill(self, sender: bytes, message: KillWorker, now: float) -> None:
        """Only the owner whose task runs there may ask; for all others the worker has moved on."""
        worker = self._pool.workers.get(message.worker)
        if worker is not None and worker.lease and self._desk.leases[worker.lease].owner == sender:
            self._desk.stop(worker, message.reason, now, None)

    # --- how they end -------------------------------------------------------------------------------------------------

    def lost(self, worker: Worker, now: float) -> None:
        """Its connection is gone."""
        worker.lost = True
        if worker.state in {WorkerState.RETIRING, WorkerState.STOPPING, WorkerState.KEPT}:
            return
        self._desk.stop(worker, "", now, self._base.limits.lost_grace, intended=False)

    def ended(self, worker: Worker, reason: str, kind: FaultKind) -> tuple[str, FaultKind]:
        """Its process ended: whom it had is told so. Returns the whole reason, and what kind of death it was."""
        self._desk.worker_ended(worker)
        self._pool.ended(worker, reason)
        if worker.reason:
            reason = f"{worker.reason} ({reason})"
        if worker.for_memory:
            kind = FaultKind.OUT_OF_MEMORY
        self._actors.worker_ended(worker, reason, kind)
        self._limit_failed_starts(reason)
        return reason, kind

    def _limit_failed_starts(self, reason: str) -> None:
        """Nothing forks for ever: after some starts in a row that failed, whoever waits for a worker is told."""
        if self._pool.failed_starts < self._base.limits.max_failed_starts:
            return
        text = (
            f"node {self._base.node.hex()} cannot start workers: {self._pool.failed_starts} in a row ended before "
            f"they were ready, the last because {reason}"
        )
        self._pool.failed_starts = 0
        self._base.journal.note("fault", b"", "no workers", text)
        fault = Fault(FaultKind.SYSTEM, text, node=self._base.node)
        self._actors.no_workers(self._desk.fail_waiting(fault), fault)
