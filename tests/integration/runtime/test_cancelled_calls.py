"""Cancelling calls of actors."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

import rustyray
from rustyray.exceptions import TaskCancelledError
from tests.integration.drivers import eventually

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote
class Plain:
    def ping(self) -> int:
        return 1

    def until_cancelled(self, mark: Path) -> str:
        mark.touch()
        until = time.monotonic() + 20
        while not rustyray.get_runtime_context().is_canceled():
            if time.monotonic() > until:
                return "never"
            time.sleep(0.001)
        return "asked to stop"


@rustyray.remote
class Async:
    async def ping(self) -> int:
        return 1

    async def sleep(self, mark: Path) -> None:
        mark.touch()  # noqa: ASYNC240 - a moment
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            mark.with_suffix(".cancelled").touch()
            raise


def test_force_is_not_for_actors() -> None:
    actor = Plain.remote()
    ref = actor.until_cancelled.remote(Path("/dev/null"))
    with pytest.raises(ValueError, match="kill"):
        rustyray.cancel(ref, force=True)
    rustyray.cancel(ref)


def test_an_async_method_gets_a_cancelled_error(tmp_path: Path) -> None:
    actor = Async.remote()
    ref = actor.sleep.remote(tmp_path / "a")
    assert eventually((tmp_path / "a").exists)
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)
    assert (tmp_path / "a.cancelled").exists()
    assert rustyray.get(actor.ping.remote()) == 1


def test_an_async_method_is_cancelled_however_early(tmp_path: Path) -> None:
    actor = Async.remote()
    rustyray.get(actor.ping.remote())
    refs = [actor.sleep.remote(tmp_path / f"{n}") for n in range(50)]
    for ref in refs:
        rustyray.cancel(ref)
    for ref in refs:
        with pytest.raises(TaskCancelledError):
            rustyray.get(ref, timeout=10)


def test_a_plain_method_finds_out_by_asking(tmp_path: Path) -> None:
    actor = Plain.remote()
    ref = actor.until_cancelled.remote(tmp_path / "a")
    assert eventually((tmp_path / "a").exists)
    rustyray.cancel(ref)
    try:
        assert rustyray.get(ref, timeout=30) == "asked to stop"
    except TaskCancelledError:
        pass  # as in Ray: which of the two depends on how it ends
    assert rustyray.get(actor.ping.remote()) == 1


def test_a_call_that_waits_behind_another_never_runs(tmp_path: Path) -> None:
    actor = Plain.remote()
    first = actor.until_cancelled.remote(tmp_path / "first")
    second = actor.until_cancelled.remote(tmp_path / "second")
    assert eventually((tmp_path / "first").exists)
    rustyray.cancel(second)
    with pytest.raises(TaskCancelledError):
        rustyray.get(second, timeout=30)
    rustyray.cancel(first)
    rustyray.wait([first], timeout=30)
    assert not (tmp_path / "second").exists()


def test_a_call_that_waits_for_a_thread_never_runs(tmp_path: Path) -> None:
    @rustyray.remote(max_concurrency=2)
    class Threaded:
        def work(self, name: str) -> bool:
            (tmp_path / name).touch()
            until = time.monotonic() + 20
            while not rustyray.get_runtime_context().is_canceled() and time.monotonic() < until:
                time.sleep(0.001)
            return True

    actor = Threaded.remote()
    running = [actor.work.remote("a"), actor.work.remote("b")]
    waiting = actor.work.remote("c")
    assert eventually(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    rustyray.cancel(waiting)
    for ref in running:
        rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(waiting, timeout=30)
    rustyray.wait(running, num_returns=2, timeout=30)
    assert not (tmp_path / "c").exists()
