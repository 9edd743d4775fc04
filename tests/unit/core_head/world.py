"""A head core driven by hand, and a small cluster: the head with three nodes over links that keep their order.

In the cluster, workers are pretended: each says it is ready, starts the actors it is given, and ends when it is told.
Messages travel when `Cluster.deliver` lets them, link by link, so that tests and machines choose how they interleave.
"""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from rustyray.core.effects import Effect, EndProcess, ForkWorker, Send
from rustyray.core.head import HeadCore, HeadLimits
from rustyray.core.node import NodeCore, NodeLimits
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorExited,
    ActorInfo,
    ActorSpec,
    ActorStarted,
    ActorState,
    CreateActor,
    JobAccepted,
    Message,
    NodeInfo,
    RegisterJob,
    RegisterNode,
    StartActor,
    StopActor,
    StopWorker,
    WorkerReady,
)
from rustyray.model.resources import resource_set
from tests.unit.outbox import Outbox

NODES = [b"node-one", b"node-two", b"node-3rd"]
DRIVER = ids.worker_id(NODES[0], 0)
OTHER_DRIVER = ids.worker_id(NODES[1], 0)

M = TypeVar("M")


def make_spec(
    number: int = 1,
    *,
    owner: bytes = DRIVER,
    job: bytes = b"",
    cpus: float = 0,
    placement: float = 1,
    max_restarts: int = 0,
    name: str = "",
    namespace: str = "ns",
    detached: bool = False,
    **resources: float,
) -> ActorSpec:
    return ActorSpec(
        ids.task_id(owner, number),
        job or (b"\0\0\0\1" if ids.node_of(owner) == NODES[0] else b"\0\0\0\2"),
        b"class",
        b"code",
        "Counter",
        "unix:@owner",
        ["add"],
        resources=resource_set({"CPU": cpus, **resources}),
        placement=resource_set({"CPU": placement}),
        max_restarts=max_restarts,
        name=name,
        namespace=namespace,
        detached=detached,
        max_task_retries=3,
        handle_meta=b"meta",
    )


def make_info(node: bytes, cpus: float = 2, **resources: float) -> NodeInfo:
    have = resource_set({"CPU": cpus, **resources})
    return NodeInfo(node, f"tcp:{node.decode()}:1", True, dict(have), dict(have))


