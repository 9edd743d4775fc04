"""Starts the zygote's process, and imports next to nothing for it, so that this can be done first.

The zygote needs about as long for its imports as a driver does for its own. A driver that calls `start_early` before it
imports the engine has both at once, on two cores. ``posix_spawn`` copies no memory, runs no code between fork and exec,
and spares the import of ``subprocess``.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import Final, NamedTuple

# Collecting while it imports would take a tenth of its start; its `main` switches the collector on again.
_BOOTSTRAP: Final = (
    "import gc, sys; gc.disable(); fd, pid = map(int, sys.argv[1:3]); sys.path[:] = sys.argv[3:]; "
    "from rustyray.engines.native.processes.zygote_main import main; main(fd, pid)"
)


class Spawned(NamedTuple):
    """A zygote that is starting, and our end of the socketpair to it."""

    pid: int
    socket: socket.socket


_early: Spawned | None = None


def start_early() -> None:
    """Start the zygote that this process will need soon, unless one was. Returns at once. Raises OSError.

    To be called before a runtime starts, by whoever knows that one will (not by an import). It costs the caller a
    millisecond, and a second time nothing.
    """
    global _early
    if (engine := sys.modules.get("rustyray.engines.native.processes.zygote")) is not None:
        engine.Zygote.shared()
    elif _early is None:
        _early = spawn()


def take() -> Spawned:
    """The zygote that was started early, or a new one."""
    global _early
    early, _early = _early, None
    return early or spawn()


def spawn() -> Spawned:
    """Start a zygote. Raises OSError if the system refuses, or if this process does not know its interpreter."""
    if not sys.executable:
        raise FileNotFoundError("sys.executable is empty")
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            return Spawned(_spawn(theirs.fileno()), ours)
        except BaseException:
            ours.close()
            raise


def _spawn(fd: int) -> int:
    """Start the zygote's interpreter with ``fd`` as its end of the socketpair; return its pid."""
    target = 4 if fd == 3 else 3  # dup2 onto itself would leave it close-on-exec
    path = [absolute for entry in sys.path if (absolute := _absolute(entry))]
    command = [sys.executable, *interpreter_flags(), "-c", _BOOTSTRAP, str(target), str(os.getpid()), *path]
    actions = [
        (os.POSIX_SPAWN_DUP2, fd, target),
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    if sys.__stderr__ is None or not _is_open(2):  # it was closed in the beginning (2 may be a socket by now), or since
        actions.append((os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0))
    # No Ctrl-C until it has left the terminal's process group.
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions, setsigmask=[signal.SIGINT])


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def interpreter_flags() -> list[str]:
    """The options of this interpreter that change what programs mean, for the zygote and so for the workers."""
    flags = sys.flags
    short = {
        "-I": flags.isolated,
        "-E": flags.ignore_environment,
        "-s": flags.no_user_site,
        "-S": flags.no_site,
        "-B": flags.dont_write_bytecode,
        "-O": flags.optimize,
        "-b": flags.bytes_warning,
    }
    options = [flag for flag, count in short.items() for _ in range(count)]
    options += [f"-W{what}" for what in sys.warnoptions]
    for name, value in sys._xoptions.items():
        if name not in ("importtime", "showrefcount"):
            options += ["-X", name if value is True else f"{name}={value}"]
    return options


def _absolute(entry: str) -> str:
    """The zygote leaves the working directory; what is relative to one that is gone cannot be found anyway."""
    try:
        return os.path.abspath(entry)
    except FileNotFoundError:
        return ""


def _forget() -> None:
    """In a child of the driver, just forked: the zygote is the parent's."""
    global _early
    if _early is not None:
        _early.socket.close()
        _early = None


os.register_at_fork(after_in_child=_forget)
