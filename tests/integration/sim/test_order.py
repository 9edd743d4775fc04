"""What the library keeps in sets comes in the same order in each run, in any process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from concurrent import futures
from typing import Any

import rustyray
from rustyray.engines.sim.selfcheck import record


@rustyray.remote
def work(number: int) -> int:
    time.sleep(number % 3)
    return number


@rustyray.remote
class Async:
    async def use(self) -> list[int]:
        async def one(number: int) -> int:
            await asyncio.sleep(0.001)
            return await work.remote(number)

        found = [await each for each in asyncio.as_completed([one(number) for number in range(6)])]
        done, _ = await asyncio.wait([asyncio.ensure_future(one(number)) for number in range(6)])
        return found + [each.result() for each in done]


def sets_of_everything() -> list[Any]:
    seen: list[Any] = []
    pending = {work.remote(number) for number in range(9)}
    while pending:
        ready, _ = rustyray.wait(list(pending), num_returns=1)
        seen += [rustyray.get(ref) for ref in ready]
        pending -= set(ready)
    seen += rustyray.get(Async.remote().use.remote())
    with futures.ThreadPoolExecutor(4) as pool:
        calls = {pool.submit(rustyray.get, work.remote(number)) for number in range(6)}
        seen += [call.result() for call in futures.as_completed(calls)]
        done, _ = futures.wait({work.remote(number).future() for number in range(6)})
        seen += [each.result() for each in done]
    return seen


def told() -> str:
    """The traces of two seeds, and what was seen in them."""
    seen: list[Any] = []
    traces = [
        record(lambda: seen.extend(sets_of_everything()), rustyray.init, num_cpus=2, seed=seed).trace for seed in (0, 1)
    ]
    return f"{traces} {seen}"


def test_sets_have_the_same_order_in_each_run() -> None:
    assert told() == told()


def test_sets_have_the_same_order_in_any_process() -> None:
    script = "import tests.integration.sim.test_order as this; print(this.told())"
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
