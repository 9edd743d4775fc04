"""The node process: hosts the node's core, on the first node the head's too, and forks the workers.

    driver, workers ──► hub ──► node core ◄──► head core        (messages between the two never leave the process)
                                    │
                         fork, signal, wait ──► workers

One thread, one loop. It sleeps until a peer speaks, a worker ends (SIGCHLD) or a core's deadline comes, passes on what
there is, and carries out what the cores then ask for. Nothing of the user's runs here.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from typing import Final

from rustyray.core.effects import (
    Effect,
    EndProcess,
    ForkWorker,
    FreeExtent,
    MeasureMemory,
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
from rustyray.core.head import HeadCore
from rustyray.core.node import NodeCore
from rustyray.engines.native.arena import Arena
from rustyray.engines.native.memory import Meter
from rustyray.engines.native.network.bodies import Bodies
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.network.nonsense import cut_off
from rustyray.engines.native.network.parting import Asker
from rustyray.engines.native.outputs import Outputs
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot
from rustyray.engines.native.processes.spare import Spare
from rustyray.engines.native.processes.surroundings import tell
from rustyray.engines.native.processes.worker_processes import WorkerProcesses, settle_in
from rustyray.engines.native.spill_file import SpillFile
from rustyray.model.ids import NODE_ID_SIZE, WorkerID, worker_id
from rustyray.model.messages import (
    BETWEEN_NODES,
    FOR_HEAD,
    FROM_NODES,
    HEAD,
    ArenaLent,
    AskJobs,
    Chunk,
    JobAccepted,
    JobDescribed,
    KeepApart,
    KeptApart,
    LendArena,
    Message,
    RegisterJob,
    Role,
    WorkerReady,
)
from rustyray.model.resources import of_node

#: Seconds that peers have to take what the node said last, and killed workers to be gone.
FAREWELL: Final = 1.0
#: So often node and head may answer each other before the loop goes on.
MAX_ROUNDS: Final = 10_000
#: Drivers that come by themselves are numbered from here on, workers from 1.
FIRST_GUEST: Final = 1 << 31


class NodeProcess:
    """The loop and what it holds."""

    def __init__(
        self, boot: NodeBoot, arena_fd: int, listeners: list[socket.socket], first_worker: Spare | None
    ) -> None:
        self.boot = boot
        self.arena_fd = arena_fd
        self.hub = Hub(
            role=Role.NODE,
            identity=boot.node,
            session=boot.session,
            key=boot.key,
            on_lost=self.on_lost,
            near=boot.node,
            certificates=boot.certificates,
        )
        for listener in listeners:
            self.hub.listen(listener)
        self.node = NodeCore(
            boot.node,
            of_node(boot.resources, boot.arena_size, boot.host, boot.first),
            address=boot.address,
            store_capacity=boot.arena_size,
            head_address=boot.head_address,
            prestart=boot.prestart,
            embedded_driver=boot.driver or None,
            hostname=os.uname().nodename,
            pid=os.getpid(),
            labels=boot.labels,
            shared=boot.shared,
            limits=boot.limits,
            refusals=boot.refusals,
        )
        self.bodies = self.hub.bodies = Bodies(self.node, Arena(arena_fd, boot.arena_size), lambda: self.now)
        self.spill_file = SpillFile(boot.spill_directory, arena_fd, self.hub.wake)
        self.meter = Meter(arena_fd, boot.memory_limit)
        self.head = None if boot.head_address else HeadCore()
        self.warned: set[str] = set()
        self.terminated = False
        self.stopped = False
        self.again: StartAgain | None = None
        self.descriptors = boot.descriptors or kernel.raise_descriptor_limit()
        if boot.descriptors:
            kernel.limit_descriptors(boot.descriptors)
        self.now = time.monotonic()
        self.woken, self.wake = kernel.open_wake_pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.set_wakeup_fd(self.wake, warn_on_full_buffer=False)
        self.hub.watch(self.woken, self.on_signal)
        self.apart = Asker(self.hub, boot.driver)
        #: What workers of drivers that came by themselves write goes through us.
        self.outputs = Outputs(self.hub)
        self.workers = WorkerProcesses(boot, arena_fd, self.outputs, self.leave, first_worker)
        self.lent = FIRST_GUEST

    # --- the loop -----------------------------------------------------------------------------------------------------

    def run(self) -> StartAgain | None:
        """Run until the node has ended; says whether this process is to be another one then."""
        boot = self.boot
        try:
            if self.head is not None and not boot.shared:
                # The driver will register too; but its first workers are forked before, and are to know its job.
                self.head.on_message(boot.node, RegisterJob(boot.driver, boot.namespace, boot.driver_pid), self.now)
                self.carry_out()
            self.node.start(self.now)
            self.carry_out()
            while not self.stopped:
                self.turn(self.patience())
            self.say_farewell()
            return self.successor()
        except Exception:
            # A bug of ours: nobody can be told through the cores any more, but nobody is left hanging either.
            self.workers.kill_all()
            raise

    def turn(self, timeout: float | None) -> None:
        self.hub.flush()
        events = self.hub.wait(timeout)
        self.now = time.monotonic()
        for peer, message in self.hub.process(events):
            try:
                self.deliver(peer, message)
                self.carry_out()
            except Exception as error:
                if peer == self.boot.driver:
                    raise  # the runtime is the driver's own: it is to hear of the bug
                cut_off(self.hub, peer, message, error)
        self.outputs.resume()
        for work, checksum, problem in self.spill_file.answers():
            if isinstance(work, SpillObject):
                self.node.spilled(work.place, checksum, problem, self.now)
            else:
                self.node.restored(work.place, problem, self.now)
        self.bury()
        self.node.on_time(self.now)
        if self.head is not None:
            self.head.on_time(self.now)
        self.carry_out()

    def patience(self) -> float | None:
        """Seconds until something is due."""
        due = [self.node.next_deadline(), self.head.next_deadline() if self.head is not None else None]
        due += [until for _, until in self.workers.dead.values()]
        times = [when for when in due if when is not None]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def say_farewell(self) -> None:
        """Let the last messages out, and wait for killed workers, which would be somebody else's zombies."""
        self.workers.end_spare()
        until = time.monotonic() + FAREWELL
        while self.workers.pids and (left := until - time.monotonic()) > 0:
            self.hub.process(self.hub.wait(left))
            self.workers.reap(self.now)
        self.hub.flush()
        while self.hub.backlog(self.boot.driver or self.boot.head) and (left := until - time.monotonic()) > 0:
            self.hub.process(self.hub.wait(left))
        self.hub.close()

    def successor(self) -> StartAgain | None:
        """None if this process is to end for good. From now on SIGTERM ends it at once."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.on_signal()
        kernel.lower_descriptor_limit(self.descriptors)
        return None if self.terminated else self.again

    # --- messages -----------------------------------------------------------------------------------------------------

    def deliver(self, peer: bytes, message: Message) -> None:
        """Hand a message from another process to the core that it is for."""
        kind = type(message)
        if kind is LendArena:
            self.lend(peer)
        elif isinstance(message, AskJobs):
            self.tell_of_jobs(peer, message)
        elif self.boot.partitions and self.part(peer, message):
            pass
        elif self.head is None:
            from_head = peer == self.boot.head and kind not in BETWEEN_NODES
            self.node.on_message(HEAD if from_head else peer, message, self.now)
        elif kind in FOR_HEAD or (kind in FROM_NODES and len(peer) == NODE_ID_SIZE):
            self.head.on_message(peer, message, self.now)
        else:
            self.node.on_message(peer, message, self.now)

    def part(self, peer: bytes, message: Message) -> bool:
        """See `parting`. Whether that was all that the message is about."""
        match message:
            case KeepApart() if peer == self.boot.driver:
                self.apart.keep_apart(message, self.workers.pids)
            case KeptApart():
                self.apart.answered(peer)
            case WorkerReady():
                self.apart.started(peer)
                return False
            case _:
                return False
        return True

    def lend(self, peer: bytes) -> None:
        """Give a driver that has come by itself the store's memory, and its name."""
        self.lent += 1
        self.hub.lend(peer, ArenaLent(worker_id(self.boot.node, self.lent), self.boot.arena_size), self.arena_fd)

    def tell_of_jobs(self, peer: bytes, message: AskJobs) -> None:
        """Of programs that were submitted on this machine."""
        from rustyray.engines.native.standing.serving import answer

        self.hub.send(peer, answer(self.boot, message))

    def on_lost(self, peer: bytes, reason: str) -> None:
        if self.head is not None:
            self.head.on_peer_lost(peer, reason, self.now, reached=peer not in self.hub.unreached)
        elif peer == self.boot.head:
            self.node.on_peer_lost(HEAD, reason, self.now)
        self.node.on_peer_lost(peer, reason, self.now)
        self.apart.answered(peer)

    def carry_out(self) -> None:
        """Do what the cores ask for, until neither asks for more."""
        cores: list[NodeCore | HeadCore] = [self.node] if self.head is None else [self.node, self.head]
        for _ in range(MAX_ROUNDS):
            if not any(core.out for core in cores):
                return
            for core in cores:
                effects = core.out[:]
                core.out.clear()
                for number, effect in enumerate(effects, 1):
                    try:
                        self.perform(effect, from_head=core is self.head)
                    except Exception:
                        core.out[:0] = effects[number:]
                        raise
        raise RuntimeError(f"node and head do not come to rest: {[core.out[:3] for core in cores]}")

    def perform(self, effect: Effect, *, from_head: bool) -> None:
        match effect:
            case Send(to=to, message=message, address=address):
                self.send(to, message, address, from_head=from_head)
            case ForkWorker(worker=worker, job=job, env=env):
                self.fork_worker(worker, job, env)
            case EndProcess(worker=worker, force=force):
                self.workers.end(worker, force)
            case FreeExtent():
                pass  # The pages stay: the core counts on them when it says which part of an extent was touched.
            case SendChunk(to=to, object=object_, pull=pull, offset=offset, begin=begin, size=size, copied=copied):
                body = self.bodies.view(offset + begin, size, copied)
                self.hub.send_body(to, Chunk(object_, pull, begin, size), body)
            case MeasureMemory():
                self.measure_memory()
            case SpillObject() | RestoreObject() | TrimSpilled():
                self.spill_file.do(effect)
            case TrimArena(extents=extents):
                for start, size in extents:
                    kernel.punch_hole(self.arena_fd, start, size)
            case Warn(text=text):
                if text not in self.warned:
                    self.warned.add(text)
                    tell(text)
            case StartAgain():
                self.again = effect
            case Stopped():
                self.stopped = True
            case _:
                raise TypeError(f"a node cannot do what its core asks for: {effect!r}")

    def send(self, to: bytes, message: Message, address: str, *, from_head: bool) -> None:
        if to == HEAD:
            if self.head is None:
                self.hub.send(self.boot.head, message, self.boot.head_address)
            else:
                self.head.on_message(self.boot.node, message, self.now)
        elif to == self.boot.node:
            if isinstance(message, JobAccepted) and message.driver == self.boot.driver:
                self.workers.job, self.workers.namespace = message.job, message.namespace
            self.node.on_message(HEAD if from_head else to, message, self.now)
        else:
            self.hub.send(to, message, address)

    # --- processes ----------------------------------------------------------------------------------------------------

    def measure_memory(self) -> None:
        memory = self.meter.read(self.workers.pids)
        if memory is not None:
            self.node.measured(memory, self.now)

    def fork_worker(self, worker: WorkerID, job: JobDescribed | None, env: bytes) -> None:
        self.hub.flush()  # a fork takes long: nobody is to wait for it who need not
        problem = self.workers.fork(worker, job, env)
        if problem:
            self.node.process_ended(worker, problem, self.now)

    def leave(self) -> None:
        """In a worker, just forked: let go of what is the node's alone."""
        kernel.set_name("rr-worker")
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.hub.after_fork()
        self.outputs.after_fork()
        self.spill_file.after_fork()
        os.close(self.woken)
        os.close(self.wake)
        kernel.lower_descriptor_limit(self.descriptors)
        settle_in(self.boot.cpus)

    def on_signal(self) -> None:
        """SIGCHLD or SIGTERM has come; the loop does what follows after the messages."""
        self.terminated |= signal.SIGTERM in kernel.drain(self.woken)

    def bury(self) -> None:
        """Tell the core of the processes that have ended and whose connection is read to its end."""
        self.workers.reap(self.now)
        for worker, (how, until) in list(self.workers.dead.items()):
            if not self.hub.has_link(worker):
                del self.workers.dead[worker]
                self.node.process_ended(worker, f"it {how}", self.now)
            elif self.now >= until:
                self.hub.drop(worker, "its process has ended")
        if self.terminated:
            self.terminated = False
            self.node.shut_down(self.boot.grace, self.now)
