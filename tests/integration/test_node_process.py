"""The node process on real processes: what its workers are like, how their ends are told, and how it ends itself."""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from rustyray.engines.native.processes import worker_processes
from rustyray.engines.native.processes.zygote import Zygote
from rustyray.model.messages import (
    ClusterDescription,
    DescribeCluster,
    KillWorker,
    LeaseFailed,
    WorkerDied,
)
from rustyray.model.resources import resource_set
from rustyray.runtime import context
from tests.integration.bare_driver import PATIENCE, BareDriver, Watch, leave_a_process
from tests.integration.broken_runtime import BUG, NO_FORK


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    mine = Zygote()
    mine.preload(["tests.integration.broken_runtime", "numpy"])
    yield mine
    mine.close()


@pytest.fixture
def driver(zygote: Zygote) -> Iterator[BareDriver]:
    """A driver that has registered; the node ends in whatever way it can."""
    mine = BareDriver(zygote)
    mine.register()
    yield mine
    mine.close()


@pytest.fixture
def told() -> Iterator[TextIO]:
    """A file to be the standard error of a node and its workers."""
    with tempfile.TemporaryFile("w+") as file:
        yield file


def read(file: TextIO) -> str:
    file.seek(0)
    return file.read()


# --- what a worker is like --------------------------------------------------------------------------------------------


def test_workers_take_over_what_the_driver_is_like_now(zygote: Zygote, tmp_path: Path) -> None:
    zygote.preload_failures()  # it has begun with another environment
    env = {**os.environ, "RUSTYRAY_TEST": "é=1", "TZ": "Pacific/Kiritimati"}
    del env["PATH"]
    driver = BareDriver(
        zygote, env=env, cwd=str(tmp_path), umask=0o027, sys_path=[*sys.path, "/extra"], argv=["prog", "-x"]
    )
    driver.register()
    told = driver.run(driver.lease(), what_i_am)
    assert told == {
        "variable": "é=1",
        "path": None,
        "zone": "+14",
        "cwd": str(tmp_path),
        "umask": 0o027,
        "extra": "/extra",
        "argv": ["prog", "-x"],
        "stdin": "",
        "node": driver.pid,
        "group": "own",
        "job": (1).to_bytes(4, "big"),
    }
    driver.shutdown()


def what_i_am() -> dict[str, object]:
    umask = os.umask(0)
    os.umask(umask)
    engine = context.engine()
    assert engine is not None
    return {
        "variable": os.environ.get("RUSTYRAY_TEST"),
        "path": os.environ.get("PATH"),
        "zone": time.strftime("%Z"),
        "cwd": os.getcwd(),
        "umask": umask,
        "extra": sys.path[-1],
        "argv": sys.argv,
        "stdin": sys.stdin.read(),
        "node": os.getppid(),
        "group": "own" if os.getpgid(0) == os.getpid() else "another's",
        "job": engine.process().job,
    }


def test_a_worker_holds_no_descriptor_of_the_nodes(driver: BareDriver) -> None:
    names = driver.run(driver.lease(), open_files)
    assert sum("test-arena" in name for name in names) == 1
    assert [name for name in names if name.startswith("pipe:")] == []
    assert sum(name == "anon_inode:[eventpoll]" for name in names) == 1
    # Its own listener, and its connections to node and driver.
    assert sum(name.startswith("socket:") for name in names) == 3


def open_files() -> list[str]:
    # But for the standard streams, which are whatever the test run's are, and for the listing's own.
    fds = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd") if int(fd) > 2]
    return [os.readlink(fd) for fd in fds if os.path.lexists(fd)]


def test_what_a_worker_prints_comes_at_once_where_the_drivers_would(zygote: Zygote, told: TextIO) -> None:
    driver = BareDriver(zygote, stderr=told.fileno())
    driver.register()
    driver.run(driver.lease(), complain)
    assert "half a moment" in read(told)
    driver.shutdown()


def complain() -> None:
    print("half a moment", file=sys.stderr)


def test_workers_draw_different_random_numbers(zygote: Zygote) -> None:
    driver = BareDriver(zygote, prestart=2)
    driver.register()
    draws = [driver.run(driver.lease(), draw) for _ in range(2)]
    assert len({number for pair in draws for number in pair}) == 4
    driver.shutdown()


def draw() -> tuple[float, float]:
    import numpy as np

    return random.random(), float(np.random.random())


def test_a_directory_that_is_gone_is_said_and_no_obstacle(zygote: Zygote, told: TextIO, tmp_path: Path) -> None:
    driver = BareDriver(zygote, stderr=told.fileno(), cwd=str(tmp_path / "gone"))
    driver.register()
    assert driver.run(driver.lease(), os.getcwd) == "/"
    assert re.search(r"the workers run in /, not in the driver's directory: .*gone", read(told))
    driver.shutdown()


