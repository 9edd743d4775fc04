"""``multiprocess.Pool``, the standard library's pool with dill."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks import work
from benchmarks.system import WORKERS, Handle, System

if TYPE_CHECKING:
    from benchmarks.work import Array


class PoolSystem(System):
    """Tasks by ``apply_async``: one submission each, as for every other system."""

    def __init__(self) -> None:
        self._multiprocess = import_module("multiprocess")
        self._queued: list[object] = []

    def start(self) -> None:
        self._pool: Any = self._multiprocess.Pool(WORKERS)

    def stop(self) -> None:
        self._pool.close()
        self._pool.join()

    def call(self, value: int) -> int:
        result: int = self._pool.apply(work.identity, (value,))
        return result

    def burst(self, tasks: int) -> int:
        return sum(result.get() for result in self._submit(tasks))

    def blocks(self, tasks: int, nbytes: int) -> int:
        results = [self._pool.apply_async(work.block, (nbytes,)) for _ in range(tasks)]
        return sum(result.get().nbytes for result in results)

    def queue(self, tasks: int) -> None:
        self._queued += self._submit(tasks)

    def queue_hold(self, gate: str, index: int) -> None:
        self._queued.append(self._pool.apply_async(work.hold, (gate, index)))

    def share(self, value: Array) -> Handle:
        return value

    def total(self, shared: Handle) -> float:
        result: float = self._pool.apply(work.total, (shared,))
        return result

    def length(self, shared: Handle) -> int:
        result: int = self._pool.apply(work.length, (shared,))
        return result

    def _submit(self, tasks: int) -> list[Any]:
        apply_async = self._pool.apply_async
        return [apply_async(work.identity, (value,)) for value in range(tasks)]


def create() -> System:
    """The pool."""
    return PoolSystem()
