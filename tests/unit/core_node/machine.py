"""What the state machines share: a world that keeps its own books, clients to choose from, and trouble.

The books are a second, much simpler account of what was promised to whom, kept from the effects alone: no worker serves
two owners, no byte of the arena is given twice or taken from under a reader.
"""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from rustyray.core.effects import Effect, EndProcess, FreeExtent, RestoreObject, Send, SpillObject
from rustyray.core.node import NodeLimits
from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    LeaseGranted,
    LeaseOver,
    Message,
    OwnerDied,
    RequestLease,
    ReturnLease,
    StoreCreate,
    StoreCreated,
    StorePin,
    StorePinAll,
    StorePinned,
    StoreUnpin,
    WorkerReady,
)
from tests.unit.core_node.world import DRIVER, OTHER, World

REMOTES = [ids.worker_id(OTHER, number) for number in (1, 2)]
LIMITS = NodeLimits(soft_idle=1, idle=0.5, starving=0.5, max_starting=2, max_demanding_nothing=2, kill=2.0)

pick = st.integers(0, 1000)


class Watched(World):
    """A world that keeps its own books on what the node promises."""

    def __init__(self, limits: NodeLimits) -> None:
        self.alive: dict[bytes, bool] = {}
        self.leased: dict[bytes, tuple[bytes, int]] = {}
        self.extents: dict[int, int] = {}
        self.high = 0
        self.mapped: dict[tuple[bytes, bytes], list[int]] = {}
        self.heard: list[tuple[bytes, Message]] = []
        #: Their connection broke; workers among them have a moment to come to an end, and are told nothing.
        self.cut: dict[bytes, None] = {}
        self.creates: dict[tuple[bytes, int], StoreCreate] = {}
        self.pins: dict[tuple[bytes, int], StorePin] = {}
        self.disk_work: list[SpillObject | RestoreObject] = []
        super().__init__(cpus=2, store_pages=8, prestart=1, limits=limits, GPU=2)

    def say(self, sender: bytes, message: Message) -> None:
        match message:
            case ReturnLease(lease=lease):
                self.leased = {worker: held for worker, held in self.leased.items() if held != (sender, lease)}
            case StoreCreate(request=request):
                self.creates[sender, request] = message
            case StorePin(request=request):
                self.pins[sender, request] = message
            case StorePinAll(pins=pins):
                self.pins |= {(sender, pin.request): pin for pin in pins}
            case StoreUnpin(objects=objects):
                for object_ in objects:
                    del self.mapped.get((sender, object_), [])[-1:]
        if sender != HEAD:
            self.heard.append((sender, message))
        super().say(sender, message)

    def note(self, effect: Effect) -> None:
        super().note(effect)
        match effect:
            case Send(to=to, message=LeaseGranted() as granted):
                assert self.alive[granted.worker], "the worker has never been ready"
                assert granted.worker not in self.leased, "the worker serves somebody else"
                assert (granted.worker, True) not in self.ended, "the worker was ended before"
                self.leased[granted.worker] = (to, granted.lease)
            case Send(to=to, message=StoreCreated() as created):
                self.note_extent(created, self.creates[to, created.request].size)
            case Send(to=to, message=StorePinned() as pinned):
                assert pinned.offset in self.extents, "there is nothing to map"
                object_ = self.pins[to, pinned.request].object
                self.mapped.setdefault((to, object_), []).append(pinned.offset)
            case FreeExtent(offset=offset, size=size):
                assert self.extents.pop(offset) == size, "a part of an extent was freed"
                for (client, _), offsets in self.mapped.items():
                    assert offset not in offsets, f"freed while {client.hex()} maps it"
            case SpillObject(offset=offset, size=size):
                assert self.extents[offset] >= size, "there is nothing to spill"
                self.disk_work.append(effect)
            case RestoreObject(offset=offset, size=size):
                self.note_extent(StoreCreated(0, offset, 0), size)
                self.disk_work.append(effect)
            case EndProcess(worker=worker, force=True):
                self.leased.pop(worker, None)

    def note_extent(self, created: StoreCreated, size: int) -> None:
        """A repeated request is answered with the extent that its sender has already, all of it touched."""
        if self.extents.get(created.offset) != size or created.touched != size:
            for start, length in self.extents.items():
                apart = created.offset >= start + length or start >= created.offset + size
                assert apart, "the extent is somebody else's"
        assert created.touched <= max(0, self.high - created.offset), "fresh pages are called touched"
        self.extents[created.offset] = size
        self.high = max(self.high, created.offset + size)

    def disk_answers(self, problem: str) -> None:
        work = self.disk_work.pop(0)
        if isinstance(work, SpillObject):
            self.core.spilled(work.place, 0, problem, self.now)
        else:
            self.core.restored(work.place, problem, self.now)
        self.settle()

    def lose(self, peer: bytes, reason: str = "end of file") -> None:
        orphans = [worker for worker, (owner, _) in self.leased.items() if owner == peer and peer not in self.alive]
        orphans = [worker for worker in orphans if worker not in self.cut]
        self.cut[peer] = None
        self.forget(peer)
        super().lose(peer, reason)
        for worker in orphans:
            assert self.take(worker, LeaseOver) or (worker, True) in self.ended, f"{worker.hex()} works on for nobody"

    def end(self, worker: bytes, reason: str = "it exited with code 0") -> None:
        self.forget(worker)
        self.alive.pop(worker, None)
        self.leased.pop(worker, None)
        super().end(worker, reason)

    def forget(self, client: bytes) -> None:
        """Its connection is gone: it maps nothing, and has no claim to anything."""
        self.leased = {worker: held for worker, held in self.leased.items() if held[0] != client}
        self.mapped = {key: offsets for key, offsets in self.mapped.items() if key[0] != client}