class World(Outbox):
    """The head alone, with as many nodes registered as wanted; the invariants hold after every step."""

    def __init__(self, nodes: int = 1, cpus: float = 2, limits: HeadLimits | None = None) -> None:
        super().__init__()
        self.now = 100.0
        self.head = HeadCore(limits)
        self.requests = 0
        for node in NODES[:nodes]:
            self.say(node, RegisterNode(make_info(node, cpus)))
        if nodes:
            self.say(NODES[0], RegisterJob(DRIVER, "ns", 1))
            self.one(NODES[0], JobAccepted)

    def say(self, sender: bytes, message: Message) -> None:
        self.head.on_message(sender, message, self.now)
        self.settle()

    def cut(self, peer: bytes, reason: str = "end of file") -> None:
        """The connection is gone."""
        self.head.on_peer_lost(peer, reason, self.now)
        self.settle()

    def lose(self, peer: bytes, reason: str = "end of file") -> None:
        """It is gone, and when it is called nobody answers."""
        self.cut(peer, reason)
        self.head.on_peer_lost(peer, "connection refused", self.now, reached=False)
        self.settle()

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while (due := self.head.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.head.on_time(self.now)
            self.settle()
        self.now = until

    def settle(self) -> None:
        self.sent += [(effect.to, effect.message) for effect in self.head.out if isinstance(effect, Send)]
        self.head.out.clear()
        self.head.check()

    # --- actors -------------------------------------------------------------------------------------------------------

    def create(self, spec: ActorSpec, get_if_exists: bool = False) -> bytes:
        self.requests += 1
        self.say(ids.owner_of(spec.actor), CreateActor(self.requests, spec, get_if_exists))
        return spec.actor

    def starting(self) -> list[tuple[bytes, StartActor]]:
        """`(node, StartActor)` of the starts asked for since the last look."""
        return [(node, start) for node in NODES for start in self.take(node, StartActor)]

    def come_up(self, number: int = 1) -> tuple[bytes, bytes, bytes]:
        """The actor whose start was asked for comes up; `(actor, node, worker)`."""
        ((node, start),) = self.starting()
        worker = ids.worker_id(node, number)
        self.say(node, ActorStarted(start.spec.actor, start.incarnation, worker, "unix:@w", 7))
        return start.spec.actor, node, worker

    def news(self, peer: bytes = DRIVER) -> list[ActorState]:
        """The states that ``peer`` was told of since the last look."""
        return [info.state for info in self.take(peer, ActorInfo)]


class Cluster:
    """The head and three nodes; see the module's docstring."""

    def __init__(self, cpus: float = 2, **more: float) -> None:
        self.now = 100.0
        self.head = HeadCore(HeadLimits(suspect=3.0, dead=10.0))
        self.nodes: dict[bytes, NodeCore] = {}
        self.links: dict[tuple[bytes, bytes], deque[Message]] = {}
        self.workers: dict[bytes, bool] = {}
        self.told: dict[bytes, list[Message]] = {}
        self.to_do: deque[tuple[bytes, Effect]] = deque()
        self.last: deque[tuple[bytes, bytes, Message]] = deque(maxlen=30)
        self.busy = False
        for node in NODES:
            self.nodes[node] = NodeCore(
                node,
                resource_set({"CPU": cpus, **more}),
                address=f"tcp:{node.decode()}:1",
                store_capacity=1 << 20,
                head_address="tcp:head:1",
                limits=NodeLimits(heartbeat=1.0),
            )
            self.nodes[node].start(self.now)
        self.collect()

    # --- links --------------------------------------------------------------------------------------------------------

    def send(self, sender: bytes, to: bytes, message: Message) -> None:
        self.links.setdefault((sender, to), deque()).append(message)

    def deliver(self, sender: bytes, to: bytes) -> None:
        """The first message under way from ``sender`` arrives."""
        message = self.links[sender, to].popleft()
        self.last.append((sender, to, message))
        if not self.links[sender, to]:
            del self.links[sender, to]
        if to == HEAD:
            self.head.on_message(sender, message, self.now)
        elif to in self.nodes:
            self.nodes[to].on_message(sender, message, self.now)
        elif to in self.workers:
            self.work(to, message)
        else:
            self.told.setdefault(to, []).append(message)
        self.collect()

    def run(self) -> None:
        """Deliver until nothing is under way."""
        while self.links:
            self.deliver(*next(iter(self.links)))

    def collect(self) -> None:
        """Carry out what the cores ask for, in the order in which they did."""
        self.to_do += [(HEAD, effect) for effect in self.head.out]
        self.head.out.clear()
        self.head.check()
        for node, core in self.nodes.items():
            self.to_do += [(node, effect) for effect in core.out]
            core.out.clear()
            core.check()
        if not self.busy:
            self.busy = True
            while self.to_do:
                self.carry_out(*self.to_do.popleft())
            self.busy = False

    def carry_out(self, by: bytes, effect: Effect) -> None:
        match effect:
            case Send(to=to, message=message):
                self.send(by, to, message)
            case ForkWorker(worker=worker):
                self.workers[worker] = False
                self.send(worker, by, WorkerReady(worker, 1, "unix:@w"))
            case EndProcess(worker=worker):
                self.end(worker, "it was killed by signal 9 (SIGKILL)")

    # --- pretended workers --------------------------------------------------------------------------------------------

    def work(self, worker: bytes, message: Message) -> None:
        node = ids.node_of(worker)
        match message:
            case StartActor(spec=spec, incarnation=incarnation):
                self.send(worker, node, ActorStarted(spec.actor, incarnation, worker, "unix:@w", 1))
            case StopActor(actor=actor, incarnation=incarnation, reason=reason):
                self.send(worker, node, ActorExited(actor, incarnation, reason))
                self.end(worker, "it exited with code 0")
            case StopWorker():
                self.end(worker, "it exited with code 0")

    def end(self, worker: bytes, reason: str) -> None:
        """The worker's process ends; what it said before is read first."""
        node = ids.node_of(worker)
        if self.workers.pop(worker, None) is None:
            return
        while (worker, node) in self.links:
            self.deliver(worker, node)
        self.links.pop((node, worker), None)
        if node in self.nodes:
            self.nodes[node].process_ended(worker, reason, self.now)
            self.collect()

    # --- trouble ------------------------------------------------------------------------------------------------------

    def crash_node(self, node: bytes) -> None:
        """The node's machine is gone: its processes, and whatever was under way to and from them."""
        del self.nodes[node]
        self.workers = {worker: up for worker, up in self.workers.items() if ids.node_of(worker) != node}
        self.links = {
            ends: queue for ends, queue in self.links.items() if node not in {ids.node_of(end) for end in ends}
        }

    def wait(self, seconds: float) -> None:
        """Time passes; whatever is sent meanwhile arrives."""
        until = self.now + seconds
        while (due := self.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tick()
            self.run()
        self.now = until

    def tick(self) -> None:
        self.head.on_time(self.now)
        for node in self.nodes.values():
            node.on_time(self.now)
        self.collect()

    def next_deadline(self) -> float | None:
        due = [self.head.next_deadline(), *[node.next_deadline() for node in self.nodes.values()]]
        times = [when for when in due if when is not None]
        return min(times) if times else None

    def heard(self, peer: bytes, kind: type[M]) -> list[M]:
        return [message for message in self.told.get(peer, []) if isinstance(message, kind)]
