"""What the workers of a shared node write: it goes through the node to the driver of their job, wherever that is.

A worker that writes faster than its driver reads has to wait, as for any pipe. When the driver is gone, what is written
goes to the node's own output.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from rustyray.model.messages import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from rustyray.engines.native.network.hub import Hub
    from rustyray.model.ids import WorkerID

#: Bytes read at a time.
READ: Final = 64 << 10
#: With so many bytes on their way to a driver its workers have to wait.
MUCH: Final = 1 << 20


class WorkerPipes:
    """Two pipes that take the place of a worker's standard output and error. Raises OSError."""

    def __init__(self) -> None:
        self._fds = [*os.pipe()]
        try:
            self._fds += os.pipe()
        except OSError:
            self.close()
            raise

    def use(self) -> None:
        """In the worker: write to them."""
        out, into, error, error_into = self._fds
        os.dup2(into, 1)
        os.dup2(error_into, 2)
        for fd in (out, into, error, error_into):
            os.close(fd)

    def keep_reading(self) -> tuple[int, int]:
        """In the node: the ends to read from; the caller closes them."""
        out, into, error, error_into = self._fds
        os.close(into)
        os.close(error_into)
        for fd in (out, error):
            os.set_blocking(fd, False)
        return out, error

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)


def write_nowhere() -> None:
    """What this process writes from now on to its standard output and error is dropped."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


class Outputs:
    """All pipes of a node's workers. ``hub`` watches them and takes what they say to the drivers."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._fds: dict[int, None] = {}
        #: Not watched until their driver has taken what is on its way: what reads them, and the driver.
        self._paused: dict[int, tuple[Callable[[], None], WorkerID]] = {}

    def add(self, worker: WorkerID, pid: int, driver: WorkerID, pipes: WorkerPipes) -> None:
        for error, fd in enumerate(pipes.keep_reading()):
            self._fds[fd] = None
            self._hub.watch(fd, partial(self._read, fd, worker, pid, driver, bool(error)))

    def resume(self) -> None:
        """To be called now and then: some drivers may have caught up."""
        for fd, (read, driver) in list(self._paused.items()):
            if self._hub.backlog(driver) <= MUCH:
                del self._paused[fd]
                self._hub.watch(fd, read)

    def _read(self, fd: int, worker: WorkerID, pid: int, driver: WorkerID, error: bool) -> None:
        if self._hub.backlog(driver) > MUCH:
            self._hub.unwatch(fd)
            self._paused[fd] = partial(self._read, fd, worker, pid, driver, error), driver
            return
        try:
            data = os.read(fd, READ)
        except BlockingIOError:
            return
        if not data:
            self._hub.unwatch(fd)
            del self._fds[fd]
            os.close(fd)
        elif self._hub.has_link(driver):
            self._hub.send(driver, Output(worker, pid, error, data))
        else:
            sys.stderr.buffer.write(data)
            sys.stderr.flush()

    def after_fork(self) -> None:
        """In a worker: these are the node's."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
