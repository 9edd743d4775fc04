"""What a hub waits with: epoll where there is one, else what `selectors` finds; and a descriptor that ends the wait."""

from __future__ import annotations

import os
import select
import selectors
import sys
from typing import Final, Protocol, TypeAlias

# Epoll's own numbers. Whatever else an event carries (error, hang-up) is found out by reading.
READ: Final = 1
WRITE: Final = 4
_MAX_EVENTS: Final = 64

#: `(descriptor, mask)` of what is ready.
Events: TypeAlias = list[tuple[int, int]]


class Poller(Protocol):
    """Tells which descriptors are ready. `wait` may run in one thread while another calls the rest."""

    def add(self, fd: int) -> None:
        """Watch ``fd`` for reading."""

    def modify(self, fd: int, writing: bool) -> None:
        """Watch ``fd`` for reading and, if ``writing``, for writing."""

    def remove(self, fd: int) -> None: ...

    def wait(self, timeout: float | None) -> Events:
        """`(fd, READ | WRITE | others)` of what is ready, or nothing after ``timeout`` seconds."""

    def close(self) -> None: ...


if sys.platform == "linux":

    class EpollPoller:
        """Level-triggered epoll."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._poll = self._epoll.poll

        def add(self, fd: int) -> None:
            self._epoll.register(fd, READ)

        def modify(self, fd: int, writing: bool) -> None:
            self._epoll.modify(fd, READ | WRITE if writing else READ)

        def remove(self, fd: int) -> None:
            self._epoll.unregister(fd)

        def wait(self, timeout: float | None) -> Events:
            return self._poll(timeout, _MAX_EVENTS)

        def close(self) -> None:
            self._epoll.close()


class SelectorPoller:
    """The same over the best selector of the system (kqueue on macOS)."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, fd: int) -> None:
        self._selector.register(fd, selectors.EVENT_READ)

    def modify(self, fd: int, writing: bool) -> None:
        self._selector.modify(fd, selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0))

    def remove(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, timeout: float | None) -> Events:
        return [
            (key.fd, (READ if mask & selectors.EVENT_READ else 0) | (WRITE if mask & selectors.EVENT_WRITE else 0))
            for key, mask in self._selector.select(timeout)
        ]

    def close(self) -> None:
        try:
            self._selector.close()
        except OSError:
            pass  # a kqueue does not outlive a fork, so there may be none to close


def new_poller() -> Poller:
    if sys.platform == "linux":
        return EpollPoller()
    else:
        return SelectorPoller()


class Waker:
    """A descriptor that is readable from `set` to `clear`; `set` may be called from anywhere, even a signal handler."""

    def __init__(self) -> None:
        if sys.platform == "linux":
            self.fd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            self._write = self.fd
        else:
            self.fd, self._write = os.pipe()
            os.set_blocking(self.fd, False)
            os.set_blocking(self._write, False)
        self._set = False
        self._open = [*{self.fd, self._write}]

    def set(self) -> None:
        if not self._set:
            self._set = True
            try:
                os.write(self._write, b"\1\0\0\0\0\0\0\0")
            except BlockingIOError:
                pass  # full, hence readable

    def clear(self) -> None:
        try:
            os.read(self.fd, 8)
        except BlockingIOError:
            pass  # another thread was faster
        # In this order: were it the other way round, a set() in between would be read and never repeated.
        self._set = False

    def close(self) -> None:
        self._set = True  # so that a late set() does not write into whatever gets the descriptor's number next
        try:
            while True:
                os.close(self._open.pop())
        except IndexError:
            pass  # all closed, perhaps by another thread
