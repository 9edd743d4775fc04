"""Scenarios that use threads, executors and event loops are explored like any other."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import rustyray
from rustyray.testing import RaceFound, explore


@rustyray.remote
def square(number: int) -> int:
    return number * number


@rustyray.remote
class Counter:
    def __init__(self) -> None:
        self.count = 0

    def get(self) -> int:
        return self.count

    def set(self, count: int) -> None:
        self.count = count


def with_threads() -> None:
    seen: list[int] = []
    threads = [threading.Thread(target=lambda n=n: seen.append(rustyray.get(square.remote(n)))) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [0, 1, 4]


def with_an_executor() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda number: rustyray.get(square.remote(number)), range(4))) == [0, 1, 4, 9]


def with_an_event_loop() -> None:
    async def main() -> set[int]:
        return {await each for each in asyncio.as_completed([square.remote(number) for number in range(3)])}

    assert asyncio.run(main()) == {0, 1, 4}


@pytest.mark.parametrize("scenario", [with_threads, with_an_executor, with_an_event_loop])
def test_these_are_deterministic(scenario: object) -> None:
    assert explore(scenario, schedules=40).different > 10  # type: ignore[arg-type] # none takes anything


def test_threads_of_the_driver_race() -> None:
    def scenario() -> None:
        counter = Counter.remote()

        def add() -> None:
            count = rustyray.get(counter.get.remote())
            rustyray.get(counter.set.remote(count + 1))

        with ThreadPoolExecutor(2) as pool:
            for call in [pool.submit(add), pool.submit(add)]:
                call.result()
        assert rustyray.get(counter.get.remote()) == 2

    with pytest.raises(RaceFound) as found:
        explore(scenario, schedules=200)
    assert found.value.departures == 1


def test_who_waits_for_what_is_told() -> None:
    def forgotten() -> None:
        threading.Event().wait()

    def held() -> None:
        lock = threading.Lock()
        with lock:
            lock.acquire()

    def held_by_another() -> None:
        lock = threading.Lock()
        lock.acquire()
        threading.Thread(target=lock.acquire, name="bob").start()
        time.sleep(1)
        threading.Event().wait()

    with pytest.raises(RaceFound, match=r"the driver at .* waits for a condition that nobody has signalled"):
        explore(forgotten)
    with pytest.raises(RaceFound, match="waits for a lock that it has itself"):
        explore(held)
    with pytest.raises(RaceFound, match=r"\(thread bob\) .*waits for a lock that the driver has"):
        explore(held_by_another)
