"""A process that goes on when the one that started it has ended."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable, Collection

from rustyray.engines.native.processes import kernel


def detach(run: Callable[[], object], log: str, keep: Collection[int] = (), *, tied: bool = False) -> int:
    """Fork a process of its own session that calls ``run`` and ends; return its pid.

    To be called by a process with one thread. It reads nothing, writes to the file ``log``, has the directory ``/``
    and, of the caller's descriptors, those in ``keep`` alone. With ``tied`` it is killed when the caller ends.
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        if tied:
            kernel.set_parent_death_signal(signal.SIGKILL, parent)
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        write_to(log)
        kernel.close_all_fds_except({0, 1, 2, *keep})
        os.chdir("/")
        run()
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here and says so
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def write_to(log: str) -> None:
    """Let this process read nothing, and write to the end of this file."""
    null = os.open(os.devnull, os.O_RDWR)
    into = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(into, 1)
    os.dup2(into, 2)
    for fd in (null, into):
        if fd > 2:
            os.close(fd)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:  # the caller has none
            setattr(sys, name, os.fdopen(number, "w", 1, errors="backslashreplace", closefd=False))
