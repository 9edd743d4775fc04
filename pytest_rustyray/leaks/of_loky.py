"""loky, which joblib uses by default: what it starts once, and keeps for whoever comes next, is no test's.

That is one executor with its processes, and a helper like the one of `multiprocessing`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, Final

_NAMES: Final = ("joblib.externals.loky", "loky")
#: What an executor, or a queue of one, has a pipe behind.
_PIPES: Final = ("_call_queue", "_result_queue", "_executor_manager_thread_wakeup")


def pids() -> Iterator[int | None]:
    yield from (tracker._pid for tracker in _trackers())
    for executor in _executors():
        yield from tuple(executor._processes or ())


def threads() -> Iterator[object]:
    for executor in _executors():
        yield executor._executor_manager_thread
        yield getattr(executor._call_queue, "_thread", None)


def descriptors() -> Iterator[int | None]:
    yield from (tracker._fd for tracker in _trackers())
    for executor in _executors():
        yield from (process.sentinel for process in tuple((executor._processes or {}).values()))
        for pipe in (getattr(executor, name) for name in _PIPES):
            yield from (end.fileno() for end in _ends(pipe) if not end.closed)


def _ends(pipe: object) -> list[Any]:
    return [vars(pipe)[name] for name in ("_reader", "_writer")] if pipe is not None else []


def _executors() -> list[Any]:
    modules: list[Any] = [sys.modules.get(f"{name}.reusable_executor") for name in _NAMES]
    return [module._executor for module in modules if module is not None and module._executor is not None]


def _trackers() -> list[Any]:
    modules: list[Any] = [sys.modules.get(f"{name}.backend.resource_tracker") for name in _NAMES]
    return [module._resource_tracker for module in modules if module is not None]
