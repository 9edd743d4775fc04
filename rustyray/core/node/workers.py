"""The worker pool: who starts, who is idle, who works, and who is on the way out.

Processes are forked on demand, and never more at once than there are claims waiting for one. Idle workers are reused
last in, first out, and those above the soft limit are asked to leave after a while. Whoever is told to stop is given
TERM and then KILL. A start that fails is tried again a few times only.
"""

from __future__ import annotations

import enum
from collections import Counter
from functools import partial
from typing import TypeAlias

from rustyray.core.effects import EndProcess, ForkWorker
from rustyray.core.node.base import NodeBase
from rustyray.core.node.gpus import NONE, Shares
from rustyray.core.node.jobs import ANY, Jobs
from rustyray.core.story import StateTable
from rustyray.model.ids import ActorID, GroupID, JobID, WorkerID, worker_id
from rustyray.model.messages import StopWorker
from rustyray.model.resources import ResourceSet

#: An actor and how many times it was started before.
Incarnation: TypeAlias = tuple[ActorID, int]


class WorkerState(enum.IntEnum):
    STARTING = 1
    IDLE = 2
    LEASED = 3
    ACTOR = 4
    ORPHANED = 5
    RETIRING = 6
    STOPPING = 7
    KEPT = 8
    DEAD = 9


class WorkerEvent(enum.IntEnum):
    READY = 1
    LEASE = 2
    START_ACTOR = 3
    RETURN = 4
    ASK_TO_LEAVE = 5
    STAYS = 6
    STOP = 7
    ENDED = 8
    OWNER_GONE = 9


_S, _E = WorkerState, WorkerEvent

WORKER_TABLE = StateTable(
    "worker",
    _S.STARTING,
    {
        (_S.STARTING, _E.READY): _S.IDLE,
        (_S.IDLE, _E.LEASE): _S.LEASED,
        (_S.IDLE, _E.START_ACTOR): _S.ACTOR,
        (_S.LEASED, _E.RETURN): _S.IDLE,
        (_S.IDLE, _E.ASK_TO_LEAVE): _S.RETIRING,
        (_S.RETIRING, _E.STAYS): _S.IDLE,
        (_S.LEASED, _E.OWNER_GONE): _S.ORPHANED,
        (_S.ORPHANED, _E.STAYS): _S.IDLE,
        (_S.STOPPING, _E.STAYS): _S.KEPT,
        **{
            (state, _E.STOP): _S.STOPPING
            for state in (_S.STARTING, _S.IDLE, _S.LEASED, _S.ACTOR, _S.ORPHANED, _S.RETIRING, _S.KEPT)
        },
        **{(state, _E.ENDED): _S.DEAD for state in _S if state is not _S.DEAD},
    },
)


#: Of an enumeration they are looked up much more slowly, in Python 3.11.
STARTING, IDLE, LEASED, DEAD = _S.STARTING, _S.IDLE, _S.LEASED, _S.DEAD
_BUSY = frozenset({_S.LEASED, _S.ACTOR, _S.ORPHANED, _S.STOPPING})


class Worker:
    """A worker process as its node sees it.

    It works for ``job`` alone, where jobs are told apart, and for those who ask for its environment ``env``.
    ``held`` are the resources that the process uses, ``gpus`` which GPUs are among them, ``lent``
    whether its CPUs are lent to others while it waits, ``group`` the placement group in whose bundle it works.
    ``used``: it has run tasks, so that it may own objects, which would end with it. An *orphaned* one is rid of its
    lease, but may still run a task of the owner that is gone; a *kept* one is there for what it owns alone. ``reason``
    says why it was told to stop; ``killed`` that KILL was sent, ``forced`` that it had been asked before.
    """

    __slots__ = (
        "actor",
        "address",
        "env",
        "for_memory",
        "forced",
        "given_at",
        "gpus",
        "group",
        "held",
        "id",
        "intended",
        "job",
        "killed",
        "lease",
        "lent",
        "lost",
        "pid",
        "reason",
        "retriable",
        "since",
        "state",
        "used",
    )

    def __init__(self, id_: WorkerID, job: JobID, env: bytes, now: float) -> None:
        self.id = id_
        self.job = job
        self.env = env
        self.state = WORKER_TABLE.initial
        self.since = now
        self.address = ""
        self.pid = 0
        self.held: ResourceSet = {}
        self.gpus: Shares = NONE
        self.group: GroupID = b""
        self.lent = False
        self.lease = 0
        self.actor: Incarnation | None = None
        self.reason = ""
        self.intended = False
        self.killed = False
        self.for_memory = False
        #: Whether what it does now may be done again, and since when it does it.
        self.retriable = True
        self.given_at = now
        self.forced = False
        self.lost = False
        self.used = False


