"""The simulator's own account of a run, much simpler than the cores': what must hold, whatever is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustyray.core.head.nodes import DEAD
from rustyray.core.jobs import Job
from rustyray.core.owner.records import DONE
from rustyray.core.owner.references import refs_inside
from rustyray.engines.sim.world.process import OwnerProcess
from rustyray.engines.sim.world.story import short
from rustyray.model.ids import HANDLE_INDEX, WORKER_ID_SIZE, ActorID, ObjectID, TaskID, WorkerID, handle_id, owner_of
from rustyray.model.messages import Call, NodeDied
from rustyray.model.resources import subtract

if TYPE_CHECKING:
    from rustyray.engines.sim.scripted.worker import Worker
    from rustyray.engines.sim.world.node import NodeHost
    from rustyray.engines.sim.world.world import World


class Books:
    """What was promised and what happened."""

    def __init__(self, world: World) -> None:
        self.world = world
        #: A process died that had passed on refs and could not see to it that the receiver was counted, or whoever
        #: made a call gave it up.
        self.may_dangle = False
        #: A worker died that may have registered the receiver of a result which then never came. The receiver cannot
        #: give back what it does not know of: until it ends, it counts as a borrower.
        self.may_overcount = False
        #: A connection between living processes broke: messages that give something back may be lost.
        self.may_leak = False
        #: A node that lived was declared dead: it could not be reached in time.
        self.given_up = False
        #: Where and in which attempts each task or call was started, in order.
        self.runs: dict[TaskID, list[tuple[WorkerID, int]]] = {}
        #: The calls that each incarnation of an actor ran: caller and number, in order.
        self.calls: dict[tuple[ActorID, WorkerID], list[tuple[WorkerID, int]]] = {}
        self.errors: list[str] = []
        #: Where something was not over when that was asked last: so it is still, as a rule.
        self._unsettled: OwnerProcess | None = None

    def note_death(self, message: Any) -> None:
        """An owner lets go of what the dead have, which perhaps live, and were silent."""
        self.may_dangle = self.may_overcount = True
        self.given_up |= isinstance(message, NodeDied) and self.world.processes[message.node].alive

    def note_run(self, worker: Worker, job: Job) -> None:
        task = job.task
        runs = self.runs.setdefault(task.id, [])
        assert (worker.me, task.attempt) not in runs, f"{task.id.hex()} runs twice on one worker in one attempt"
        runs.append((worker.me, task.attempt))
        if isinstance(task, Call):
            assert task.max_attempts != 1 or len(runs) == 1, f"call {task.id.hex()} runs a second time"
            log = self.calls.setdefault((task.actor, worker.me), [])
            number = int.from_bytes(task.id[12:], "big")
            if task.attempt:  # after a broken connection, those that were in flight come again, in order
                log[:] = [entry for entry in log if entry[0] != job.caller or entry[1] < number]
            earlier = [other for caller, other in log if caller == job.caller]
            assert not earlier or earlier[-1] < number, f"call {number} of {job.caller.hex()} runs after {earlier}"
            log.append((job.caller, number))

    # --- at every step ------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """The counts of each process are what its programs hold; whatever they hold, its owner (if it lives) has."""
        for client in self.world.clients():
            self.check_one(client)

    def check_one(self, client: OwnerProcess) -> None:
        """As `check`, when nothing but this process has changed since."""
        me, dropped, objects, processes = client.me, client.dropped, client.core.objects, self.world.processes
        if client.alive:
            for object_, count in client.held.items():
                entry = objects.get(object_)
                assert entry is not None, f"{client.me.hex()} holds {object_.hex()} and does not know it"
                waiting = dropped.count(object_) if dropped else 0
                assert entry.local == count + waiting, (
                    f"{client.me.hex()} holds {count} refs of {object_.hex()}, {waiting} dropped, counted {entry.local}"
                )
                if object_[:WORKER_ID_SIZE] == me:
                    continue
                owner = processes.get(owner_of(object_))
                if owner is not None and owner.alive and not self.may_dangle:
                    assert isinstance(owner, OwnerProcess)
                    assert object_ in owner.core.objects, self._freed(object_, client)
        if client.known == objects.keys():
            return
        gone, client.known = client.known - objects.keys(), set(objects)
        if gone and client.alive and not self.may_dangle:
            for other in self.world.clients():
                for object_ in sorted(gone & other.held.keys()) if other is not client else ():
                    assert owner_of(object_) != client.me, self._freed(object_, other)

    def _freed(self, object_: ObjectID, holder: OwnerProcess) -> str:
        return f"{holder.me.hex()} holds {object_.hex()}, and its owner has freed it\n{self.world.describe()}"

    # --- in the end ---------------------------------------------------------------------------------------------------

    def unsettled(self) -> str:
        """Which fault, task, call, lease or request is not over; empty when all are."""
        if self.world.troubles.lasting:
            return "a fault lasts"
        nodes = self.world.head_core._nodes.nodes
        for host in self.world.nodes():
            known = nodes.get(host.me)
            if known is not None and known.state is DEAD:
                return f"{short(host.me)} is taken for dead and lives"
        if self._unsettled is not None and self._unsettled.alive and (why := _open(self._unsettled)):
            return why
        for client in self.world.clients():
            if why := _open(client):
                self._unsettled = client
                return why
        return ""

    def unfreed(self) -> str:
        """Which object, CPU or byte is taken although nobody holds a ref any more; empty when none is."""
        world = self.world
        excused = self._excused()
        for client in world.clients():
            for object_, entry in client.core.objects.items():
                owner = owner_of(object_)
                if object_ in excused:
                    continue
                if entry.local or (not self.may_leak and (owner == client.me or self._alive(owner))):
                    return f"{short(client.me)} still has object {object_.hex()}"
            if client.core.refs.passed_on:
                return f"{short(client.me)} waits for acknowledgements"
        for host in world.nodes():
            accounts, store = host.core._accounts, host.core._store
            left = dict(accounts.total)
            subtract(left, accounts.reserved)
            if not host.core._actors.hosted and accounts.free != left:
                return f"{short(host.me)} has free {accounts.free} of {left}"
            if stray := self._stray_bundles(host):
                return stray
            jobs = host.core._jobs
            strangers = [w.id for w in host.core._pool.workers.values() if jobs.shared and not jobs.described(w.job)]
            if strangers:
                return f"{short(host.me)} has workers of jobs that are over: {strangers}"
            stored = [object_ for object_ in store.objects if object_ not in excused]
            used = store.arena.used + store.room.spilling.file.used
            if not self.may_leak and (stored or (used and not excused)):
                return f"{short(host.me)} has {used} bytes in use: {stored}"
            if host.head is not None and not self.may_leak:
                living = [
                    actor
                    for actor in host.head._actors.registry.living.values()
                    if not actor.spec.detached and handle_id(actor.id) not in excused
                ]
                if living:
                    return f"the head has {len(living)} living actors"
        return ""

    def _stray_bundles(self, host: NodeHost) -> str:
        """Which group a node has bundles of, or has none, other than the head believes."""
        head = self.world.head_core
        living = head._actors.groups.living
        known = host.core._bundles.groups
        for id_ in (*living, *known):
            group = living.get(id_)
            believed = [n for n, there in enumerate(group.nodes) if there == host.me] if group is not None else []
            reserved = sorted(known[id_].bundles) if id_ in known else []
            if believed != reserved and (group is None or group.round is None):
                return f"{short(host.me)} has bundles {reserved} of group {id_.hex()}, the head believes {believed}"
        return ""

    def _excused(self) -> dict[ObjectID, None]:
        """Objects that only a registration keeps whose holder lives and knows nothing of it, with what is in them."""
        excused: dict[ObjectID, None] = {}
        if not self.may_overcount:
            return excused
        entries = {
            object_: entry
            for client in self.world.clients()
            for object_, entry in client.core.objects.items()
            if client.core.refs.owns(object_)
        }
        open_ = [
            object_
            for object_, entry in entries.items()
            if entry.more is not None and any(self._alive(who) for who in entry.more.borrowers)
        ]
        while open_:
            object_ = open_.pop()
            if object_ not in excused:
                excused[object_] = None
                entry = entries.get(object_)
                open_ += [info.object for info in refs_inside(entry.value if entry is not None else None)]
        return excused

    def _alive(self, process: bytes) -> bool:
        known = self.world.processes.get(process)
        return known is not None and known.alive

    # --- for people ---------------------------------------------------------------------------------------------------

    def describe(self, client: OwnerProcess) -> list[str]:
        """What a process has and waits for."""
        core = client.core
        lines = [f"{short(client.me)}: waits for {client.what_it_waits_for()}"]
        for object_, entry in core.objects.items():
            kind = "handle" if object_[-4:] == HANDLE_INDEX else "object"
            more = entry.more
            borrowers = {short(who): count for who, count in more.borrowers.items()} if more is not None else {}
            state = entry.record.state if entry.record is not None else ""
            lines.append(
                f"  {kind} {short(object_)}: {str(entry.value)[:80]} local "
                f"{entry.local} holds {entry.holds} lineage {entry.lineage} borrowers {borrowers} "
                f"registrations {more.registrations if more else 0} {state}"
            )
        for lease in core.sched.leases.values():
            inflight = [record.plan.name for record in lease.inflight.values()]
            lines.append(f"  lease {short(lease.worker)} blocked {lease.blocked}: {inflight}")
        lines += [
            f"  {len(target.queue)} queued, requests {list(target.requests)}"
            for target in core.sched.classes.values()
            if target.queue or target.requests
        ]
        lines += [
            f"  actor {short(link.actor)} {link.state.name}: {len(link.queue)} queued, {len(link.inflight)} in flight"
            for link in core.calls.links.values()
            if link.queue or link.inflight
        ]
        return lines


def _open(client: OwnerProcess) -> str:
    """Which task, call, lease or request of a process is not over."""
    core = client.core
    for target in core.sched.classes.values():
        if target.requests or target.leases or target.queue:
            return f"{short(client.me)} has {len(target.leases)} leases and requests {list(target.requests)}"
    if core.arguments.pending:
        return f"{short(client.me)} has {len(core.arguments.pending)} pending tasks"
    for link in core.calls.links.values():
        if link.inflight or link.queue:
            return f"{short(client.me)} has calls"
    for entry in core.objects.values():
        if entry.record is not None and entry.record.state != DONE:
            return f"{short(client.me)} has {entry.record.plan.name} {entry.record.state}"
    return ""
