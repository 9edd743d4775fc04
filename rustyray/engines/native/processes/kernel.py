"""What we ask the kernel about processes: that one ends with its parent, when and how it ended, what it holds open.

Linux answers with ``PR_SET_PDEATHSIG`` and pidfds. Elsewhere (macOS) a kqueue tells of a process' end, and a small
daemon thread turns the parent's end into the signal. Where neither is there, the end is polled for.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Collection
from typing import Final

#: A node or a worker that gets this signal writes to standard error where its threads stand, whatever they do; 0: none.
TELL_STACKS: Final[int] = getattr(signal, "SIGRTMAX", 2) - 2

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_PUNCH_HOLE_KEEP_SIZE: Final = 3
#: How often the end of a process is asked for where nothing tells of it.
POLL_SECONDS: Final = 0.01
#: Errors of which the user has been told.
_told: Final[set[int]] = set()

_libc = ctypes.CDLL(None, use_errno=True)


def set_parent_death_signal(signum: signal.Signals, parent: int) -> None:
    """Let the kernel send this process ``signum`` when its parent, the process ``parent``, ends.

    To be called by the child of a single-threaded parent: Linux sends the signal when the *thread* that forked ends.
    If the parent is gone already, the signal comes at once. Elsewhere than on Linux a daemon thread watches instead.
    """
    if sys.platform == "linux":
        if _libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signum), 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl(PR_SET_PDEATHSIG): {os.strerror(number)}")
    else:
        watcher = threading.Thread(target=_signal_when_ended, args=(parent, signum), daemon=True)
        watcher.start()
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def _signal_when_ended(parent: int, signum: signal.Signals) -> None:
    wait_for_end(parent, None)
    os.kill(os.getpid(), signum)


def this_machine() -> str:
    """Tells this machine from others, whatever their names. A container with a network of its own is another one."""
    parts = [os.uname().nodename]
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            parts.append(file.read().strip())
        parts.append(os.readlink("/proc/self/ns/net"))
    except OSError:
        pass  # then the name must do
    return " ".join(parts)


def set_name(name: str) -> None:
    """Name this process in ``top`` and ``ps -e`` (up to 15 bytes; Linux only, elsewhere nothing happens)."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()), 0, 0, 0)


def raise_descriptor_limit() -> int:
    """Let this process open as many files as it may; returns how many it could before."""
    import resource  # only here: a worker may have more use for its own

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            pass  # macOS allows less than it says; what there is has to do
    return soft


def lower_descriptor_limit(soft: int) -> None:
    """Take back `raise_descriptor_limit`, in a process that was forked since."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def limit_descriptors(most: int) -> None:
    """Let this process, and those that it forks, open so many files, for good. It may be less already."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard > most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def tell_of_descriptors(error: OSError) -> None:
    """If it is why, say once that this process has opened as many files as it may."""
    if error.errno in (errno.EMFILE, errno.ENFILE) and error.errno not in _told:
        _told.add(error.errno)
        import resource

        may = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        whose = f"this process (pid {os.getpid()}) has opened as many files as it may ({may})"
        if error.errno == errno.ENFILE:
            whose = "the machine has opened as many files as it may"
        text = f"rustyray: {whose}, so that nobody can connect to it: raise that limit (ulimit -n), or start less"
        try:
            print(text, file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass  # nobody reads it


def punch_hole(fd: int, offset: int, size: int) -> None:
    """Give the pages or blocks of this part of a file back to the system, where that can be done; it reads as zeros."""
    if sys.platform == "linux":
        _libc.fallocate(fd, _PUNCH_HOLE_KEEP_SIZE, ctypes.c_long(offset), ctypes.c_long(size))


def open_watch(pid: int) -> int | None:
    """A descriptor that turns readable when the process ends; the caller closes it.

    None where the system has nothing of the kind. Raises ProcessLookupError when there is no such process.
    """
    if sys.platform == "linux":
        try:
            return os.pidfd_open(pid)
        except ProcessLookupError:
            raise
        except OSError:  # an old kernel, or a sandbox without pidfds
            return None
    else:
        queue = select.kqueue()
        event = select.kevent(pid, select.KQ_FILTER_PROC, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, select.KQ_NOTE_EXIT)
        try:
            queue.control([event], 0)
            return os.dup(queue.fileno())
        finally:
            queue.close()


def wait_watch(watch: int, timeout: float | None) -> bool:
    """Wait until the process behind a watch has ended; False after ``timeout`` seconds."""
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(None if timeout is None else max(0.0, 1000 * timeout)))


