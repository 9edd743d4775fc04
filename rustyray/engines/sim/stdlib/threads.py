"""Threads and locks of simulated code: a thread is a program of its process, and who waits for a lock gives way.

`threading.Lock` and `threading.RLock` make simulated locks where simulated code asks for one; conditions, events,
semaphores, barriers, queues and executors of the standard library are built from these.
"""

from __future__ import annotations

import _thread
import asyncio
import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn
from weakref import WeakKeyDictionary

from rustyray.engines.client.waiter import Waiter
from rustyray.engines.sim.world.process import Until

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.stdlib.patches import Patches
    from rustyray.engines.sim.world.world import Fiber

#: Seconds between two looks of a thread outside of the simulation at a lock that it waits for.
LOOK: Final = 0.001


def install(patches: Patches) -> None:
    """Replace what makes locks, threads and event loops."""
    current = patches.current

    def making(real: Callable[..., Any], kind: Callable[[Simulation], Any]) -> Callable[..., Any]:
        def make(*args: Any, **kwargs: Any) -> Any:
            process = current()
            if process is None or sys._getframe(1).f_code.co_name == "<module>":
                return real(*args, **kwargs)  # what a module makes when it is imported lives on
            return kind(process.simulation)

        return make

    lock, rlock = making(threading.Lock, SimLock), making(threading.RLock, SimRLock)
    patches.replace(threading, "Lock", lock)
    patches.replace(threading, "_allocate_lock", lock, copy=True)
    patches.replace(threading, "RLock", rlock)
    patches.replace(queue, "SimpleQueue", making(queue.SimpleQueue, lambda simulation: _simple_queue()))
    _install_threads(patches)

    def new_event_loop(real: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], asyncio.AbstractEventLoop]:
        def make() -> asyncio.AbstractEventLoop:
            from rustyray.engines.sim.stdlib.loop import SimLoop

            process = current()
            return real() if process is None else SimLoop(process)

        return make

    make = new_event_loop(asyncio.new_event_loop)
    patches.replace(asyncio.events, "new_event_loop", make)
    patches.replace(asyncio, "new_event_loop", make, copy=True)


def _simple_queue() -> Any:
    kind: Any = queue._PySimpleQueue  # type: ignore[attr-defined] # what the library falls back to without C
    return kind()


