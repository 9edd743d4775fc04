"""Programs that use a bit of everything; run with a seed as the argument, this prints the trace of one."""

from __future__ import annotations

import asyncio
import sys
import threading
import time

import rustyray
from rustyray.engines.sim.selfcheck import record


@rustyray.remote
class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    def add(self, amount: int) -> int:
        self.balance += amount
        return self.balance


@rustyray.remote
class Clock:
    async def tick(self, count: int) -> float:
        for _ in range(count):
            await asyncio.sleep(0.5)
        return time.time()


@rustyray.remote
def spread(names: set[str], account: rustyray.ActorHandle[Account]) -> int:
    time.sleep(0.1 * len(names))
    parts = [measure.remote(sorted(names), number) for number in range(len(names))]
    return sum(rustyray.get(parts)) + rustyray.get(account.add.remote(len(names)))


@rustyray.remote(max_retries=2, retry_exceptions=True)
def measure(names: list[str], number: int) -> int:
    if time.monotonic() < 1000.35:
        time.sleep(0.2)
        raise TimeoutError(names[number])
    return len(names[number])


def everything() -> list[object]:
    """Tasks, actors, nested calls, large values, retries, sleeps, threads, async."""
    account = Account.remote(100)
    clock = Clock.remote()
    ticks = [clock.tick.remote(number) for number in range(3)]
    large = rustyray.put(bytes(300_000))
    told: list[float] = []
    thread = threading.Thread(target=lambda: told.append(time.monotonic()))
    thread.start()
    spreads = [spread.remote({"a", "bc", "def"}, account), spread.remote({"x", "y"}, account)]
    ready, rest = rustyray.wait(spreads, num_returns=1)
    thread.join()
    return [rustyray.get(ready + rest), rustyray.get(ticks), len(rustyray.get(large)), told]


if __name__ == "__main__":
    for seed in sys.argv[1:]:
        print(record(everything, rustyray.init, seed=int(seed), num_cpus=3, num_nodes=2).trace)
