"""Cancelling tasks, in all their states; actors' calls are in `test_cancelled_calls`."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import RayError, TaskCancelledError, WorkerCrashedError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


@pytest.fixture
def spin(tmp_path: Path) -> Any:
    """A task that says that it runs (``tmp_path/<name>``), and goes on until it is interrupted."""

    @rustyray.remote
    def spin(name: str, *_: object) -> None:
        try:
            (tmp_path / name).write_text(str(os.getpid()))
            while True:
                time.sleep(0.001)
        except KeyboardInterrupt:
            (tmp_path / f"{name}.interrupted").touch()
            raise

    return spin


def test_a_running_task_gets_a_keyboard_interrupt(spin: Any, tmp_path: Path) -> None:
    ref = spin.remote("a")
    assert eventually((tmp_path / "a").exists)
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)
    assert (tmp_path / "a.interrupted").exists()


def test_the_worker_goes_on_with_other_tasks(spin: Any, tmp_path: Path) -> None:
    for n in range(5):
        ref = spin.remote(f"a{n}")
        assert eventually((tmp_path / f"a{n}").exists)
        rustyray.cancel(ref)
        with pytest.raises(TaskCancelledError):
            rustyray.get(ref, timeout=30)

    @rustyray.remote
    def fine() -> int:
        total = 0
        for n in range(100_000):
            total += n
        return total

    assert rustyray.get([fine.remote() for _ in range(20)], timeout=30) == [sum(range(100_000))] * 20


def test_a_queued_task_never_runs(start: Start, spin: Any, tmp_path: Path) -> None:
    rustyray.shutdown()
    start(num_cpus=1)
    first = spin.remote("first")
    assert eventually((tmp_path / "first").exists)
    queued = [spin.remote(f"queued{n}") for n in range(3)]
    for ref in queued:
        rustyray.cancel(ref)
        with pytest.raises(TaskCancelledError):
            rustyray.get(ref, timeout=30)
    rustyray.cancel(first)
    with pytest.raises(TaskCancelledError):
        rustyray.get(first, timeout=30)
    assert [path.name for path in tmp_path.glob("queued*")] == []


def test_a_task_that_was_pushed_ahead_never_runs(start: Start, tmp_path: Path) -> None:
    """Short tasks are pushed to a worker before it gets to them; one may be cancelled there, too."""
    rustyray.shutdown()
    start(num_cpus=1)

    @rustyray.remote
    def work(n: int) -> int:
        if n == 0:
            until = time.monotonic() + 30
            while not (tmp_path / "go").exists() and time.monotonic() < until:
                time.sleep(0.001)
        if n > 1000:
            (tmp_path / f"ran{n}").touch()
        return n

    rustyray.get([work.remote(1) for _ in range(500)])
    refs = [work.remote(0), *(work.remote(n) for n in range(1001, 1021))]
    rustyray.wait(refs, num_returns=len(refs), timeout=0.05)
    for ref in refs[1:]:
        rustyray.cancel(ref)
    for ref in refs[1:]:
        with pytest.raises(TaskCancelledError):
            rustyray.get(ref, timeout=30)
    (tmp_path / "go").touch()
    assert rustyray.get(refs[0], timeout=30) == 0
    assert list(tmp_path.glob("ran*")) == []


def test_a_task_that_waits_for_its_argument_never_runs(spin: Any, tmp_path: Path) -> None:
    first = spin.remote("first")
    second = spin.remote("second", first)
    rustyray.cancel(second)
    with pytest.raises(TaskCancelledError):
        rustyray.get(second, timeout=30)
    assert eventually((tmp_path / "first").exists)
    rustyray.cancel(first)
    with pytest.raises(TaskCancelledError):
        rustyray.get(first, timeout=30)
    assert not (tmp_path / "second").exists()


def test_what_depends_on_a_cancelled_task_fails_with_it(spin: Any, tmp_path: Path) -> None:
    first = spin.remote("first")
    second = spin.remote("second", first)
    assert eventually((tmp_path / "first").exists)
    rustyray.cancel(first)
    with pytest.raises(TaskCancelledError):
        rustyray.get(second, timeout=30)


def test_force_kills_the_worker(spin: Any, tmp_path: Path) -> None:
    ref = spin.remote("a")
    assert eventually(lambda: (tmp_path / "a").exists() and (tmp_path / "a").read_text())
    pid = int((tmp_path / "a").read_text())
    rustyray.cancel(ref, force=True)
    with pytest.raises(WorkerCrashedError):
        rustyray.get(ref, timeout=30)
    assert eventually(lambda: not alive(pid))
    assert not (tmp_path / "a.interrupted").exists()


def test_force_ends_a_task_that_ignores_interrupts(tmp_path: Path) -> None:
    @rustyray.remote
    def stubborn() -> None:
        while True:
            try:
                (tmp_path / "runs").touch()
                while True:
                    time.sleep(0.001)
            except KeyboardInterrupt:
                (tmp_path / "ignored").touch()

    ref = stubborn.remote()
    assert eventually((tmp_path / "runs").exists)
    rustyray.cancel(ref)
    assert eventually((tmp_path / "ignored").exists)
    rustyray.cancel(ref, force=True)
    with pytest.raises(WorkerCrashedError):
        rustyray.get(ref, timeout=30)


@pytest.mark.native_only("simulated workers are no processes")
def test_force_ends_a_process_that_stands_still(tmp_path: Path) -> None:
    """It cannot end itself, nor where C code holds the interpreter's lock."""

    @rustyray.remote
    def stands_still() -> None:
        (tmp_path / "runs").touch()
        os.kill(os.getpid(), signal.SIGSTOP)

    ref = stands_still.remote()
    assert eventually((tmp_path / "runs").exists)
    rustyray.cancel(ref, force=True)
    with pytest.raises(WorkerCrashedError, match=r"cancelled with force=True"):
        rustyray.get(ref, timeout=30)


