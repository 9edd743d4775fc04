"""The driver's side of the zygote: start it early, ask it for node processes, notice when it dies.

One zygote serves one driver process for as long as that lives, through any number of ``init`` and ``shutdown``. It is
started by `rustyray.engines.native.processes.spawn`, maybe before this module was imported.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from typing import Final

from rustyray.engines.native.processes import kernel, spawn
from rustyray.engines.native.processes.boot import (
    REPLIES,
    AskNode,
    Channel,
    Forked,
    ForkNode,
    ForkTwin,
    NodeBoot,
    NodeStatus,
    Preload,
    Preloaded,
    Refused,
    Reply,
    Request,
)
from rustyray.engines.native.processes.texts import sendable

#: Seconds to wait for an answer, for a zygote that was stopped or cannot get on.
ANSWER_TIMEOUT: Final = 30.0
#: Seconds that it may take at least, however little time there is: it may be importing.
LEAST_TIMEOUT: Final = 3.0
#: Seconds that the zygote has to end its nodes and itself when it is closed.
CLOSE_TIMEOUT: Final = 3.0


class ZygoteError(RuntimeError):
    """The zygote could not be started, or could not do what it was asked."""


class Zygote:
    """The one zygote of this process. Every method is safe from any thread.

    A zygote that died (its nodes die with it) is replaced at the next request. A child that the driver forks starts
    without one, and would get its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._preload: list[str] = []
        self._failures: dict[str, str] = {}

    @staticmethod
    def shared() -> Zygote:
        """This process' zygote, started if there is none. Returns at once: its imports go on meanwhile."""
        with _shared._lock:
            _shared._living()
        return _shared

    def fork_node(self, boot: NodeBoot, fds: Sequence[int]) -> int:
        """Fork a node process that begins with ``boot``; return its pid.

        ``fds`` are as `NodeFd` lists them; they are duplicated and remain the caller's. Raises ZygoteError.
        """
        reply = self._ask(ForkNode(boot), fds)
        if isinstance(reply, Refused):
            raise ZygoteError(f"no node process could be started: {reply.reason}")
        assert isinstance(reply, Forked)
        return reply.pid

    @staticmethod
    def running() -> Zygote | None:
        """This process' zygote, if it has one."""
        with _shared._lock:
            process = _shared._process
            return _shared if process is not None and process.is_alive() else None

    def fork_twin(self, child: int, fd: int) -> None:
        """Give a process that was forked from this one a zygote of its own, which has imported all that this one has.

        ``fd`` is a socket, which remains the caller's; at the other end the child calls `adopt`. Raises ZygoteError.
        """
        reply = self._ask(ForkTwin(child), [fd])
        if isinstance(reply, Refused):
            raise ZygoteError(f"no zygote could be forked: {reply.reason}")

    @staticmethod
    def adopt(ours: socket.socket) -> None:
        """In a forked child that has no zygote yet: take the twin at the other end, which may not be there yet."""
        with _shared._lock:
            _shared._drop(0)
            _shared._process = _Twin(ours)

    def preload(self, modules: Sequence[str]) -> None:
        """Import ``modules`` for all later nodes and workers, in each zygote that replaces this one too.

        Returns at once; `preload_failures` tells what could not be imported. Raises nothing for that.
        """
        with self._lock:
            new = [name for name in modules if name not in self._preload]
            self._preload += new
            if new and self._process is not None:
                try:
                    self._process.post_preload(new)
                except EOFError:
                    pass  # the zygote that replaces it imports all of them
                except BaseException:
                    self._drop(0)
                    raise

    def preload_failures(self) -> dict[str, str]:
        """The modules that could not be imported, with the reason. Waits until the zygote has tried."""
        self._ask(AskNode(0))
        return dict(self._failures)

    def wait_node(self, pid: int, timeout: float | None) -> str | None:
        """Wait until the node process has ended and is reaped: how it ended, or None after ``timeout`` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = None if timeout is None else min(ANSWER_TIMEOUT, max(LEAST_TIMEOUT, timeout))
        try:
            watch = kernel.open_watch(pid)  # before the question, so that it cannot be a stranger's
        except ProcessLookupError:
            watch = None
        try:
            while True:
                status = self._node_status(pid, patience)
                if status.ended:
                    return status.ended
                left = None if deadline is None else deadline - time.monotonic()
                if watch is not None:
                    ended = kernel.wait_watch(watch, left)
                else:
                    ended = kernel.wait_for_end(pid, kernel.POLL_SECONDS)
                if ended and not status.known:
                    return "was killed together with its zygote"
                if left is not None and left <= 0:
                    return None
        finally:
            if watch is not None:
                os.close(watch)

    def kill_node(self, pid: int) -> None:
        """Send SIGKILL to the node process, unless it has ended."""
        self._node_status(pid, number=signal.SIGKILL)

    def end_node(self, pid: int) -> None:
        """Ask the node process to end, unless it has."""
        self._node_status(pid, number=signal.SIGTERM)

    def close(self) -> None:
        """End the zygote and whatever it started; the next request starts a new one."""
        with self._lock:
            self._drop(CLOSE_TIMEOUT)

    def pid(self) -> int:
        """The pid of the zygote's process."""
        with self._lock:
            return self._living().pid

    # --- with the lock held, but for the first ---

    def _ask(self, request: Request, fds: Sequence[int] = ()) -> Reply:
        with self._lock:
            try:
                return self._exchange(self._living(), request, fds)
            except EOFError:
                pass  # it died between two requests, and its nodes with it: a new one does not make that worse
            try:
                return self._exchange(self._living(), request, fds)
            except EOFError as error:
                raise ZygoteError(f"{error}; its standard error (this process') may tell why") from None

    def _node_status(self, pid: int, patience: float | None = None, *, number: int = 0) -> NodeStatus:
        with self._lock:
            if self._process is None or not self._process.is_alive():
                return NodeStatus(known=False)
            try:
                reply = self._exchange(self._process, AskNode(pid, number), (), patience)
            except EOFError:
                return NodeStatus(known=False)
        assert isinstance(reply, NodeStatus)
        return reply

    def _living(self) -> _Process:
        if self._process is None or not self._process.is_alive():
            self._drop(0)
            self._process = _Process()
            if self._preload:
                self._process.post_preload(self._preload)
        return self._process

    def _exchange(
        self, process: _Process, request: Request, fds: Sequence[int], patience: float | None = None
    ) -> Reply:
        try:
            return process.ask(request, fds, self._failures, ANSWER_TIMEOUT if patience is None else patience)
        except BaseException:
            # Half an exchange may have happened (Ctrl-C): the answer to it must not be taken for the next one's.
            self._drop(0)
            raise

    def _drop(self, timeout: float) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end(timeout)

    def _forget(self) -> None:
        """In a child of the driver, just forked: the zygote is the parent's, and so may be the lock's state."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.close()
            self._process = None


class _Process:
    """One zygote process and our end of the socketpair to it."""

    def __init__(self) -> None:
        try:
            self.pid, ours = spawn.take()
        except OSError as error:
            raise ZygoteError(
                f"the zygote could not be started with {sys.executable or 'no interpreter'}: {error}"
            ) from error
        self._connect(ours)

    def _connect(self, ours: socket.socket) -> None:
        ours.settimeout(ANSWER_TIMEOUT)
        self._socket = ours
        self._channel = Channel(ours, REPLIES)
        self._unread_preloads = 0
        self._ended = ""

    def post_preload(self, modules: list[str]) -> None:
        """Ask for imports; `ask` reads the answer."""
        self._channel.send(Preload(modules, list(map(sendable, sys.path))))
        self._unread_preloads += 1

    def ask(self, request: Request, fds: Sequence[int], failures: dict[str, str], patience: float) -> Reply:
        """Send the request and return its answer. Raises EOFError if the zygote dies, ZygoteError if it hangs."""
        try:
            self._socket.settimeout(patience)
            self._channel.send(request, fds)
            while self._unread_preloads:
                preloaded, _ = self._channel.receive()
                assert isinstance(preloaded, Preloaded)
                failures.update(preloaded.failed)
                self._unread_preloads -= 1
            return self._channel.receive()[0]
        except TimeoutError:
            raise ZygoteError(f"the zygote (pid {self.pid}) did not answer within {patience:g} s") from None
        except EOFError:
            self.end(CLOSE_TIMEOUT)
            raise EOFError(f"the zygote (pid {self.pid}) {self._ended}") from None

    def is_alive(self) -> bool:
        return not self._reap(os.WNOHANG)

    def end(self, timeout: float) -> None:
        """Let it end by itself (at EOF) for ``timeout`` seconds, then kill it."""
        self.close()
        if self._reap(os.WNOHANG) or (timeout and kernel.wait_for_end(self.pid, timeout) and self._reap(0)):
            return
        os.kill(self.pid, signal.SIGKILL)
        self._reap(0)

    def close(self) -> None:
        self._channel.close()

    def fileno(self) -> int:
        return self._channel.fileno()

    def _reap(self, options: int) -> bool:
        if not self._ended:
            try:
                ended, status = os.waitpid(self.pid, options)
                self._ended = kernel.describe_exit(status) if ended else ""
            except ChildProcessError:
                self._ended = "ended, and somebody else in this process waited for it"
        return bool(self._ended)


class _Twin(_Process):
    """A zygote that the parent's has forked. It is no child of this process, which hears of its end by the socket."""

    def __init__(self, ours: socket.socket) -> None:
        self.pid = 0
        self._connect(ours)

    def is_alive(self) -> bool:
        return not self._ended

    def end(self, timeout: float) -> None:
        self.close()
        self._ended = "has ended"


_shared = Zygote()
atexit.register(_shared.close)
os.register_at_fork(after_in_child=_shared._forget)
