"""``ExecutorCore``: what a worker does with the tasks and calls that owners push to it, without any I/O.

It decides the order of execution, what is given back, what is cancelled, and who is told; the host runs the user's
code. Tasks run one at a time in the order of arrival. An actor's calls run in the order of arrival, which per caller is
the order of the calls; how many at once is the host's business (``max_concurrency``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from rustyray.core.effects import Effect, Send
from rustyray.core.jobs import NO_GPUS, Interrupt, Job, Start, Stop
from rustyray.core.past import Batch, Batches
from rustyray.core.producing import Producers
from rustyray.core.telling import Teller
from rustyray.model.events import Event
from rustyray.model.ids import ActorID, NodeID, ObjectID, TaskID, WorkerID
from rustyray.model.messages import (
    ActorExited,
    Blocked,
    Call,
    CancelTask,
    Done,
    GiveBack,
    ItemsRead,
    LeaseOver,
    Message,
    PushCalls,
    PushTasks,
    Results,
    Resumed,
    StartActor,
    StopActor,
    StopWorker,
    StreamOver,
    TakeBack,
    Task,
    Unblocked,
    WorkerSpent,
    WorkerStays,
)
from rustyray.model.plans import shown_call
from rustyray.model.resources import as_amounts
from rustyray.model.strategies import Strategy
from rustyray.model.values import Fault, FaultKind, Value

#: Seconds above which a run is remembered by itself; shorter ones together with others of the same message.
SHORT: Final = 0.0005

ExecutorMessage: TypeAlias = (
    PushTasks
    | PushCalls
    | TakeBack
    | CancelTask
    | ItemsRead
    | StreamOver
    | StartActor
    | StopActor
    | StopWorker
    | LeaseOver
)


class ExecutorCore:
    """The receiving side of the data path. Not thread-safe: the host serialises.

    Effects go to ``out``, shared with the worker's owner core so that their order is kept; ``release`` is that one's.
    """

    takes: tuple[type, ...] = (
        PushTasks,
        PushCalls,
        TakeBack,
        CancelTask,
        ItemsRead,
        StreamOver,
        StartActor,
        StopActor,
        StopWorker,
        LeaseOver,
    )

    def __init__(self, me: WorkerID, node: NodeID, out: list[Effect], release: Callable[[ObjectID], None]) -> None:
        self.me = me
        self.node = node
        self.out = out
        self._release = release
        self.queue: deque[Job] = deque()
        self.running: dict[TaskID, Job] = {}
        #: Calls that were made again while their generator runs, which no longer counts: each is next, once that ends.
        self._again: dict[TaskID, Job] = {}
        self.producers = Producers(out, self.flush, release)
        self.blocked = False
        self.stopping = False
        self.leaving = False
        #: What the lease holds that the tasks of the moment run under, and where it had to be.
        self.resources: dict[str, float] = {}
        self.strategy: Strategy | None = None
        self.gpus: Sequence[int] = NO_GPUS
        self._lease = 0
        #: The last of the leases that its node has ended; those before it are older.
        self._over = 0
        #: How often it may run each of the lease's functions, and how often it has run those of which that was said.
        self._max_calls = 0
        self._calls: dict[bytes, int] = {}
        self.spent = False
        self._results: dict[WorkerID, list[Done]] = {}
        #: What is held until they are sent.
        self._back: list[ObjectID] = []
        self._seconds = 0.0
        self._given: dict[int, WorkerID] = {}
        self._expected: dict[WorkerID, int] = {}
        self._farewell: ActorExited | None = None
        #: When the last job began that does not say so itself, and the first of those whose results have gathered.
        self.begun = 0.0
        self._first = 0.0
        #: What ran here last; of that whose results have gathered, what is in there already.
        self.ran = Batches()
        self._alone: dict[TaskID, object] = {}
        #: How many ran here.
        self.count = 0

    # --- what arrives -------------------------------------------------------------------------------------------------

    def on_message(self, sender: bytes, message: Message) -> None:
        if isinstance(message, PushTasks):
            if self.spent or message.lease <= self._over:
                return  # its owner learns that these have not begun: from the last results, or as the lease was lost
            lease = message.lease
            if lease != self._lease:
                self._lease, self.resources, self.strategy = lease, as_amounts(message.resources), message.strategy
                self._max_calls = message.max_calls
                self.gpus = message.gpus or NO_GPUS
            self.queue.extend([Job(sender, lease, task) for task in message.tasks])
            if self.blocked:
                self._give_back_queue()
        elif isinstance(message, PushCalls):
            self._take_calls(sender, message.calls)
        elif isinstance(message, TakeBack):
            self._take_back(sender, message)
        elif isinstance(message, CancelTask):
            self._cancel(sender, message)
        elif isinstance(message, ItemsRead):
            self.producers.on_read(sender, message)
        elif isinstance(message, StreamOver):
            self.producers.on_over(sender, message)
        elif isinstance(message, StartActor):
            self.out.append(Start(message))
        elif isinstance(message, StopActor):
            self.stopping = True
            self.out.append(Stop(message.graceful, message.reason, may_stay=True))
        elif isinstance(message, StopWorker):
            self.stopping = True
            self.out.append(Stop(True, message.reason))
        elif isinstance(message, LeaseOver):
            self._lease_over(message)
        else:
            raise TypeError(f"an executor does not take {type(message).__name__}")

    def _take_calls(self, sender: WorkerID, calls: list[Call]) -> None:
        """A number that was seen is a duplicate; number 0 starts a caller anew (after a broken connection).

        What it had sent before and has not begun, it has given up or sends again; what runs is not run a second time,
        but for a generator whose items were lost with the connection.
        """
        if self.leaving:
            self._expected.setdefault(sender, 0)
            if self._farewell is not None:
                self.out.append(Send(sender, self._farewell))
            return
        expected = self._expected.get(sender, 0)
        if expected and calls[0].seq == 0:
            self.queue = deque(job for job in self.queue if job.caller != sender or job.lease)
            cut = [call for call in calls if self.producers.is_cut(call.id)]
            self._again |= {call.id: Job(sender, 0, call) for call in cut}
            calls = [call for call in calls if call.id not in self.running]
            expected = 0
        for call in calls:
            if call.seq >= expected:
                expected = call.seq + 1
                self.queue.append(Job(sender, 0, call))
        self._expected[sender] = expected

    def _take_back(self, sender: WorkerID, message: TakeBack) -> None:
        back: list[TaskID] = []
        keep: deque[Job] = deque()
        while self.queue:
            job = self.queue.pop()
            if len(back) < message.count and job.lease == message.lease and job.caller == sender:
                back.append(job.task.id)
            else:
                keep.appendleft(job)
        self.queue = keep
        back.reverse()
        self.flush()
        self.out.append(Send(sender, GiveBack(message.lease, back, False)))

    def _cancel(self, sender: WorkerID, message: CancelTask) -> None:
        job = self.running.get(message.task)
        if job is not None:
            job.cancelled = True
            self.out.append(Interrupt(message.task, message.force, message.recursive))
        waiting = self._again.pop(message.task, None)
        if waiting is None and job is None:
            waiting = next((job for job in self.queue if job.task.id == message.task), None)
            if waiting is not None:
                self.queue.remove(waiting)
        if waiting is not None:
            fault = Fault(FaultKind.TASK_CANCELLED, "the task was cancelled before it started", task=message.task)
            self._report(waiting.caller, Done(message.task, [fault], True, None, waiting.task.attempt))
            self.flush()

    def _lease_over(self, message: LeaseOver) -> None:
        """The owner that had this worker is gone: the node hears when nothing of it runs here any more."""
        if self.spent:
            return
        self._over = message.lease
        self.queue = deque(job for job in self.queue if job.lease != message.lease)
        running = [job for job in self.running.values() if job.lease == message.lease]
        for job in running:
            job.orphaned = True
            if message.dead:
                job.cancelled = True
                self.out.append(Interrupt(job.task.id, False, True))
        if not running:
            self.out.append(Send(self.node, WorkerStays()))

    def leave(self) -> None:
        """The actor ends itself: calls that it has not begun are not run; their callers learn it from its end."""
        self.leaving = True
        self.queue.clear()
        self._again.clear()

    def farewell(self, actor: ActorID, incarnation: int, reason: str) -> None:
        """The actor is over: whoever has called it is told that no result comes any more."""
        self.leave()
        self.flush()
        self._farewell = ActorExited(actor, incarnation, reason)
        self.out.extend([Send(caller, self._farewell) for caller in self._expected])

    def owner_died(self, worker: WorkerID) -> None:
        """Nobody waits for these any more."""
        self.queue = deque(job for job in self.queue if job.caller != worker)
        self._again = {task: job for task, job in self._again.items() if job.caller != worker}
        self._results.pop(worker, None)
        self.producers.caller_lost(worker)
        self._expected.pop(worker, None)

    # --- what the host runs -------------------------------------------------------------------------------------------

    def start_next(self, now: float) -> Job | None:
        """The next job, now running; None when there is none."""
        if not self.queue:
            return None
        job = self.queue.popleft()
        self.begun = now
        if not self._results:
            self._first = now
        self.running[job.task.id] = job
        return job

    def finished(
        self, job: Job, values: bytes | list[Value], failed: bool, kept: list[ObjectID] | None, seconds: float
    ) -> None:
        self._seconds += seconds
        self._report(job.caller, Done(job.task.id, values, failed, kept, job.task.attempt))
        if self._max_calls:
            self._count(job)
        self.ended(job)
        if failed or seconds > SHORT:
            what = "run failed" if failed else "run ended"
            self.ran.add(Batch(self.begun_of(job), self.me, job.task.id, 1, b"", seconds, what))
            self._alone[job.task.id] = None

    def _count(self, job: Job) -> None:
        """It ran under a lease whose functions one process may run so many times only; after the last, it ends."""
        task = job.task
        if not isinstance(task, Task):
            return
        calls = self._calls[task.fn] = self._calls.get(task.fn, 0) + 1
        if calls >= self._max_calls:
            self.spent = self.stopping = True
            self.queue.clear()
            self.flush()
            reason = f"it has run {task.name} as often as max_calls={self._max_calls} lets one process"
            self.out += [Send(self.node, WorkerSpent(reason)), Stop(True, reason, may_stay=True)]

    def ended(self, job: Job) -> None:
        """It runs no more, whoever is to be told."""
        del self.running[job.task.id]
        if self._again and (again := self._again.pop(job.task.id, None)) is not None:
            self.queue.appendleft(again)
        if job.back:
            self._back += job.back
        if job.orphaned and not self.spent:
            self.flush()
            self.out.append(Send(self.node, WorkerStays()))

    def _remember(self, tasks: list[TaskID]) -> None:
        """That these ran shortly, one after the other, but for those that are remembered by themselves."""
        if self._alone:
            tasks = [task for task in tasks if self._alone.pop(task, tasks) is tasks]
        if tasks:
            ids = b"".join(tasks) if len(tasks) > 1 else b""
            self.ran.add(Batch(self._first, self.me, tasks[0], len(tasks), ids, self._seconds, "run ended"))

    def begun_of(self, job: Job) -> float:
        """Since when a job runs."""
        return job.begun or self.begun

    def _report(self, caller: WorkerID, done: Done) -> None:
        results = self._results.get(caller)
        if results is None:
            self._results[caller] = [done]
        else:
            results.append(done)

    def flush(self) -> None:
        """Send the results that have gathered, and the items before them."""
        self.producers.flush()
        if self._results:
            results, self._results = self._results, {}
            total = sum(map(len, results.values()))
            self.count += total
            for caller, done in results.items():
                self._remember([one.task for one in done])
                self.out.append(Send(caller, Results(done, self._seconds * len(done) / total, self.spent)))
            self._seconds = 0.0
        if self._back:
            back, self._back = self._back, []
            for object_ in back:
                self._release(object_)

    # --- blocking -----------------------------------------------------------------------------------------------------

    def block(self) -> None:
        """The running task waits for something: what is queued behind it could be what it waits for."""
        self.blocked = True
        self.flush()
        self._give_back_queue()
        self.out.append(Send(self.node, Blocked()))

    def unblock(self) -> None:
        self.blocked = False
        self.out.append(Send(self.node, Resumed()))
        for lease, caller in self._given.items():
            self.out.append(Send(caller, Unblocked(lease)))
        self._given.clear()

    def _give_back_queue(self) -> None:
        by_lease: dict[int, tuple[WorkerID, list[TaskID]]] = {}
        keep: deque[Job] = deque()
        for job in self.queue:
            if job.lease:
                by_lease.setdefault(job.lease, (job.caller, []))[1].append(job.task.id)
            else:
                keep.append(job)
        self.queue = keep
        for lease, (caller, tasks) in by_lease.items():
            self._given[lease] = caller
            self.out.append(Send(caller, GiveBack(lease, tasks, True)))

    def events(self, teller: Teller) -> list[Event]:
        """What ran here and what runs, as far as it is remembered and was asked for."""
        return teller.take(self._runs(teller)) if teller.query.wants("task") else []

    def _runs(self, teller: Teller) -> Iterator[Event]:
        worker = self.me.hex()
        for job in reversed(self.running.values()):
            task = job.task
            yield teller.event(
                self.begun_of(job),
                "task",
                "run began",
                name=shown_call(task.method, task.name) if isinstance(task, Call) else task.name,
                task=task.id.hex(),
                attempt=task.attempt,
                worker=worker,
            )
        for batch in reversed(self.ran):
            for id_ in batch.each():
                yield teller.event(batch.time + batch.seconds, "task", batch.what, task=id_.hex(), worker=worker)
                yield teller.event(batch.time, "task", "run began", task=id_.hex(), worker=worker)

    def check(self) -> None:
        """Raises AssertionError when a job is in two places."""
        if not self.queue:
            return
        queued = [job.task.id for job in self.queue]
        assert len(queued) == len(dict.fromkeys(queued)), "a job is queued twice"
        assert not any(task in self.running for task in queued), "a job is queued and running"
        assert not (self.blocked and any(job.lease for job in self.queue)), "a blocked worker keeps tasks"
