"""Looking inside from a program: the head says which nodes there are, each node asks its processes, all by a deadline.

Whoever does not answer in time is named; nobody is waited for longer.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import msgspec

from rustyray.core.owner import OwnerCore, holding
from rustyray.core.owner.counting import stats
from rustyray.core.owner.listing import objects
from rustyray.core.owner.telling import events
from rustyray.core.owner.waits import LISTED, states
from rustyray.core.telling import Teller
from rustyray.engines.client.ports import Pump
from rustyray.engines.client.waiter import Waiter
from rustyray.model.messages import HEAD, Inspect, InspectClient, Inspected, InspectHead, Message, Report
from rustyray.runtime.engine import Inspection, ProcessContext
from rustyray.runtime.recording import recorded
from rustyray.runtime.stacks import stacks

if TYPE_CHECKING:
    from rustyray.model.events import Query

#: The part of the time that the processes of a node have, so that the node can say in time who did not answer.
PATIENCE: Final = 0.8


class Inspector:
    """The part of a client that asks, and answers for its own process."""

    core: OwnerCore
    pump: Pump
    _process: ProcessContext
    #: What to add to the clock's time to have seconds since the epoch: always the same, so events keep their times.
    _epoch: float | None = None

    def tell(self, query: Query, now: float) -> Report:
        """What this process tells about itself. With the lock held."""
        me = self._process
        role = "driver" if me.is_driver else "worker"
        told = events(self.core, Teller(role, me.worker, me.node, query, now))
        report = Report(role, me.worker, me.node, now, os.getpid() if me.is_driver else 0, told)
        if query.stats:
            report.stats = msgspec.structs.replace(stats(self.core), role=role, pid=report.pid)
        if query.states:
            awaited = self.core.groups.awaited
            report.tasks = states(self.core, now)
            report.awaits = [object_ for object_, waiters in self.pump.waiting.items() if waiters]
            report.told = {one: self.core.groups.tell(group) for one in report.awaits if (group := awaited(one))}
            report.groups = self.core.groups.having()[:LISTED]
        if query.stacks:
            report.stacks = stacks()
        if query.lists:
            report.objects = objects(self.core, query.about)
        if query.metrics:
            report.metrics = recorded(self)
        return report

    def _on_inspect(self, peer: bytes, message: InspectClient, now: float) -> None:
        self.pump.hub.send(peer, Inspected(message.request, [self.tell(message.query, now)]))

    def held(self) -> holding.Held:
        """What the program of this process has under way."""
        with self.pump.lock:
            self.pump.flush()
            return holding.held(self.core)

    def let_go(self, kind: str, id_: bytes) -> bool:
        """End one thing of those that `held` tells of; False if there is no way to do so."""
        with self.pump.lock:
            done = holding.let_go(self.core, kind, id_, self.pump.clock())
            self.pump.flush()
        self.pump.run_deferred()
        return done

    def inspect(self, query: Query, timeout: float) -> Inspection:
        """What every process tells about itself; after ``timeout`` seconds, without those that did not answer."""
        pump = self.pump
        found = Inspection()
        asked = pump.clock()
        deadline = asked + timeout
        head = self._ask([(pump.head, InspectHead(0, query), pump.head_address)], asked + timeout / 2)
        nodes = {self._process.node: ""}
        if isinstance(head[0], Inspected):
            nodes = head[0].nodes
        patience = max(0.0, (deadline - pump.clock()) * PATIENCE)
        answers = self._ask([(node, Inspect(0, query, patience), address) for node, address in nodes.items()], deadline)
        now = pump.clock()
        if self._epoch is None:
            self._epoch = time.time() - now
        epoch = self._epoch
        with pump.lock:
            found.add(self.tell(query, now), asked, now, epoch)
        for who, answer in zip([HEAD, *nodes], [*head, *answers], strict=True):
            if not isinstance(answer, Inspected):
                found.silent.append(("head", b"") if who == HEAD else ("node", who))
                continue
            found.silent += [("worker", peer) for peer in answer.silent]
            for report in answer.reports:
                found.add(report, asked, now, epoch)
        return found

    def _ask(self, questions: list[tuple[bytes, InspectHead | Inspect, str]], deadline: float) -> list[Message | None]:
        """Send all, wait for the answers; None for those that do not come."""
        pump = self.pump
        waiters: list[tuple[int, Waiter]] = []
        with pump.lock:
            pump.flush()
            for to, message, address in questions:
                message.request, waiter = pump.expect()
                waiters.append((message.request, waiter))
                pump.hub.send(to, message, address)
            pump.hub.flush()
        for _, waiter in waiters:
            pump.wait(waiter, deadline)
        with pump.lock:
            for request, _ in waiters:
                pump.forget(request)
        return [waiter.reply for _, waiter in waiters]
