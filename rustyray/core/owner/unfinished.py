"""What is not done in a process: whether it is needed for that still, and what becomes of it when the runtime ends."""

from __future__ import annotations

from rustyray.core.owner.actors import Actors
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.deaths import Deaths
from rustyray.core.owner.records import DONE, ActorLink, Lease
from rustyray.core.owner.references import References
from rustyray.core.owner.scheduling import Scheduler
from rustyray.core.owner.tasks import Tasks
from rustyray.model.ids import ObjectID
from rustyray.model.values import Fault, FaultKind


class Unfinished:
    """The tasks, calls and objects that somebody waits for."""

    def __init__(
        self, refs: References, sched: Scheduler, arguments: Arguments, tasks: Tasks, actors: Actors, deaths: Deaths
    ) -> None:
        self._refs = refs
        self._sched = sched
        self._arguments = arguments
        self._tasks = tasks
        self._actors = actors
        self._calls = actors.calls
        self._deaths = deaths

    def running(self) -> int:
        """Tasks and calls that are on a worker at this moment."""
        leased = sum(len(lease.inflight) for lease in self._sched.leases.values())
        return leased + sum(len(link.inflight) for link in self._calls.links.values())

    def is_needed(self) -> bool:
        """Whether anybody, here or elsewhere, still needs this process.

        It may own objects in use, tasks and calls that are not done or actors that live, or have passed on refs without
        knowing yet that their owner has heard of it.
        """
        if self._refs.passed_on or self._arguments.pending or self.running() or self._actors.living():
            return True
        waiting = any(target.queue for target in self._sched.classes.values())
        return waiting or any(self._refs.owns(object_) for object_ in self._refs.objects)

    def cancel(self, reason: str, now: float) -> int:
        """Fail everything that is not on a worker; returns how many tasks and calls that were."""
        fault = Fault(FaultKind.SHUT_DOWN, reason)
        records = list(self._arguments.pending.values())
        for target in self._sched.classes.values():
            records.extend(target.queue)
            target.queue.clear()
        for link in self._calls.links.values():
            records.extend(link.queue)
            link.queue.clear()
            records.extend(link.waiting.values())
            link.waiting.clear()
        records = [record for record in records if record.state != DONE]
        for record in records:
            if record.state != DONE:
                self._tasks.fail(record, fault, now)
        return len(records)

    def fail(self, reason: str, now: float) -> None:
        """The runtime is gone: whatever still waits ends with this fault."""
        fault = Fault(FaultKind.SHUT_DOWN, reason)
        self._deaths.clear()
        self.cancel(reason, now)
        holders: list[Lease | ActorLink] = [*self._sched.leases.values(), *self._calls.links.values()]
        for holder in holders:
            records = list(holder.inflight.values())
            if isinstance(holder, ActorLink) and holder.creation is not None:
                records.append(holder.creation)
                holder.creation = None
            for record in records:
                if record.state != DONE:
                    self._tasks.fail(record, fault, now)
            holder.inflight.clear()
        ready: list[ObjectID] = []
        for object_, entry in list(self._refs.objects.items()):
            if entry.value is None:
                self._refs.settle(object_, entry, fault, ready)
            maker, entry.record = entry.record, None
            if maker is not None:
                maker.entry = None  # nobody else would break the cycle: see records.py
        self._refs.ready_effect(ready)
