"""Workers that die, and programs that fork."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import OwnerDiedError, RayError, WorkerCrashedError
from tests.integration.drivers import eventually
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


def kill_9() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def exit_7() -> None:
    os._exit(7)


def abort() -> None:
    os.abort()


def segfault() -> None:
    ctypes.string_at(0)


@pytest.mark.parametrize(("die", "told"), [(kill_9, "SIGKILL"), (exit_7, "code 7"), (abort, "SIGABRT")])
def test_a_task_whose_worker_dies_is_retried_and_then_fails(die: Callable[[], None], told: str, tmp_path: Path) -> None:
    dies_three_times(die, told, tmp_path)


@pytest.mark.native_only("the fault would end the process that simulates")
def test_a_task_that_violates_memory_is_retried_and_then_fails(tmp_path: Path) -> None:
    dies_three_times(segfault, "SIGSEGV", tmp_path)


def dies_three_times(die: Callable[[], None], told: str, tmp_path: Path) -> None:
    @rustyray.remote(max_retries=2)
    def dies() -> None:
        with (tmp_path / "attempts").open("a") as log:
            log.write(f"{os.getpid()}\n")
        die()

    with pytest.raises(WorkerCrashedError, match=told) as caught:
        rustyray.get(dies.remote(), timeout=60)
    pids = (tmp_path / "attempts").read_text().split()
    assert len(set(pids)) == 3
    text = str(caught.value)
    assert "dies" in text
    assert pids[-1] in text
    assert "3/3" in text


def test_a_retry_that_lives_gives_the_result(tmp_path: Path) -> None:
    @rustyray.remote
    def dies_once(n: int) -> int:
        if not (tmp_path / str(n)).exists():
            (tmp_path / str(n)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    assert rustyray.get([dies_once.remote(n) for n in range(4)], timeout=60) == list(range(4))


def test_without_retries_it_fails_at_once(tmp_path: Path) -> None:
    @rustyray.remote(max_retries=0)
    def dies() -> None:
        with (tmp_path / "attempts").open("a") as log:
            log.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(WorkerCrashedError, match="SIGKILL"):
        rustyray.get(dies.remote(), timeout=30)
    assert (tmp_path / "attempts").read_text() == "x"


def test_tasks_that_were_only_near_are_not_blamed(tmp_path: Path) -> None:
    """Many are pushed to the worker that one of them kills; they have no attempt to spare, and run all the same."""

    @rustyray.remote(max_retries=1)
    def work(n: int) -> int:
        if n == 50:
            os.kill(os.getpid(), signal.SIGKILL)
        return n

    rustyray.get([work.remote(0) for _ in range(300)])
    refs = [work.remote(n) for n in range(100)]
    bad = refs.pop(50)
    assert rustyray.get(refs, timeout=60) == [n for n in range(100) if n != 50]
    with pytest.raises(WorkerCrashedError):
        rustyray.get(bad, timeout=60)


def test_a_worker_killed_from_outside_while_it_runs_a_task(tmp_path: Path) -> None:
    @rustyray.remote
    def waits() -> int:
        path = tmp_path / f"{os.getpid()}"
        path.touch()
        first = len(list(tmp_path.iterdir())) == 1
        while first:
            time.sleep(0.01)
        return os.getpid()

    ref = waits.remote()
    assert eventually(lambda: list(tmp_path.iterdir()))
    pid = int(next(tmp_path.iterdir()).name)
    os.kill(pid, signal.SIGKILL)
    assert rustyray.get(ref, timeout=30) != pid


def test_an_idle_worker_that_is_killed_is_replaced() -> None:
    @rustyray.remote
    def pid() -> int:
        return os.getpid()

    for _ in range(3):
        victim = rustyray.get(pid.remote(), timeout=30)
        os.kill(victim, signal.SIGKILL)
        assert rustyray.get(pid.remote(), timeout=30) != victim


def test_a_dead_workers_children_and_objects_tell_who_owned_them(tmp_path: Path) -> None:
    @rustyray.remote(max_retries=0)
    def child() -> int:
        time.sleep(1000)
        return 1

    @rustyray.remote
    class Owner:
        def owned(self) -> list[Any]:
            return [rustyray.put("small"), rustyray.put(bytes(1_000_000)), child.remote()]

        def pid(self) -> int:
            return os.getpid()

    owner = Owner.remote()
    refs = rustyray.get(owner.owned.remote())
    os.kill(rustyray.get(owner.pid.remote()), signal.SIGKILL)
    for ref in refs:
        with pytest.raises(OwnerDiedError, match="SIGKILL"):
            rustyray.get(ref, timeout=30)


@pytest.mark.stress
def test_a_process_that_comes_later_learns_of_an_owners_death_too() -> None:
    """It was not there when the death was told, and finds nobody when it asks."""

    @rustyray.remote
    class Owner:
        def owned(self) -> list[Any]:
            return [rustyray.put("small")]

        def pid(self) -> int:
            return os.getpid()

    @rustyray.remote
    class Late:
        def read(self, box: list[Any]) -> Any:
            return rustyray.get(box[0])

    owner = Owner.remote()
    box = rustyray.get(owner.owned.remote())
    os.kill(rustyray.get(owner.pid.remote()), signal.SIGKILL)
    with pytest.raises(rustyray.exceptions.ActorDiedError):
        rustyray.get(owner.pid.remote(), timeout=30)
    late = [Late.remote() for _ in range(4)]
    for actor in late:
        with pytest.raises(OwnerDiedError):
            rustyray.get(actor.read.remote(box), timeout=30)


# --- forks ------------------------------------------------------------------------------------------------------------


def in_a_fork(work: Callable[[], str]) -> tuple[str, int]:
    """What ``work`` returns, or raises, in a forked child, and how that ended."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            told = work()
        except BaseException as error:  # noqa: BLE001 - it is told to the parent
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    return text, os.waitpid(pid, 0)[1]


