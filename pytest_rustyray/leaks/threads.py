"""Python's threads that still run."""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any, Final

from pytest_rustyray.leaks import of_loky, of_pools
from pytest_rustyray.leaks.finding import Leak
from pytest_rustyray.lifetimes import running_engine

#: Threads of this plugin's own.
OURS: Final = "pytest-rustyray-"
_RUNTIME: Final = "rustyray-"
#: Seconds that a thread has to end once it was told to.
PATIENCE: Final = 0.2


class Threads:
    """All but those of thread pools, which belong to the pool: they end with it; and but those that libraries keep."""

    cheap: Final = True

    def look(self) -> list[threading.Thread]:
        return threading.enumerate()

    def leak(self, thing: threading.Thread) -> Leak | None:
        name = thing.name
        if isinstance(thing, threading._DummyThread) or thing in _pooled() or name.startswith(OURS):
            return None
        if thing in of_loky.threads():
            return None
        if name.startswith(_RUNTIME) and running_engine() is not None:
            return None
        return Leak("threads", told(thing), lambda: end(thing), lambda: thing)


def told(thread: threading.Thread) -> str:
    """What it is called, what it runs, and where that is now."""
    target: Any = getattr(thread, "_target", None) or type(thread).run
    code = getattr(getattr(target, "__func__", target), "__code__", None)
    runs = f", which runs {getattr(target, '__qualname__', target)}"
    runs += f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""
    frame = sys._current_frames().get(thread.ident or 0)
    return f"thread {thread.name!r}{runs}{_now_at(frame)}"


def _now_at(frame: FrameType | None) -> str:
    while frame is not None and frame.f_code.co_filename == threading.__file__ and frame.f_back is not None:
        frame = frame.f_back
    if frame is None or frame.f_code.co_filename == threading.__file__:
        return ""
    return f", now at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def end(thread: threading.Thread) -> str:
    """Raise SystemExit in it. A thread that waits in C code hears of that only afterwards, if ever."""
    if of_pools.end(thread) and not thread.is_alive():
        return of_pools.ENDED
    import ctypes

    setattr(thread, "_invoke_excepthook", _say_nothing)  # noqa: B010 - Python's own; what it is told is no news
    if isinstance(thread, threading.Timer):
        thread.cancel()
    elif thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit))
    thread.join(PATIENCE)
    return "was told to end, and has not" if thread.is_alive() else "ended"


def _say_nothing(thread: threading.Thread) -> None:
    """In place of the report on a thread's exception."""


def _pooled() -> Any:
    pools: Any = sys.modules.get("concurrent.futures.thread")
    return pools._threads_queues if pools is not None else ()
