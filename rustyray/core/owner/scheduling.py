"""How an owner gets workers and keeps them busy.

Tasks that need the same kind of worker share a `SchedulingClass`: one queue, some leases. A lease is a worker that is
ours for a while; tasks are pushed to it directly, several ahead while they are short (pipelining), one at a time while
they are long or unknown. Two things undo a wrong guess: an idle lease takes unstarted tasks back from a busy one, and a
worker that blocks gives its unstarted tasks back by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from rustyray.core.effects import Effect, Send
from rustyray.core.owner.history import History
from rustyray.core.owner.records import (
    PUSHED,
    QUEUED,
    FunctionStats,
    IllegalTaskStep,
    Lease,
    Record,
    SchedulingClass,
)
from rustyray.core.owner.requests import Requests
from rustyray.model.ids import JobID, NodeID, TaskID, WorkerID
from rustyray.model.messages import (
    Arg,
    DefineFunction,
    GiveBack,
    LeaseGranted,
    PushTasks,
    ReturnLease,
    TakeBack,
    Task,
)
from rustyray.model.plans import TaskPlan
from rustyray.model.strategies import Strategy
from rustyray.model.values import Stored

#: How many seconds of work may wait on a worker: enough to hide a round trip, little enough to lose nothing by it.
PIPELINE_SECONDS: Final = 0.004
MAX_PIPELINE: Final = 1000
#: An idle lease stays warm so long (seconds), so that a burst after a pause starts at once.
KEEP_IDLE: Final = 0.1
#: A worker silent for so long (seconds) with tasks waiting behind its first one gets them taken back.
STALL: Final = 0.02
#: Bytes of arguments on one node from which on a task is better off there: about as long to copy as to find a worker.
LARGE: Final = 1 << 20

#: Strategy, whether they may be run again, resources, environment, `SchedulingClass.max_calls`.
ClassKey: TypeAlias = tuple[Strategy | None, bool, tuple[tuple[str, int], ...], bytes, int]


class Scheduler:
    """Queues, leases and pipelines of one owner."""

    def __init__(self, me: WorkerID, node: NodeID, job: JobID, out: list[Effect], history: History) -> None:
        self.me = me
        self._journal = history.journal
        self._history = history
        self.node = node
        self.out = out
        self.classes: dict[ClassKey, SchedulingClass] = {}
        self.leases: dict[int, Lease] = {}
        self.by_worker: dict[WorkerID, Lease] = {}
        self.defined: dict[WorkerID, dict[bytes, None]] = {}
        self.requests = Requests(node, job, out, history.journal)
        self.large = LARGE

    def stats_for(self, plan: TaskPlan) -> FunctionStats:
        """The class and the learned duration of a function, made at its first submission and kept in the plan."""
        wanted = SchedulingClass(dict(plan.resources), plan.strategy, plan.max_retries != 0, env=plan.env)
        wanted.max_calls = plan.max_calls
        plan.slot = stats = FunctionStats(self._known(wanted), self.me, plan.max_retries + 1, plan.called)
        return stats

    def near(self, target: SchedulingClass, args: list[Arg]) -> SchedulingClass:
        """Where a task is queued that has these arguments: large ones draw it to the node that has most of them."""
        base = target.base or target
        if base.strategy is not None:
            return base
        sizes = {self.node: 0}
        for arg in args:
            value = arg.value
            if type(value) is Stored:
                sizes[value.node] = sizes.get(value.node, 0) + value.size
        node = max(sizes, key=sizes.__getitem__)
        if sizes[node] < self.large:
            return base
        if node == self.node and all(lease.node == node for lease in base.leases.values()):
            return base  # which tries this node first
        wanted = SchedulingClass(base.resources, Strategy(near=node), base.retriable, base=base, env=base.env)
        wanted.max_calls = base.max_calls
        return self._known(wanted)

    def _known(self, kind: SchedulingClass) -> SchedulingClass:
        key = (kind.strategy, kind.retriable, tuple(sorted(kind.resources.items())), kind.env, kind.max_calls)
        return self.classes.setdefault(key, kind)

    # --- pushing ------------------------------------------------------------------------------------------------------

    def pump(self, target: SchedulingClass, now: float) -> None:
        """Push what can be pushed, ask for workers if there is more, take work back if there is none."""
        queue = target.queue
        if queue:
            depth = self._depth(queue[0])
            count = len(target.leases)
            share = -(-len(queue) // count) if count else 0
            leases: Iterable[Lease] = target.leases.values()
            if target.idle:  # those first, or what was taken back for one of them goes back where it came from
                leases = sorted(leases, key=lambda lease: not lease.idle)
            for lease in leases:
                if not queue:
                    break
                if lease.blocked or lease.wanted:
                    continue
                inflight = len(lease.inflight)
                if inflight == 0 or (inflight <= depth // 2 and now < lease.heard + STALL):
                    self._push(lease, min(depth - inflight, share) or 1, now)
            if queue:
                self._want_more(target, now)
                return
        if target.idle:
            self._rebalance(target, now)
        if target.requests and not queue:
            self.requests.cancel(target)

    def push_now(self, target: SchedulingClass, now: float) -> None:
        """A task was just queued and some lease is idle, or none exists: the lone task is not held back."""
        for lease in target.leases.values():
            if not lease.inflight and not lease.blocked and not lease.wanted:
                self._push(lease, 1, now)
                return
        self._want_more(target, now)

    def _depth(self, record: Record) -> int:
        strategy = record.plan.strategy  # type: ignore[union-attr]
        if record.alone or record.retries == 0 or (strategy is not None and strategy.spread):
            return 1  # what was sent ahead cannot be told from what has begun, once the worker is dead
        stats = record.plan.slot  # type: ignore[union-attr]
        seconds = stats.seconds if isinstance(stats, FunctionStats) else -1.0
        if seconds < 0:
            return 1
        most = record.plan.max_calls or MAX_PIPELINE  # type: ignore[union-attr]
        return max(1, min(most, int(PIPELINE_SECONDS / (seconds + 1e-9))))

    def _push(self, lease: Lease, count: int, now: float) -> None:
        queue = lease.target.queue
        inflight = lease.inflight
        tasks: list[Task] = []
        known = self.defined.setdefault(lease.worker, {})
        while count > 0 and queue:
            record = queue[0]
            if record.alone and inflight:
                break
            queue.popleft()
            if record.state != QUEUED:
                raise IllegalTaskStep(f"{record.task.id.hex()} is in the queue while it is {record.state!r}")
            record.state = PUSHED
            record.lease = lease
            task: Task = record.task  # type: ignore[assignment]
            inflight[task.id] = record
            tasks.append(task)
            if task.fn not in known:
                self._define(lease, record.plan, known)  # type: ignore[arg-type]
            count -= 1 + (record.weight >> 16)  # a message is limited
            if record.alone:
                break
        if tasks:
            self._history.were_pushed(tasks, lease, now)
            lease.asked_back = False  # there is something to be had again
            if lease.idle:
                lease.idle = False
                lease.heard = now
                lease.target.idle -= 1
            target = lease.target
            message = PushTasks(lease.id, tasks, target.resources, target.strategy, target.max_calls, lease.gpus)
            self.out.append(Send(lease.worker, message, lease.address))

    def _define(self, lease: Lease, plan: TaskPlan, known: dict[bytes, None]) -> None:
        known[plan.fn] = None
        self.out.append(Send(lease.worker, DefineFunction(plan.fn, plan.blob, plan.name), lease.address))

    def learn(self, record: Record, seconds: float) -> None:
        """Fold one run's duration into what is known of the function."""
        stats = record.plan.slot  # type: ignore[union-attr]
        if isinstance(stats, FunctionStats):
            old = stats.seconds
            stats.seconds = seconds if old < 0 else old + (seconds - old) * (0.5 if seconds > old else 0.2)

    # --- leases -------------------------------------------------------------------------------------------------------

    def _want_more(self, target: SchedulingClass, now: float) -> None:
        if now < target.ask_after:
            return
        waiting = len(target.queue)
        # Short tasks that one worker is through with before another could be had need no second one.
        needed = -(-waiting // max(1, self._depth(target.queue[0]) // 4)) if waiting else 0
        allowed = max(2, len(target.leases))
        missing = min(needed, allowed) - len(target.requests)
        if missing > 0 or target.requests:
            self._yield_idle(target)
        for _ in range(missing):
            self.requests.ask(target)

    def _yield_idle(self, wanting: SchedulingClass) -> None:
        """We wait for one kind of worker while idle ones of another kind are ours: give those back first."""
        for lease in list(self.leases.values()):
            if lease.target is not wanting and lease.idle:
                self.give_up(lease, reusable=True)

    def on_granted(self, sender: NodeID, message: LeaseGranted, now: float) -> None:
        target = self.requests.close(message.request)
        if target is None or not (target.queue or self._stalled(target)):
            self.out.append(Send(sender, ReturnLease(message.lease)))
            return
        lease = Lease(message.lease, sender, message.worker, message.address, message.pid, target, idle_since=now)
        target.leases[lease.id] = self.leases[lease.id] = lease
        lease.gpus = message.gpus
        self.by_worker[lease.worker] = lease
        self._journal.note("lease", lease.worker, "granted")
        target.idle += 1
        target.warned, target.why = False, ""
        self.pump(target, now)

    def node_lost(self, node: NodeID, now: float) -> None:
        """Workers are asked of it no more, and no class draws tasks to it."""
        for key, target in list(self.classes.items()):
            unused = not (target.queue or target.leases or target.requests)
            if unused and target.strategy is not None and target.strategy.near == node:
                del self.classes[key]
        self.requests.node_lost(node, self.classes.values(), now)

    def give_up(self, lease: Lease, *, reusable: bool, tell: bool = True) -> None:
        """Return a lease (its tasks have been seen to by the caller)."""
        if lease.idle:
            lease.target.idle -= 1
        del self.leases[lease.id]
        del lease.target.leases[lease.id]
        if self.by_worker.get(lease.worker) is lease:
            del self.by_worker[lease.worker]
        self._journal.note("lease", lease.worker, "returned" if reusable else "given up")
        if tell:
            self.out.append(Send(lease.node, ReturnLease(lease.id, reusable)))

    def on_reclaim(self, now: float) -> None:
        """Others wait for workers: each of ours goes back as soon as it has nothing in flight, whatever is queued here.

        If we need more, we ask again, and stand in line like everybody else.
        """
        for lease in list(self.leases.values()):
            lease.wanted = True
            if lease.idle:
                self.give_up(lease, reusable=True)

    def return_idle(self, now: float) -> None:
        for lease in list(self.leases.values()):
            if lease.idle and not lease.target.queue and now >= lease.idle_since + KEEP_IDLE:
                self.give_up(lease, reusable=True)

    # --- taking work back ---------------------------------------------------------------------------------------------

    def _rebalance(self, target: SchedulingClass, now: float) -> None:
        """A worker idles and the queue is empty: take back half of what waits behind the busiest one's first task.

        What is nearly done stays, unless nothing was heard of it for longer than that could take.
        """
        busiest: Lease | None = None
        most = 1
        for lease in target.leases.values():
            if lease.asked_back or len(lease.inflight) <= most:
                continue
            if now >= lease.heard + STALL or not self._nearly_done(lease):
                busiest, most = lease, len(lease.inflight)
        if busiest is not None and self._has_usable(target):
            busiest.asked_back = True
            self.out.append(Send(busiest.worker, TakeBack(busiest.id, most // 2)))

    def _nearly_done(self, lease: Lease) -> bool:
        """Short known tasks finish sooner than they could be moved."""
        total = 0.0
        for record in lease.inflight.values():
            stats = record.plan.slot  # type: ignore[union-attr]
            seconds = stats.seconds if isinstance(stats, FunctionStats) else -1.0
            if seconds < 0:
                return False
            total += seconds
            if total > PIPELINE_SECONDS / 4:
                return False
        return True

    def on_give_back(self, lease: Lease, message: GiveBack, now: float) -> list[Record]:
        """Unstarted tasks came back: to the front of the queue, in order. Returns the cancelled ones among them."""
        if message.tasks or message.blocked:
            lease.asked_back = False  # otherwise it had none: ask again when it has got more, or made progress
        lease.blocked = lease.blocked or message.blocked
        cancelled = self._queue_again(lease, message.tasks)
        if not lease.inflight and not lease.idle:
            self.became_idle(lease, now)
        self.pump(lease.target, now)
        return cancelled

    def _queue_again(self, lease: Lease, tasks: Iterable[TaskID]) -> list[Record]:
        """Of these, which have not begun, those that were not cancelled; the others are returned."""
        cancelled: list[Record] = []
        back: list[Record] = []
        for task_id in tasks:
            record = lease.inflight.pop(task_id, None)
            if record is None:
                continue
            record.apply("give back")
            record.lease = None
            (cancelled if record.cancelled else back).append(record)
        lease.target.queue.extendleft(reversed(back))
        lease.target.mixed = True
        return cancelled

    def spent(self, lease: Lease) -> list[Record]:
        """Its worker takes no more and ends, as the node hears from itself. As `on_give_back` otherwise."""
        cancelled = self._queue_again(lease, list(lease.inflight))
        self.give_up(lease, reusable=False, tell=False)
        return cancelled

    def became_idle(self, lease: Lease, now: float) -> None:
        if not lease.idle:
            lease.idle = True
            lease.target.idle += 1
        lease.idle_since = now
        lease.asked_back = False
        if lease.wanted:
            self.give_up(lease, reusable=True)

    @staticmethod
    def _has_usable(target: SchedulingClass) -> bool:
        for lease in target.leases.values():  # noqa: SIM110 - asked at every turn
            if lease.idle and not lease.blocked:
                return True
        return False

    def _stalled(self, target: SchedulingClass) -> bool:
        for lease in target.leases.values():  # noqa: SIM110 - asked at every turn
            if len(lease.inflight) > 1:
                return True
        return False

    # --- time ---------------------------------------------------------------------------------------------------------

    def next_deadline(self) -> float | None:
        when: float | None = None
        for target in self.classes.values():
            if target.queue and not target.requests and target.ask_after:
                when = target.ask_after if when is None else min(when, target.ask_after)
            if target.idle and not target.queue:
                usable = self._has_usable(target)
                for lease in target.leases.values():
                    if not lease.inflight:
                        due = lease.idle_since + KEEP_IDLE
                    elif usable and len(lease.inflight) > 1 and not lease.asked_back:
                        due = lease.heard + STALL
                    else:
                        continue
                    when = due if when is None else min(when, due)
            elif not target.queue and not target.requests and self._stalled(target):
                check = target.last_result + STALL
                when = check if when is None else min(when, check)
        return when

    def on_time(self, now: float) -> None:
        self.return_idle(now)
        for target in self.classes.values():
            if target.ask_after and now >= target.ask_after:
                target.ask_after = 0.0
                self.pump(target, now)
            if target.idle and not target.queue:
                self._rebalance(target, now)
                continue
            if target.queue or target.requests or now < target.last_result + STALL:
                continue
            if self._stalled(target):
                # Short tasks may wait behind a long one: ask for a worker to move them to.
                target.last_result = now + 4 * STALL
                self.requests.ask_here(target)

    # --- invariants ---------------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Raises AssertionError when leases, queues and requests contradict each other."""
        for target in self.classes.values():
            idle = 0
            for record in target.queue:
                assert record.state == QUEUED, f"{record.task.id.hex()} queued while {record.state}"
            for lease in target.leases.values():
                idle += not lease.inflight
                assert lease.idle is not bool(lease.inflight), f"lease {lease.id}: idle {lease.idle}, {lease.inflight}"
                assert self.leases.get(lease.id) is lease, f"lease {lease.id} is not in the index"
                for task_id, record in lease.inflight.items():
                    assert record.state == PUSHED and record.lease is lease, f"{task_id.hex()}: {record.state}"
            assert idle == target.idle, f"{target.idle} idle leases counted, {idle} found"
            self.requests.check(target)
