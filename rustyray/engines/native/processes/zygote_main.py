"""The zygote: a process that has imported the runtime, runs nothing of the user's, and forks node processes on request.

The driver cannot fork itself: it has threads, locks and the user's state. So it starts this program once, with a fresh
interpreter, and asks it over a socketpair. The zygote stays single-threaded, which makes its forks safe and lets its
nodes ask the kernel to be killed when it ends.

It ends when its driver does: the socket then reads EOF, and a watch on the driver's pid covers the case that a child of
the driver holds a copy of the socket. Its nodes get SIGTERM first, and a moment; the kernel kills what is left.
"""

from __future__ import annotations

import faulthandler
import gc
import hmac
import importlib
import io
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from typing import Final, NoReturn

from rustyray.engines.native import node_main
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.processes.boot import (
    REQUESTS,
    AskNode,
    Channel,
    Forked,
    ForkNode,
    ForkTwin,
    NodeFd,
    NodeStatus,
    Preload,
    Preloaded,
    Refused,
    Reply,
    Request,
)
from rustyray.engines.native.processes.texts import received

#: What every node imports, and every worker with its first task at the latest. Once, here, is cheaper.
FOR_WORKERS: Final = ("cloudpickle", "random", "resource")
#: Seconds that nodes have between SIGTERM and SIGKILL when the driver is gone.
NODE_GRACE: Final = 2.0
#: Ends of nodes that are remembered in case the driver asks.
REMEMBERED_ENDS: Final = 256


def main(fd: int, driver_pid: int) -> NoReturn:
    """Serve the driver on the other end of socket ``fd`` until it is gone."""
    os.setsid()  # Ctrl-C in a terminal is for the driver alone
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if kernel.TELL_STACKS:
        faulthandler.register(kernel.TELL_STACKS, file=2)
    kernel.set_name("rr-zygote")
    _tidy_fds(fd)
    os.chdir("/")
    for name in FOR_WORKERS:
        importlib.import_module(name)
    hmac.digest(b"key", b"", "sha256")  # the first one sets the library up
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # for the workers, which show what they print as it comes
    _freeze()
    if os.getppid() != driver_pid:
        os._exit(0)  # the number may be a stranger's by now
    _serve(fd, driver_pid)


def _serve(fd: int, driver_pid: int) -> NoReturn:
    try:
        watch = kernel.open_watch(driver_pid)
    except ProcessLookupError:
        os._exit(0)
    zygote = _Zygote(socket.socket(fileno=fd), watch)
    zygote.serve()
    zygote.end_nodes()
    os._exit(0)


def _tidy_fds(fd: int) -> None:
    """Close what leaked through the driver's exec, and make sure that no later descriptor becomes 0, 1 or 2."""
    kernel.close_all_fds_except({0, 1, 2, fd})
    os.set_inheritable(fd, False)
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(null, True)
    os.close(null)


def _freeze() -> None:
    """Leave all there is now to the children as it is: their collectors must not touch (and so copy) these pages.

    The little garbage that imports leave is not worth the time to look for it.
    """
    sys.path_importer_cache.clear()  # it would be out of date by then
    gc.freeze()
    gc.enable()


class _Zygote:
    def __init__(self, sock: socket.socket, driver_watch: int | None) -> None:
        self._sock = sock
        self._channel = Channel(sock, REQUESTS)
        self._watch = driver_watch
        self._ends: dict[int, str] = {}
        self._running: list[int] = []
        #: Of those, the ones that are no nodes: zygotes of others, with whom they end.
        self._twins: set[int] = set()
        self._woken, self._wake = kernel.open_wake_pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> None:
        """Answer requests until the driver is gone."""
        waiting = [self._sock.fileno(), self._woken]
        if self._watch is not None:
            waiting.append(self._watch)
        while True:
            ready = select.select(waiting, [], [])[0]
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._watch in ready:
                break
            if self._sock.fileno() in ready:
                try:
                    request, fds = self._channel.receive(len(NodeFd))
                    self._channel.send(self._answer(request, fds))
                except EOFError:
                    break

    def _answer(self, request: Request, fds: list[int]) -> Reply:
        try:
            match request:
                case ForkNode(boot):
                    return self._fork(lambda parent: node_main.main(boot, fds, parent))
                case ForkTwin(driver_pid):
                    twin = self._fork(lambda parent: _serve(fds.pop(), driver_pid))
                    if isinstance(twin, Forked):
                        self._twins.add(twin.pid)
                    return twin
                case Preload():
                    return self._preload(request)
                case AskNode():
                    return self._status(request)
        finally:
            for fd in fds:
                os.close(fd)

    def _fork(self, child: Callable[[int], object]) -> Reply:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return Refused(f"fork failed: {error}")
        if pid == 0:
            try:
                self._leave()
                child(parent)
            except BaseException:  # noqa: BLE001 - nothing may return into the zygote's loop
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(70)
        self._running.append(pid)
        return Forked(pid)

    def _leave(self) -> None:
        """In the child: let go of what is the zygote's alone."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for fd in (self._woken, self._wake, self._watch):
            if fd is not None:
                os.close(fd)
        self._channel.close()

    def _preload(self, request: Preload) -> Preloaded:
        failed: dict[str, str] = {}
        sys.path[:] = map(received, request.sys_path)
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # no threads here, or forking would not be safe
        gc.disable()
        for name in request.modules:
            try:
                importlib.import_module(name)
            except BaseException as error:  # noqa: BLE001 - a preload only saves time; the reason is reported
                failed[name] = f"{type(error).__name__}: {error}"
        _freeze()
        return Preloaded(failed)

    def _status(self, request: AskNode) -> NodeStatus:
        if request.signal and request.pid in self._running:
            os.kill(request.pid, request.signal)
        self._reap()
        if request.pid in self._running:
            return NodeStatus()
        return NodeStatus(self._ends.get(request.pid, ""), known=request.pid in self._ends)

    def _reap(self) -> None:
        for pid in self._running[:]:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._running.remove(pid)
                self._twins.discard(pid)
                self._ends[pid] = kernel.describe_exit(status)
                if len(self._ends) > REMEMBERED_ENDS:
                    del self._ends[next(iter(self._ends))]

    def end_nodes(self) -> None:
        """Ask the nodes to end, and wait for them, but not for ever. A twin ends its own nodes."""
        deadline = time.monotonic() + NODE_GRACE
        for pid in self._nodes():
            os.kill(pid, signal.SIGTERM)
        while self._nodes() and (left := deadline - time.monotonic()) > 0:
            if select.select([self._woken], [], [], left)[0]:
                os.read(self._woken, 4096)
            self._reap()

    def _nodes(self) -> list[int]:
        return [pid for pid in self._running if pid not in self._twins]
