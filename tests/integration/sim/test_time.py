"""Time in a simulated runtime is virtual, for simulated code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import queue
import threading
import time
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import GetTimeoutError

monotonic_from_before, sleep_from_before = time.monotonic, time.sleep

pytestmark = pytest.mark.usefixtures("sim")


@rustyray.remote
def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return time.monotonic()


def test_sleeping_takes_no_time() -> None:
    real = time.process_time()
    began = time.monotonic(), time.time(), time.perf_counter(), time.monotonic_ns()
    time.sleep(3600)
    assert rustyray.get(sleep.remote(3600)) >= began[0] + 7200
    assert time.time() >= began[1] + 7200
    assert time.perf_counter() >= began[2] + 7200
    assert time.monotonic_ns() >= began[3] + 7200 * 10**9
    assert time.process_time() - real < 1


def test_tasks_sleep_at_the_same_time() -> None:
    began = time.monotonic()
    rustyray.get([sleep.remote(100), sleep.remote(100)])
    assert 100 <= time.monotonic() - began < 150


def test_timeouts() -> None:
    ref = sleep.remote(100)
    began = time.monotonic()
    with pytest.raises(GetTimeoutError):
        rustyray.get(ref, timeout=50)
    assert 50 <= time.monotonic() - began < 60
    assert rustyray.wait([ref], timeout=1) == ([], [ref])
    assert rustyray.wait([ref], timeout=200) == ([ref], [])


def test_retries_back_off_in_virtual_time() -> None:
    @rustyray.remote(max_retries=3, retry_exceptions=True)
    def fail() -> None:
        raise OSError("again")

    real = time.process_time()
    with pytest.raises(OSError, match="again"):
        rustyray.get(fail.remote())
    assert time.process_time() - real < 1


def test_looking_at_the_clock_makes_time_pass() -> None:
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        pass
    ref = sleep.remote(0.1)
    while not rustyray.wait([ref], timeout=0)[0]:
        pass


def test_other_threads_have_the_real_time() -> None:
    real = threading.Thread.__init__
    assert real is threading.Thread.__init__
    before = time.process_time()
    assert time.thread_time() >= 0
    assert time.process_time() >= before


def test_threads_events_and_queues_of_the_driver() -> None:
    heard: queue.Queue[int] = queue.Queue()
    event = threading.Event()

    def work() -> None:
        event.wait()
        time.sleep(30)
        heard.put(1)

    thread = threading.Thread(target=work)
    thread.start()
    assert not event.wait(10)
    event.set()
    assert heard.get(timeout=60) == 1
    thread.join()
    assert not thread.is_alive()
    with pytest.raises(queue.Empty):
        heard.get(timeout=5)


def test_executors_and_futures() -> None:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda x: x + 1, range(4))) == [1, 2, 3, 4]
    assert sleep.remote(10).future().result(timeout=20) > 0


def test_asyncio_in_the_driver() -> None:
    async def main() -> float:
        await asyncio.sleep(100)
        first, _ = await asyncio.gather(sleep.remote(1), asyncio.to_thread(time.sleep, 50))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sleep.remote(100), 10)
        return float(first)

    began = time.monotonic()
    assert asyncio.run(main()) >= began + 101
    assert time.monotonic() - began >= 160


def test_what_stands_in_travels_by_name() -> None:
    began = time.monotonic()
    rustyray.get(rustyray.remote(time.sleep).remote(100))
    clock = rustyray.get(rustyray.put(time.monotonic))
    assert clock is time.monotonic
    assert clock() >= began + 100


def test_functions_taken_by_name_before_are_replaced_in_workers() -> None:
    @rustyray.remote
    def rest() -> float:
        began = monotonic_from_before()
        sleep_from_before(100)
        return monotonic_from_before() - began

    assert rustyray.get(rest.remote()) >= 100
    functions: list[Any] = [len, sum, "x".upper]
    assert rustyray.get(rustyray.put(functions))[2]() == "X"
