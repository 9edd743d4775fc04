"""The zygote on real processes: who ends with whom, what is left behind, and what a fork in between does."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import rustyray
from rustyray.engines.native.processes import kernel, spawn, zygote
from rustyray.engines.native.processes.boot import AskNode, Channel
from rustyray.engines.native.processes.zygote import Zygote, ZygoteError
from tests.integration.bare_driver import PATIENCE, BareDriver, Watch

ROOT = Path(__file__).parents[2]


@pytest.fixture
def own() -> Iterator[Zygote]:
    """A zygote of the test's own, to kill or to spoil."""
    mine = Zygote()
    yield mine
    mine.close()


@pytest.fixture(scope="module")
def common() -> Iterator[Zygote]:
    """A zygote that the tests of this file share."""
    mine = Zygote()
    yield mine
    mine.close()


@contextmanager
def driver_program(**environment: str) -> Iterator[tuple[subprocess.Popen[str], list[Watch]]]:
    """`tests.integration.bare_driver` as a process, and watches on all that it started."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.integration.bare_driver"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        watches = [Watch(pid) for pid in json.loads(program.stdout.readline())]
        try:
            yield program, watches
        finally:
            program.kill()
            for watch in watches:
                watch.close()


def open_fds(pid: int | str = "self") -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_a_node_starts_registers_its_driver_and_ends(common: Zygote) -> None:
    driver = BareDriver(common)
    assert driver.register().worker == driver.me
    assert common.wait_node(driver.pid, 0) is None
    driver.shutdown()
    assert common.wait_node(driver.pid, None) == "exited with code 0"


def test_all_of_it_ends_with_the_driver_that_was_killed() -> None:
    with driver_program() as (program, watches):
        program.kill()
        assert [watch.pid for watch in watches if not watch.ends()] == []


def test_a_very_long_tmpdir_does_not_matter(tmp_path: Path) -> None:
    long = tmp_path.joinpath(*["d" * 100] * 5)
    long.mkdir(parents=True)
    with driver_program(TMPDIR=str(long)) as (program, watches):
        program.communicate("shutdown\n", timeout=PATIENCE)
        assert program.returncode == 0
        assert all(watch.ends() for watch in watches)
    assert list(long.iterdir()) == []


def test_ctrl_c_in_the_terminal_is_for_the_driver_alone() -> None:
    with driver_program() as (program, watches):
        os.killpg(program.pid, signal.SIGSTOP)  # so that the driver's own end tells them nothing
        os.killpg(program.pid, signal.SIGINT)
        assert not any(watch.ends(0.05) for watch in watches)
        os.killpg(program.pid, signal.SIGCONT)
        assert all(watch.ends() for watch in watches)
        assert program.wait(PATIENCE) == -signal.SIGINT


def test_workers_end_with_the_node_that_was_killed(common: Zygote) -> None:
    driver = BareDriver(common, prestart=2)
    driver.register()
    workers = [Watch(driver.lease().pid), Watch(driver.lease().pid)]
    os.kill(driver.pid, signal.SIGKILL)
    assert driver.ended() == "was killed by signal 9 (SIGKILL)"
    assert all(worker.ends() for worker in workers)
    driver.close()


def test_a_killed_zygote_takes_its_nodes_along_and_is_replaced(own: Zygote) -> None:
    driver = BareDriver(own)
    driver.register()
    worker = Watch(driver.lease().pid)
    first = own.pid()
    os.kill(first, signal.SIGKILL)
    assert driver.ended() == "was killed together with its zygote"
    assert worker.ends()
    driver.close()
    again = BareDriver(own)
    again.register()
    assert own.pid() != first
    again.shutdown()


def test_a_zygote_that_dies_unnoticed_costs_one_more_start(own: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    first = own.pid()
    monkeypatch.setattr(zygote._Process, "is_alive", lambda self: True)
    os.kill(first, signal.SIGKILL)
    driver = BareDriver(own)
    driver.register()
    driver.shutdown()
    assert own.pid() != first


def test_a_zygote_that_somebody_else_waited_for_is_replaced(own: Zygote) -> None:
    first = own.pid()
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    assert own.pid() != first


def test_without_pidfds_the_end_of_a_node_is_asked_for(common: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_implemented(pid: int) -> int:
        raise OSError(errno.ENOSYS, "no pidfds in this sandbox")

    monkeypatch.setattr(os, "pidfd_open", not_implemented)
    driver = BareDriver(common)
    assert common.wait_node(driver.pid, 0.05) is None
    driver.close()
    assert driver.ended() == "was killed by signal 9 (SIGKILL)"


def test_an_exchange_that_was_interrupted_is_not_mistaken_for_the_next(
    own: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = own.pid()

    def interrupted(channel: object, max_fds: int = 0) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            BareDriver(own)
    driver = BareDriver(own)
    driver.register()
    driver.shutdown()
    assert own.pid() != first


def test_a_hundred_nodes_leave_no_descriptor_and_no_process(common: Zygote) -> None:
    BareDriver(common, prestart=0).shutdown()
    before = open_fds(), open_fds(common.pid())
    for _ in range(100):
        BareDriver(common, prestart=0).shutdown()
    assert (open_fds(), open_fds(common.pid())) == before
    assert Path(f"/proc/{common.pid()}/task/{common.pid()}/children").read_text() == ""


def test_many_threads_fork_nodes_at_once(common: Zygote) -> None:
    drivers: list[BareDriver] = []
    threads = [threading.Thread(target=lambda: drivers.append(BareDriver(common, prestart=0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len({driver.pid for driver in drivers}) == 8
    for driver in drivers:
        driver.register()
        driver.shutdown()


def test_a_child_of_the_driver_leaves_the_zygote_alone(own: Zygote) -> None:
    driver = BareDriver(own)
    driver.register()
    zygote_pid = own.pid()
    child = os.fork()
    if child == 0:
        # It may close "its" zygote, or ask for one: neither is the parent's.
        own.close()
        theirs = own.pid()
        own.close()
        os._exit(theirs == zygote_pid)
    assert os.waitpid(child, 0)[1] == 0
    assert own.pid() == zygote_pid
    driver.lease()
    driver.shutdown()


@pytest.mark.parametrize("twin", [True, False], ids=["twin", "none"])
def test_a_forked_child_can_be_given_a_zygote(twin: bool) -> None:
    """It serves the child as the parent's does the parent, and ends with it; where there is none, one is started."""
    mine = Zygote.shared()
    ours, theirs = socket.socketpair()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            Zygote.adopt(ours)
            theirs.close()
            rustyray.init(num_cpus=1)
            worker = rustyray.get(rustyray.remote(os.getpid).remote())
            adopted = isinstance(zygote._shared._process, zygote._Twin)
            os.write(tell, json.dumps([adopted, [rustyray.nodes()[0]["Pid"], worker]]).encode())
            signal.pause()
        finally:
            os._exit(1)
    ours.close()
    if twin:
        mine.fork_twin(child, theirs.fileno())
    theirs.close()
    adopted, pids = json.loads(os.read(told, 1000))
    assert adopted == twin
    watches = [Watch(pid) for pid in pids]
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for watch in watches:
        assert watch.ends()
        watch.close()
    os.close(told)
    os.close(tell)


