"""``concurrent.futures.ProcessPoolExecutor``, and the base of whatever has its interface."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from typing import TYPE_CHECKING, Any, cast

from benchmarks import work
from benchmarks.system import WORKERS, Handle, System

if TYPE_CHECKING:
    from benchmarks.work import Array


class ExecutorSystem(System):
    """Any ``concurrent.futures.Executor`` of processes."""

    def __init__(self, make: Callable[[], Executor]) -> None:
        self._make = make
        self._queued: list[Future[Any]] = []

    def start(self) -> None:
        self._executor = self._make()

    def stop(self) -> None:
        self._executor.shutdown()

    def call(self, value: int) -> int:
        return self._executor.submit(work.identity, value).result()

    def burst(self, tasks: int) -> int:
        return sum(future.result() for future in self._submit(tasks))

    def blocks(self, tasks: int, nbytes: int) -> int:
        futures = [self._executor.submit(work.block, nbytes) for _ in range(tasks)]
        return sum(future.result().nbytes for future in futures)

    def queue(self, tasks: int) -> None:
        self._queued += self._submit(tasks)

    def queue_hold(self, gate: str, index: int) -> None:
        self._queued.append(self._executor.submit(work.hold, gate, index))

    def share(self, value: Array) -> Handle:
        return value

    def total(self, shared: Handle) -> float:
        return self._executor.submit(work.total, cast("Array", shared)).result()

    def length(self, shared: Handle) -> int:
        return self._executor.submit(work.length, cast("Array", shared)).result()

    def wait_each(self, tasks: int) -> int:
        pending = set(self._submit(tasks))
        seen = 0
        while pending:
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            pending.remove(next(iter(done)))
            seen += 1
        return seen

    def _submit(self, tasks: int) -> list[Future[int]]:
        submit = self._executor.submit
        return [submit(work.identity, value) for value in range(tasks)]


def create() -> System:
    """The standard library's executor."""
    return ExecutorSystem(lambda: ProcessPoolExecutor(WORKERS))