class Machine(RuleBasedStateMachine):
    """Workers that come up and die, connections that break, messages that come twice."""

    limits = LIMITS

    def __init__(self) -> None:
        super().__init__()
        self.world = Watched(self.limits)
        self.requests = 0

    def next_request(self) -> int:
        self.requests += 1
        return self.requests

    def clients(self) -> list[bytes]:
        return [DRIVER, *REMOTES, *[worker for worker, ready in self.world.alive.items() if ready]]

    def client(self, which: int) -> bytes:
        clients = self.clients()
        return clients[which % len(clients)]

    def processes(self) -> list[bytes]:
        for worker in self.world.forked:
            self.world.alive.setdefault(worker, False)
        self.world.forked.clear()
        return list(self.world.alive)

    def come_up(self, worker: bytes) -> None:
        self.world.alive[worker] = True
        self.world.say(worker, WorkerReady(worker, 1, "unix:@w"))

    @rule(which=pick)
    def ready(self, which: int) -> None:
        starting = [worker for worker in self.processes() if not self.world.alive[worker]]
        if starting:
            self.come_up(starting[which % len(starting)])

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.2, 1.1, 3.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    @rule(which=pick)
    def doubled_or_late(self, which: int) -> None:
        """A message comes again; its sender may be dead by now."""
        sender, message = self.world.heard[which % len(self.world.heard)]
        if not isinstance(message, StoreCreate | StorePin | RequestLease):
            self.world.say(sender, message)

    @rule(which=pick, how=st.sampled_from(["process ends", "connection breaks", "remote owner dies"]))
    def trouble(self, which: int, how: str) -> None:
        processes = self.processes()
        if how == "remote owner dies":
            remote = REMOTES[which % 2]
            self.world.forget(remote)
            self.world.say(HEAD, OwnerDied(remote, "it crashed"))
        elif how == "connection breaks":
            clients = self.clients()[1:]
            self.world.lose(clients[which % len(clients)])
        elif processes:
            self.world.end(processes[which % len(processes)], "it was killed by signal 9 (SIGKILL)")
