"""Children of a program that uses a runtime, and what they do with it."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Final

import rustyray
from rustyray.testing.machines import work
from rustyray.testing.machines.held import descendants
from rustyray.testing.machines.machine import refused

#: Exit code of a child in which all was as it should be.
FINE: Final = 0
FAILED: Final = 1


def run(child: str, up: bool, patience: float) -> list[int]:
    """Fork a child that does what `rustyray.testing.strategies.lifecycles.CHILDREN` says, and wait for its end.

    Args:
        child: what it does.
        up: whether a runtime is up here.
        patience: seconds that it may take.

    Returns:
        The processes that it started, which are to end with it.
    """
    work_of: dict[str, Callable[[int], None]] = {
        "leaves": lambda told: None,
        "asks": lambda told: _ask(up),
        "starts": lambda told: _start(),
        "is killed": _start_and_wait,
    }
    ours, theirs = os.pipe()
    pid = _fork(work_of[child], theirs)
    os.close(theirs)
    try:
        ready, _, _ = select.select([ours], [], [], patience)
        told = os.read(ours, 4096) if ready else b""  # nothing at its end
        if child == "is killed" or not ready:
            os.kill(pid, signal.SIGKILL)
    finally:
        os.close(ours)
        _, status = os.waitpid(pid, 0)
    assert ready, f"the child that {child} was not done within {patience} s"
    code = os.waitstatus_to_exitcode(status)
    wanted = -signal.SIGKILL if child == "is killed" else FINE
    assert code == wanted, f"the child that {child} exited with {code}; its standard error tells why"
    return [int(one) for one in told.split()]


def _fork(child: Callable[[int], None], told: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads is part of the test
        pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        child(told)
        code = FINE
    except BaseException:  # noqa: BLE001 - the parent sees the exit code
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(code)


def _ask(up: bool) -> None:
    assert not rustyray.is_initialized()
    assert rustyray.shutdown() is None
    if up:
        assert refused(lambda: rustyray.put(1), "forked"), "a child used its parent's runtime"


def _start() -> None:
    with rustyray.init(num_cpus=1):
        assert rustyray.get(work.double.remote(2), timeout=30) == 4
    assert not rustyray.is_initialized()


def _start_and_wait(told: int) -> None:
    rustyray.init(num_cpus=1)
    rustyray.get(work.double.remote(2), timeout=30)
    refs = [work.Sleeper.remote().sleep.remote(os.devnull, 0)]
    os.write(told, " ".join(map(str, descendants(os.getpid()))).encode() + b"\n")
    rustyray.get(refs)