class SimLock:
    """Like `threading.Lock`, for the programs of a simulation."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._locked = False
        self._waiting: deque[Until] = deque()
        self._holder: Fiber | None = None

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not self._locked:
            self._locked = True
            self._holder = self._simulation.world.running
            return True
        if not blocking:
            return False
        process = self._simulation.current()
        if process is None:
            return self._acquire_outside(timeout)
        until = self._simulation.until(None if timeout < 0 else process.world.now + timeout)
        until.what = f"a lock that {self._holder.who} has" if self._holder is not None else "a lock"
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

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._block = SimLock(simulation)
        self._owner: object = None
        self._count = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        me = self._simulation.world.running
        if self._owner is not None and self._owner is me:
            self._count += 1
            return True
        if not self._block.acquire(blocking, timeout):
            return False
        self._owner, self._count = me, 1
        return True

    def release(self) -> None:
        if self._owner is not self._simulation.world.running:
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
        return self._owner is not None and self._owner is self._simulation.world.running


# As errors and advice name them.
SimLock.__name__, SimRLock.__name__ = "lock", "RLock"


class _Begun:
    """A simulated thread that was started."""

    def __init__(self, process: UserProcess) -> None:
        self.process = process
        self.over = False
        self.waiters: list[Waiter] = []


def _install_threads(patches: Patches) -> None:
    """`threading.Thread` in simulated code: its ``run`` becomes a program."""
    current = patches.current
    begun: WeakKeyDictionary[threading.Thread, _Begun] = WeakKeyDictionary()
    of_fiber: WeakKeyDictionary[object, threading.Thread] = WeakKeyDictionary()
    kind = threading.Thread
    start, join, is_alive, this = kind.start, kind.join, kind.is_alive, threading.current_thread
    ident = threading.get_ident

    def sim_start(self: threading.Thread) -> None:
        process = current()
        if process is None:
            start(self)
            return
        if self in begun:
            raise RuntimeError("threads can only be started once")
        state = begun[self] = _Begun(process)
        self._started.set()  # type: ignore[attr-defined]
        fiber = process.simulation.spawn(process, f"thread {self.name}", lambda: _run(self, state))
        of_fiber[fiber] = self

    def sim_join(self: threading.Thread, timeout: float | None = None) -> None:
        state = begun.get(self)
        if state is None:
            join(self, timeout)
        elif not state.over:
            process = current() or state.process
            waiter = Waiter()
            state.waiters.append(waiter)
            process.wait(waiter, None if timeout is None else process.world.now + max(0.0, timeout))

    def sim_is_alive(self: threading.Thread) -> bool:
        state = begun.get(self)
        return is_alive(self) if state is None else not state.over

    def sim_get_ident() -> int:
        process = current()
        running = None if process is None else process.world.running
        if process is None or running is None or running is process.simulation.driver.host.main:
            return ident()
        return running.serial

    def sim_current_thread() -> threading.Thread:
        process = current()
        thread = None if process is None else of_fiber.get(process.world.running)
        return this() if thread is None else thread

    patches.replace(kind, "start", sim_start)
    patches.replace(kind, "join", sim_join)
    patches.replace(kind, "is_alive", sim_is_alive)
    patches.replace(threading, "current_thread", sim_current_thread)
    patches.replace(threading, "get_ident", sim_get_ident)
    patches.replace(_thread, "start_new_thread", _no_bare_threads(patches, _thread.start_new_thread))


def _run(thread: threading.Thread, state: _Begun) -> None:
    try:
        thread.run()
    except SystemExit:
        pass  # that is how a thread leaves
    except Exception:  # noqa: BLE001 - what the interpreter does with a thread's exceptions
        threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), thread)))
    finally:
        state.over = True
        _look_ended(thread)
        for waiter in state.waiters:
            state.process.finish(waiter)


def _look_ended(thread: Any) -> None:
    """Whoever asks when the runtime is down, and threads have their real methods again, learns that it ended."""
    if hasattr(thread, "_handle"):  # since Python 3.13
        thread._handle._set_done()
    else:
        thread._is_stopped = True


def _no_bare_threads(patches: Patches, real: Callable[..., Any]) -> Callable[..., Any]:
    from rustyray.engines.sim.stdlib.outside import user_line
    from rustyray.exceptions import SimulationError

    def start_new_thread(*args: Any, **kwargs: Any) -> Any:
        if patches.current() is not None:
            raise SimulationError(
                f"a thread of the system's own cannot be simulated: {user_line(2)} starts one. Use threading.Thread"
            )
        return real(*args, **kwargs)

    return start_new_thread


class SimPool:
    """The calls of a threaded actor: each is a program of its own, at most ``size`` at a time."""

    def __init__(self, process: UserProcess, size: int) -> None:
        self._process = process
        self._size = size
        self._running = 0
        self._queue: deque[tuple[Callable[[Any], None], Any]] = deque()
        self._over: Waiter | None = None

    def submit(self, fn: Callable[[Any], None], job: Any, /) -> None:
        self._queue.append((fn, job))
        if self._running < self._size:
            self._running += 1
            self._process.simulation.spawn(self._process, "call", self._work)

    def _work(self) -> None:
        try:
            while self._queue:
                fn, job = self._queue.popleft()
                fn(job)
        finally:
            self._running -= 1
            if not self._running and self._over is not None:
                self._process.finish(self._over)

    def shutdown(self, wait: bool = True) -> None:
        if wait and self._running:
            self._over = Waiter()
            self._process.wait(self._over, None)
