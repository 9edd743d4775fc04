"""A worker's process that is forked before its node has made itself: used, not needed, or ended before it was told."""

from __future__ import annotations

import os
import signal

import pytest

from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import NodeBoot, WorkerBoot
from rustyray.engines.native.processes.spare import Spare, spare
from rustyray.engines.native.processes.worker_processes import BecomeWorker

BOOT = NodeBoot(
    node=b"n" * 8,
    session=b"s" * 8,
    key=b"k" * 32,
    driver=b"",
    driver_pid=os.getpid(),
    namespace="",
    resources={},
    arena_size=1,
    address="",
    sys_path=[],
    cwd="/",
    env={},
    prestart=1,
)
WORKER = WorkerBoot(
    worker=b"w" * 12,
    node=BOOT.node,
    session=BOOT.session,
    key=BOOT.key,
    address="",
    node_address="",
    head=BOOT.node,
    head_address="",
    driver=b"",
    job=b"",
    namespace="office",
    arena_fd=0,
    arena_size=1,
    tracing_hook=bytes(200_000),  # more than a pipe holds
)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_it_becomes_the_worker_that_it_is_told_to_be() -> None:
    kept, written = os.pipe()
    try:
        one = Spare(BOOT, [kept])
    except BecomeWorker as become:
        told = become.boot == WORKER, os.getpgid(0) == os.getpid(), is_open(kept)
        os.write(written, repr(told).encode())
        os._exit(3)
    assert one.become(WORKER)
    assert os.waitstatus_to_exitcode(os.waitpid(one.pid, 0)[1]) == 3
    assert os.read(kept, 100) == b"(True, True, False)"
    os.close(kept)
    os.close(written)


def test_one_that_has_ended_becomes_no_worker_and_leaves_no_zombie() -> None:
    one = Spare(BOOT, [])
    os.kill(one.pid, signal.SIGKILL)
    assert kernel.wait_for_end(one.pid, 10)
    assert not one.become(WORKER)
    with pytest.raises(ChildProcessError):
        os.waitpid(one.pid, os.WNOHANG)


def test_one_that_is_not_needed_is_gone_after_its_end() -> None:
    one = Spare(BOOT, [])
    one.end()
    with pytest.raises(ProcessLookupError):
        os.kill(one.pid, 0)


def test_where_nothing_can_be_forked_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise BlockingIOError("Resource temporarily unavailable")

    before = len(os.listdir("/dev/fd"))
    monkeypatch.setattr(os, "fork", refuse)
    assert spare(BOOT, []) is None
    assert len(os.listdir("/dev/fd")) == before
