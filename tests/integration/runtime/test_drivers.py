"""Programs that end, in every way a program can: nothing of their runtime is left."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from tests.integration.drivers import driver, eventually, run_driver
from tests.integration.runtime.processes import alive, children, descendants, node_pid, session_of, sockets

#: What an interpreter exits with after an uncaught KeyboardInterrupt, and after any other exception.
INTERRUPTED = (-signal.SIGINT, 130, 1)


#: What a driver holds on to until it ends.
kept: list[Any] = []


def begin(busy: bool = False) -> tuple[str, list[int]]:
    """Start a runtime with an actor, an object and maybe a running task; its session, and its processes' pids."""
    session = rustyray.init(num_cpus=2)

    @rustyray.remote
    class Actor:
        def pid(self) -> int:
            return os.getpid()

    @rustyray.remote
    def forever() -> None:
        time.sleep(1000)

    actor = Actor.remote()
    rustyray.get(actor.pid.remote())
    kept.extend([actor, rustyray.put(bytes(10_000_000))])
    if busy:
        kept.append(forever.remote())
    assert eventually(lambda: len(children(node_pid())) >= 2)
    return session_of(session), descendants(os.getpid())


def assert_nothing_left(session: str, pids: list[int], deadline: float = 10) -> None:
    assert eventually(lambda: not any(alive(pid) for pid in pids), deadline), [pid for pid in pids if alive(pid)]
    assert eventually(lambda: not sockets(session), deadline), sockets(session)
    assert [name for name in os.listdir("/dev/shm") if "rustyray" in name or session in name] == []


@pytest.mark.stress
def test_the_interpreters_end_is_enough() -> None:
    def program() -> Any:
        return begin(busy=True)

    ended = run_driver(program)
    assert (ended.exitcode, ended.stderr) == (0, "")
    assert_nothing_left(*ended.result)


def test_a_program_that_raises_or_exits_keeps_its_exit_code() -> None:
    def exits(tell: Any) -> None:
        tell(begin())
        raise SystemExit(3)

    with driver(exits) as running:
        where = running.hear()
        assert running.wait().exitcode == 3
    assert_nothing_left(*where)


@pytest.mark.stress
def test_a_program_with_threads_in_get_can_end() -> None:
    def program() -> Any:
        where = begin()

        @rustyray.remote
        def forever() -> None:
            time.sleep(1000)

        ref = forever.remote()
        for _ in range(3):
            threading.Thread(target=lambda: rustyray.get(ref), daemon=True).start()
        return where

    ended = run_driver(program)
    assert ended.exitcode == 0
    assert_nothing_left(*ended.result)


def test_os_exit_leaves_nothing_either() -> None:
    def program(tell: Any) -> None:
        tell(begin())
        tell.hear()
        os._exit(5)

    with driver(program) as running:
        where = running.hear()
        running.say("go")
        assert running.wait().exitcode == 5
    assert_nothing_left(*where)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_killed_driver_leaves_nothing(signum: int, tmp_path: Path) -> None:
    def program(tell: Any, folder: str) -> None:
        os.environ["TMPDIR"] = folder
        tell(begin(busy=True))
        time.sleep(1000)

    with driver(program, str(tmp_path)) as running:
        where = running.hear()
        running.kill(signum)
        assert running.wait().exitcode == -signum
    assert_nothing_left(*where)
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_get_ends_the_program_cleanly() -> None:
    def program(tell: Any) -> None:
        where = begin()

        @rustyray.remote
        def forever() -> None:
            time.sleep(1000)

        ref = forever.remote()
        tell(where)
        rustyray.get(ref)

    with driver(program) as running:
        where = running.hear()
        running.kill(signal.SIGINT)
        ended = running.wait()
    assert ended.exitcode in INTERRUPTED
    assert "KeyboardInterrupt" in ended.stderr
    assert ended.stderr.count("Traceback") == 1, ended.stderr
    assert_nothing_left(*where)


