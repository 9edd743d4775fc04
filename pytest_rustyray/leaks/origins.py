"""Where a thing was made, if Python keeps account of that: ``python -X tracemalloc=10``."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

#: Where the types of parts are that others have one of from the start: a lock, a mapping.
_PARTS: Final = ("_thread", "mmap")
#: What is said where Python does not.
HINT: Final = "python -X tracemalloc=10 -m pytest … says where each was made."


def is_known() -> bool:
    import tracemalloc

    return tracemalloc.is_tracing()


def made_at(owner: object) -> str:
    """The line of the user's code that made the object, as ", made at file:line"; empty if that is not known."""
    if owner is None or not is_known():
        return ""
    import tracemalloc

    from rustyray.runtime.stacks import is_users

    for one in (owner, *_made_with(owner)):
        for frame in reversed(tracemalloc.get_object_traceback(one) or ()):
            if is_users(frame.filename):
                return f", made at {frame.filename}:{frame.lineno}"
    return ""


def _made_with(owner: object) -> list[object]:
    """Parts that its constructor makes: of objects with a ``__dict__`` some versions of Python keep no account."""
    if isinstance(owner, threading.Thread):
        return [owner._started._cond._lock]  # type: ignore[attr-defined]
    parts = vars(owner).values() if hasattr(owner, "__dict__") else ()
    return [part for part in parts if type(part).__module__ in _PARTS]


def find(kind: type, is_it: Callable[[Any], bool]) -> Any:
    """An object of this very class; None if there is none."""
    return next((one for one in gc.get_objects() if type(one) is kind and is_it(one)), None)


def popen(pid: int) -> Any:
    """The object that stands for a child."""
    return find(subprocess.Popen, lambda one: one.pid == pid)


def processes() -> list[Any]:
    """The same, of ``multiprocessing``, for all that nobody has waited for."""
    libraries: list[Any] = [sys.modules.get(f"{name}.process") for name in ("multiprocessing", "multiprocess")]
    return [one for library in libraries if library is not None for one in tuple(library._children)]


def ref(id_: bytes) -> Any:
    """One of the refs to an object."""
    from rustyray import ObjectRef

    return find(ObjectRef, lambda one: one._id == id_)
