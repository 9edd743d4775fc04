"""``OwnerCore``: the part of the runtime inside every driver and worker, without any I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from rustyray.core.effects import Effect
from rustyray.core.owner.actors import Actors, spec_of
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.asking import Asking
from rustyray.core.owner.calls import CREATION, Calls
from rustyray.core.owner.cancelling import Cancels
from rustyray.core.owner.deaths import Deaths
from rustyray.core.owner.freeing import Freeing
from rustyray.core.owner.groups import Groups
from rustyray.core.owner.head import HeadLine
from rustyray.core.owner.history import History
from rustyray.core.owner.incoming import Incoming
from rustyray.core.owner.records import Borrowing, FunctionStats, IllegalTaskStep, ObjectEntry, Record
from rustyray.core.owner.references import References
from rustyray.core.owner.scheduling import Scheduler
from rustyray.core.owner.tasks import Tasks
from rustyray.core.owner.unfinished import Unfinished
from rustyray.core.past import Kinds
from rustyray.core.story import Journal
from rustyray.model.ids import (
    FIRST_RETURN,
    HANDLE_INDEX,
    HIDDEN,
    TASK_ID_SIZE,
    ActorID,
    GroupID,
    JobID,
    NodeID,
    ObjectID,
    TaskID,
    WorkerID,
    handle_id,
    object_id,
    task_id,
)
from rustyray.model.messages import HEAD, Call, KillActor, Message, Task
from rustyray.model.plans import ActorPlan, MethodPlan, TaskPlan
from rustyray.model.values import Failed, Fault, FaultKind, RefInfo, Value

#: Tasks that may pile up unsent before a submission sends them itself; less waits for company (see `flush`).
BATCH = 64
#: Messages that a story goes back.
STORY = 20


class Timed(Protocol):
    """A part of a process that has something to do at a time."""

    def next_deadline(self) -> float | None: ...

    def on_time(self, now: float) -> None: ...


class OwnerCore:
    """Owns objects, submits tasks and calls. Not thread-safe: the host serialises.

    Args:
        me: this process' id; ``address`` is where it listens.
        node: the node it asks for leases and store space.
        job: the job on whose behalf it works.
        jitter: numbers in [0, 1) for back-off, from the host's source.
    """

    def __init__(
        self, me: WorkerID, address: str, node: NodeID, job: JobID, jitter: Callable[[], float] = lambda: 0.5
    ) -> None:
        self.me = me
        self.out: list[Effect] = []
        self.journal = journal = Journal()
        #: What came in last, without its content: the story that an illegal step tells.
        self._story: deque[tuple[float, bytes, str]] = deque(maxlen=STORY)
        self.freeing = Freeing(node, self.out)
        self.refs = References(me, address, node, self.out, self.freeing)
        self.asking = Asking(self.refs, self.out)
        self.history = History(journal)
        self.sched = Scheduler(me, node, job, self.out, self.history)
        self.arguments = Arguments(self.refs, self.asking, self.sched)
        self.tasks = Tasks(self.refs, self.freeing, self.sched, self.arguments, self.history, self.out, jitter)
        self.calls = Calls(self.refs, self.tasks, self.arguments, self.history, self.out)
        self.actors = Actors(self.refs, self.arguments, self.calls, self.history, self.out)
        self.groups = Groups(self.refs, self.arguments, self.out)
        self.head = HeadLine(self.actors, self.groups, self.out)
        self.actors.kill = self.head.kill
        self.refs.on_freed = self._on_freed
        self.objects = self.refs.objects
        self.closed: str = ""
        #: What else of this process waits for a moment.
        self.timed: list[Timed] = []
        #: What was submitted.
        self.kinds = Kinds()
        self._number = 0
        self.deaths = Deaths(self.refs, self.asking, self.sched, self.arguments, self.tasks, self.actors)
        self.cancels = Cancels(self.refs, self.tasks, self.calls, self.out)
        self.timed.append(self.cancels)
        self.unfinished = Unfinished(self.refs, self.sched, self.arguments, self.tasks, self.actors, self.deaths)
        self._handlers = Incoming(self).handlers

    # --- what the program does ----------------------------------------------------------------------------------------

    def next_task(self) -> TaskID:
        self._number = number = self._number + 1
        return task_id(self.me, number)

    def submit(
        self,
        plan: TaskPlan,
        args: bytes,
        buffers: list[bytes] | None,
        refs: list[RefInfo] | None,
        deps: list[ObjectID] | None,
        parent: TaskID,
        now: float,
        trace: dict[str, str] | None = None,
    ) -> TaskID:
        """Submit a task. Its return objects exist from now on, each with one local reference for the caller."""
        if self.closed:
            raise RuntimeError(self.closed)
        me = self.me
        stats = plan.slot
        if type(stats) is not FunctionStats or stats.home is not me:
            stats = self.sched.stats_for(plan)
        target = stats.target
        self._number = number = self._number + 1
        tid = me + number.to_bytes(8, "big")
        kinds = self.kinds
        if plan is not kinds.plan or now > kinds.until:
            kinds.note(plan, number, plan.shown, now)
        task = Task(tid, plan.fn, args, plan.returns, stats.name, 0, stats.attempts, None, buffers, refs)
        if trace is not None:
            task.trace = trace
        record = Record(task, plan, target, plan.max_retries, parent, now, now)
        if plan.returns == 1:
            record.entry = self.objects[tid + FIRST_RETURN] = ObjectEntry(None, 1, 0, record)
        else:
            self._make_returns(record, tid, plan.returns)
        if deps or refs:
            self.arguments.submit(record, deps or [], now)
            return tid
        queue = target.queue
        queue.append(record)
        if target.idle or not target.leases:
            self.sched.push_now(target, now)
        elif not len(queue) % BATCH:
            self.sched.pump(target, now)
        return tid

    def _make_returns(self, record: Record, tid: TaskID, returns: int) -> None:
        if returns < 0:
            record.entry = self.objects[tid + FIRST_RETURN] = ObjectEntry(None, 1, 0, record)
            self.tasks.streams.open(record)
        for index in range(returns):
            self.objects[object_id(tid, index)] = entry = ObjectEntry(None, 1, 0, record)
            record.entry = record.entry or entry

    def put(self, value: Value, object_: ObjectID | None = None) -> ObjectID:
        """Own a value that is there already; with one local reference for the caller."""
        if self.closed:
            raise RuntimeError(self.closed)
        if object_ is None:
            self._number = number = self._number + 1
            object_ = self.me + number.to_bytes(8, "big") + FIRST_RETURN
        if type(value) is not bytes:
            for info in getattr(value, "refs", None) or ():
                self.refs.hold(info.object, info.owner_address)
        self.objects[object_] = ObjectEntry(value, 1)
        return object_

    def group_ready(self, group: GroupID, value: Value) -> ObjectID:
        """A new object, ours, that gets ``value`` when the placement group is created; an error if it is removed."""
        if self.closed:
            raise RuntimeError(self.closed)
        object_ = self.next_task() + FIRST_RETURN
        self.groups.ready(group, object_, value)
        return object_

    def create_actor(
        self,
        plan: ActorPlan,
        args: bytes,
        buffers: list[bytes] | None,
        refs: list[RefInfo] | None,
        deps: list[ObjectID] | None,
        request: int,
        namespace: str,
        now: float,
    ) -> ActorID:
        """Create an actor; its first handle is the local reference to ``handle_id(actor)`` for the caller.

        ``namespace`` is where its name is unique, unless the plan says otherwise.
        """
        if self.closed:
            raise RuntimeError(self.closed)
        actor = self.next_task()
        self.kinds.note(plan, self._number, plan.class_name, now, actor)
        spec = spec_of(plan, actor, self.sched.requests.job, self.refs.address, namespace)
        call = Call(actor, actor, CREATION.name, 0, args, 0, buffers=buffers, refs=refs)
        record = Record(call, CREATION, self.calls.link(actor, plan.max_task_retries), 0, b"", now, now)
        if not plan.detached:
            self.objects[handle_id(actor)] = ObjectEntry(b"", 1)
        self.actors.create(spec, record, deps or [], request, plan.get_if_exists, now)
        return actor

    def call(
        self,
        actor: ActorID,
        max_task_retries: int,
        plan: MethodPlan,
        args: bytes,
        buffers: list[bytes] | None,
        refs: list[RefInfo] | None,
        deps: list[ObjectID] | None,
        parent: TaskID,
        now: float,
        trace: dict[str, str] | None = None,
    ) -> TaskID:
        """Call a method; like `submit` for its return objects."""
        if self.closed:
            raise RuntimeError(self.closed)
        self.journal.now = now
        link = self.calls.links.get(actor) or self.calls.link_for(actor, max_task_retries)
        if plan.max_pending:
            self.calls.check_pending(link, plan)
        self._number = number = self._number + 1
        tid = self.me + number.to_bytes(8, "big")
        kinds = self.kinds
        if plan is not kinds.plan or now > kinds.until or actor != kinds.actor:
            kinds.note(plan, number, plan.shown, now, actor)
        retries = plan.max_task_retries or max_task_retries
        call = Call(
            tid, actor, plan.name, 0, args, plan.returns, 0, retries + 1 if retries >= 0 else 0, None, buffers, refs
        )
        if trace is not None:
            call.trace = trace
        if plan.group:
            call.group = plan.group
        if plan.call_name:
            call.name = plan.call_name
        record = Record(call, plan, link, retries, parent, now, now)
        if plan.returns == 1:
            record.entry = self.objects[tid + FIRST_RETURN] = ObjectEntry(None, 1, 0, record)
        else:
            self._make_returns(record, tid, plan.returns)
        self.calls.call(link, record, deps or [], now)
        return tid

    def kill_actor(self, actor: ActorID, no_restart: bool, now: float) -> None:
        """End the actor. Unless it may be restarted, this process' calls fail from now on, not only once it is dead."""
        if no_restart:
            self.actors.killed(actor, now)
        self.head.kill(KillActor(actor, no_restart, False, "killed with rustyray.kill"))

    def watch(self, object_: ObjectID) -> ObjectEntry:
        """A local thread waits for the object: `Ready` will name it. A borrowed one is asked for."""
        entry = self.objects.get(object_)
        if entry is None:
            entry = self.objects[object_] = ObjectEntry()
            entry.more = Borrowing()
            entry.value = Fault(
                FaultKind.OBJECT_LOST, f"object {object_.hex()} is not known here: its runtime has ended"
            )
        elif entry.value is None:
            entry.watched = True
            self.asking.ask(object_, entry)
        return entry

    def drop(self, dropped: list[ObjectID]) -> None:
        """Settle the count of local references that are gone."""
        self.refs.drop_local(dropped)

    def flush(self, now: float) -> None:
        """Send what waited for company: called when a thread is about to wait, and by the background thread."""
        self.journal.now = now
        for target in self.sched.classes.values():
            if target.queue:
                self.sched.pump(target, now)
        for link in list(self.calls.unsent.values()):
            self.calls.pump(link)
        self.freeing.flush()

    @property
    def has_unsent(self) -> bool:
        if self.calls.unsent:
            return True
        for target in self.sched.classes.values():  # noqa: SIM110 - a simulator asks after every event
            if target.queue and target.leases:
                return True
        return False

    # --- what the network does ----------------------------------------------------------------------------------------

    def on_message(self, sender: bytes, message: Message, now: float) -> None:
        handler = self._handlers.get(type(message))
        if handler is None:
            raise TypeError(f"an owner does not take {type(message).__name__}")
        self._story.append((now, sender, type(message).__name__))
        self.journal.now = now
        try:
            handler(sender, message, now)
        except IllegalTaskStep as error:
            lines = "".join(f"\n  {when:.6f} {what} from {peer.hex()}" for when, peer, what in self._story)
            raise IllegalTaskStep(f"{error}; what came in before:{lines}") from error

    def judged(self, task: TaskID, verdict: bool | Failed, now: float) -> None:
        """The answer to a `JudgeFailure` effect."""
        self.tasks.retries.judged(task, verdict, now)

    def on_peer_lost(self, peer: bytes, reason: str, now: float) -> None:
        """A connection is gone. How the process ended, its node knows; until it tells, nothing is pushed there."""
        self._story.append((now, peer, "loss of the connection"))
        self.journal.now = now
        self.journal.note("fault", peer, "connection lost", reason)
        if peer == HEAD:
            self.head.lost(now)
        else:
            self.deaths.peer_lost(peer, reason, now)

    # --- time and the end ---------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        soonest = self.sched.next_deadline()
        for host in self.timed:
            other = host.next_deadline()
            if other is not None and (soonest is None or other < soonest):
                soonest = other
        for other in (self.tasks.retries.next_deadline(), self.deaths.next_deadline(), self.head.next_deadline()):
            if other is not None and (soonest is None or other < soonest):
                soonest = other
        return soonest

    def on_time(self, now: float) -> None:
        self.journal.now = now
        self.tasks.retries.on_time(now)
        self.sched.on_time(now)
        self.deaths.on_time(now)
        self.head.on_time(now)
        for other in self.timed:
            other.on_time(now)

    def close(self, reason: str) -> None:
        """Accept nothing any more: `submit`, `call`, `put` and `create_actor` raise RuntimeError with ``reason``."""
        self.closed = reason
        self.journal.note("lifecycle", b"", "closed", reason)

    def retire(self) -> None:
        """The program of this process is over. What it held itself does not count any more; what others hold does."""
        self.refs.retire()

    def _on_freed(self, object_: ObjectID, record: Record | None) -> None:
        if object_[TASK_ID_SIZE] == HIDDEN:
            if object_.endswith(HANDLE_INDEX):
                self.actors.handles_gone(object_[:-4])
            else:
                self.tasks.streams.close(object_[:-4])
        elif record is not None and record.task.returns < 0:
            self.tasks.streams.freed(object_, record)
        else:
            self.tasks.lineage.freed(object_, record)

    def check(self) -> None:
        """Raises AssertionError when any part contradicts itself."""
        self.refs.check()
        self.sched.check()
        self.arguments.check()
        self.tasks.retries.check()
        self.tasks.lineage.check()
        self.tasks.streams.check()
        self.calls.check()
