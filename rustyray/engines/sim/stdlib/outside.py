"""What simulated tasks and actors must not do: start processes and open sockets. And how they end their own process."""

from __future__ import annotations

import atexit
import multiprocessing.process
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from rustyray.exceptions import SimulationError
from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.engines.sim.stdlib.patches import Patches
    from rustyray.engines.sim.worker import SimWorker

_PACKAGE: Final = os.path.dirname(os.path.dirname(context.__file__)) + os.sep
_LIBRARY: Final = os.path.dirname(os.__file__) + os.sep


def install(patches: Patches) -> None:
    """Refuse processes and sockets to workers; `os._exit` ends the simulated one."""
    for where, name, what in (
        (subprocess.Popen, "__init__", "a subprocess"),
        (socket.socket, "__init__", "a socket"),
        (socket, "socketpair", "a socket"),
        (os, "fork", "a forked process"),
        (os, "forkpty", "a forked process"),
        (os, "system", "a subprocess"),
        (os, "posix_spawn", "a subprocess"),
        (os, "posix_spawnp", "a subprocess"),
        (os, "execv", "another program"),
        (os, "execve", "another program"),
        (multiprocessing.process.BaseProcess, "start", "a process"),
    ):
        patches.replace(where, name, _refused(patches, getattr(where, name), what))
    patches.replace(atexit, "register", _register(patches, atexit.register))
    patches.replace(os, "getpid", _getpid(patches, os.getpid))
    patches.replace(os, "_exit", _exit(patches, os._exit))


def user_line(depth: int = 1) -> str:
    """Where the user's code is that led here, such as ``prices.py:12 in load``."""
    frame: Any = sys._getframe(depth)
    while frame is not None:
        if is_users(frame):
            return place(frame)
        frame = frame.f_back
    return "code that is not the user's"


def is_users(frame: Any) -> bool:
    """Whether this is the user's code, and not the runtime's or the standard library's."""
    name = frame.f_code.co_filename
    return not name.startswith((_PACKAGE, "<")) and (not name.startswith(_LIBRARY) or "site-packages" in name)


def place(frame: Any) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def _worker(patches: Patches) -> SimWorker | None:
    process = patches.current()
    return process.engine if process is not None and process.executes else None  # type: ignore[return-value] # so it is


def _refused(patches: Patches, real: Callable[..., Any], what: str) -> Callable[..., Any]:
    def stand_in(*args: Any, **kwargs: Any) -> Any:
        if _worker(patches) is not None:
            raise SimulationError(
                f"{what} cannot be simulated: {user_line(2)} starts one in a task or actor. Replace it by something of "
                "the test's own there, or run this test with the native engine"
            )
        return real(*args, **kwargs)

    return stand_in


def _exit(patches: Patches, real: Callable[[int], Any]) -> Callable[[int], Any]:
    def _exit(status: int) -> Any:
        worker = _worker(patches)
        if worker is None:
            return real(status)
        return worker.exit_now(f"it exited with code {status}")

    return _exit


def _register(patches: Patches, real: Callable[..., Any]) -> Callable[..., Any]:
    def register(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Callable[..., Any]:
        process = patches.current()
        # What libraries register, be it in a task, is for the end of the interpreter: all workers use the same ones.
        library = sys._getframe(1).f_code.co_filename.startswith(_LIBRARY)
        if process is None or not process.executes or library:
            real(func, *args, **kwargs)
        else:
            process.at_exit.append(partial(func, *args, **kwargs))
        return func

    return register


def _getpid(patches: Patches, real: Callable[[], int]) -> Callable[[], int]:
    current = patches.current

    def getpid() -> int:
        process = current()
        return real() if process is None or not process.executes else process.pid

    return getpid
