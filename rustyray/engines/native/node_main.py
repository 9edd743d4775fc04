"""A node's process from its fork to its end, in which it may become something else: a worker, or another node."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import traceback
from typing import NoReturn

from rustyray.core.effects import StartAgain
from rustyray.engines.native.node_process import NodeProcess
from rustyray.engines.native.processes import kernel, surroundings
from rustyray.engines.native.processes.boot import NodeBoot, NodeFd, WorkerBoot, packages_of
from rustyray.engines.native.processes.spare import spare
from rustyray.engines.native.processes.surroundings import tell
from rustyray.engines.native.processes.worker_processes import BUG, BecomeWorker, exit_now
from rustyray.engines.native.worker import main as run_worker


def main(boot: NodeBoot, fds: list[int], zygote_pid: int) -> NoReturn:
    """Run a node in this process, just forked, and end the process when the node has ended.

    It is killed when the zygote ends, if that has forked it; ``zygote_pid`` is 0 if not.
    """
    code = BUG
    forked: WorkerBoot | None = None
    again: StartAgain | None = None
    try:
        _settle_in(boot, fds, zygote_pid)
        listening = [fds[NodeFd.LISTENER], *fds[NodeFd.TCP :]]
        first_worker = spare(boot, listening)
        listeners = [socket.socket(fileno=fd) for fd in listening]
        again = NodeProcess(boot, fds[NodeFd.ARENA], listeners, first_worker).run()
        code = 0
    except BecomeWorker as unwound:
        forked = unwound.boot
    except BaseException:  # noqa: BLE001 - whatever it is, the process ends here and says so
        tell(f"node {boot.node.hex()} (pid {os.getpid()}) failed:\n{traceback.format_exc()}")
    try:
        if forked is not None:
            _run_worker(forked)
        else:
            shutil.rmtree(packages_of(boot), ignore_errors=True)
            if boot.shared and not boot.head_address:
                shutil.rmtree(boot.session_dir, ignore_errors=True)
        if again is not None:
            _become_another(boot, again)
    finally:
        exit_now(code)


def _settle_in(boot: NodeBoot, fds: list[int], zygote_pid: int) -> None:
    """Make this process the driver's: its streams, directory, environment and import path, for the workers to keep."""
    if zygote_pid:
        kernel.set_parent_death_signal(signal.SIGKILL, zygote_pid)
    kernel.set_name("rr-node")
    os.dup2(fds[NodeFd.STDOUT], 1)
    os.dup2(fds[NodeFd.STDERR], 2)
    os.close(fds[NodeFd.STDOUT])
    os.close(fds[NodeFd.STDERR])
    if zygote_pid:  # one without leads a session of its own
        os.setpgid(0, 0)
    surroundings.enter(boot)


def _run_worker(boot: WorkerBoot) -> None:
    try:
        run_worker(boot)
    except BaseException:  # noqa: BLE001 - the process ends here and says so
        tell(f"worker {boot.worker.hex()} (pid {os.getpid()}) failed:\n{traceback.format_exc()}")


def _become_another(boot: NodeBoot, again: StartAgain) -> None:
    from rustyray.engines.native.standing.restarting import become_another

    try:
        become_another(boot, again)
    except OSError as error:
        tell(f"no other node takes the place of node {boot.node.hex()}: {error}")