class Pool:
    """All worker processes of the node that have not ended."""

    __slots__ = ("_base", "_retire_set", "_soft_idle", "failed_starts", "idle", "jobs", "next", "starting", "workers")

    def __init__(self, base: NodeBase, jobs: Jobs, soft_idle: int) -> None:
        self._base = base
        self.jobs = jobs
        self._soft_idle = soft_idle
        self.next = 1
        self._retire_set = False
        self.workers: dict[WorkerID, Worker] = {}
        self.idle: dict[WorkerID, Worker] = {}
        self.starting = 0
        self.failed_starts = 0

    def move(self, worker: Worker, event: WorkerEvent, cause: object = None) -> None:
        worker.state = self._base.journal.move(WORKER_TABLE, worker.id, worker.state, event, cause)

    @property
    def forked(self) -> int:
        """Workers ever."""
        return self.next - 1

    # --- up -----------------------------------------------------------------------------------------------------------

    def fork(self, now: float, job: JobID = ANY, env: bytes = b"") -> None:
        worker = Worker(worker_id(self._base.node, self.next), job, env, now)
        self.next += 1
        self.workers[worker.id] = worker
        self.starting += 1
        self._base.out.append(ForkWorker(worker.id, self.jobs.described(job), env))
        self._base.timers.at(now + self._base.limits.start_timeout, partial(self._start_overdue, worker))

    def fork_for(self, waiting: list[tuple[JobID, bytes]], now: float) -> None:
        """Have one worker on its way for each claim that waits (given by job and environment), within the limit."""
        starting = (worker for worker in self.workers.values() if worker.state is WorkerState.STARTING)
        on_the_way = Counter((worker.job, worker.env) for worker in starting)
        for job, env in waiting:
            if on_the_way[job, env]:
                on_the_way[job, env] -= 1
            elif self.starting >= self._base.limits.max_starting:
                return
            elif self.jobs.may_fork(job):
                self.fork(now, job, env)

    def ready(self, worker: Worker, address: str, pid: int) -> None:
        """The worker listens. It counts as idle, but is not offered to anybody until `put_idle`."""
        self.starting -= 1
        self.failed_starts = 0
        worker.address = address
        worker.pid = pid
        self.move(worker, WorkerEvent.READY)

    def take_idle(self, job: JobID, env: bytes, unused: bool) -> Worker | None:
        """The job's worker that became idle last; with ``unused``, the last of those that have not run any task."""
        for worker in reversed(self.idle.values()):
            if worker.job == job and worker.env == env and not (unused and worker.used):
                del self.idle[worker.id]
                return worker
        return None

    def put_idle(self, worker: Worker, now: float) -> None:
        worker.since = now
        self.idle[worker.id] = worker
        if self.jobs.shared and self.jobs.described(worker.job) is None:
            self._ask_to_leave(worker, "its job is over", now)
        self._plan_to_retire(now)

    # --- down ---------------------------------------------------------------------------------------------------------

    def stop(
        self,
        worker: Worker,
        reason: str,
        now: float,
        kill_after: float | None,
        intended: bool = True,
        tell: bool = True,
    ) -> None:
        """End a worker: told first, then TERM, KILL after ``kill_after`` seconds; None: KILL at once.

        With ``tell`` False it ends by its own wish, and is only watched. TERM comes half-way, so that ``atexit`` hooks
        have time; at shutdown soon, because user code may be stuck.
        """
        if worker.state is WorkerState.STOPPING:
            self._hurry(worker, now, kill_after)
            return
        if worker.state is WorkerState.STARTING:
            self.starting -= 1
            kill_after = None
        self.idle.pop(worker.id, None)
        self.move(worker, WorkerEvent.STOP, reason)
        worker.reason = reason
        worker.intended = intended
        if kill_after is None:
            worker.killed = True
            self._base.out.append(EndProcess(worker.id, True))
            return
        if tell and not worker.lost:
            self._base.send(worker.id, StopWorker(reason))
        term_after = min(self._base.limits.term, kill_after / 2) if self._base.stopping else kill_after / 2
        self._base.timers.at(now + term_after, partial(self._term, worker))
        self._base.timers.at(now + kill_after, partial(self._kill, worker))

    def _hurry(self, worker: Worker, now: float, kill_after: float | None) -> None:
        """It was told to stop already; there may be less time now than there was then."""
        if kill_after is None:
            self._kill(worker, now)
        else:
            self._base.timers.at(now + kill_after, partial(self._kill, worker))

    def ended(self, worker: Worker, reason: str) -> None:
        """The process is gone."""
        if worker.state is WorkerState.RETIRING:
            worker.intended = True
        if worker.state is WorkerState.STARTING:
            self.starting -= 1
            self.failed_starts += 1
        elif worker.state is WorkerState.STOPPING and not worker.address and not worker.intended:
            self.failed_starts += 1
        self.idle.pop(worker.id, None)
        del self.workers[worker.id]
        self.move(worker, WorkerEvent.ENDED, reason)

    def keep(self, worker: Worker, now: float) -> bool:
        """The worker's actor is over, and others need what it owns; False if it has to end all the same."""
        if self._base.stopping or worker.killed or worker.lost or not worker.intended:
            return False
        self.move(worker, WorkerEvent.STAYS)
        kept = [other for other in self.workers.values() if other.state is WorkerState.KEPT]
        if len(kept) > self._base.limits.max_kept:
            reason = f"more than {self._base.limits.max_kept} processes of ended actors stayed for what they own"
            self.stop(kept[0], reason, now, self._base.limits.kill)
        return True

    def _term(self, worker: Worker, now: float) -> None:
        if worker.state is WorkerState.STOPPING:
            self._base.out.append(EndProcess(worker.id, False))

    def _kill(self, worker: Worker, now: float) -> None:
        if worker.state is WorkerState.STOPPING and not worker.killed:
            worker.killed = worker.forced = True
            self._base.out.append(EndProcess(worker.id, True))

    def _start_overdue(self, worker: Worker, now: float) -> None:
        if worker.state is WorkerState.STARTING:
            after = self._base.limits.start_timeout
            self.stop(worker, f"it was not ready within {after:g} s", now, None, intended=False)

    # --- fewer --------------------------------------------------------------------------------------------------------

    def _plan_to_retire(self, now: float) -> None:
        if len(self.idle) > self._soft_idle and not self._retire_set:
            self._retire_set = True
            oldest = next(iter(self.idle.values()))
            self._base.timers.at(max(now, oldest.since + self._base.limits.idle), self._retire)

    def _retire(self, now: float) -> None:
        self._retire_set = False
        for worker in list(self.idle.values())[: max(0, len(self.idle) - self._soft_idle)]:
            if worker.since + self._base.limits.idle > now:
                break
            self._ask_to_leave(worker, "it was idle and more workers than needed are there", now)
        self._plan_to_retire(now)

    def dismiss(self, job: JobID, reason: str, now: float) -> None:
        """The job is over: its idle workers end, and the others when they become idle."""
        for worker in [worker for worker in self.idle.values() if worker.job == job]:
            self._ask_to_leave(worker, reason, now)

    def _ask_to_leave(self, worker: Worker, reason: str, now: float) -> None:
        del self.idle[worker.id]
        self.move(worker, WorkerEvent.ASK_TO_LEAVE)
        self._base.send(worker.id, StopWorker(reason, True))
        self._base.timers.at(now + self._base.limits.kill, partial(self._ignores, worker, worker.since))

    def _ignores(self, worker: Worker, since: float, now: float) -> None:
        if worker.state is WorkerState.RETIRING and worker.since == since:
            reason = "it was idle and did not answer when asked to leave"
            self.stop(worker, reason, now, self._base.limits.kill)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        starting = 0
        for worker in self.workers.values():
            state = worker.state
            starting += state is STARTING
            assert state is not DEAD, f"a dead worker is still listed: {self._tell(worker)}"
            if worker.id in self.idle:
                assert state is IDLE, f"not idle, but on offer: {self._tell(worker)}"
            else:
                assert state is not IDLE, f"idle, but not on offer: {self._tell(worker)}"
            assert not worker.lease or state is LEASED, f"a lease too much: {self._tell(worker)}"
            assert state in _BUSY or not (worker.held or worker.lent or worker.actor or worker.group), (
                f"holds too much: {self._tell(worker)}"
            )
        assert starting == self.starting, f"{starting} workers start, the count says {self.starting}"

    def _tell(self, worker: Worker) -> str:
        return f"worker {worker.id.hex()} {worker.state.name}\n  " + "\n  ".join(self._base.journal.story(worker.id))
