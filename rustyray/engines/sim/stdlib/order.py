"""What simulated code makes has the same names, and the same place in a set, in each run.

The library keeps threads, futures and tasks in sets, whose order follows their hashes, which are addresses. So those of
simulated code are hashed by number.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from rustyray.engines.sim.stdlib.patches import current

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.stdlib.patches import Patches


class Numbers:
    """Numbers that begin anew with each simulated runtime; for others, real ones."""

    def __init__(self, real: Callable[[], int] = lambda: 0) -> None:
        self._real = real
        self._used: WeakKeyDictionary[Simulation, int] = WeakKeyDictionary()

    def __call__(self) -> int:
        process = current()
        if process is None:
            return self._real()
        number = self._used[process.simulation] = self._used.get(process.simulation, 0) + 1
        return number


_numbers: Final = Numbers()


def install(patches: Patches) -> None:
    """Replace how threads and futures are numbered and hashed."""
    for kind in (threading.Thread, Future):
        patches.replace(kind, "__init__", _init(kind.__init__))
        patches.replace(kind, "__hash__", _hash(kind.__hash__))
    for what in (threading, ThreadPoolExecutor):
        patches.replace(what, "_counter", Numbers(vars(what)["_counter"]), copy=True)
    for where in (asyncio.tasks, asyncio):
        patches.replace(where, "as_completed", _as_completed(where.as_completed), copy=where is asyncio)


def _init(real: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        number = _numbers()
        if number:
            self._rustyray_number = number
        real(self, *args, **kwargs)

    return init


def _hash(real: Callable[[Any], int]) -> Callable[[Any], int]:
    def hash_(self: Any) -> int:
        number: int = vars(self).get("_rustyray_number", 0)
        return number or real(self)

    return hash_


def _as_completed(real: Callable[..., Any]) -> Callable[..., Any]:
    def as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
        if current() is not None:
            fs = [asyncio.ensure_future(one) for one in fs]  # in their order, before they are put into a set
        return real(fs, timeout=timeout)

    return as_completed


class SimFuture(asyncio.Future[Any]):
    """What a simulated event loop makes."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._number = _numbers()

    def __hash__(self) -> int:
        return self._number


class SimTask(asyncio.Task[Any]):
    """What a simulated event loop makes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = _numbers()  # the task is put into a set of all while it is made
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


# As errors and logs name them.
SimFuture.__name__, SimTask.__name__ = "Future", "Task"


def task(loop: asyncio.AbstractEventLoop, coro: Any, **kwargs: Any) -> SimTask:
    """Makes the tasks of a loop."""
    return SimTask(coro, loop=loop, **kwargs)
