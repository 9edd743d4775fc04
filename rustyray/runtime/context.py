"""Which engine this process uses, and what the current thread is running.

The engine is process-wide. The task context is thread-local: worker threads and async tasks each carry their own, and
every error and log line repeats it.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rustyray.runtime.engine import Engine
    from rustyray.runtime.ref import ObjectRef


class TaskContext:
    """What a thread of a worker is running at the moment. Ids are bytes; ``attempt`` counts from 0."""

    __slots__ = ("actor", "attempt", "cancelled", "concurrency_group", "function", "job", "resources", "task")

    def __init__(self, job: bytes, task: bytes, function: str, attempt: int = 0, actor: bytes = b"") -> None:
        self.job = job
        self.task = task
        self.function = function
        self.attempt = attempt
        self.actor = actor
        self.cancelled = False
        self.resources: dict[str, float] = {}
        self.concurrency_group = ""


#: The task that this thread (or asyncio task) runs; None in a driver.
current_task: ContextVar[TaskContext | None] = ContextVar("rustyray_current_task", default=None)

_engine: Engine | None = None


def engine() -> Engine | None:
    """The engine of this process, or None while the runtime is down."""
    return _engine


def set_engine(new: Engine | None) -> None:
    global _engine
    _engine = new


def require_engine(what: str) -> Engine:
    """The engine of this process; raises RuntimeError saying what needed it."""
    if _engine is None:
        raise RuntimeError(f"{what} needs a running RustyRay: call rustyray.init() first")
    return _engine


class _Pickling(threading.local):
    refs: list[ObjectRef[Any]] | None = None


_pickling = _Pickling()


class collecting_refs:  # noqa: N801 - reads as a statement
    """While active in this thread, object refs that get pickled are collected in ``refs``, in order."""

    __slots__ = ("_outer", "refs")

    def __enter__(self) -> list[ObjectRef[Any]]:
        self._outer = _pickling.refs
        self.refs: list[ObjectRef[Any]] = []
        _pickling.refs = self.refs
        return self.refs

    def __exit__(self, *exc: object) -> None:
        _pickling.refs = self._outer


def note_pickled_ref(ref: ObjectRef[Any]) -> None:
    """Called when a ref is pickled. Outside our own serialization nobody counts the copy, so the object is pinned."""
    if _pickling.refs is not None:
        _pickling.refs.append(ref)
    elif _engine is not None:
        _engine.pin_forever(ref)
