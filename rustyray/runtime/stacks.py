"""Where the threads of this process stand, in the code of its user."""

from __future__ import annotations

import gc
import linecache
import os
import sys
import sysconfig
import threading
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, Final

_LIBRARY: Final = sysconfig.get_path("stdlib") + os.sep
_PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
#: Packages that run a program, rather than being part of it.
_RUNNERS: Final = ("_pytest", "pytest", "pytest_asyncio", "pluggy", "execnet", "xdist", "pytest_rustyray")
_HOOKS: Final = f"{os.sep}pluggy{os.sep}"
#: A thread, or a coroutine, and its places: the outermost first.
Stack = tuple[str, list[str]]


def stacks() -> list[Stack]:
    """One for each thread, and each asyncio task, that is in the user's code; the main thread comes first."""
    frames = sys._current_frames()
    threads = sorted(threading.enumerate(), key=lambda thread: thread is not threading.main_thread())
    found = [(thread.name, places(_frames(frames[thread.ident]))) for thread in threads if thread.ident in frames]
    found += [("a coroutine", places(_awaiting(task))) for task in _coroutines()]
    return [stack for stack in found if stack[1]]


def places(frames: Iterable[FrameType]) -> list[str]:
    """Those of the user's code, as text; under pytest, those within its innermost hook."""
    told: list[str] = []
    for frame in frames:
        filename = frame.f_code.co_filename
        if _HOOKS in filename:
            told.clear()
        elif is_users(filename):
            told.append(place(frame))
    return told


def place(frame: FrameType) -> str:
    code = frame.f_code
    line = linecache.getline(code.co_filename, frame.f_lineno).strip()
    return f"{code.co_filename}:{frame.f_lineno} in {code.co_qualname}" + (f": {line}" if line else "")


def is_users(filename: str) -> bool:
    """Whether this is a file of the user's program, and not the runtime's, the standard library's or a runner's."""
    if filename.startswith((_PACKAGE, "<")):
        return False
    if filename.startswith(_LIBRARY) and "site-packages" not in filename:
        return False
    return not any(f"{os.sep}{runner}{os.sep}" in filename for runner in _RUNNERS)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    """From the outermost to the innermost."""
    chain = []
    while frame is not None:
        chain.append(frame)
        frame = frame.f_back
    return reversed(chain)


def _coroutines() -> list[Any]:
    """The asyncio tasks of all loops that are not done."""
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is None:
        return []
    return [one for one in gc.get_objects() if type(one) is asyncio.Task and not one.done()]


def _awaiting(task: Any) -> Iterator[FrameType]:
    coroutine: Any = task.get_coro()
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
