"""Shutdown, and the node's death, in the middle of things."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

import rustyray
from rustyray.exceptions import RayError
from rustyray.runtime import context
from rustyray.runtime.engine import ShutdownReport
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import alive, node_pid, nodes_left


@rustyray.remote
def double(n: int) -> int:
    return 2 * n


@pytest.fixture
def slow(tmp_path: Path) -> Any:
    """A task that says it runs, and goes on for a long time."""

    @rustyray.remote
    def slow(name: str = "runs") -> None:
        (tmp_path / name).touch()
        time.sleep(60)

    return slow


def seconds(report: ShutdownReport) -> float:
    """What its stages took. (Where time is simulated it is the real one again afterwards.)"""
    return sum(took for _, took, _ in report.stages)


def test_shutdown_reports_its_stages(start: Start) -> None:
    start()
    rustyray.get(double.remote(1))
    report = rustyray.shutdown()
    assert report is not None
    assert report.forced == []
    names = [stage for stage, _, _ in report.stages]
    assert names[0] == "stop accepting"
    assert names[-1] == "release"
    assert "stop processes" in str(report)


@pytest.mark.native_only("a simulated runtime is shut down by the main program")
def test_eight_threads_shut_down_at_once(start: Start) -> None:
    start()
    rustyray.get([double.remote(n) for n in range(100)])
    together = threading.Barrier(8)

    def shut_down(_: int) -> ShutdownReport | None:
        together.wait(20)
        report = rustyray.shutdown()
        assert nodes_left() == []
        return report

    with ThreadPoolExecutor(8) as pool:
        reports = list(pool.map(shut_down, range(8), timeout=60))
    assert not rustyray.is_initialized()
    told = [str(report) for report in reports if report is not None]  # None: it came too late even to wait
    assert told
    assert len(set(told)) == 1


def test_shutdown_in_the_middle_of_get_wakes_it_with_an_error(start: Start, slow: Any, tmp_path: Path) -> None:
    start()
    raised: list[BaseException] = []
    refs = [slow.remote("runs"), *(slow.remote(f"queued{n}") for n in range(3))]

    def wait(index: int) -> None:
        try:
            rustyray.get(refs[index])
        except RayError as error:
            raised.append(error)

    waiters = [threading.Thread(target=wait, args=(index,)) for index in range(4)]
    waiters.append(threading.Thread(target=lambda: rustyray.wait(refs, num_returns=4)))
    for thread in waiters:
        thread.start()
    assert eventually((tmp_path / "runs").exists)
    report = rustyray.shutdown(grace=0.1)
    assert report is not None
    assert seconds(report) < 5
    for thread in waiters:
        thread.join(10)
    assert not any(thread.is_alive() for thread in waiters)
    assert len(raised) == 4
    for error in raised:
        assert "shut down" in str(error)


@pytest.mark.native_only("a simulated runtime is shut down by the main program")
def test_work_that_comes_during_shutdown_is_refused(start: Start, slow: Any, tmp_path: Path) -> None:
    start()
    slow.remote()
    assert eventually((tmp_path / "runs").exists)
    ending = threading.Thread(target=lambda: rustyray.shutdown(grace=0.5))
    ending.start()

    def refused() -> bool:
        try:
            ref = double.options(num_cpus=0.5).remote(1)
        except RuntimeError as error:
            return "shut down" in str(error)
        with pytest.raises(RayError, match="shut down"):
            rustyray.get(ref)
        return False

    assert eventually(refused, 10)
    ending.join(20)
    assert not ending.is_alive()


def test_running_tasks_get_the_grace_period(start: Start, tmp_path: Path) -> None:
    @rustyray.remote
    def finishes() -> None:
        (tmp_path / "begun").touch()
        time.sleep(0.2)
        (tmp_path / "done").touch()

    start()
    ref = finishes.remote()
    assert eventually((tmp_path / "begun").exists)
    report = rustyray.shutdown(grace=20)
    assert (tmp_path / "done").exists()
    assert report is not None
    assert report.forced == []
    del ref


def test_what_overruns_is_forced_and_reported(start: Start, slow: Any, tmp_path: Path) -> None:
    start()
    ref = slow.remote()
    assert eventually((tmp_path / "runs").exists)
    report = rustyray.shutdown(grace=0.05)
    assert report is not None
    assert seconds(report) < 5
    assert any("wait for running" in line for line in report.forced)
    assert nodes_left() == []
    del ref


class Stop(BaseException):
    """What a signal handler raises."""


@pytest.mark.native_only("a simulated runtime is not interrupted so")
@pytest.mark.parametrize("where", ["waiting for tasks", "saying goodbye"])
def test_what_interrupts_a_shutdown_hurries_it_and_is_raised(
    start: Start, slow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    start()
    ref = slow.remote()
    assert eventually((tmp_path / "runs").exists)
    engine: Any = context.own_engine()
    if where == "waiting for tasks":
        engine.pump.interrupt(Stop())
    else:
        monkeypatch.setattr(engine, "say_goodbye", Mock(side_effect=Stop))
    with pytest.raises(Stop):
        rustyray.shutdown(grace=60 if where == "waiting for tasks" else 0)
    assert not rustyray.is_initialized()
    assert nodes_left() == []
    start()
    assert rustyray.get(double.remote(2)) == 4
    del ref


def test_an_actor_finishes_its_method_and_runs_its_exit_hooks(start: Start, tmp_path: Path) -> None:
    @rustyray.remote
    class Careful:
        def __init__(self) -> None:
            import atexit

            atexit.register((tmp_path / "hook").touch)

        def work(self) -> None:
            (tmp_path / "begun").touch()
            time.sleep(0.2)
            (tmp_path / "done").touch()

    start()
    careful = Careful.remote()
    careful.work.remote()
    assert eventually((tmp_path / "begun").exists)
    rustyray.shutdown(grace=20)
    assert (tmp_path / "done").exists()
    assert (tmp_path / "hook").exists()


def test_ten_thousand_pending_refs_do_not_delay_the_end(start: Start, slow: Any, tmp_path: Path) -> None:
    start()
    blocker = slow.remote()
    refs = [double.remote(blocker) for _ in range(5000)]
    refs += [slow.remote(f"never{n}") for n in range(5000)]
    futures = [ref.future() for ref in refs[::1000]]
    assert eventually((tmp_path / "runs").exists)
    report = rustyray.shutdown(grace=0.05)
    assert report is not None
    assert seconds(report) < 5
    assert sum(int(note.split()[0]) for stage, _, note in report.stages if stage == "cancel pending") >= 9990
    for future in futures:
        with pytest.raises(RayError, match="shut down"):
            future.result(10)
    del refs, blocker
    gc.collect()
    start()
    assert rustyray.get(double.remote(2)) == 4


def test_a_killed_node_fails_what_waits_at_once_and_init_works_again(start: Start, slow: Any, tmp_path: Path) -> None:

    class Echo:
        def echo(self) -> int:
            return os.getpid()

    start()
    echo = rustyray.remote(Echo).remote()
    worker = rustyray.get(echo.echo.remote())
    running = slow.remote()
    large = rustyray.put(np.zeros(200_000))
    assert eventually((tmp_path / "runs").exists)
    node = node_pid()
    os.kill(node, signal.SIGKILL)
    began = time.monotonic()
    with pytest.raises(RayError, match=f"node process.*{node}"):
        rustyray.get(running, timeout=20)
    assert time.monotonic() - began < 5
    uses: list[Callable[[], object]] = [
        lambda: double.remote(1),
        lambda: rustyray.put(1),
        echo.echo.remote,
        lambda: rustyray.remote(Echo).remote(),
        rustyray.nodes,
        lambda: rustyray.get_actor("x"),
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match=r"init\(\)"):
            use()
    with pytest.raises(RayError, match="node process"):
        rustyray.put(np.zeros(200_000))
    with pytest.raises(RayError, match="node process"):
        rustyray.get(large, timeout=10)
    assert eventually(lambda: not alive(worker))
    assert rustyray.shutdown() is not None
    start()
    assert rustyray.get(double.remote(2)) == 4


def test_a_node_that_is_killed_while_nobody_waits_is_noticed(start: Start) -> None:

    start()
    os.kill(node_pid(), signal.SIGKILL)

    def refused() -> bool:
        try:
            rustyray.put(1)
        except RuntimeError:
            return True
        return False

    assert eventually(refused, 10)
    rustyray.shutdown()
