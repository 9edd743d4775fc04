"""The end of a node: workers are told, given time, then killed; or all at once when nobody is left to wait for them."""

from __future__ import annotations

from rustyray.core.effects import EndProcess, Stopped
from rustyray.core.node.actors import HostedActors
from rustyray.core.node.base import NodeBase
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.node.store import Store
from rustyray.core.node.workers import Worker
from rustyray.model.ids import WorkerID
from rustyray.model.messages import ShutdownDone
from rustyray.model.values import Fault, FaultKind


class NodeShutdown:
    """What is left to do before the node's process may end."""

    __slots__ = ("_actors", "_base", "_began", "_desk", "_ended", "_forced", "_store", "_tell", "stopped")

    def __init__(self, base: NodeBase, desk: LeaseDesk, actors: HostedActors, store: Store) -> None:
        self._base = base
        self._actors = actors
        self._desk = desk
        self._store = store
        self._began = 0.0
        self._ended = 0
        self._forced: list[str] = []
        self._tell: list[WorkerID] = []
        self.stopped = False

    def begin(self, driver: WorkerID, grace: float, now: float) -> None:
        """Stop all workers within ``grace`` seconds and tell ``driver``, if there is one; a second call may only
        shorten that."""
        if driver and driver not in self._tell:
            self._tell.append(driver)
        if not self._base.stopping:
            self._base.stopping = True
            self._began = now
            text = f"node {self._base.node.hex()} is shutting down"
            fault = Fault(FaultKind.SHUT_DOWN, text, node=self._base.node)
            self._actors.no_workers(self._desk.fail_all(fault), fault)
            self._store.room.refuse_all(fault)
        for worker in list(self._desk.pool.workers.values()):
            self._desk.stop(worker, "the runtime shuts down", now, grace if grace > 0 else None)
        self._finish(now)

    def at_once(self, now: float) -> None:
        """Nobody is left to report to, or the cluster gave the node up: no process of it may go on."""
        self._base.stopping = True
        for worker in self._desk.pool.workers:
            self._base.out.append(EndProcess(worker, True))
        self._stop()

    def worker_ended(self, worker: Worker, now: float) -> None:
        if not self._base.stopping:
            return
        self._ended += 1
        if worker.forced:
            self._forced.append(f"worker {worker.id.hex()} (pid {worker.pid}) did not end in time and was killed")
        self._finish(now)

    def _finish(self, now: float) -> None:
        if self._desk.pool.workers or self.stopped:
            return
        lines = [f"{self._ended} worker processes ended in {1000 * (now - self._began):.1f} ms"]
        if self._store.objects:
            size = sum(copy.size for copy in self._store.objects.values())
            lines.append(f"{len(self._store.objects)} objects ({size} bytes) were still in the store")
        for driver in self._tell:
            self._base.send(driver, ShutdownDone(lines, list(self._forced)))
        self._stop()

    def _stop(self) -> None:
        self.stopped = True
        self._base.timers.clear()
        self._base.out.append(Stopped())
