"""What a worker does with what owners push to it: order, giving back, cancelling, calls over a new connection."""

from __future__ import annotations

from rustyray.core.effects import Effect, Send
from rustyray.core.executor import ExecutorCore
from rustyray.core.jobs import Interrupt, Job
from rustyray.model import ids
from rustyray.model.messages import (
    ActorExited,
    Blocked,
    Call,
    CancelTask,
    GiveBack,
    Items,
    LeaseOver,
    PushCalls,
    PushTasks,
    Results,
    Resumed,
    TakeBack,
    Task,
    Unblocked,
    WorkerStays,
)
from rustyray.model.values import Fault, FaultKind

NODE = b"node-one"
ME = ids.worker_id(NODE, 1)
OWNER = ids.worker_id(NODE, 0)
OTHER = ids.worker_id(NODE, 2)
LEASE = 5


def task(number: int, owner: bytes = OWNER) -> Task:
    return Task(ids.task_id(owner, number), b"f")


def call(number: int, seq: int, attempt: int = 0) -> Call:
    return Call(ids.task_id(OWNER, number), b"actor", "m", seq, attempt=attempt)


class Hands:
    """A worker core, and what it sent since the last look; the invariants hold after every step."""

    def __init__(self) -> None:
        self.out: list[Effect] = []
        self.released: list[bytes] = []
        self.core = ExecutorCore(ME, NODE, self.out, self.released.append)

    def push(self, *numbers: int) -> None:
        self.core.on_message(OWNER, PushTasks(LEASE, [task(number) for number in numbers], {"CPU": 10_000}))
        self.core.check()

    def call(self, *calls: Call) -> None:
        self.core.on_message(OWNER, PushCalls(list(calls)))
        self.core.check()

    def next(self) -> Job:
        job = self.core.start_next(0.0)
        assert job is not None
        self.core.check()
        return job

    def number(self) -> int:
        """Run the next one; which it was."""
        job = self.next()
        self.core.finished(job, b"v", False, None, 0.0)
        return int.from_bytes(job.task.id[12:], "big")

    def rest(self) -> list[int]:
        numbers = []
        while self.core.queue:
            numbers.append(self.number())
        return numbers

    def sent(self, to: bytes) -> list[object]:
        messages: list[object] = [effect.message for effect in self.out if isinstance(effect, Send) and effect.to == to]
        self.out.clear()
        return messages


def test_tasks_run_in_the_order_of_arrival() -> None:
    hands = Hands()
    hands.push(1, 2)
    hands.push(3)
    assert hands.rest() == [1, 2, 3]


def test_results_gather_until_they_are_flushed() -> None:
    hands = Hands()
    hands.push(1, 2)
    hands.rest()
    assert hands.sent(OWNER) == []
    hands.core.flush()
    (results,) = hands.sent(OWNER)
    assert isinstance(results, Results)
    assert [done.task for done in results.done] == [task(1).id, task(2).id]


def test_results_go_ahead_of_the_items_of_a_generator_that_runs_next() -> None:
    hands = Hands()
    hands.push(1, 2)
    hands.number()
    producer = hands.core.producers.begin(hands.next())
    hands.core.producers.yielded(producer, b"v", 1.0)
    results, items = hands.sent(OWNER)
    assert isinstance(results, Results)
    assert items == Items(task(2).id, 0, 0, [b"v"])


def test_take_back_gives_the_last_unstarted_ones() -> None:
    hands = Hands()
    hands.push(1, 2, 3, 4)
    hands.next()
    hands.core.on_message(OWNER, TakeBack(LEASE, 2))
    assert hands.sent(OWNER) == [GiveBack(LEASE, [task(3).id, task(4).id], False)]
    assert hands.rest() == [2]


def test_results_go_ahead_of_what_is_given_back() -> None:
    hands = Hands()
    hands.push(1, 2, 3)
    hands.number()
    hands.core.on_message(OWNER, TakeBack(LEASE, 9))
    assert [type(message) for message in hands.sent(OWNER)] == [Results, GiveBack]


def test_a_task_that_blocks_gives_back_what_is_queued_and_what_still_comes() -> None:
    hands = Hands()
    hands.push(1, 2)
    hands.next()
    hands.core.block()
    assert hands.out[-1] == Send(NODE, Blocked())
    assert hands.sent(OWNER) == [GiveBack(LEASE, [task(2).id], True)]
    hands.push(3)
    assert hands.sent(OWNER) == [GiveBack(LEASE, [task(3).id], True)]
    hands.core.unblock()
    assert hands.out == [Send(NODE, Resumed()), Send(OWNER, Unblocked(LEASE))]


def test_cancel_drops_what_waits_and_interrupts_what_runs() -> None:
    hands = Hands()
    hands.push(1, 2)
    running = hands.next()
    hands.core.on_message(OWNER, CancelTask(task(1).id, False, True))
    assert hands.out == [Interrupt(task(1).id, False, True)]
    assert running.cancelled
    hands.out.clear()
    hands.core.on_message(OWNER, CancelTask(task(2).id, False, True))
    (results,) = hands.sent(OWNER)
    assert isinstance(results, Results)
    (value,) = results.done[0].values
    assert isinstance(value, Fault)
    assert value.kind is FaultKind.TASK_CANCELLED
    assert not hands.core.queue


