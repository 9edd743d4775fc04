"""Start and end: in any order, from any thread, any number of times, and in the middle of anything."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray.exceptions import RayError
from rustyray.runtime.engine import ShutdownReport
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import alive, descriptors, node_pid, nodes_left, threads


@rustyray.remote
def double(n: int) -> int:
    return 2 * n


# --- up and down ------------------------------------------------------------------------------------------------------


def test_what_needs_a_runtime_says_so(start: Start) -> None:
    start()
    ref = rustyray.put(1)
    rustyray.shutdown()
    uses: list[Callable[[], object]] = [
        lambda: rustyray.get(ref),
        lambda: rustyray.wait([ref]),
        lambda: rustyray.get_actor("x"),
        lambda: rustyray.cancel(ref),
        rustyray.cluster_resources,
        rustyray.nodes,
    ]
    for use in uses:
        with pytest.raises(RuntimeError, match=r"rustyray\.init\(\)"):
            use()
    assert not rustyray.is_initialized()
    assert rustyray.shutdown() is None


@pytest.mark.native_only("what is used first starts the native engine")
@pytest.mark.parametrize("how", ["task", "actor", "put"])
def test_the_first_use_starts_one(start: Start, how: str) -> None:
    class Echo:
        def echo(self, n: int) -> int:
            return n

    assert not rustyray.is_initialized()
    if how == "task":
        assert rustyray.get(double.remote(4)) == 8
    elif how == "actor":
        assert rustyray.get(rustyray.remote(Echo).remote().echo.remote(4)) == 4
    else:
        assert rustyray.get(rustyray.put(4)) == 4
    assert rustyray.is_initialized()


@pytest.mark.native_only("what is used first starts the native engine")
def test_many_threads_that_use_it_first_start_one(start: Start) -> None:
    results: list[int] = []
    together = threading.Barrier(6)

    def use(n: int) -> None:
        together.wait(20)
        results.append(rustyray.get(double.remote(n)))

    run_all([threading.Thread(target=use, args=(n,)) for n in range(6)])
    assert sorted(results) == [0, 2, 4, 6, 8, 10]
    assert len(rustyray.nodes()) == 1


def run_all(workers: list[threading.Thread]) -> None:
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join(60)
    assert not any(thread.is_alive() for thread in workers)


def test_init_twice_is_refused_unless_that_is_fine(start: Start) -> None:
    session = start()
    with pytest.raises(RuntimeError, match="ignore_reinit_error"):
        rustyray.init()
    again = rustyray.init(ignore_reinit_error=True)
    assert again.address_info == session.address_info
    assert rustyray.get(double.remote(2)) == 4


@pytest.mark.native_only("simulated workers start nowhere")
def test_a_directory_that_is_gone_is_told(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    monkeypatch.syspath_prepend("")
    with pytest.raises(FileNotFoundError, match="the current directory has been removed"):
        start(num_cpus=1)


def test_with_shuts_down_at_its_end_whatever_happens(start: Start) -> None:
    with start():
        assert rustyray.get(double.remote(2)) == 4
    assert not rustyray.is_initialized()
    with pytest.raises(ZeroDivisionError), start():
        raise ZeroDivisionError
    assert not rustyray.is_initialized()
    with start() as session:
        rustyray.shutdown()
        session.shutdown()
    assert not rustyray.is_initialized()


def test_an_old_session_does_not_end_a_new_runtime(start: Start) -> None:
    old = start()
    old.shutdown()
    start()
    old.shutdown()
    assert rustyray.get(double.remote(2)) == 4


def test_refs_and_handles_of_an_earlier_runtime_say_so(start: Start) -> None:
    class Echo:
        def echo(self) -> int:
            return 1

    @rustyray.remote
    def first(box: list[Any]) -> Any:
        return rustyray.get(box[0])

    start()
    olds: list[Any] = [rustyray.put(1), rustyray.put(np.zeros(100_000)), double.remote(2)]
    echo = rustyray.remote(Echo).remote()
    rustyray.get(echo.echo.remote())
    rustyray.shutdown()
    start()
    for old in olds:
        with pytest.raises(ValueError, match="runtime has ended"):
            double.remote(old)
        with pytest.raises(ValueError, match="runtime has ended"):
            first.remote([old])
        with pytest.raises(ValueError, match="runtime has ended"):
            rustyray.put([old])
        with pytest.raises(RayError, match="runtime has ended"):
            rustyray.get(old, timeout=10)
    with pytest.raises(ValueError, match="runtime has ended"):
        echo.echo.remote()
    with pytest.raises(ValueError, match="runtime has ended"):
        rustyray.kill(echo)
    with pytest.raises(ValueError, match="runtime has ended"):
        first.remote([echo])
    olds.clear()
    del echo
    gc.collect()
    assert rustyray.get(double.remote(2)) == 4


def test_functions_and_classes_work_in_every_runtime(start: Start) -> None:
    class Echo:
        def echo(self, n: int) -> int:
            return n

    remote_echo = rustyray.remote(Echo)
    for n in range(3):
        start()
        assert rustyray.get(double.remote(n)) == 2 * n
        assert rustyray.get(remote_echo.remote().echo.remote(n)) == n
        rustyray.shutdown()


@pytest.mark.native_only("a simulated runtime belongs to the thread that called init")
def test_a_thread_that_starts_it_may_end(start: Start) -> None:
    run_all([threading.Thread(target=start)])
    gc.collect()
    assert rustyray.get([double.remote(n) for n in range(100)]) == [2 * n for n in range(100)]
    run_all([threading.Thread(target=rustyray.shutdown)])
    assert not rustyray.is_initialized()


@pytest.mark.native_only("a simulated runtime belongs to the thread that called init")
def test_ctrl_c_is_the_next_runtimes_after_a_shutdown_by_another_thread(start: Start) -> None:
    start()
    run_all([threading.Thread(target=rustyray.shutdown)])
    left = signal.getsignal(signal.SIGINT)
    assert left is not signal.default_int_handler, "only the main thread could have taken it back"
    start()
    assert signal.getsignal(signal.SIGINT) != left
    rustyray.shutdown()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# --- shutdown in the middle of things ---------------------------------------------------------------------------------


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
    reports: list[Any] = []

    def shut_down() -> None:
        together.wait(20)
        reports.append(rustyray.shutdown())
        assert nodes_left() == []

    run_all([threading.Thread(target=shut_down) for _ in range(8)])
    assert not rustyray.is_initialized()
    assert len(reports) == 8
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


# --- again and again --------------------------------------------------------------------------------------------------


def cycle() -> None:
    """Everything once: tasks, an actor, the store, a future, a timeout, an error."""

    class Echo:
        def echo(self, n: int) -> int:
            return n

    with rustyray.init(num_cpus=1):
        refs: list[Any] = [double.remote(n) for n in range(10)]
        assert rustyray.get(refs) == [2 * n for n in range(10)]
        assert rustyray.get(rustyray.remote(Echo).remote().echo.remote(5)) == 5
        assert float(rustyray.get(rustyray.put(np.ones(50_000))).sum()) == 50_000
        assert refs[0].future().result(10) == 0


def resident() -> int:
    """The memory of this process that is in use (bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def run_cycles(count: int) -> None:
    """``count`` cycles, after some to warm up, must not leave descriptors, threads or memory."""
    for _ in range(10):
        cycle()
    gc.collect()
    before, memory, running = descriptors(), resident(), len(threads())
    objects = len(gc.get_objects())
    for _ in range(count):
        cycle()
    gc.collect()
    after = descriptors()
    new = {what for fd, what in after.items() if fd not in before}
    assert len(after) <= len(before), f"new descriptors: {new}"
    assert eventually(lambda: len(threads()) <= running, 5), f"threads: {threading.enumerate()}"
    assert len(gc.get_objects()) - objects < 10 * count, "objects that are kept"
    grown = resident() - memory
    assert grown < 2_000_000 + 3_000 * count, f"{count} cycles took {grown} bytes"


@pytest.mark.stress
@pytest.mark.native_only("it looks at descriptors and memory")
def test_a_hundred_cycles_leave_nothing(start: Start) -> None:
    run_cycles(100)


# --- the node's death -------------------------------------------------------------------------------------------------


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