def wait_for_end(pid: int, timeout: float | None) -> bool:
    """Wait until the process, which need not be our child, has ended; False after ``timeout`` seconds.

    A dead child that nobody has waited for yet counts as ended where the system can tell (pidfd, kqueue).
    """
    try:
        watch = open_watch(pid)
    except ProcessLookupError:
        return True
    if watch is None:
        return _poll_for_end(pid, timeout)
    try:
        return wait_watch(watch, timeout)
    finally:
        os.close(watch)


def _poll_for_end(pid: int, timeout: float | None) -> bool:
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)


def directory() -> str:
    """The current directory. Raises FileNotFoundError, with a sentence, when it is none any more."""
    try:
        return os.getcwd()
    except FileNotFoundError as error:
        text = "the current directory has been removed, and workers start where their driver is: change to another one"
        raise FileNotFoundError(error.errno, text) from None


def search_path() -> list[str]:
    """``sys.path`` as it is for whoever is elsewhere. Raises as `directory`."""
    return [entry if os.path.isabs(entry) else os.path.normpath(os.path.join(directory(), entry)) for entry in sys.path]


def umask() -> int:
    """The mask of permissions that this process takes off new files."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def describe_exit(status: int) -> str:
    """Turn the status from ``waitpid`` into words: "was killed by signal 9 (SIGKILL)", "exited with code 3"."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name of its own
        name = "real-time signal"
    dumped = ", core dumped" if os.WCOREDUMP(status) else ""
    return f"was killed by signal {-code} ({name}{dumped})"


def lead_group(pid: int) -> None:
    """Give the child ``pid`` (0: this process) a process group. Both sides call it, so that one of them is in time."""
    try:
        os.setpgid(pid, pid)
    except (PermissionError, ProcessLookupError):
        pass  # the other one was first, and the child has ended or runs another program since


def kill_group(leader: int) -> None:
    """Kill our child ``leader``, not yet waited for, and what is in the process group that it was given."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):
        pass  # it has left its group and nobody else is in it
    os.kill(leader, signal.SIGKILL)


def reap_leader(pid: int) -> int | None:
    """The status of our child if it has ended, else None. What is left of its process group is killed first.

    First, because the group's number cannot be anybody else's before the child was waited for. (macOS cannot look
    without waiting; there it follows at once.)
    """
    if sys.platform == "darwin":
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            try:
                os.killpg(pid, signal.SIGKILL)
            except (PermissionError, ProcessLookupError):
                pass  # nobody is left
        return status if ended else None
    if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        return None
    kill_group(pid)
    return os.waitpid(pid, 0)[1]


def open_wake_pipe() -> tuple[int, int]:
    """A pipe for ``signal.set_wakeup_fd``: the end to wait on, and the end that the interpreter writes to."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    return reading, writing


def drain(wake_pipe: int) -> bytes:
    """The numbers of the signals that have come since the last look; see `open_wake_pipe`."""
    try:
        return os.read(wake_pipe, 4096)
    except BlockingIOError:
        return b""  # called once too often


def close_all_fds_except(keep: Collection[int]) -> None:
    """Close every descriptor of this process that is not in ``keep``, whoever opened it."""
    for name in os.listdir("/dev/fd"):
        fd = int(name)
        if fd not in keep:
            try:
                os.close(fd)
            except OSError:  # the directory's own descriptor, closed when the list was complete
                pass
