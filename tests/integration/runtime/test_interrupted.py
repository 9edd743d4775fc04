"""Who was interrupted while it waited does not wait any more, and nobody says so of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.api.waiting import who_waits
from rustyray.exceptions import TaskCancelledError
from rustyray.runtime import context
from tests.integration.drivers import eventually

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote(num_cpus=0)
class Slow:
    def never(self) -> None:
        time.sleep(1000)

    @rustyray.method(num_returns="streaming")
    def never_yields(self) -> Any:
        time.sleep(1000)
        yield


def of_driver() -> str:
    return next(line for line in who_waits() if "the driver" in line)


@pytest.mark.native_only("a simulated program is not interrupted so")
@pytest.mark.parametrize("waits", ["get", "wait", "next"])
def test_the_program_waits_no_more(waits: str) -> None:
    engine: Any = context.own_engine()
    slow = Slow.remote()
    awaited: Any = slow.never_yields.remote() if waits == "next" else [slow.never.remote()]
    ways: dict[str, Callable[[Any], object]] = {"get": rustyray.get, "wait": rustyray.wait, "next": next}
    engine.pump.interrupt()
    with pytest.raises(KeyboardInterrupt):
        ways[waits](awaited)
    assert "waits for nothing of the runtime" in of_driver()


@pytest.mark.parametrize("kind", ["ref", "generator"])
def test_what_is_no_more_awaited(kind: str) -> None:
    async def main() -> None:
        slow: Any = Slow.remote()
        awaitable: Any = slow.never.remote() if kind == "ref" else anext(slow.never_yields.remote())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(awaitable, 0.05)

    asyncio.run(main())
    assert "waits for nothing of the runtime" in of_driver()


def test_the_worker_of_a_cancelled_task_waits_no_more(tmp_path: Path) -> None:
    @rustyray.remote
    def waits(slow: Any) -> None:
        ref = slow.never.remote()
        (tmp_path / "waits").touch()
        rustyray.get(ref)

    @rustyray.remote
    def runs(name: str) -> None:
        (tmp_path / name).touch()
        time.sleep(1000)

    slow = Slow.remote()
    ref = waits.remote(slow)
    assert eventually((tmp_path / "waits").exists)
    rustyray.cancel(ref, recursive=False)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref)
    running = [runs.remote(name) for name in ("one", "two")]  # on every worker that there is
    assert eventually((tmp_path / "one").exists)
    assert eventually((tmp_path / "two").exists)
    told = [line for line in who_waits() if line.startswith("worker") and "runs)" in line]
    assert len(told) == 2
    assert all("waits for nothing of the runtime" in line for line in told)
    del running