@pytest.mark.native_only("a simulated task cannot start processes")
def test_a_task_may_fork_and_its_child_has_no_part_in_the_runtime() -> None:
    @rustyray.remote
    def leaf() -> int:
        return 1

    @rustyray.remote
    def forks() -> list[str]:
        told = [in_a_fork(lambda: str(rustyray.get(leaf.remote())))[0], in_a_fork(lambda: str(rustyray.put(1)))[0]]
        return [*told, str(rustyray.get(leaf.remote()))]

    got, put, mine = rustyray.get(forks.remote(), timeout=30)
    for text in (got, put):
        assert text.startswith("ForkedError"), text
        assert "forked" in text
    assert mine == "1"
    assert rustyray.get(leaf.remote()) == 1


@pytest.mark.native_only("a simulated task cannot start processes")
def test_a_forked_child_that_comes_back_from_the_task_ends_quietly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    @rustyray.remote
    def forks() -> int:
        pid = os.fork()
        if pid == 0:
            return -1  # the child goes on as if it were the worker
        os.waitpid(pid, 0)
        return pid

    @rustyray.remote
    def fails_in_child() -> int:
        pid = os.fork()
        if pid == 0:
            raise ValueError("in the child")
        os.waitpid(pid, 0)
        return pid

    for function in (forks, fails_in_child):
        for _ in range(3):
            pid = rustyray.get(function.remote(), timeout=30)
            assert pid > 0
            assert not alive(pid)


@pytest.mark.native_only("a simulated task cannot start processes")
def test_subprocesses_and_multiprocessing_in_a_task(tmp_path: Path) -> None:
    @rustyray.remote
    def runs(kind: str) -> Any:
        if kind == "subprocess":
            return subprocess.run(
                [sys.executable, "-c", "print(6 * 7)"], check=True, capture_output=True, text=True
            ).stdout
        import multiprocessing

        context = multiprocessing.get_context(kind)
        with context.Pool(2) as pool:
            return pool.map(abs, [-1, -2, 3])

    assert rustyray.get(runs.remote("subprocess"), timeout=30) == "42\n"
    assert rustyray.get(runs.remote("fork"), timeout=30) == [1, 2, 3]
    assert rustyray.get(runs.remote("spawn"), timeout=30) == [1, 2, 3]


@pytest.mark.native_only("a simulated task cannot start processes")
def test_what_a_task_leaves_running_ends_with_the_runtime(tmp_path: Path) -> None:
    @rustyray.remote
    def leaves() -> list[int]:
        sleeper = subprocess.Popen(["sleep", "1000"])
        pid = os.fork()
        if pid == 0:
            try:
                while True:
                    signal.pause()
            finally:
                os._exit(0)
        return [sleeper.pid, pid]

    pids = rustyray.get(leaves.remote(), timeout=30)
    assert all(alive(pid) for pid in pids)
    rustyray.shutdown()
    assert eventually(lambda: not any(alive(pid) for pid in pids), 10)


def test_ray_errors_are_never_a_users_mistake() -> None:
    assert not issubclass(RayError, TypeError | ValueError)
