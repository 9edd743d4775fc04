"""Which engine this process uses, and what the current thread is running.

The engine is process-wide. The task context is thread-local: worker threads and async tasks each carry their own, and
every error and log line repeats it.
"""

from __future__ import annotations

import threading
from contextvars import ContextVar
from os import getpid
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rustyray.model.strategies import Strategy
    from rustyray.runtime.engine import ActorHandleState, Engine
    from rustyray.runtime.ref import ObjectRef


class HostedActor:
    """The actor that lives in this worker; ``incarnation`` counts its starts from 0, ``handle`` is an uncounted one."""

    __slots__ = ("handle", "incarnation", "name", "namespace")

    def __init__(self, handle: ActorHandleState, name: str = "", namespace: str = "", incarnation: int = 0) -> None:
        self.handle = handle
        self.name = name
        self.namespace = namespace
        self.incarnation = incarnation


class TaskContext:
    """What a thread of a worker is running at the moment. Ids are bytes; ``attempt`` counts from 0.

    ``name`` is the task's name where it was given one; ``hosted`` the actor whose method this is, if it is one;
    ``strategy`` where it had to run; ``gpus`` are the GPUs that it has.
    """

    __slots__ = (
        "actor",
        "attempt",
        "cancelled",
        "concurrency_group",
        "function",
        "gpus",
        "hosted",
        "job",
        "name",
        "resources",
        "strategy",
        "task",
    )

    def __init__(self, job: bytes, task: bytes, function: str, attempt: int = 0, actor: bytes = b"") -> None:
        self.job = job
        self.task = task
        self.function = function
        self.name = function
        self.hosted: HostedActor | None = None
        self.attempt = attempt
        self.actor = actor
        self.cancelled = False
        self.resources: dict[str, float] = {}
        self.gpus: Sequence[int | str] = ()
        self.strategy: Strategy | None = None
        self.concurrency_group = ""


#: The task that this thread (or asyncio task) runs; None in a driver.
current_task: ContextVar[TaskContext | None] = ContextVar("rustyray_current_task", default=None)


class Harness(Protocol):
    """What a test harness has done in each worker: when it ``begin``s, and around each task, call and constructor."""

    def begin(self) -> None: ...

    def before_task(self) -> None:
        """In the thread that is to run it; what this raises, the task fails with."""

    def after_task(self) -> None:
        """Its result has not gone out."""


#: Set in the process that workers are forked from, if there is one.
harness: Harness | None = None

#: How many runtimes this process has started or joined so far.
started = 0
_engine: Engine | None = None
_engine_pid = 0


def engine() -> Engine | None:
    """The engine of this process, or None while the runtime is down. A forked child sees its parent's: it refuses."""
    return _engine


def own_engine() -> Engine | None:
    """As `engine`, but None in a child that was forked from the process which the engine is of."""
    return _engine if _engine is not None and getpid() == _engine_pid else None


def set_engine(new: Engine | None) -> None:
    """Make ``new`` this process' engine; what was worked out for the one before is forgotten."""
    global _engine, _engine_pid, started
    _engine, _engine_pid = new, getpid()
    started += new is not None
    with _remembering:
        forgetful = _forgetful.valuerefs()
    for ref in forgetful:
        one = ref()
        if one is not None:
            one.forget_engine()


class Forgetful(Protocol):
    """Something that keeps what it worked out for the present engine, such as a plan."""

    def forget_engine(self) -> None: ...


_forgetful: WeakValueDictionary[int, Forgetful] = WeakValueDictionary()
#: Reentrant, as a garbage collection inside may run finalizers that call something remote.
_remembering = threading.RLock()


def remember(one: Forgetful) -> None:
    """Have ``one.forget_engine()`` called when the engine changes."""
    with _remembering:
        _forgetful[id(one)] = one


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
