"""Threads and event loops of simulated code: a thread is a program of its process."""

from __future__ import annotations

import _thread
import _threading_local
import asyncio
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from rustyray.engines.client.waiter import Waiter
from rustyray.engines.sim.green import ProcessEnded
from rustyray.engines.sim.stdlib.outside import user_line
from rustyray.engines.sim.stdlib.patches import current
from rustyray.exceptions import SimulationError

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.engines.sim.stdlib.patches import Patches
    from rustyray.engines.sim.world.events import Fiber


class _Begun:
    """A simulated thread that was started."""

    def __init__(self, process: UserProcess) -> None:
        self.process = process
        self.over = False
        self.waiters: list[Waiter] = []

    @property
    def runs(self) -> bool:
        return not self.over and self.process.alive


_begun: Final[WeakKeyDictionary[threading.Thread, _Begun]] = WeakKeyDictionary()
_of_fiber: Final[WeakKeyDictionary[Fiber, threading.Thread]] = WeakKeyDictionary()


def install(patches: Patches) -> None:
    """Replace what makes threads and event loops, and what says which thread this is."""
    kind = threading.Thread
    _install_threads(patches)
    patches.replace(threading, "current_thread", _current_thread(threading.current_thread))
    patches.replace(_threading_local, "current_thread", threading.current_thread, copy=True)
    patches.replace(threading, "get_ident", _get_ident(threading.get_ident))
    patches.replace(threading, "enumerate", _enumerate(threading.enumerate))
    patches.replace(threading, "active_count", _active_count(threading.active_count))
    patches.replace(threading, "local", _local(threading.local))
    patches.replace(_thread, "start_new_thread", _no_bare_threads(_thread.start_new_thread))
    patches.replace(ThreadPoolExecutor, "submit", _no_real_pools(ThreadPoolExecutor.submit))
    patches.replace(kind, "is_alive", _is_alive(kind.is_alive))
    for where, name in (
        (asyncio.events, "new_event_loop"),
        (asyncio.DefaultEventLoopPolicy, "new_event_loop"),
    ):
        patches.replace(where, name, _new_event_loop(getattr(where, name)))
    patches.replace(asyncio, "new_event_loop", asyncio.events.new_event_loop, copy=True)


def _new_event_loop(real: Callable[..., asyncio.AbstractEventLoop]) -> Callable[..., asyncio.AbstractEventLoop]:
    def make(*policy: object) -> asyncio.AbstractEventLoop:
        from rustyray.engines.sim.stdlib.loop import SimLoop

        process = current()
        return real(*policy) if process is None else SimLoop(process)

    return make


# --- threads ----------------------------------------------------------------------------------------------------------


def _install_threads(patches: Patches) -> None:
    """`threading.Thread` in simulated code: its ``run`` becomes a program."""
    start, join = threading.Thread.start, threading.Thread.join

    def sim_start(self: threading.Thread) -> None:
        process = current()
        if process is None:
            start(self)
            return
        if self in _begun:
            raise RuntimeError("threads can only be started once")
        state = _begun[self] = _Begun(process)
        fiber = process.simulation.spawn(process, f"thread {self.name}", lambda: _run(self, state))
        _look_started(self, fiber)

    def sim_join(self: threading.Thread, timeout: float | None = None) -> None:
        state = _begun.get(self)
        process = current()
        if state is None:
            join(self, timeout)
        elif state.runs:
            if threading.current_thread() is self:
                raise RuntimeError("cannot join current thread")
            process = process or state.process
            waiter = Waiter()
            state.waiters.append(waiter)
            process.wait(waiter, None if timeout is None else process.world.now + max(0.0, timeout))

    patches.replace(threading.Thread, "start", sim_start)
    patches.replace(threading.Thread, "join", sim_join)


def _look_started(thread: Any, fiber: Fiber) -> None:
    _of_fiber[fiber] = thread
    thread._started.set()
    thread._ident = thread._native_id = fiber.serial


def _is_alive(real: Callable[[threading.Thread], bool]) -> Callable[[threading.Thread], bool]:
    def is_alive(self: threading.Thread) -> bool:
        state = _begun.get(self)
        return real(self) if state is None else state.runs

    return is_alive


def _current_thread(real: Callable[[], threading.Thread]) -> Callable[[], threading.Thread]:
    def current_thread() -> threading.Thread:
        process = current()
        fiber = None if process is None else process.world.running
        if process is None or fiber is None or fiber is process.simulation.driver.host.main:
            return real()
        if fiber is process.main:
            return threading.main_thread()  # each worker has one
        thread = _of_fiber.get(fiber)
        if thread is None:  # the runtime's own: of an executor, an event loop, a threaded actor
            thread = threading.Thread(name=f"rustyray-{fiber.name}", daemon=True)
            _begun[thread] = _Begun(process)
            _look_started(thread, fiber)
        return thread

    return current_thread


def _get_ident(real: Callable[[], int]) -> Callable[[], int]:
    def get_ident() -> int:
        process = current()
        running = None if process is None else process.world.running
        if process is None or running is None or running is process.simulation.driver.host.main:
            return real()
        return running.serial

    return get_ident


def _enumerate(real: Callable[[], list[threading.Thread]]) -> Callable[[], list[threading.Thread]]:
    def enumerate() -> list[threading.Thread]:  # noqa: A001 - the library's name
        process = current()
        if process is None:
            return real()
        others = [thread for thread, state in _begun.items() if state.process is process and state.runs]
        return ([threading.main_thread()] if process.executes else real()) + others

    return enumerate


def _active_count(real: Callable[[], int]) -> Callable[[], int]:
    def active_count() -> int:
        return real() if current() is None else len(threading.enumerate())

    return active_count


def _local(real: type) -> type:
    """`threading.local`, for simulated threads too, by what the library does where there is none in C."""

    class local(_threading_local.local):  # noqa: N801 - the library's name
        def __new__(cls, /, *args: Any, **kwargs: Any) -> Any:
            if cls is local and (current() is None or sys._getframe(1).f_code.co_name == "<module>"):
                return real(*args, **kwargs)  # what a module makes when it is imported lives on
            return super().__new__(cls, *args, **kwargs)

    local.__module__, local.__qualname__ = "threading", "local"
    return local


def _run(thread: threading.Thread, state: _Begun) -> None:
    try:
        thread.run()
    except SystemExit:
        pass  # that is how a thread leaves
    except ProcessEnded:
        raise
    except BaseException:  # noqa: BLE001 - what the interpreter does with a thread's exceptions
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


def end_all(simulation: Simulation) -> None:
    """The runtime has ended, and its threads with it, those too that had not come to begin."""
    for thread, state in list(_begun.items()):
        if state.process.simulation is simulation and not state.over:
            state.over = True
            _look_ended(thread)


def _no_bare_threads(real: Callable[..., Any]) -> Callable[..., Any]:
    def start_new_thread(*args: Any, **kwargs: Any) -> Any:
        if current() is not None:
            raise SimulationError(
                f"a thread of the system's own cannot be simulated: {user_line(2)} starts one. Use threading.Thread"
            )
        return real(*args, **kwargs)

    return start_new_thread


def _no_real_pools(real: Callable[..., Any]) -> Callable[..., Any]:
    def submit(self: ThreadPoolExecutor, /, *args: Any, **kwargs: Any) -> Any:
        if current() is not None and isinstance(self._work_queue, SimpleQueue):
            raise SimulationError(
                f"this executor was made before the simulated runtime was up, and its threads are real: {user_line(2)} "
                "submits to it. Make it afterwards"
            )
        return real(self, *args, **kwargs)

    return submit


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
