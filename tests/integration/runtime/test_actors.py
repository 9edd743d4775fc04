"""Actors: order, arguments, async and threaded ones."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, RayActorError
from tests.integration.runtime.counter import Counter

pytestmark = pytest.mark.usefixtures("local")


# --- calls ------------------------------------------------------------------------------------------------------------


def test_options_and_arguments_can_be_given_in_one() -> None:
    plain: Any = Counter
    counter = plain._remote([5], {}, name="five")
    assert rustyray.get(rustyray.get_actor("five").add.remote()) == 6
    assert rustyray.get(counter.add._remote(kwargs={"amount": 4}, name="four")) == 10
    double: Any = rustyray.remote(lambda number: (number, number))
    assert rustyray.get(double._remote((7,), num_returns=2)) == [7, 7]


def test_calls_run_in_the_order_in_which_they_were_made() -> None:
    @rustyray.remote
    class Log:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def note(self, n: int) -> None:
            self.seen.append(n)

        def all(self) -> list[int]:
            return self.seen

    log = Log.remote()
    for n in range(1000):
        log.note.remote(n)
    assert rustyray.get(log.all.remote()) == list(range(1000))


def test_a_call_whose_argument_is_late_holds_up_the_next_ones() -> None:
    @rustyray.remote
    def slow() -> int:
        time.sleep(0.1)
        return 10

    counter = Counter.remote()
    refs = [counter.add.remote(slow.remote()), counter.add.remote(1)]
    assert rustyray.get(refs) == [10, 11]


def test_state_arguments_and_methods_with_options() -> None:
    counter = Counter.remote(start=5)
    assert rustyray.get(counter.add.remote(amount=2)) == 7
    with pytest.raises(TypeError, match="no_such"):
        counter.add.remote(no_such=2)  # type: ignore[call-overload]
    with pytest.raises(AttributeError, match="add"):
        counter.ad.remote()  # type: ignore[attr-defined]


def test_handles_travel_and_callers_share_the_actor() -> None:
    @rustyray.remote
    def use(counter: Any, times: int) -> Any:
        return max(rustyray.get([counter.add.remote() for _ in range(times)]))

    counter = Counter.remote()
    rustyray.get([use.remote(counter, 50) for _ in range(4)])
    assert rustyray.get(counter.add.remote(0)) == 200


def test_an_actor_may_hold_and_call_another() -> None:
    @rustyray.remote
    class Front:
        def __init__(self, back: Any) -> None:
            self.back = back

        def add(self) -> Any:
            return rustyray.get(self.back.add.remote())

    front = Front.remote(Counter.remote(10))
    assert rustyray.get([front.add.remote() for _ in range(3)]) == [11, 12, 13]


def test_an_actor_makes_actors_and_tasks() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return n

    @rustyray.remote
    class Parent:
        def __init__(self) -> None:
            self.child = Counter.remote(rustyray.get(leaf.remote(7)))

        def add(self) -> int:
            return int(rustyray.get(self.child.add.remote()))

    assert rustyray.get(Parent.remote().add.remote(), timeout=30) == 8


def test_a_constructors_error_is_raised_by_every_call() -> None:
    @rustyray.remote
    class Broken:
        def __init__(self) -> None:
            raise ValueError("cannot be made")

        def ping(self) -> int:
            return 1

    broken = Broken.remote()
    for _ in range(2):
        with pytest.raises(ActorDiedError, match="cannot be made") as caught:
            rustyray.get(broken.ping.remote())
        assert caught.value.actor_init_failed
        assert isinstance(caught.value, RayActorError)


def test_a_constructors_argument_that_failed_is_its_error() -> None:
    @rustyray.remote
    def fails() -> int:
        raise KeyError("argument")

    counter = Counter.remote(fails.remote())
    with pytest.raises((ActorDiedError, KeyError), match="argument"):
        rustyray.get(counter.add.remote(), timeout=30)


def test_a_named_actor_whose_argument_failed_does_not_hang_its_creator() -> None:
    @rustyray.remote
    def fails() -> int:
        raise KeyError("argument")

    with pytest.raises((RuntimeError, RayActorError, KeyError), match="argument"):
        rustyray.get(Counter.options(name="doomed").remote(fails.remote()).add.remote(), timeout=30)


def test_an_actor_outlives_its_calls_errors() -> None:
    @rustyray.remote
    class Touchy:
        def fail(self) -> None:
            raise ZeroDivisionError("touchy")

        def ok(self) -> int:
            return 1

    touchy = Touchy.remote()
    with pytest.raises(ZeroDivisionError, match="touchy"):
        rustyray.get(touchy.fail.remote())
    assert rustyray.get(touchy.ok.remote()) == 1


# --- async and threaded -----------------------------------------------------------------------------------------------


def test_async_methods_run_at_once_on_one_loop() -> None:
    @rustyray.remote
    class Meeting:
        def __init__(self) -> None:
            self.here = 0
            self.full = asyncio.Event()

        async def join(self, wanted: int) -> tuple[int, int]:
            self.here += 1
            if self.here == wanted:
                self.full.set()
            await self.full.wait()
            return self.here, threading.get_ident()

        def count(self) -> int:
            return self.here

    meeting = Meeting.remote()
    results = rustyray.get([meeting.join.remote(100) for _ in range(100)], timeout=30)
    assert len({thread for _, thread in results}) == 1
    assert {here for here, _ in results} == {100}
    assert rustyray.get(meeting.count.remote()) == 100


def test_max_concurrency_limits_async_methods() -> None:
    @rustyray.remote(max_concurrency=3)
    class Limited:
        def __init__(self) -> None:
            self.now = self.most = 0

        async def work(self) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.005)
            self.now -= 1

        async def peak(self) -> int:
            return self.most

    limited = Limited.remote()
    rustyray.get([limited.work.remote() for _ in range(20)])
    assert rustyray.get(limited.peak.remote()) == 3


def test_async_methods_await_refs() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return 2 * n

    @rustyray.remote
    class Gatherer:
        async def gather(self, count: int) -> int:
            return sum(await asyncio.gather(*(leaf.remote(n) for n in range(count))))

        async def one(self, box: list[Any]) -> Any:
            return await box[0]

    gatherer = Gatherer.remote()
    assert rustyray.get(gatherer.gather.remote(20), timeout=30) == 380
    assert len(rustyray.get(gatherer.one.remote([rustyray.put(bytes(1 << 20))]), timeout=30)) == 1 << 20


def test_threads_of_a_threaded_actor_run_at_once_up_to_its_limit() -> None:
    @rustyray.remote(max_concurrency=4)
    class Threaded:
        def __init__(self) -> None:
            self.barrier = threading.Barrier(4)

        def meet(self) -> int:
            self.barrier.wait(30)
            return threading.get_ident()

    threaded = Threaded.remote()
    assert len(set(rustyray.get([threaded.meet.remote() for _ in range(4)], timeout=60))) == 4


def test_each_call_of_a_threaded_actor_knows_its_own_task() -> None:
    @rustyray.remote(max_concurrency=4)
    class Threaded:
        def __init__(self) -> None:
            self.barrier = threading.Barrier(4)

        def task(self) -> str | None:
            self.barrier.wait(30)
            return rustyray.get_runtime_context().get_task_id()

    threaded = Threaded.remote()
    refs = [threaded.task.remote() for _ in range(4)]
    assert rustyray.get(refs, timeout=60) == [ref.task_id().hex() for ref in refs]