FORKS_AND_IS_KILLED = """
import os, sys, time
from rustyray.engines.native.processes.zygote import Zygote
zygote = Zygote.shared().pid()
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
print(zygote, flush=True)
sys.stdin.read()
"""


def test_the_zygote_ends_with_its_driver_though_a_fork_of_that_lives_on() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", FORKS_AND_IS_KILLED], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as program:
        assert program.stdout is not None
        watch = Watch(int(program.stdout.readline()))
        program.kill()
        assert watch.ends()
        watch.close()


def test_a_copy_of_the_socket_in_a_foreign_program_does_not_keep_the_zygote() -> None:
    """A fork in a C library may leave one behind. Here the driver is a child of the test's."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        spawned = spawn.spawn()
        copy = [(os.POSIX_SPAWN_DUP2, spawned.socket.fileno(), 200)]
        holder = os.posix_spawnp("sleep", ["sleep", str(PATIENCE)], os.environ, file_actions=copy)
        os.write(writing, f"{spawned.pid} {holder}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
    os.close(writing)
    with open(reading) as told:
        zygote_, other = (Watch(int(pid)) for pid in told.readline().split())
    os.waitpid(child, 0)
    assert zygote_.ends()
    assert not other.ends(0)
    os.kill(other.pid, signal.SIGKILL)
    zygote_.close()
    other.close()


def test_it_can_be_started_before_the_engine_is_imported() -> None:
    program = """
