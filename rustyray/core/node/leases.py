"""Who gets a worker next: the lease queue, grants, returns, and the requests that go to another node instead.

First come first served, except that a claim that does not fit yet lets others pass; once it has been overtaken for
too long, nobody may take what it waits for. A request that can never be granted here moves to a node that can, or
stays queued with one clear warning.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from rustyray.core.node.accounts import Accounts, cpus
from rustyray.core.node.base import NodeBase
from rustyray.core.node.claims import CLAIM_TABLE, Claim, ClaimEvent, ClaimQueue, ClaimState, Lease
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.elsewhere import Elsewhere
from rustyray.core.node.gpus import NONE
from rustyray.core.node.recalling import Recall
from rustyray.core.node.workers import LEASED, Pool, Worker, WorkerEvent, WorkerState
from rustyray.model.bundles import in_bundle
from rustyray.model.ids import GroupID, JobID, WorkerID
from rustyray.model.messages import (
    CancelLease,
    LeaseFailed,
    LeaseGranted,
    LeaseOver,
    RequestLease,
    ReturnLease,
    StartActor,
)
from rustyray.model.resources import ResourceSet, add, subtract
from rustyray.model.strategies import is_pinned
from rustyray.model.values import Fault, FaultKind


class LeaseDesk:
    """The only place that takes resources and hands out workers."""

    __slots__ = (
        "_base",
        "_claims",
        "_next_lease",
        "_number",
        "accounts",
        "elsewhere",
        "leases",
        "pool",
        "queue",
        "recall",
        "waiting",
    )

    def __init__(self, base: NodeBase, accounts: Accounts, pool: Pool, queue: ClaimQueue, cluster: Cluster) -> None:
        self._base = base
        self.accounts = accounts
        self.pool = pool
        self.queue = queue
        #: Claims that hold their resources and miss only a worker, oldest first.
        self.waiting: dict[int, Claim] = {}
        self.leases: dict[int, Lease] = {}
        #: Per client, the requests that are not answered yet, or whose lease is not over.
        self._claims: dict[bytes, dict[int, Claim]] = {}
        self.recall = Recall(base, queue, self.leases)
        self.elsewhere = Elsewhere(base, accounts, queue, cluster)
        #: Owners have leases of several nodes, so each node counts in a range of its own.
        self._next_lease = (int.from_bytes(base.node[-3:], "big") << 32) + 1
        self._number = 0

    @property
    def granted(self) -> int:
        """Leases ever."""
        return (self._next_lease & 0xFFFFFFFF) - 1

    # --- messages -----------------------------------------------------------------------------------------------------

    def request(self, client: WorkerID, message: RequestLease, now: float) -> None:
        claims = self._claims.setdefault(client, {})
        if message.request in claims:
            return
        if self._base.stopping:
            fault = Fault(FaultKind.SHUT_DOWN, f"node {self._base.node.hex()} is shutting down", node=self._base.node)
            self._base.send(client, LeaseFailed(message.request, fault))
            return
        claim = self._new_claim(client, message.request, message.job, message.resources, message.resources, now)
        claim.env = message.env
        claim.retriable = message.retriable
        if message.strategy is not None:
            claim.strategy, claim.group = message.strategy, message.strategy.group
        claim.hops = None if message.local_only or is_pinned(message.strategy) else message.hops
        if not self.elsewhere.send(claim):
            claims[message.request] = claim
            self.enqueue(claim, now)

    def claim_for_actor(self, start: StartActor, given: Callable[[Worker], None], now: float) -> Claim:
        """A claim for `enqueue`. Where the spec demands more for its placement than it holds, that must be free."""
        hold = start.spec.resources
        need = dict(hold)
        for name, units in start.spec.placement.items():
            need[name] = max(units, need.get(name, 0))
        strategy = start.spec.strategy
        if strategy is not None and strategy.group:
            need, hold = (in_bundle(strategy.group, strategy.bundle, part) for part in (need, hold))
        claim = self._new_claim(b"", 0, start.spec.job, need, hold, now)
        claim.group = strategy.group if strategy is not None else b""
        claim.hops, claim.strategy = None if is_pinned(strategy) else 0, strategy
        claim.actor = (start.spec.actor, start.incarnation)
        claim.retriable = start.spec.max_restarts != 0
        claim.given = given
        claim.env = start.spec.env
        return claim

    def cancel(self, client: WorkerID, message: CancelLease, now: float) -> None:
        claim = self._claims.get(client, {}).get(message.request)
        if claim is not None and claim.state is not ClaimState.GRANTED:
            self.drop(claim)
            self.schedule(now)

    def give_back(self, client: WorkerID, message: ReturnLease, now: float) -> None:
        lease = self.leases.get(message.lease)
        if lease is None or lease.owner != client:
            return
        worker = self.pool.workers[lease.worker]
        if message.reusable:
            self._end_lease(lease)
            self.release(worker)
            self.pool.move(worker, WorkerEvent.RETURN)
            self.offer(worker, now)
        else:
            self.stop(worker, "its owner saw it fail", now, None)
        self.schedule(now)

    # --- granting -----------------------------------------------------------------------------------------------------

    def schedule(self, now: float) -> None:
        """Give what is free to whoever is next, and have workers forked for those who miss one."""
        if self.queue.count:
            self._schedule_queue(now)
        if self.waiting:
            self.pool.fork_for([(claim.job, claim.env) for claim in self.waiting.values()], now)
        self.recall.tell_fresh()

    def _schedule_queue(self, now: float) -> None:
        reserved: dict[str, int] = {}
        for line in self.queue.lines():
            if reserved and any(name in reserved for name in line[0].need):
                continue
            while line:
                claim = line[0]
                if claim.state is ClaimState.QUEUED:
                    if not self._fits(claim):
                        if self.recall.starves(claim, now):
                            reserved.update(claim.need)
                        break
                    self._assign(claim, now)
                line.popleft()

    def _fits(self, claim: Claim) -> bool:
        """Whether it can be served now. What demands nothing at all is bounded, too: each one is a process."""
        if claim.need or claim.given is not None:
            return self.accounts.fits_now(claim.need)
        free_riders = sum(not other.need and other.given is None for other in self.waiting.values())
        for lease in self.leases.values():
            free_riders += not lease.claim.need and not self.pool.workers[lease.worker].lent
        return free_riders < self._base.limits.max_demanding_nothing

    def _assign(self, claim: Claim, now: float) -> None:
        self._move(claim, ClaimEvent.FITS)
        self.queue.left(claim)
        claim.gpus = self.accounts.hold(claim.hold)
        worker = self.pool.take_idle(claim.job, claim.env, unused=claim.given is not None)
        if worker is None:
            self.waiting[claim.number] = claim
        else:
            self._give(claim, worker, now)

    def offer(self, worker: Worker, now: float) -> None:
        """The worker has nothing to do: give it to the first who misses one, or keep it idle.

        An actor gets one that has not run any task: what that put or submitted would end with the actor.
        """
        for number, claim in self.waiting.items():
            if claim.job == worker.job and claim.env == worker.env and (claim.given is None or not worker.used):
                del self.waiting[number]
                self._give(claim, worker, now)
                self.recall.tell_fresh()
                return
        self.pool.put_idle(worker, now)

    def _give(self, claim: Claim, worker: Worker, now: float) -> None:
        self._move(claim, ClaimEvent.GIVEN)
        worker.held, worker.gpus = claim.hold, claim.gpus
        worker.group = claim.group
        worker.retriable, worker.given_at = claim.retriable, now
        if claim.given is not None:
            worker.actor = claim.actor
            self.pool.move(worker, WorkerEvent.START_ACTOR, claim.number)
            claim.given(worker)
            return
        lease = Lease(self._next_lease, claim.client, worker.id, claim)
        self._next_lease += 1
        self.leases[lease.id] = lease
        worker.lease = lease.id
        worker.used = True
        self.pool.move(worker, WorkerEvent.LEASE, lease.id)
        granted = LeaseGranted(claim.request, lease.id, worker.id, worker.address, worker.pid, sorted(worker.gpus))
        self._base.send(claim.client, granted)
        self.recall.granted(claim.client)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def _new_claim(
        self, client: bytes, request: int, job: JobID, need: ResourceSet, hold: ResourceSet, now: float
    ) -> Claim:
        self._number += 1
        job = self.pool.jobs.of(job)
        return Claim(client, request, job, need, hold, self._number, now, self.accounts.fits_ever(need))

    def enqueue(self, claim: Claim, now: float) -> None:
        self.queue.put(claim)
        self.schedule(now)
        if claim.state is not ClaimState.QUEUED:
            return
        if claim.feasible:
            self.recall.waits(claim, now)
        else:
            self.elsewhere.warn(claim)

    def look_elsewhere(self, now: float) -> None:
        """The view of the cluster changed: some who wait here may be better off on another node."""
        for line in self.queue.lines():
            for claim in line:
                if claim.state is ClaimState.QUEUED and claim.given is None:
                    if not self.elsewhere.send(claim):
                        break
                    self.drop(claim)
        self.schedule(now)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def drop(self, claim: Claim) -> None:
        """The claim is no longer wanted; what it held is free again."""
        if claim.state is ClaimState.QUEUED:
            self.queue.left(claim)
        else:
            del self.waiting[claim.number]
            self.accounts.release(claim.hold, claim.gpus)
        self._move(claim, ClaimEvent.DROPPED)
        self._forget(claim)

    def stop(
        self,
        worker: Worker,
        reason: str,
        now: float,
        kill_after: float | None,
        intended: bool = True,
        tell: bool = True,
    ) -> None:
        """End a worker, as `Pool.stop`. Its lease is over at once; what it holds is free when the process is gone."""
        if worker.lease:
            self._end_lease(self.leases[worker.lease])
        self.pool.stop(worker, reason, now, kill_after, intended, tell)

    def release(self, worker: Worker) -> None:
        """What the worker holds is free again; CPUs that it had lent already are not given back twice."""
        if worker.lent:
            self.accounts.take_cpus_back(worker.held)
            worker.lent = False
        self.accounts.release(worker.held, worker.gpus)
        worker.held, worker.gpus = {}, NONE
        worker.group = b""

    def worker_ended(self, worker: Worker) -> None:
        if worker.lease:
            self._end_lease(self.leases[worker.lease])
        self.release(worker)

    def client_gone(self, client: bytes, reason: str, now: float, dead: bool) -> None:
        """Drop what the client asked for; the workers that it had come back when its tasks are over.

        They are not killed at once, because they may own what others need. ``dead``: its tasks run for nobody.
        """
        for claim in list(self._claims.get(client, {}).values()):
            if claim.state is not ClaimState.GRANTED:
                self.drop(claim)
        for lease in [lease for lease in self.leases.values() if lease.owner == client]:
            self._orphan(lease, reason, now, dead)
        self._claims.pop(client, None)
        self.recall.forget(client)

    def _orphan(self, lease: Lease, reason: str, now: float, dead: bool) -> None:
        worker = self.pool.workers[lease.worker]
        self._end_lease(lease)
        self.pool.move(worker, WorkerEvent.OWNER_GONE, lease.id)
        worker.since = now
        self._base.send(worker.id, LeaseOver(lease.id, dead))
        text = f"the owner of its task is gone: {reason}"
        self._base.timers.at(now + self._base.limits.lost_grace, partial(self._end_orphan, worker, now, text))

    def _end_orphan(self, worker: Worker, since: float, reason: str, now: float) -> None:
        if worker.state is WorkerState.ORPHANED and worker.since == since:
            self.stop(worker, reason, now, None)

    def comes_back(self, worker: Worker, now: float) -> None:
        """It was asked to leave and is needed, or has done with the tasks of an owner that is gone: it is idle."""
        self.release(worker)
        self.pool.move(worker, WorkerEvent.STAYS)
        self.offer(worker, now)
        self.schedule(now)

    def fail_waiting(self, fault: Fault) -> list[Claim]:
        """No worker can be had. Leases are refused; the actors' claims are returned, dropped."""
        return self._refuse(list(self.waiting.values()), fault)

    def fail_job(self, job: JobID, fault: Fault) -> list[Claim]:
        """The job is over: as `fail_waiting`, for what is its."""
        return self._refuse([c for c in [*self.waiting.values(), *self.queue.all()] if c.job == job], fault)

    def fail_all(self, fault: Fault) -> list[Claim]:
        """The node shuts down: refuse whoever still waits; as `fail_waiting`."""
        return self._refuse([*self.waiting.values(), *self.queue.all()], fault)

    def _refuse(self, claims: list[Claim], fault: Fault) -> list[Claim]:
        actors = []
        for claim in claims:
            self.drop(claim)
            if claim.given is not None:
                actors.append(claim)
            else:
                self._base.send(claim.client, LeaseFailed(claim.request, fault))
        return actors

    # --- placement groups ---------------------------------------------------------------------------------------------

    def works_in(self, group: GroupID) -> bool:
        """Whether any process still works in a bundle of the group."""
        return any(worker.group == group for worker in self.pool.workers.values())

    def end_group(self, group: GroupID, fault: Fault, now: float) -> list[Claim]:
        """The group is removed: who waits is refused, as by `fail_waiting`, and who works in it is killed."""
        waiting = [claim for claim in (*self.waiting.values(), *self.queue.all()) if claim.group == group]
        actors = self._refuse(waiting, fault)
        for worker in list(self.pool.workers.values()):
            if worker.group == group:
                self.stop(worker, fault.message, now, None)
        return actors

    def _end_lease(self, lease: Lease) -> None:
        del self.leases[lease.id]
        self.pool.workers[lease.worker].lease = 0
        self._move(lease.claim, ClaimEvent.ENDED)
        self._forget(lease.claim)

    def _forget(self, claim: Claim) -> None:
        requests = self._claims.get(claim.client)
        if requests is not None and requests.get(claim.request) is claim:
            del requests[claim.request]
            if not requests:
                del self._claims[claim.client]

    def _move(self, claim: Claim, event: ClaimEvent) -> None:
        claim.state = self._base.journal.move(CLAIM_TABLE, claim.client, claim.state, event, claim.number)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        free = dict(self.accounts.total)
        subtract(free, self.accounts.reserved)
        leased = 0
        for claim in self.waiting.values():
            assert claim.state is ClaimState.ASSIGNED, f"claim {claim.number} waits for a worker as {claim.state.name}"
            subtract(free, claim.hold)
        for worker in self.pool.workers.values():
            leased += worker.state is LEASED
            if worker.held:
                subtract(free, worker.held)
                if worker.lent:
                    add(free, cpus(worker.held))
        mine = self.accounts.free
        if mine != free:  # they may differ in names of which there is nothing
            mine = {name: units for name, units in mine.items() if units}
            free = {name: units for name, units in free.items() if units}
        assert mine == free, f"resources do not add up: free are {mine}, by the holders it should be {free}"
        self.accounts.gpus.check(self.accounts.free)
        for lease in self.leases.values():
            worker = self.pool.workers[lease.worker]
            assert worker.lease == lease.id, f"lease {lease.id} is on a worker that has lease {worker.lease}"
            assert worker.state is LEASED, f"lease {lease.id} is on a worker that is {worker.state.name}"
            assert self._claims[lease.owner][lease.claim.request] is lease.claim, f"lease {lease.id} has no owner"
        assert leased == len(self.leases), f"{leased} workers are leased, but there are {len(self.leases)} leases"
        self.queue.check()
        for claim in self.waiting.values():
            kind = (claim.job, claim.env)
            mine_ = [worker for worker in self.pool.idle.values() if (worker.job, worker.env) == kind]
            idle = [worker for worker in mine_ if claim.given is None or not worker.used]
            assert not idle, f"claim {claim.number} waits for a worker though one is idle"
            on_the_way = self.pool.starting or any(not worker.address for worker in self.pool.workers.values())
            on_the_way = on_the_way or not self.pool.jobs.may_fork(claim.job)
            assert on_the_way, f"claim {claim.number} waits for a worker, and none is on its way"
