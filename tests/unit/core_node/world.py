"""A node core with a driver and pretended worker processes, driven by hand; the invariants hold after every step."""

from __future__ import annotations

from collections.abc import Sequence

from rustyray.core.effects import Effect, EndProcess, ForkWorker, Refusal, Send, StartAgain, Stopped, Warn
from rustyray.core.node import NodeCore, NodeLimits
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorSpec,
    JobAccepted,
    LeaseGranted,
    Message,
    RegisterDriver,
    RequestLease,
    StartActor,
    StoreCreate,
    StoreCreated,
    StoreSeal,
    WorkerReady,
)
from rustyray.model.resources import UNIT, resource_set
from tests.unit.outbox import Outbox

NODE = b"node-one"
OTHER = b"node-two"
DRIVER = ids.worker_id(NODE, 0)
STRANGER = ids.worker_id(OTHER, 7)
JOB = b"\0\0\0\1"
PAGE = 4096


class World(Outbox):
    """``core`` under a clock, and what it asked for: who was sent what, which processes were forked or ended."""

    def __init__(
        self,
        cpus: float = 2,
        *,
        store_pages: int = 16,
        prestart: int = 0,
        limits: NodeLimits | None = None,
        embedded: bool = True,
        shared: bool = False,
        refusals: Sequence[Refusal] = (),
        **resources: float,
    ) -> None:
        super().__init__()
        self.now = 100.0
        self.core = NodeCore(
            NODE,
            resource_set({"CPU": cpus, **resources}),
            address="unix:@node-one",
            store_capacity=store_pages * PAGE,
            prestart=prestart,
            embedded_driver=DRIVER if embedded and not shared else None,
            limits=limits,
            shared=shared,
            refusals=refusals,
        )
        self.forked: list[bytes] = []
        self.ended: list[tuple[bytes, bool]] = []
        self.stopped = False
        self.again: StartAgain | None = None
        self.warnings: list[str] = []
        self.core.start(self.now)
        self.settle()
        self.join(DRIVER)

    # --- driving ------------------------------------------------------------------------------------------------------

    def join(self, driver: bytes) -> None:
        self.say(driver, RegisterDriver(1, ""))
        self.say(HEAD, JobAccepted(driver, JOB, "ns"))

    def say(self, sender: bytes, message: Message) -> None:
        self.core.on_message(sender, message, self.now)
        self.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass, with a call at each deadline on the way."""
        until = self.now + seconds
        while (due := self.core.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.core.on_time(self.now)
            self.settle()
        self.now = until
        self.core.on_time(until)
        self.settle()

    def lose(self, peer: bytes, reason: str = "end of file") -> None:
        self.core.on_peer_lost(peer, reason, self.now)
        self.settle()

    def end(self, worker: bytes, reason: str = "it exited with code 0") -> None:
        self.core.process_ended(worker, reason, self.now)
        self.settle()

    def settle(self) -> None:
        for effect in self.core.out:
            self.note(effect)
        self.core.out.clear()
        self.core.check()

    def note(self, effect: Effect) -> None:
        match effect:
            case Send(to=to, message=message):
                self.sent.append((to, message))
            case ForkWorker(worker=worker):
                self.forked.append(worker)
            case EndProcess(worker=worker, force=force):
                self.ended.append((worker, force))
            case StartAgain():
                self.again = effect
            case Warn(text=text):
                self.warnings.append(text)
            case Stopped():
                self.stopped = True

    # --- workers and leases -------------------------------------------------------------------------------------------

    def ready(self, worker: bytes) -> bytes:
        self.say(worker, WorkerReady(worker, int.from_bytes(worker[-4:], "big"), f"unix:@{worker.hex()}"))
        return worker

    def ready_all(self) -> list[bytes]:
        """All that were forked and not yet ready are."""
        forked, self.forked = self.forked, []
        return [self.ready(worker) for worker in forked]

    def request(self, number: int, cpus: float = 1, owner: bytes = DRIVER, **resources: float) -> None:
        demand = resource_set({"CPU": cpus, **resources})
        self.say(owner, RequestLease(number, JOB, demand))

    def lease(self, number: int = 1, cpus: float = 1, owner: bytes = DRIVER, **resources: float) -> LeaseGranted:
        """A lease, with a worker forked for it if need be."""
        self.request(number, cpus, owner, **resources)
        self.ready_all()
        return self.one(owner, LeaseGranted)

    def start_actor(self, number: int, incarnation: int = 0, cpus: float = 0, placement: float = 1) -> bytes:
        actor = ids.task_id(DRIVER, number)
        spec = ActorSpec(
            actor,
            JOB,
            b"class",
            b"code",
            "Counter",
            "unix:@driver",
            ["add"],
            resources=resource_set({"CPU": cpus}),
            placement=resource_set({"CPU": placement}),
        )
        self.say(HEAD, StartActor(spec, incarnation))
        return actor

    def free(self, name: str = "CPU") -> float:
        return self.core._accounts.free.get(name, 0) / UNIT

    # --- the store ----------------------------------------------------------------------------------------------------

    def create(self, number: int, pages: float, writer: bytes = DRIVER, owner: bytes = DRIVER) -> int | None:
        """Reserve room; the offset, or None if there was no (positive) answer."""
        self.say(writer, StoreCreate(number, obj(number, owner), int(pages * PAGE)))
        answers = self.take(writer, StoreCreated)
        return answers[0].offset if answers else None

    def put(self, number: int, pages: float, writer: bytes = DRIVER, owner: bytes = DRIVER) -> bytes:
        """A sealed object."""
        assert self.create(number, pages, writer, owner) is not None
        self.say(writer, StoreSeal(obj(number, owner)))
        return obj(number, owner)


def obj(number: int, owner: bytes = DRIVER) -> bytes:
    return ids.object_id(ids.task_id(owner, number), 0)