@pytest.mark.stress
def test_a_caught_ctrl_c_leaves_the_runtime_usable() -> None:
    def program(tell: Any) -> Any:
        where = begin()

        @rustyray.remote
        def forever() -> None:
            time.sleep(1000)

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        rounds = 0
        for _ in range(5):
            ref = forever.remote()
            try:
                tell(where)
                rustyray.get(ref)
            except KeyboardInterrupt:
                rustyray.cancel(ref)
                rounds += rustyray.get(double.remote(1), timeout=20)
        return where, rounds

    with driver(program) as running:
        for _ in range(5):
            running.hear()
            running.kill(signal.SIGINT)
        ended = running.wait()
    where, rounds = ended.result
    assert (rounds, ended.exitcode) == (10, 0)
    assert_nothing_left(*where)


def test_ctrl_c_while_it_is_busy_with_tasks() -> None:
    def program(tell: Any) -> None:
        where = begin()

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        rustyray.get(double.remote(1))
        tell(where)
        while True:
            rustyray.get([double.remote(n) for n in range(50)])

    with driver(program) as running:
        where = running.hear()
        running.kill(signal.SIGINT)
        ended = running.wait()
    assert ended.exitcode in INTERRUPTED
    assert "KeyboardInterrupt" in ended.stderr
    assert_nothing_left(*where)


def test_a_second_ctrl_c_during_shutdown_still_ends_everything() -> None:
    def program(tell: Any) -> None:
        where = begin(busy=True)
        try:
            tell(where)
            while True:
                time.sleep(0.01)
        except KeyboardInterrupt:
            tell("shutting down")
            rustyray.shutdown(grace=60)

    with driver(program) as running:
        where = running.hear()
        running.kill(signal.SIGINT)
        assert running.hear() == "shutting down"
        assert eventually(lambda: _interrupted_again(running), 20)
        assert running.wait().exitcode in INTERRUPTED
    assert_nothing_left(*where)


def _interrupted_again(running: Any) -> bool:
    try:
        running.kill(signal.SIGINT)
    except ProcessLookupError:
        return True
    return not alive(running.pid)


def test_a_very_long_tmpdir(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 200) / ("e" * 200)
    folder.mkdir(parents=True)

    def program(where: str) -> int:
        os.environ["TMPDIR"] = where

        @rustyray.remote
        def tmpdir() -> str:
            import tempfile

            return tempfile.gettempdir()

        with rustyray.init(num_cpus=1):
            assert rustyray.get(tmpdir.remote()) == where
            return len(rustyray.get(rustyray.put(bytes(1_000_000))))

    assert run_driver(program, str(folder)).result == 1_000_000
    assert list(folder.iterdir()) == []


def test_memory_that_the_system_does_not_give_is_told_and_the_store_goes_on() -> None:
    """As with a full /dev/shm or a memory limit; here by a limit on the size of files, which the arena is one of."""

    def program() -> Any:
        import resource

        @rustyray.remote
        def make(size: int) -> bytes:
            return bytes(size)

        with rustyray.init(num_cpus=1, object_store_memory=64 << 20):
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, resource.RLIM_INFINITY))
            told = []
            for _ in range(2):
                try:
                    rustyray.put(bytes(16 << 20))
                except rustyray.exceptions.ObjectStoreFullError as error:
                    told.append(str(error))
            sizes = [len(rustyray.get(rustyray.put(bytes(50_000)))) for _ in range(20)]
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            sizes.append(len(rustyray.get(make.remote(16 << 20))))
            sizes.append(len(rustyray.get(rustyray.put(bytes(16 << 20)))))
            return told, sizes

    told, sizes = run_driver(program).result
    assert len(told) == 2
    for text in told:
        assert f"{16 << 20}"[:4] in text.replace(",", "").replace("_", "")
        assert "memory" in text
    assert sizes == [50_000] * 20 + [16 << 20] * 2


