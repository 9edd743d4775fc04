"""Actors in a simulated runtime: plain, threaded and async ones, whatever the schedule."""

from __future__ import annotations

import asyncio
import gc
import os
import time

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, TaskCancelledError, WorkerCrashedError

pytestmark = pytest.mark.usefixtures("sim")


@rustyray.remote
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int) -> int:
        self.value += amount
        return self.value

    def fail(self) -> None:
        raise KeyError("no")

    def leave(self) -> None:
        rustyray.exit_actor()

    def crash(self) -> None:
        os._exit(3)


def test_calls_run_in_order() -> None:
    counter = Counter.remote(10)
    assert rustyray.get([counter.add.remote(1) for _ in range(5)]) == [11, 12, 13, 14, 15]
    with pytest.raises(KeyError, match="no"):
        rustyray.get(counter.fail.remote())
    assert rustyray.get(counter.add.remote(0)) == 15


def test_handles_travel() -> None:
    @rustyray.remote
    def use(counter: rustyray.ActorHandle[Counter]) -> int:
        return rustyray.get(counter.add.remote(2))

    counter = Counter.remote()
    assert sorted(rustyray.get([use.remote(counter), use.remote(counter)])) == [2, 4]


def test_names_and_ends() -> None:
    counter = Counter.options(name="c").remote()
    assert rustyray.get(rustyray.get_actor("c").add.remote(1)) == 1
    rustyray.kill(counter)
    with pytest.raises(ActorDiedError):
        rustyray.get(counter.add.remote(1))
    other = Counter.remote()
    with pytest.raises(ActorDiedError):
        rustyray.get(other.leave.remote())
    third = Counter.remote()
    with pytest.raises(ActorDiedError, match="exited with code 3"):
        rustyray.get(third.crash.remote())


def test_a_restarted_actor_begins_anew() -> None:
    counter = Counter.options(max_restarts=1, max_task_retries=1).remote(5)
    assert rustyray.get(counter.add.remote(1)) == 6
    rustyray.kill(counter, no_restart=False)
    assert rustyray.get(counter.add.remote(1)) == 6


def test_async_methods_run_at_once() -> None:
    @rustyray.remote
    class Waiting:
        def __init__(self) -> None:
            self.event = asyncio.Event()

        async def wait(self) -> float:
            await self.event.wait()
            await asyncio.sleep(60)
            return time.monotonic()

        async def open(self) -> float:
            self.event.set()
            return time.monotonic()

    actor = Waiting.remote()
    waiting = [actor.wait.remote() for _ in range(3)]
    opened = rustyray.get(actor.open.remote())
    assert all(moment >= opened + 60 for moment in rustyray.get(waiting))


def test_async_methods_await_refs() -> None:
    @rustyray.remote
    def slow(value: int) -> int:
        time.sleep(5)
        return value

    @rustyray.remote
    class Gathering:
        async def gather(self) -> list[int]:
            return list(await asyncio.gather(*[slow.remote(number) for number in range(3)]))

    assert rustyray.get(Gathering.remote().gather.remote()) == [0, 1, 2]


def test_threaded_methods_run_at_once() -> None:
    @rustyray.remote(max_concurrency=3)
    class Meeting:
        def __init__(self) -> None:
            import threading

            self.barrier = threading.Barrier(3)
            self.lock = threading.Lock()
            self.seen = 0

        def meet(self) -> int:
            self.barrier.wait(30)
            with self.lock:
                seen = self.seen
                time.sleep(1)
                self.seen = seen + 1
            return self.seen

    meeting = Meeting.remote()
    assert sorted(rustyray.get([meeting.meet.remote() for _ in range(3)])) == [1, 2, 3]


def test_a_crashed_worker_is_told_from_a_failed_task() -> None:
    @rustyray.remote(max_retries=0)
    def crash() -> None:
        os._exit(1)

    with pytest.raises(WorkerCrashedError):
        rustyray.get(crash.remote())


def test_a_task_is_run_again_after_a_crash() -> None:
    tried = Counter.remote()

    @rustyray.remote(max_retries=3)
    def flaky() -> int:
        count = rustyray.get(tried.add.remote(1))
        if count < 3:
            os._exit(1)
        return count

    assert rustyray.get(flaky.remote()) == 3


def test_a_running_task_is_cancelled() -> None:
    started = Counter.remote()

    @rustyray.remote
    def sleep() -> None:
        rustyray.get(started.add.remote(1))
        time.sleep(1000)

    ref = sleep.remote()
    while not rustyray.get(started.add.remote(0)):
        pass
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref)


def test_a_coroutine_that_ends_its_process_leaves_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    @rustyray.remote
    class Leaver:
        async def leave(self) -> None:
            await asyncio.sleep(0)
            os._exit(3)

    with pytest.raises(ActorDiedError):
        rustyray.get(Leaver.remote().leave.remote())
    rustyray.shutdown()
    gc.collect()
    assert not caplog.records