import sys
from rustyray.engines.native.processes import spawn
spawn.start_early()
spawn.start_early()
early = spawn._early
assert "rustyray.engines.native.network.hub" not in sys.modules
from rustyray.engines.native.processes.zygote import Zygote
assert Zygote.shared().pid() == early.pid
spawn.start_early()
assert spawn._early is None
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=PATIENCE)


def test_preloaded_modules_are_there_in_later_zygotes_too(own: Zygote) -> None:
    own.preload(["colorsys", "no_such_module", "colorsys"])
    for _ in range(2):
        assert own.preload_failures() == {"no_such_module": "ModuleNotFoundError: No module named 'no_such_module'"}
        driver = BareDriver(own)
        driver.register()
        assert driver.run(driver.lease(), colorsys_is_imported)
        driver.shutdown()
        own.close()


def colorsys_is_imported() -> bool:
    return "colorsys" in sys.modules


def test_close_is_quick_and_not_the_end(own: Zygote) -> None:
    first = Watch(own.pid())
    driver = BareDriver(own)
    driver.register()
    own.close()
    assert first.ends(0)
    assert driver.ended() == "was killed together with its zygote"
    assert own.pid() != first.pid
    first.close()
    driver.close()


def test_a_zygote_that_cannot_import_the_runtime_is_an_error_that_says_how_it_ended(
    own: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(ZygoteError, match=r"the zygote \(pid \d+\) exited with code 1"):
        BareDriver(own)


def test_an_interpreter_that_is_not_there_is_an_error_that_names_it(
    own: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    for executable in ("", "/no/such/python"):
        monkeypatch.setattr(sys, "executable", executable)
        with pytest.raises(ZygoteError, match=f"could not be started.*{executable}"):
            own.pid()


def test_a_stopped_zygote_is_given_up_after_a_while(own: Zygote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygote, "ANSWER_TIMEOUT", 0.1)
    stopped = own.pid()
    os.kill(stopped, signal.SIGSTOP)
    with pytest.raises(ZygoteError, match=r"did not answer within 0\.1 s"):
        own.preload_failures()
    assert own.pid() != stopped


def test_who_has_little_time_does_not_wait_long_for_a_stopped_zygote(
    own: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygote, "LEAST_TIMEOUT", 0.1)
    os.kill(own.pid(), signal.SIGSTOP)
    with pytest.raises(ZygoteError, match=r"did not answer within 0\.2 s"):
        own.wait_node(os.getpid(), 0.2)


def test_it_does_what_its_interpreter_was_told() -> None:
    options = ["-B", "-O", "-X", "utf8", "-X", "dev", "-W", "ignore::ResourceWarning"]
    program = "from rustyray.engines.native.processes.spawn import interpreter_flags as f; print(f())"
    told = subprocess.run(
        [sys.executable, *options, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    flags = eval(told.stdout)
    assert {"-B", "-O", "utf8", "dev", "-Wignore::ResourceWarning"} <= set(flags)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exited with code 0"),
        (3 << 8, "exited with code 3"),
        (signal.SIGKILL, "was killed by signal 9 (SIGKILL)"),
        (signal.SIGSEGV | 0x80, "was killed by signal 11 (SIGSEGV, core dumped)"),
        (40, "was killed by signal 40 (real-time signal)"),
    ],
)
def test_how_a_process_ended_in_words(status: int, words: str) -> None:
    assert kernel.describe_exit(status) == words


def test_a_node_that_nobody_knows_is_not_killed(common: Zygote) -> None:
    with subprocess.Popen(["sleep", str(PATIENCE)]) as stranger:
        common.kill_node(stranger.pid)
        assert common._ask(AskNode(stranger.pid)) is not None
        assert stranger.poll() is None
        stranger.kill()