def test_work_of_a_dead_owner_is_dropped() -> None:
    hands = Hands()
    hands.push(1)
    hands.core.on_message(OTHER, PushTasks(6, [task(9, OTHER)], {}))
    hands.core.owner_died(OWNER)
    assert hands.rest() == [9]


def test_calls_run_in_order_and_a_number_that_was_seen_is_a_duplicate() -> None:
    hands = Hands()
    hands.call(call(1, 0), call(2, 1))
    hands.call(call(2, 1), call(3, 2))
    assert hands.rest() == [1, 2, 3]


def test_calls_over_a_new_connection_replace_those_not_begun() -> None:
    hands = Hands()
    hands.call(call(1, 0), call(2, 1), call(3, 2))
    assert hands.number() == 1
    hands.call(call(2, 0, 1), call(3, 1, 1))
    assert hands.rest() == [2, 3]


def test_a_call_that_runs_is_not_run_again_over_a_new_connection() -> None:
    hands = Hands()
    hands.call(call(1, 0), call(2, 1))
    running = hands.next()
    hands.call(call(1, 0, 1), call(2, 1, 1), call(3, 2))
    hands.core.finished(running, b"v", False, None, 0.0)
    assert hands.rest() == [2, 3]


def test_an_actor_that_leaves_runs_nothing_more() -> None:
    hands = Hands()
    hands.call(call(1, 0), call(2, 1))
    hands.number()
    hands.core.leave()
    hands.call(call(3, 2))
    assert hands.rest() == []


def test_whoever_has_called_it_is_told_that_it_is_over_behind_the_results() -> None:
    hands = Hands()
    hands.call(call(1, 0))
    hands.number()
    hands.core.farewell(b"actor", 0, "over")
    results, over = hands.sent(OWNER)
    assert isinstance(results, Results)
    assert over == ActorExited(b"actor", 0, "over")
    hands.core.on_message(OTHER, PushCalls([call(2, 0)]))
    assert hands.sent(OTHER) == [over]


def test_a_worker_that_has_nothing_of_an_owner_that_is_gone_is_free_at_once() -> None:
    hands = Hands()
    hands.core.on_message(OTHER, PushTasks(LEASE + 1, [task(9, OTHER)], {}))
    hands.core.on_message(NODE, LeaseOver(LEASE, True))
    assert hands.sent(NODE) == [WorkerStays()]
    assert hands.rest() == [9]


def test_what_it_runs_for_an_owner_that_is_dead_is_interrupted_and_then_it_is_free() -> None:
    hands = Hands()
    hands.push(1, 2)
    running = hands.next()
    hands.core.on_message(NODE, LeaseOver(LEASE, True))
    (interrupt,) = hands.out
    assert interrupt == Interrupt(running.task.id, False, True)
    hands.core.finished(running, b"v", False, None, 0.0)
    assert hands.sent(NODE) == [WorkerStays()]
    assert hands.rest() == []


def test_what_was_pushed_under_a_lease_that_is_over_and_comes_late_does_not_run() -> None:
    """Its owner, which has lost it, may have pushed it again under the worker's next lease."""
    hands = Hands()
    hands.core.on_message(NODE, LeaseOver(LEASE, False))
    hands.core.on_message(OWNER, PushTasks(LEASE + 1, [task(1)], {}))
    assert hands.number() == 1
    hands.core.on_message(OWNER, PushTasks(LEASE, [task(1), task(2)], {}))
    hands.core.on_message(OWNER, PushTasks(LEASE + 1, [task(3)], {}))
    assert hands.rest() == [3]


def test_what_it_runs_for_an_owner_that_may_live_is_not_interrupted() -> None:
    hands = Hands()
    hands.push(1)
    running = hands.next()
    hands.core.on_message(NODE, LeaseOver(LEASE, False))
    assert not hands.out
    hands.core.finished(running, b"v", False, None, 0.0)
    assert any(isinstance(effect, Send) and isinstance(effect.message, Results) for effect in hands.out)
    assert hands.sent(NODE) == [WorkerStays()]


def test_a_generator_that_was_cut_off_is_run_again_once_it_has_ended() -> None:
    """Its items are lost, and so nobody is told what it comes to; what was pushed behind it waits for its turn."""
    hands = Hands()
    hands.call(call(1, 0), call(2, 1))
    cut = hands.next()
    producer = hands.core.producers.begin(cut)
    hands.core.producers.caller_lost(OWNER)
    hands.call(call(1, 0, attempt=1), call(2, 1, attempt=1))
    hands.core.producers.end(producer)
    hands.core.ended(cut)
    assert [hands.next().task.attempt for _ in range(2)] == [1, 1]


def test_one_that_waits_for_that_may_be_cancelled() -> None:
    hands = Hands()
    hands.call(call(1, 0))
    cut = hands.next()
    producer = hands.core.producers.begin(cut)
    hands.core.producers.caller_lost(OWNER)
    hands.call(call(1, 0, attempt=1))
    hands.core.on_message(OWNER, CancelTask(cut.task.id, False, False))
    (told,) = [effect.message for effect in hands.out if isinstance(effect, Send) and effect.to == OWNER]
    assert isinstance(told, Results)
    hands.core.producers.end(producer)
    hands.core.ended(cut)
    assert hands.core.start_next(0.0) is None
