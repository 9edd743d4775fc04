"""Locks of simulated code: who waits for one gives way.

`threading.Lock` and `threading.RLock` make these where simulated code asks for one; conditions, events, semaphores,
barriers, queues and executors of the standard library are built from them. They go on working when the runtime has
ended, for the threads that there really are, and in the next runtime.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from _thread import get_ident
from collections import deque
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rustyray.engines.sim.stdlib.patches import current, users_modules
from rustyray.engines.sim.world.process import Until

if TYPE_CHECKING:
    from rustyray.engines.sim.stdlib.patches import Patches
    from rustyray.engines.sim.world.events import Fiber

#: Seconds between two looks of a thread outside of the simulation at a lock that it waits for.
LOOK: Final = 0.001

_LOCK: Final[Any] = type(threading.Lock())
_RLOCK: Final[Any] = type(threading.RLock())


def install(patches: Patches) -> None:
    """Replace what makes locks."""

    def making(real: Callable[..., Any], kind: Callable[[], Any]) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            if current() is None or sys._getframe(1).f_code.co_name == "<module>":
                return real(*args, **kwargs)  # what a module makes when it is imported lives on
            return kind()

        return make

    lock, rlock = making(threading.Lock, SimLock), making(threading.RLock, SimRLock)
    patches.replace(threading, "Lock", lock)
    patches.replace(threading, "_allocate_lock", lock, copy=True)
    patches.replace(threading, "RLock", rlock)
    patches.replace(queue, "SimpleQueue", making(queue.SimpleQueue, _simple_queue))


def replace_made(patches: Patches) -> None:
    """Replace also locks that modules of the user's have made, unless they are held, or others know them too."""
    for module in users_modules():
        space = vars(module)
        for name in list(space):
            kind = type(space[name])
            if (kind is _LOCK or kind is _RLOCK) and _known(space, name) <= _ALONE and _is_free(space[name]):
                patches.replace(module, name, SimLock() if kind is _LOCK else SimRLock(), copy=True)


def _known(space: dict[str, Any], name: str) -> int:
    return sys.getrefcount(space[name])


_ALONE: Final = _known({"lock": threading.Lock()}, "lock")


def _is_free(lock: Any) -> bool:
    if isinstance(lock, _RLOCK) and lock._is_owned():
        return False
    free: bool = lock.acquire(blocking=False)
    if free:
        lock.release()
    return free


def _simple_queue() -> Any:
    kind: Any = queue._PySimpleQueue  # type: ignore[attr-defined] # what the library falls back to without C
    return kind()


def _me() -> Fiber | int:
    """Whoever calls, as owner of a lock: a simulated program, or a thread that there really is."""
    process = current()
    running = None if process is None else process.world.running
    if process is None or running is None or running is process.simulation.driver.host.main:
        return get_ident()  # it is the same after the runtime's end
    return running


class SimLock:
    """Like `threading.Lock`, for the programs of a simulation."""

    def __init__(self) -> None:
        self._locked = False
        self._waiting: deque[Until] = deque()
        self._holder: Fiber | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        process = current()
        if not self._locked:
            self._locked = True
            self._holder = None if process is None else process.world.running
            return True
        if not blocking:
            return False
        if process is None:
            return self._acquire_outside(timeout)
        until = process.simulation.until(None if timeout < 0 else process.world.now + timeout)
        until.what = self._what(process.world.running, sys._getframe(1).f_code)
        self._waiting.append(until)
        try:
            process.check_interrupt()
            process.suspend(until)
            process.check_interrupt()
        except BaseException:
            self._give_up(until)
            raise
        if until.done:
            self._holder = process.world.running
        else:
            self._waiting.remove(until)
        return until.done

    def _what(self, who: Fiber | None, caller: CodeType) -> str:
        """What a program waits for here, for people."""
        if caller is threading.Condition.wait.__code__:
            return "a condition that nobody has signalled"  # of events, queues, futures, …, too
        if self._holder is None:
            return "a lock"
        return "a lock that it has itself" if self._holder is who else f"a lock that {self._holder.who} has"

    def _acquire_outside(self, timeout: float) -> bool:
        """For other threads, and after the simulation's end."""
        deadline = None if timeout < 0 else time.monotonic() + timeout
        while self._locked:
            if deadline is not None and time.monotonic() >= deadline:
                return False
            time.sleep(LOOK)
        self._locked = True
        return True

    def _at_fork_reinit(self) -> None:
        self._locked = False
        self._waiting.clear()

    def _give_up(self, until: Until) -> None:
        if until.done:  # it was handed over already: to the next one
            self.release()
        else:
            self._waiting.remove(until)

    def release(self) -> None:
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if self._waiting:
            self._waiting.popleft().done = True
        else:
            self._locked = False

    def locked(self) -> bool:
        return self._locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.lock' object")

    def __repr__(self) -> str:
        return f"<simulated {'locked' if self._locked else 'unlocked'} lock>"


class SimRLock:
    """Like `threading.RLock`: whoever has it may take it again."""

    def __init__(self) -> None:
        self._block = SimLock()
        self._owner: object = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = _me()
        if self._owner == me:
            self._count += 1
            return True
        if not self._block.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        if self._owner != _me():
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._owner = None
            self._block.release()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *exc: object) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("cannot pickle '_thread.RLock' object")

    # What conditions use.

    def _acquire_restore(self, state: tuple[int, object]) -> None:
        self._block.acquire()
        self._count, self._owner = state

    def _release_save(self) -> tuple[int, object]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        state = self._count, self._owner
        self._count, self._owner = 0, None
        self._block.release()
        return state

    def _is_owned(self) -> bool:
        return self._owner == _me()


# As errors and advice name them.
SimLock.__name__, SimRLock.__name__ = "lock", "RLock"