# --- forks of the driver ----------------------------------------------------------------------------------------------


def test_a_forked_child_of_the_driver_is_told_so_and_its_end_does_no_harm() -> None:
    def program() -> Any:
        where = begin()

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        ref = double.remote(3)
        told = []
        for use in (
            lambda: rustyray.get(ref),
            lambda: double.remote(4),
            lambda: rustyray.put(1),
            lambda: rustyray.put(bytes(1_000_000)),
            rustyray.nodes,
        ):
            reading, writing = os.pipe()
            pid = os.fork()
            if pid == 0:
                try:
                    use()
                    text = "it worked"
                except BaseException as error:  # noqa: BLE001 - it is told to the parent
                    text = f"{type(error).__name__}: {error}"
                os.write(writing, text.encode())
                os._exit(0)
            os.close(writing)
            with os.fdopen(reading) as pipe:
                told.append(pipe.read())
            os.waitpid(pid, 0)
            assert rustyray.get(double.remote(5), timeout=20) == 10
        assert rustyray.get(ref) == 6
        return where, told

    ended = run_driver(program)
    where, told = ended.result
    for text in told[1:]:
        assert text.startswith("ForkedError"), text
        assert "forked" in text
    assert ended.exitcode == 0
    assert_nothing_left(*where)


def test_a_forked_child_may_run_to_its_own_end() -> None:
    def program() -> Any:
        where = begin()
        pid = os.fork()
        if pid == 0:
            import sys

            sys.exit(4)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        return where, code, rustyray.get([double.remote(n) for n in range(20)], timeout=20)[-1]

    ended = run_driver(program)
    where, code, result = ended.result
    assert (code, result) == (4, 38)
    assert_nothing_left(*where)


def test_a_forked_child_may_start_a_runtime_of_its_own() -> None:
    def program() -> Any:
        where = begin()

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                assert not rustyray.is_initialized()
                assert rustyray.shutdown() is None
                with rustyray.init(num_cpus=1) as session:
                    text = f"{rustyray.get(double.remote(7))} {session_of(session) != where[0]}"
            except BaseException as error:  # noqa: BLE001 - it is told to the parent
                text = f"{type(error).__name__}: {error}"
            os.write(writing, text.encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
        return where, text, rustyray.get(double.remote(5), timeout=20)

    ended = run_driver(program)
    where, text, result = ended.result
    assert (text, result) == ("14 True", 10)
    assert_nothing_left(*where)


def test_multiprocessing_by_fork_beside_a_runtime() -> None:
    def program() -> Any:
        where = begin()
        import multiprocess

        with multiprocess.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]

        @rustyray.remote
        def double(n: int) -> int:
            return 2 * n

        return where, rustyray.get(double.remote(5), timeout=20)

    ended = run_driver(program)
    assert ended.result[1] == 10
    assert_nothing_left(*ended.result[0])


def test_names_that_are_no_unicode_arrive_as_they_are(tmp_path: Path) -> None:
    """Of variables, folders and arguments, in a node of the program's own and in a cluster that it joins."""
    odd = os.fsdecode(b"caf\xe9")
    (tmp_path / odd).mkdir()

    def program(folder: str) -> None:
        os.chdir(folder)
        os.environ["ODD"] = os.path.basename(folder)
        sys.argv.append(folder)
        sys.path.append(folder)

        @rustyray.remote
        def surroundings() -> list[str]:
            return [os.environ["ODD"], os.getcwd(), sys.argv[-1], sys.path[-1]]

        expected = [os.path.basename(folder), folder, folder, folder]
        with rustyray.init(num_cpus=1):
            assert rustyray.get(surroundings.remote()) == expected
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
        with rustyray.init(address=cluster.address):
            assert rustyray.get(surroundings.remote()) == expected
        cluster.shutdown()

    assert run_driver(program, str(tmp_path / odd)).exitcode == 0
