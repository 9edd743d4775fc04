"""A program may fork, in a driver or in a task. The child inherits a runtime that it has no part in.

Its threads are gone, and what it said on the inherited connections would be taken for its parent's words. So at the
fork the child lets go of the connections, and whatever it asks of the runtime after that raises `ForkedError`: the
pump's lock, which everything takes, is replaced by one that does. The parent notices nothing.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn
from weakref import WeakSet

if TYPE_CHECKING:
    from rustyray.engines.native.pump import Pump


class ForkedError(RuntimeError):
    """A forked child asked something of its parent's runtime."""


class NoLock:
    """In place of a pump's lock: nobody gets it."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __enter__(self) -> NoReturn:
        raise ForkedError(
            f"this process (pid {os.getpid()}) was forked from one that runs RustyRay (pid {self._parent}), and has no "
            "part in it: use the runtime where it was started, or call rustyray.init() here for one of its own"
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Never called: there is no way in."""


_pumps: Final[WeakSet[Pump]] = WeakSet()


def guard(pump: Pump) -> None:
    """See to it that a child of this process leaves ``pump`` alone."""
    _pumps.add(pump)


def _in_child() -> None:
    parent = os.getppid()
    for pump in list(_pumps):
        pump.lock = NoLock(parent)
        pump.closed = True
        pump.hub.after_fork()
    _pumps.clear()


os.register_at_fork(after_in_child=_in_child)