def test_many_workers_at_once(zygote: Zygote) -> None:
    driver = BareDriver(zygote, resources=resource_set({"CPU": 20}))
    driver.register()
    leases = [driver.lease() for _ in range(20)]
    assert len({lease.pid for lease in leases}) == 20
    done = driver.shutdown()
    assert "20 worker processes ended" in done.lines[0]
    assert done.forced == []


# --- how a worker's end is told ---------------------------------------------------------------------------------------


def end_by_signal() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def end_by_exit() -> None:
    os._exit(3)


@pytest.mark.parametrize(
    ("end", "how"), [(end_by_signal, "it was killed by signal 11 (SIGSEGV"), (end_by_exit, "it exited with code 3")]
)
def test_how_a_worker_ended_is_told(driver: BareDriver, end: Any, how: str) -> None:
    lease = driver.lease()
    driver.start(lease, end)
    died = driver.receive(WorkerDied)
    assert died.worker == lease.worker
    assert how in died.reason
    assert not died.intended
    driver.turn_until(lambda: lease.worker in driver.lost, "loss of the worker's connection")
    assert children_of(driver.pid) <= {driver.lease().pid}


def children_of(pid: int) -> set[int]:
    return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_what_a_worker_started_ends_with_it(driver: BareDriver) -> None:
    lease = driver.lease()
    left = Watch(driver.run(lease, leave_a_process))
    os.kill(lease.pid, signal.SIGKILL)
    assert left.ends()
    left.close()


def test_what_a_worker_started_ends_when_the_owner_has_it_killed(driver: BareDriver) -> None:
    lease = driver.lease()
    left = Watch(driver.run(lease, leave_a_process))
    driver.send(KillWorker(lease.worker, "the task was cancelled"))
    assert "the task was cancelled" in driver.receive(WorkerDied).reason
    assert left.ends()
    left.close()


def test_a_process_that_keeps_the_workers_connections_does_not_keep_its_death_secret(driver: BareDriver) -> None:
    lease = driver.lease()
    left = driver.run(lease, leave_a_copy_of_myself)
    os.kill(lease.pid, signal.SIGKILL)
    assert "SIGKILL" in driver.receive(WorkerDied, timeout=PATIENCE / 4).reason
    os.kill(left, signal.SIGKILL)


def leave_a_copy_of_myself() -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        time.sleep(PATIENCE)
        os._exit(0)
    return pid


def test_a_node_that_cannot_fork_says_so(zygote: Zygote) -> None:
    driver = BareDriver(zygote, prestart=0, env={**os.environ, NO_FORK: "1"})
    driver.register()
    with pytest.raises(AssertionError, match="LeaseGranted"):
        driver.lease(timeout=0.2)
    assert "no more processes" in driver.receive(LeaseFailed).fault.message
    driver.shutdown()


# --- how the node ends ------------------------------------------------------------------------------------------------


def test_a_node_whose_driver_hangs_up_ends_with_its_workers(driver: BareDriver) -> None:
    worker = Watch(driver.lease().pid)
    driver.hub.close()
    assert driver.ended() == "exited with code 0"
    assert worker.ends(0)
    worker.close()


def test_sigterm_is_an_orderly_end(driver: BareDriver) -> None:
    worker = Watch(driver.lease().pid)
    os.kill(driver.pid, signal.SIGTERM)
    assert driver.ended() == "exited with code 0"
    assert worker.ends(0)
    worker.close()


def test_a_worker_that_does_not_end_in_time_is_killed(driver: BareDriver, tmp_path: Path) -> None:
    begun = tmp_path / "begun"

    def never_end() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        begun.touch()
        while True:
            pass

    lease = driver.lease()
    driver.start(lease, never_end)
    driver.turn_until(begun.exists, "start of the task")
    done = driver.shutdown(grace=0.3)
    assert [line for line in done.forced if str(lease.pid) in line]


def test_a_bug_in_a_core_hangs_nobody(zygote: Zygote, told: TextIO) -> None:
    driver = BareDriver(zygote, stderr=told.fileno())
    driver.register()
    worker = Watch(driver.lease().pid)
    driver.send(DescribeCluster(1))
    assert len(driver.receive(ClusterDescription).nodes) == 1
    driver.send(DescribeCluster(BUG))
    driver.hub.flush()
    assert driver.ended() == f"exited with code {worker_processes.BUG}"
    assert worker.ends()
    assert re.search(
        rf"node {driver.node.hex()} \(pid {driver.pid}\) failed:.*ZeroDivisionError: a bug", read(told), re.DOTALL
    )
    driver.close()
    worker.close()
