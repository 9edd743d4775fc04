"""The drivers of a node and their jobs: from the wish to join until the driver has left or its job is over.

The head gives a driver its job; until it has, the driver is *registering*. A node that is shared has many drivers, one
after the other or at once, and keeps their workers apart; another has one, the *embedded* driver, with which it ends.
"""

from __future__ import annotations

from rustyray.core.node.actors import HostedActors
from rustyray.core.node.base import NodeBase
from rustyray.core.node.clients import Clients
from rustyray.core.node.leases import LeaseDesk
from rustyray.model.ids import JobID, WorkerID
from rustyray.model.messages import (
    HEAD,
    HeadEnds,
    JobAccepted,
    JobDescribed,
    JobFinished,
    JobOver,
    RegisterDriver,
    Registered,
    RegisterJob,
    WorkerDied,
)
from rustyray.model.values import Fault, FaultKind


class Drivers:
    """Whose programs run here. ``capacity`` is the store's, in bytes: drivers are told."""

    __slots__ = (
        "_actors",
        "_base",
        "_capacity",
        "_clients",
        "_desk",
        "_jobs",
        "_registering",
        "embedded",
        "head_ended",
        "jobs_of",
    )

    def __init__(
        self,
        base: NodeBase,
        desk: LeaseDesk,
        actors: HostedActors,
        clients: Clients,
        embedded: WorkerID | None,
        capacity: int,
    ) -> None:
        self._base = base
        self._desk = desk
        self._jobs = desk.pool.jobs
        self._actors = actors
        self._clients = clients
        self._capacity = capacity
        self.embedded = embedded
        #: What the head has said of its end, while there is no other.
        self.head_ended = ""
        self.jobs_of: dict[WorkerID, JobID] = {}
        self._registering: dict[WorkerID, RegisterDriver] = {}

    def __contains__(self, peer: bytes) -> bool:
        return peer in self.jobs_of or peer in self._registering

    def all(self) -> list[WorkerID]:
        """Those that have a job, those that wait for one, and the embedded one, whether it has come or not."""
        return [*self.jobs_of, *self._registering, *([self.embedded] if self.embedded else [])]

    def on_register(self, sender: bytes, message: RegisterDriver, now: float) -> None:
        self._registering[sender] = message
        if self.head_ended:
            self._base.send(sender, HeadEnds(self.head_ended))
        self._register(sender, message)

    def _register(self, driver: WorkerID, hello: RegisterDriver) -> None:
        self._base.tell_head(RegisterJob(driver, hello.namespace, hello.pid, hello.setup))

    def ask_again(self) -> None:
        """The head may not have got the questions, or its answers are lost."""
        self._jobs.ask_again()
        for driver, hello in self._registering.items():
            self._register(driver, hello)

    def on_accepted(self, sender: bytes, message: JobAccepted, now: float) -> None:
        hello = self._registering.pop(message.driver, None) if sender == HEAD else None
        if hello is None:
            return
        self.jobs_of[message.driver] = message.job
        self._base.journal.note("lifecycle", message.driver, "driver joined")
        if self._jobs.shared:
            self._jobs.learn(JobDescribed(message.job, message.driver, message.namespace, hello.setup))
            self._desk.pool.fork(now, message.job)
        answer = Registered(
            message.driver,
            self._base.node,
            message.job,
            message.namespace,
            self._base.head_address,
            self._capacity,
            self._desk.accounts.own(),
        )
        self._base.send(message.driver, answer)

    def on_described(self, sender: bytes, message: JobDescribed, now: float) -> None:
        if sender == HEAD:
            self._jobs.learn(message)
            self._desk.schedule(now)

    def on_over(self, sender: bytes, message: JobOver, now: float) -> None:
        if sender != HEAD or not self._jobs.shared:
            return
        self._jobs.forget(message.job)
        fault = Fault(FaultKind.SHUT_DOWN, f"job {message.job.hex()} is over: {message.reason}", node=self._base.node)
        self._actors.no_workers(self._desk.fail_job(message.job, fault), fault)
        self._desk.pool.dismiss(message.job, f"its job is over: {message.reason}", now)

    def gone(self, driver: WorkerID, reason: str, now: float) -> None:
        """It has left, or its connection is gone: nothing of it goes on, and its job is over."""
        self._registering.pop(driver, None)
        job = self.jobs_of.pop(driver, None)
        self._base.journal.note("lifecycle", driver, "driver gone", reason)
        self._clients.died(driver, reason, now)
        if job is not None:
            self._base.report(JobFinished(job, driver))
        self._clients.tell_death(WorkerDied(driver, reason))
