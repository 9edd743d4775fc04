"""A node's process: its node core and, on the first node, the head's; it starts and ends worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from rustyray.core.effects import (
    Effect,
    EndProcess,
    ForkWorker,
    FreeExtent,
    MeasureMemory,
    Refusal,
    RestoreObject,
    Send,
    SendChunk,
    SpillObject,
    StartAgain,
    Stopped,
    TrimArena,
    TrimSpilled,
    Warn,
)
from rustyray.core.head import HeadCore, HeadLimits
from rustyray.core.node import THROWN_AWAY, NodeCore, NodeLimits
from rustyray.core.node.memory import Memory
from rustyray.engines.sim.world.disk import Disk
from rustyray.model.ids import NODE_ID_SIZE, JobID, NodeID, WorkerID
from rustyray.model.messages import (
    BETWEEN_NODES,
    FOR_HEAD,
    FROM_NODES,
    HEAD,
    Chunk,
    Message,
)
from rustyray.model.resources import ResourceSet

if TYPE_CHECKING:
    from rustyray.engines.sim.world.world import World

#: The size of each node's store, in bytes.
STORE: Final = 256 * 4096
#: The size of each node's disk.
DISK: Final = 1 << 40
#: So often a refused node of a cluster that stands by itself has a successor, as natively.
RESTARTS: Final = 5


class NodeHost:
    """One node process."""

    def __init__(
        self,
        world: World,
        me: NodeID,
        resources: ResourceSet,
        head_address: str,
        limits: NodeLimits | None,
        store: int = STORE,
        labels: dict[str, str] | None = None,
        pid: int = 0,
        shared: bool = False,
        refusals: Sequence[Refusal] = (),
    ) -> None:
        self.world = world
        self.resources = resources
        #: Where the head is apart, the cluster stands by itself.
        self.limits = msgspec.structs.replace(
            limits or NodeLimits(spill_capacity=DISK), restarts=RESTARTS if world.head == HEAD else 0
        )
        self.store = store
        self.labels = labels
        self.me = me
        self.pid = pid
        self.address = f"sim:{me.hex()}"
        self.alive = True
        self.core = NodeCore(
            me,
            resources,
            address=self.address,
            store_capacity=store,
            head_address=head_address,
            hostname=me.decode(),
            pid=pid,
            labels=labels,
            limits=self.limits,
            shared=shared,
            refusals=refusals,
        )
        self._again: StartAgain | None = None
        #: What is measured here.
        self.memory = Memory(0, 1, {})
        self.disk = Disk(self, lambda: world.arena(me))
        self.head = None if head_address else HeadCore(HeadLimits())
        self._out: tuple[list[Effect], list[Effect]] = self.core.out, self.head.out if self.head is not None else []
        self.warnings: list[str] = []
        #: Of the workers that it starts.
        self.job: JobID = b""
        self.namespace = ""

    @property
    def now(self) -> float:
        return self.world.now

    def start(self) -> None:
        self.core.start(self.now)
        self.carry_out()

    # --- what the world calls -----------------------------------------------------------------------------------------

    def receive(self, peer: bytes, message: Message) -> None:
        kind = type(message)
        if self.head is None:
            from_head = peer == self.world.head and kind not in BETWEEN_NODES
            self.core.on_message(HEAD if from_head else peer, message, self.now)
        elif kind in FOR_HEAD or (kind in FROM_NODES and len(peer) == NODE_ID_SIZE):
            self.head.on_message(peer, message, self.now)
        else:
            self.core.on_message(peer, message, self.now)
        self.carry_out()

    def take_body(self, peer: bytes, chunk: Chunk, data: bytes) -> None:
        place = self.core.place(peer, chunk)
        assert place is not None, f"{peer.hex()} sent a chunk that nobody asked for: {chunk}"
        assert len(data) == chunk.size, f"{len(data)} bytes came with {chunk}"
        if place is not THROWN_AWAY:
            arena = self.world.arena(self.me)
            arena[place.offset] = arena[place.offset][: chunk.begin] + data if chunk.begin else data

    def lost(self, peer: bytes, reason: str, reached: bool) -> None:
        if self.head is not None:
            self.head.on_peer_lost(peer, reason, self.now, reached)
        elif peer == self.world.head:
            self.core.on_peer_lost(HEAD, reason, self.now)
        self.core.on_peer_lost(peer, reason, self.now)
        self.carry_out()

    def process_ended(self, worker: WorkerID, reason: str) -> None:
        self.core.process_ended(worker, reason, self.now)
        self.carry_out()

    def tick(self) -> None:
        self.disk.serve()
        self.core.on_time(self.now)
        if self.head is not None:
            self.head.on_time(self.now)
        self.carry_out()

    def next_deadline(self) -> float | None:
        soonest = self.core.next_deadline()
        for other in (self.disk.due, self.head.next_deadline() if self.head is not None else None):
            if other is not None and (soonest is None or other < soonest):
                soonest = other
        return soonest

    def check(self) -> None:
        self.core.check()
        if self.head is not None:
            self.head.check()

    @property
    def restless(self) -> bool:
        return False

    # --- effects ------------------------------------------------------------------------------------------------------

    def carry_out(self) -> None:
        mine, heads = self._out
        while mine or heads:
            for out in (mine, heads):
                effects = out[:]
                out.clear()
                for effect in effects:
                    self.perform(effect, out is heads)

    def perform(self, effect: Effect, from_head: bool) -> None:
        match effect:
            case Send(to=to, message=message, address=address):
                self.send(to, message, address, from_head)
            case ForkWorker(worker=worker, env=env, job=job):
                self.world.fork(self, worker, env, job)
            case EndProcess(worker=worker, force=force):
                how = "it was killed by signal 9 (SIGKILL)" if force else "it was killed by signal 15 (SIGTERM)"
                self.world.crash(worker, how)
            case FreeExtent(offset=offset):
                self.world.arena(self.me).pop(offset, None)
            case SendChunk(to=to, object=object_, pull=pull, offset=offset, begin=begin, size=size):
                data = self.world.arena(self.me)[offset][begin : begin + size]
                self.world.send(self.me, to, Chunk(object_, pull, begin, size), "", data)
            case MeasureMemory():
                self.core.measured(self.memory, self.now)
            case SpillObject() | RestoreObject():
                self.disk.do(effect)
            case TrimArena() | TrimSpilled():
                pass  # nothing is kept warm here
            case Warn(text=text):
                self.warnings.append(text)
            case StartAgain():
                self._again = effect
            case Stopped():
                self.world.stop_node(self.me)
                if self._again is not None:
                    self.world.replace_node(self, self._again.refusals)
            case _:
                raise TypeError(f"a node cannot do what its core asks for: {effect!r}")

    def send(self, to: bytes, message: Message, address: str, from_head: bool) -> None:
        if to == HEAD:
            if self.head is None:
                self.world.send(self.me, self.world.head, message, address)
            else:
                self.head.on_message(self.me, message, self.now)
        elif to == self.me:
            self.core.on_message(HEAD if from_head else to, message, self.now)
        else:
            self.world.send(self.me, to, message, address)
