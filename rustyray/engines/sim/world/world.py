"""The world: processes on one timeline. Each step serves one of the events that are possible; the chooser says which.

Possible are: the first parcel of each channel, each program that can go on, what a process put off. When nothing is
possible, time jumps to the next moment at which something is. Invariants are checked after every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Final, TypeAlias

from rustyray.core.effects import Refusal
from rustyray.core.head import HeadCore
from rustyray.core.node import NodeLimits
from rustyray.engines.sim.world.books import Books
from rustyray.engines.sim.world.chooser import Chooser, chooser_of_events
from rustyray.engines.sim.world.events import Deferred, Event, Fiber
from rustyray.engines.sim.world.faults import Fault, Troubles
from rustyray.engines.sim.world.head import HeadHost
from rustyray.engines.sim.world.network import Channel, Ended, Lost, Network
from rustyray.engines.sim.world.node import STORE, NodeHost
from rustyray.engines.sim.world.process import NEVER, TICK, Interrupted, OwnerProcess, Program, Sleep, Until
from rustyray.engines.sim.world.story import Story
from rustyray.model.ids import NodeID, WorkerID, node_of
from rustyray.model.messages import (
    HEAD,
    Chunk,
    ClusterView,
    Heartbeat,
    JobDescribed,
    Message,
    NodeAccepted,
    NodeDied,
    OwnerDied,
    ReclaimLeases,
    RegisterNode,
)
from rustyray.model.resources import CPU, UNIT, ResourceSet
from rustyray.wire.codec import decode, decode_chunk

#: Messages that come and go although nothing happens.
NOISE: Final = frozenset({Heartbeat, RegisterNode, NodeAccepted, ClusterView, ReclaimLeases})
#: Messages after which an owner lets go of what the dead have.
DEATHS: Final = frozenset({NodeDied, OwnerDied})
DELAYS: Final = (0.0, 0.0001, 0.003, 0.04, 1.2)
STALLS: Final = (0.0, 0.002, 0.03, 1.5)
#: Seconds without any progress after which whoever still waits waits for ever.
PATIENCE: Final = 20.0

_NUMBER: Final = attrgetter("number")

Process: TypeAlias = "OwnerProcess | NodeHost | HeadHost"


class Stuck(AssertionError):
    """Nothing will ever happen again, and somebody waits. The text says who waits for what."""


class World:
    """Everything there is.

    Args:
        chooser: decides.
        nodes: CPUs of each node; the first one has the head, unless that is ``apart``, in a process of its own.
        faults: what goes wrong.
        shared: drivers come and go; workers serve one job each.

    ``make_worker`` makes the process of a worker that a node forks, and starts its program; whoever makes a world sets
    it.
    """

    make_worker: Callable[[NodeHost, WorkerID, bytes], OwnerProcess]

    def __init__(
        self,
        chooser: Chooser,
        nodes: Sequence[float] = (2,),
        *,
        faults: Sequence[Fault] = (),
        limits: NodeLimits | None = None,
        store: int = STORE,
        apart: bool = False,
        shared: bool = False,
    ) -> None:
        self.pick = chooser.pick
        self._choose = chooser_of_events(chooser)
        #: Told of each event when it has been served, and its number before that.
        self.on_event: Callable[[Event, int], None] | None = None
        self.now = 0.0
        #: Bytes of objects that each node can send in a second; 0: any number.
        self.bandwidth = 0.0
        self._busy_until: dict[bytes, float] = {}
        self.steps = 0
        #: Check all invariants after each step.
        self.careful = True
        self.progress = 0.0
        self.network = Network(lambda frm, to: self.now + DELAYS[self.pick("delay", len(DELAYS))])
        self.processes: dict[bytes, Process] = {}
        self.fibers: list[Fiber] = []
        #: The one whose program is in the middle of a step.
        self.running: Fiber | None = None
        self.books = Books(self)
        self.troubles = Troubles(self, faults)
        self.story = Story()
        self.tell = self.story.tell
        self._deferred: list[Deferred] = []
        self._ticks: dict[bytes, float] = {}
        self._pauses: dict[bytes, float] = {}
        self._number = 0
        self._shared = shared
        self._arenas: dict[NodeID, dict[int, bytes]] = {}
        self.head: bytes = HEAD if apart else b"node-000"
        if apart:
            self.processes[HEAD] = HeadHost(self)
        for number, cpus in enumerate(nodes):
            self.add_node(f"node-{number:03}".encode(), {CPU: round(cpus * UNIT)}, limits, store)

    # --- processes ----------------------------------------------------------------------------------------------------

    def add_node(
        self,
        me: NodeID,
        resources: ResourceSet,
        limits: NodeLimits | None = None,
        store: int = STORE,
        labels: dict[str, str] | None = None,
        pid: int = 0,
        refusals: Sequence[Refusal] = (),
    ) -> NodeHost:
        address = "" if me == self.head else self.head_address
        host = NodeHost(self, me, resources, address, limits, store, labels, pid, self._shared, refusals)
        self.processes[me] = host
        host.start()
        return host

    def fork(self, host: NodeHost, me: WorkerID, env: bytes, job: JobDescribed | None = None) -> None:
        """``job`` is whose worker it is, where that is told apart."""
        if job is not None:
            host.job, host.namespace = job.job, job.namespace
        self.network.connect(me, host.me)
        self.make_worker(host, me, env)

    def start(self, client: OwnerProcess, name: str, program: Program[None]) -> Fiber:
        fiber = Fiber(name, client, program, self._stamp())
        self.fibers.append(fiber)
        self.progress = self.now
        return fiber

    def node(self, me: NodeID) -> NodeHost:
        host = self.processes[me]
        assert isinstance(host, NodeHost)
        return host

    def nodes(self) -> list[NodeHost]:
        return [host for host in self.processes.values() if isinstance(host, NodeHost) and host.alive]

    def clients(self) -> list[OwnerProcess]:
        return [client for client in self.processes.values() if isinstance(client, OwnerProcess) and client.alive]

    @property
    def head_core(self) -> HeadCore:
        host = self.processes[self.head]
        core = host.core if isinstance(host, HeadHost) else self.node(self.head).head
        assert core is not None
        return core

    @property
    def head_address(self) -> str:
        return self.processes[self.head].address

    def arena(self, node: NodeID) -> dict[int, bytes]:
        return self._arenas.setdefault(node, {})

    # --- deaths -------------------------------------------------------------------------------------------------------

    def crash(self, process: bytes, reason: str) -> None:
        """Kill: what was sent last may be lost."""
        self.books.may_overcount = True
        self._end(process, reason, lambda count: count - self.pick("keep", count + 1))

    def end(self, process: bytes, reason: str) -> None:
        """The process ends by itself: what was sent arrives."""
        self._end(process, reason, lambda count: count)

    def _end(self, process: bytes, reason: str, keep: Callable[[int], int]) -> None:
        victim = self.processes.get(process)
        if victim is None or not victim.alive:
            return
        victim.alive = False
        if isinstance(victim, OwnerProcess):
            self.books.may_dangle |= victim.core.unfinished.running() > 0 or bool(victim.core.refs.passed_on)
        self.network.end(process, "end of file", keep)
        for fiber in [fiber for fiber in self.fibers if fiber.client is victim]:
            self.fibers.remove(fiber)
            if fiber is not self.running:
                self.close(fiber)
        self._deferred = [event for event in self._deferred if event.process != process]
        self._ticks.pop(process, None)
        if isinstance(victim, NodeHost):
            with_it = [client for client in self.clients() if client.node == process and not client.outlives_node]
            for client in with_it:
                self._end(client.me, "its node died", keep)
        elif isinstance(victim, OwnerProcess) and victim.executes and self.processes[victim.node].alive:
            self.network.notify(process, victim.node, Ended(reason))

    def close(self, fiber: Fiber) -> None:
        """Unwind a program whose process has ended."""
        outer, self.running = self.running, fiber
        try:
            fiber.program.close()
        finally:
            self.running = outer

    def replace_head(self, reason: str) -> None:
        """The head dies. Some time later another one takes its place."""
        old = self.processes[HEAD]
        if not isinstance(old, HeadHost) or not old.alive:
            return
        self._end(HEAD, reason, lambda count: count - self.pick("keep", count + 1))
        kept = old.kept

        def come_back() -> None:
            head = self.processes[HEAD] = HeadHost(self, kept)
            head.start()

        self.later(HEAD, come_back)

    def replace_node(self, before: NodeHost, refusals: Sequence[Refusal]) -> None:
        """Some time later another one takes the place of a node that was refused."""
        me = before.me[:3] + bytes([before.me[3] + 1]) + before.me[4:]  # node-001, nodf-001, nodg-001

        def start() -> None:
            self.add_node(me, before.resources, before.limits, before.store, before.labels, before.pid, refusals)

        self.later(me, start)

    def stop_node(self, node: NodeID) -> None:
        self.end(node, "it stopped")

    def cut(self, one: bytes, other: bytes, reason: str = "the connection broke") -> None:
        """The connection between two clients breaks."""
        self.books.may_dangle = self.books.may_leak = True
        self.cut_link(one, other, reason)

    def cut_link(self, one: bytes, other: bytes, reason: str = "the connection broke") -> None:
        """The connection of a node with a process of another breaks: nothing is lost for good with it.

        So does that of the head, where it is apart.
        """
        self.network.cut(one, other, reason, lambda count: count - self.pick("keep", count + 1))

    # --- messages -----------------------------------------------------------------------------------------------------

    def send(self, frm: bytes, to: bytes, message: Message, address: str, body: bytes = b"") -> None:
        sender = self.processes[frm]
        if self.network.broken(frm, to) or not sender.alive:
            return
        if not self.network.connected(frm, to):
            there = self.processes.get(to)
            if not address:
                self.network.notify(to, frm, Lost("there is no connection to it"))
                return
            if there is None or not there.alive:
                self.network.notify(to, frm, Lost("it cannot be reached", False))
                return
            assert address == there.address, f"{to.hex()} is sought at {address}"
            self.network.connect(frm, to)
        earliest = 0.0
        if body and self.bandwidth:
            earliest = max(self.now, self._busy_until.get(frm, 0.0)) + len(body) / self.bandwidth
            self._busy_until[frm] = earliest
        self.network.send(frm, to, message, body, earliest)

    def later(self, process: bytes, run: Callable[[], None]) -> None:
        self._deferred.append(Deferred(self._stamp(), "later", process, run))

    def _deliver(self, channel: Channel) -> None:
        parcel = self.network.take(channel)
        frm, to, content = channel.source, channel.process, parcel.content
        process = self.processes[to]
        if isinstance(content, Lost):
            self.tell(self.now, "lost", frm, to)
            if isinstance(process, OwnerProcess):
                process.lost(frm, content.reason)
            else:
                process.lost(frm, content.reason, content.reached)
        elif isinstance(content, Ended):
            self.tell(self.now, "ended", frm, to)
            assert isinstance(process, NodeHost)
            process.process_ended(frm, content.reason)
        else:
            message = decode_chunk(content) if parcel.body else decode(content)
            kind = type(message)
            self.tell(self.now, kind.__name__, frm, to, content)
            if kind not in NOISE:
                self.progress = self.now
            if kind in DEATHS:
                self.books.note_death(message)
            if isinstance(message, Chunk):
                assert isinstance(process, NodeHost)
                process.take_body(frm, message, parcel.body)
            process.receive(frm, message)
            if isinstance(process, NodeHost):
                self.troubles.heard(frm, process, kind, content)

    # --- steps --------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Serve one event; let time pass if there is none."""
        self.steps += 1
        if self.steps in self.troubles.planned or self.troubles.lasting:
            self._trouble()
        events = self._events()
        while not events:
            self._advance()
            events = self._events()
        event = events[self._choose(events)] if len(events) > 1 else events[0]
        number = event.number
        if isinstance(event, Channel):
            self._deliver(event)
        elif isinstance(event, Fiber):
            self._resume(event)
        else:
            self._do(event)
        if self.on_event is not None:
            self.on_event(event, number)
        process = self.processes[event.process]
        if process.alive:
            if self.careful:
                process.check()
            if event.name != "due" and event.process in self._pauses:
                del self._pauses[event.process]
            if process.restless:
                self._plan_tick(event.process)
        if self.careful and isinstance(process, OwnerProcess):
            self.books.check_one(process)

    def _plan_tick(self, me: bytes) -> None:
        """What lies there is looked after soon; ever later, if that comes to nothing."""
        if me not in self._ticks:
            pause = self._pauses.get(me, TICK)
            self._ticks[me] = self.now + pause
            self._pauses[me] = min(2 * pause, 64 * TICK)

    def _trouble(self) -> None:
        """What goes wrong now may hit any process."""
        if self.troubles.strike() and self.careful:
            for process in self.processes.values():
                if process.alive:
                    process.check()
            self.books.check()

    def _events(self) -> list[Event]:
        now = self.now
        events: list[Event] = [*self.network.ready(now), *self._deferred]
        events += [
            fiber
            for fiber in self.fibers
            if fiber.wake <= now or ((until := fiber.until) is not None and until.done) or fiber.client.to_interrupt
        ]
        if self.network.paused:
            events = [event for event in events if node_of(event.process) not in self.network.paused]
        if len(events) > 1:
            events.sort(key=_NUMBER)  # they are different
        return events

    def _do(self, event: Deferred) -> None:
        self._deferred.remove(event)
        self.tell(self.now, event.name, event.process)
        event.run()

    def _resume(self, fiber: Fiber) -> None:
        self.tell(self.now, "run", fiber.client.me)
        client = fiber.client
        self.running = fiber
        self.progress = self.now
        try:
            if client.to_interrupt:
                client.to_interrupt = False
                wants = fiber.program.throw(Interrupted())
            else:
                wants = next(fiber.program)
        except StopIteration:
            if fiber in self.fibers:
                self.fibers.remove(fiber)
            return
        finally:
            self.running = None
        if client.alive:
            self.park(fiber, wants)
        else:
            fiber.program.close()

    def park(self, fiber: Fiber, wants: Sleep | Until) -> None:
        """The program does not go on before it has what it wants."""
        fiber.number = self._stamp()
        if isinstance(wants, Sleep):
            fiber.until = None
            fiber.wake = self.now + wants.seconds + STALLS[self.pick("stall", len(STALLS))]
        else:
            fiber.until = wants
            fiber.wake = wants.deadline

    def _advance(self) -> None:
        """Nothing can happen now: let time pass until something can."""
        paused = self.network.paused
        times = [fiber.wake for fiber in self.fibers if fiber.wake < NEVER and fiber.client.node not in paused]
        held_up = self.network.next_time()
        if held_up is not None:
            times.append(held_up)
        deadlines = self._deadlines()
        times += [when for when, _ in deadlines]
        times += [when for when, _ in self.troubles.lasting]
        if not times:
            raise Stuck(f"nothing will ever happen again\n{self.describe()}")
        self.now = max(self.now, min(times))
        if self.troubles.lasting:
            self.troubles.pass_by()
        self._note_due(deadlines)

    def let_pass(self, seconds: float) -> None:
        """Let time pass although something can happen now."""
        self.now += seconds
        self.progress = self.now
        self._note_due(self._deadlines())

    def _deadlines(self) -> list[tuple[float, bytes]]:
        """When which process has something to do."""
        deadlines: list[tuple[float, bytes]] = []
        paused = self.network.paused
        for me, process in self.processes.items():
            if process.alive and not (paused and node_of(me) in paused):
                when, tick = process.next_deadline(), self._ticks.get(me)
                if when is None or (tick is not None and tick < when):
                    when = tick
                if when is not None:
                    deadlines.append((when, me))
        return deadlines

    def _note_due(self, deadlines: list[tuple[float, bytes]]) -> None:
        for when, me in deadlines:
            if when <= self.now:
                self._ticks.pop(me, None)
                self._deferred.append(Deferred(self._stamp(), "due", me, self.processes[me].tick))

    # --- small things -------------------------------------------------------------------------------------------------

    def fraction(self, what: str) -> float:
        return self.pick(what, 16) / 16

    def _stamp(self) -> int:
        return self.network.stamp()

    def trace(self) -> str:
        """A fingerprint of the run so far: every event with its time and its bytes."""
        return f"{self.steps} steps, {self.now:.6f} s, {self.story.fingerprint()}"

    def describe(self) -> str:
        """Who waits for what, and the last events."""
        lines = [f"at {self.now:.4f} s, step {self.steps}:"]
        for client in self.clients():
            lines += self.books.describe(client)
        return "\n".join([*lines, "the last events:", *("  " + line for line in self.story.lines())])
