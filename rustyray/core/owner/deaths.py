"""Deaths, seen from an owner: lost connections, processes and nodes that are dead, and last words that are late.

How a process ended, its node knows, and what becomes of an actor, the head; what a process said last comes over its own
connection. None of these waits for the others, so each news waits here, within limits, for what belongs before it.
"""

from __future__ import annotations

from typing import Final

from rustyray.core.owner.actors import LAST_WORDS, Actors
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.asking import Asking
from rustyray.core.owner.records import Ending, Lease
from rustyray.core.owner.references import References
from rustyray.core.owner.scheduling import Scheduler
from rustyray.core.owner.tasks import Tasks
from rustyray.model.ids import NODE_ID_SIZE, NodeID, ObjectID, WorkerID, node_of
from rustyray.model.messages import KilledForMemory, NodeDied, ObjectLost
from rustyray.model.values import Stored

#: Seconds to wait for a node's word on how a worker ended whose connection broke.
LOST_PATIENCE: Final = 1.0


class Deaths:
    """Ends what others had of us, and we of them, when they are gone."""

    def __init__(
        self, refs: References, asking: Asking, sched: Scheduler, arguments: Arguments, tasks: Tasks, actors: Actors
    ) -> None:
        self.refs = refs
        self.asking = asking
        self.sched = sched
        self.arguments = arguments
        self.tasks = tasks
        self.actors = actors
        self.calls = actors.calls
        self.journal = self.calls.journal
        #: Peers whose connection broke, until when to wait for their node's word, and the reason to give without it.
        self._silent: dict[bytes, tuple[float, str]] = {}
        #: Peers that were asked again, and have not answered since.
        self._doubtful: dict[bytes, None] = {}
        #: Processes that others say are dead, or the actor in them, and whose last words may be on their way.
        self._endings = actors.endings
        #: Leases that their nodes have ended, until when to wait for what runs, and the reason to give then.
        self._over: dict[int, tuple[float, str]] = {}
        #: Workers that are killed for their memory.
        self._for_memory: dict[WorkerID, KilledForMemory] = {}

    # --- connections --------------------------------------------------------------------------------------------------

    def peer_lost(self, peer: bytes, reason: str, now: float) -> None:
        """A connection is gone. How the process ended, its node knows; until it tells, nothing is pushed there."""
        if len(peer) == NODE_ID_SIZE:
            self.sched.node_lost(peer, now)
            self._end_leases(peer, reason, now)
        self.sched.defined.pop(peer, None)  # code travels once per connection
        ending = self._endings.pop(peer, None)
        if ending is not None and ending.reason is not None:
            self._conclude(peer, ending, now)
            return
        lease = self.sched.by_worker.get(peer)
        if lease is not None:
            lease.blocked = True
        link = self.calls.by_worker.get(peer)
        if link is not None:
            link.cut = True
            self.actors.unreachable(link)
        if ending is not None:
            self._conclude(peer, ending, now)
        awaited = lease is not None or peer in self.calls.by_worker or self.asking.awaits(peer) or self.refs.lends(peer)
        if awaited and peer not in self._silent:
            self._silent[peer] = (now + LOST_PATIENCE, reason)

    def _end_leases(self, node: NodeID, reason: str, now: float) -> None:
        """To the node, who is not connected has nothing there. A task that runs has as long as the node gives it."""
        for lease in self.sched.leases.values():
            if lease.node == node and not lease.over:
                lease.blocked = lease.over = True
                self._over[lease.id] = (now + LOST_PATIENCE, f"the connection to its node was lost ({reason})")

    def _ask_again(self, worker: WorkerID, reason: str, now: float) -> None:
        """Nobody said that it is dead: what it owes us is asked for anew. If it does not answer that, it is lost."""
        if not self.asking.awaits(worker):
            return
        if worker not in self._doubtful:
            self._doubtful[worker] = None
            self.asking.ask_again(worker)
            return
        del self._doubtful[worker]
        self._lose_objects(self.asking.give_up(worker), reason, now)

    def answered(self, peer: bytes) -> None:
        """It is there after all."""
        self._doubtful.pop(peer, None)

    # --- processes and nodes ------------------------------------------------------------------------------------------

    def process_died(self, worker: WorkerID, reason: str, now: float) -> None:
        """A process is dead for certain: its objects, borrows and leases end, once its last words are here."""
        if worker in self._silent or not self._may_speak(worker):
            last = self._endings.pop(worker, None) or Ending(now)
            last.reason = reason
            self._conclude(worker, last, now)
            return
        ending = self._endings.get(worker)
        if ending is None:
            ending = self._endings[worker] = Ending(now + LAST_WORDS)
        ending.reason = reason
        lease = self.sched.by_worker.get(worker)
        if lease is not None:
            lease.blocked = True
        link = self.calls.by_worker.get(worker)
        if link is not None:
            self.actors.unreachable(link)

    def _may_speak(self, worker: WorkerID) -> bool:
        """Whether an answer may be on its way: something was asked, and the connection's end has not come since. So may
        the news that it has passed on what it borrowed."""
        lease, link = self.sched.by_worker.get(worker), self.calls.by_worker.get(worker)
        if (lease is not None and lease.inflight) or (link is not None and link.inflight and not link.cut):
            return True
        return self.asking.awaits(worker) or self.refs.lends(worker)

    def killed_for_memory(self, message: KilledForMemory) -> None:
        """Whatever says next that the worker is gone: this is why."""
        if message.worker in self.sched.by_worker:
            self._for_memory[message.worker] = message

    def _bury(self, worker: WorkerID, reason: str, now: float) -> None:
        self._silent.pop(worker, None)
        self._doubtful.pop(worker, None)
        self.journal.note("worker", worker, "died", reason)
        self._lost_worker(worker, reason, now)
        self._void(worker, reason, now)
        self._for_memory.pop(worker, None)

    def _conclude(self, worker: WorkerID, ending: Ending, now: float) -> None:
        """Nothing more comes from the worker, or not in time: what others have said of it holds."""
        link = self.calls.by_worker.get(worker)
        if link is not None:
            link.cut = True
        if ending.reason is not None:
            self._bury(worker, ending.reason, now)
        for info in ending.news:
            self.actors.on_info(info, now)

    def node_died(self, message: NodeDied, now: float) -> None:
        """All its processes are dead, and the only copies of values in its store are lost."""
        self.journal.note("node", message.node, "died", message.reason)
        for worker in [worker for worker in self._silent if node_of(worker) == message.node]:
            del self._silent[worker]
        lost = [lease for lease in self.sched.leases.values() if lease.node == message.node]
        for lease in lost:
            lease.blocked = True  # nothing that one of them had goes to another of them
        for worker in [worker for worker in self._endings if node_of(worker) == message.node]:
            self._conclude(worker, self._endings.pop(worker), now)
        for lease in lost:
            if self.sched.leases.get(lease.id) is lease:
                self.lose_lease(lease, message.reason, now)
        for worker, link in list(self.calls.by_worker.items()):
            if node_of(worker) == message.node:
                link.cut = True
                self.actors.unreachable(link)
        self.sched.node_lost(message.node, now)
        self._void(message.node, message.reason, now)
        for object_, entry in list(self.refs.objects.items()):
            value = entry.value
            if isinstance(value, Stored) and value.node == message.node and self.refs.owns(object_):
                self.tasks.lineage.lost(object_, entry, f"its node died: {message.reason}", now)

    def object_lost(self, message: ObjectLost, now: float) -> None:
        """A node has lost a value, and lives on."""
        entry = self.refs.objects.get(message.object)
        value = entry.value if entry is not None else None
        if entry is None or not isinstance(value, Stored) or not self.refs.owns(message.object):
            return
        if value.node == message.node and value.attempt <= message.attempt:
            self.tasks.lineage.lost(message.object, entry, message.reason, now)

    def _lost_worker(self, worker: WorkerID, reason: str, now: float, lives: bool = False) -> None:
        self.sched.defined.pop(worker, None)
        lease = self.sched.by_worker.get(worker)
        if lease is not None:
            self.lose_lease(lease, reason, now, lives)
        link = self.calls.by_worker.get(worker)
        if link is not None:
            self.actors.unreachable(link)

    def lose_lease(self, lease: Lease, reason: str, now: float, lives: bool = False) -> None:
        """Nothing more comes from it: what was there is tried again elsewhere, if it may be. ``lives``: as far as is
        known, its worker does.
        """
        target = lease.target
        self.sched.give_up(lease, reusable=False)
        self.tasks.retries.worker_died(lease, reason, now, self._for_memory.pop(lease.worker, None), lives)
        self.sched.pump(target, now)

    def _void(self, who: bytes, reason: str, now: float) -> None:
        """What a dead process (or all processes of a dead node) owned and borrowed."""
        self._lose_objects(self.refs.on_death(who, reason), reason, now)

    def _lose_objects(self, lost: list[ObjectID], reason: str, now: float) -> None:
        ready: list[ObjectID] = []
        for object_ in lost:
            entry = self.refs.objects.get(object_)
            if entry is not None and entry.value is None:
                self.refs.settle(object_, entry, self.refs.owner_died(object_, reason), ready)
                self.arguments.value_arrived(entry, now)
        self.refs.ready_effect(ready)

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        if not (self._silent or self._endings or self._over):
            return None
        times = [deadline for deadline, _ in (*self._silent.values(), *self._over.values())]
        times += [ending.until for ending in self._endings.values()]
        return min(times)

    def on_time(self, now: float) -> None:
        for worker, (deadline, reason) in list(self._silent.items()):
            if now >= deadline:
                del self._silent[worker]
                self._lost_worker(worker, reason, now, lives=True)
                self.actors.give_up(worker, reason, now)
                self._ask_again(worker, reason, now)
        for number, (deadline, reason) in list(self._over.items()):
            if now >= deadline:
                del self._over[number]
                lease = self.sched.leases.get(number)
                if lease is not None:
                    self.lose_lease(lease, reason, now, lives=True)
        for worker, ending in list(self._endings.items()):
            if now >= ending.until:
                del self._endings[worker]
                self._conclude(worker, ending, now)

    def clear(self) -> None:
        """Nothing is waited for any more."""
        self._silent.clear()
        self._over.clear()
        self._endings.clear()