def test_a_task_blocked_in_get_is_interrupted_once_and_may_clean_up(spin: Any, tmp_path: Path) -> None:
    @rustyray.remote
    def blocked(box: list[Any]) -> None:
        try:
            (tmp_path / "blocked").touch()
            rustyray.get(box[0])
        except KeyboardInterrupt:
            until = time.monotonic() + 0.1
            while time.monotonic() < until:
                pass
            (tmp_path / "cleaned").touch()
            raise

    inner = spin.remote("inner")
    ref = blocked.remote([inner])
    assert eventually((tmp_path / "blocked").exists)
    assert eventually((tmp_path / "inner").exists)
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)
    assert (tmp_path / "cleaned").exists()
    rustyray.cancel(inner)
    with pytest.raises(TaskCancelledError):
        rustyray.get(inner, timeout=30)


def test_a_task_is_interrupted_while_one_of_its_threads_waits(spin: Any, tmp_path: Path) -> None:
    """The main thread of the task then sleeps, and another one does the I/O."""

    @rustyray.remote
    def blocked(box: list[Any]) -> None:
        import threading

        def wait() -> None:
            try:
                rustyray.get(box[0], timeout=20)
            except RayError:
                (tmp_path / "thread ended").touch()

        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.05)
        (tmp_path / "blocked").touch()
        rustyray.get(box[0])

    inner = spin.remote("inner")
    ref = blocked.remote([inner])
    assert eventually((tmp_path / "blocked").exists)
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=10)
    rustyray.cancel(inner)
    assert eventually((tmp_path / "thread ended").exists)


@pytest.mark.parametrize("recursive", [True, False])
def test_recursive_cancels_the_children_too(recursive: bool, spin: Any, tmp_path: Path) -> None:
    @rustyray.remote
    def parent() -> None:
        rustyray.get(spin.remote("child"))

    ref = parent.remote()
    assert eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    rustyray.cancel(ref, recursive=recursive)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)
    if recursive:
        assert eventually((tmp_path / "child.interrupted").exists)
    else:
        assert not (tmp_path / "child.interrupted").exists()
        assert alive(int((tmp_path / "child").read_text()))


@pytest.mark.parametrize("force", [False, True])
def test_who_borrows_a_ref_may_cancel_its_task(force: bool, spin: Any, tmp_path: Path) -> None:
    @rustyray.remote
    def cancels(refs: list[rustyray.ObjectRef[None]]) -> None:
        rustyray.cancel(refs[0], force=force)

    ref = spin.remote("a")
    assert eventually((tmp_path / "a").exists)
    rustyray.get(cancels.remote([ref]), timeout=30)
    with pytest.raises(WorkerCrashedError if force else TaskCancelledError):
        rustyray.get(ref, timeout=30)
    assert (tmp_path / "a.interrupted").exists() is not force


def test_who_borrows_the_ref_of_a_call_may_cancel_it_without_force(tmp_path: Path) -> None:
    @rustyray.remote
    class Waits:
        async def wait(self) -> None:
            (tmp_path / "waits").touch()
            await asyncio.sleep(3600)

    @rustyray.remote
    def cancels(refs: list[rustyray.ObjectRef[None]]) -> None:
        rustyray.cancel(refs[0], force=True)

    waits = Waits.remote()
    ref = waits.wait.remote()
    assert eventually((tmp_path / "waits").exists)
    rustyray.get(cancels.remote([ref]), timeout=30)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)


def test_a_completed_task_is_not_changed() -> None:
    @rustyray.remote
    def quick() -> int:
        return 3

    ref = quick.remote()
    assert rustyray.get(ref) == 3
    rustyray.cancel(ref)
    rustyray.cancel(ref, force=True)
    assert rustyray.get(ref) == 3
    put = rustyray.put(4)
    rustyray.cancel(put)
    assert rustyray.get(put) == 4


def test_a_cancelled_task_is_not_retried(tmp_path: Path) -> None:
    @rustyray.remote(max_retries=5, retry_exceptions=True)
    def counts() -> None:
        with (tmp_path / "runs").open("a") as log:
            log.write("x")
        while True:
            time.sleep(0.001)

    ref = counts.remote()
    assert eventually(lambda: (tmp_path / "runs").exists() and (tmp_path / "runs").read_text())
    rustyray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        rustyray.get(ref, timeout=30)
    assert (tmp_path / "runs").read_text() == "x"


def test_cancel_of_something_else_shows_the_right_call() -> None:
    with pytest.raises(TypeError, match="ref"):
        rustyray.cancel(3)  # type: ignore[arg-type]
