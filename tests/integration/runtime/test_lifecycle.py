"""Start and end: in any order, from any thread, any number of times; `test_shutdown`: in the middle of anything."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rustyray
from rustyray.exceptions import RayError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import descriptors, threads


@rustyray.remote
def double(n: int) -> int:
    return 2 * n


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
