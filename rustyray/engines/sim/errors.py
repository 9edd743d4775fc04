"""Which tasks and calls of a simulated runtime raised, and whose results somebody has looked at."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from rustyray.engines.client.worker import WorkerClient
from rustyray.engines.sim.host import UserProcess
from rustyray.model.ids import WORKER_ID_SIZE, object_id
from rustyray.model.values import Failed, Value

if TYPE_CHECKING:
    from rustyray.core.owner.records import Record
    from rustyray.engines.sim.simulation import Simulation
    from rustyray.runtime.ref import ObjectRef


class Failure(NamedTuple):
    """A task or call that raised, for good: ``parent`` is the task that submitted it, if one did."""

    task: bytes
    parent: bytes
    name: str
    returns: int
    value: Failed


class Errors:
    """What raised, and what was looked at.

    Looked at is a ref that was given to `get`, awaited, made a future, cancelled, or passed on: in arguments, in a
    result, inside another object. To wait for a ref is not to look at what comes of it.

    Args:
        wanted: whether anybody will ask; else nothing is kept.
    """

    def __init__(self, wanted: bool) -> None:
        self._wanted = wanted
        self._seen: set[bytes] = set()
        self._failures: list[Failure] = []
        #: Tasks of which an attempt, or all, did not end in order.
        self._broken: set[bytes] = set()

    def see(self, refs: Iterable[ObjectRef[Any]]) -> None:
        if self._wanted:
            self._seen.update([ref._id for ref in refs])

    def failed(self, record: Record, value: Value | None) -> None:
        """An attempt has failed; ``value`` is what became of the task, None if it is tried again."""
        if not self._wanted:
            return
        task = record.task
        self._broken.add(task.id)
        if isinstance(value, Failed) and task.returns:
            self._failures.append(Failure(task.id, record.parent, record.plan.name, task.returns, value))

    def unread(self, simulation: Simulation) -> list[Failure]:
        """The failures that nobody has looked at, and nobody is left who would."""
        return [
            failure
            for failure in self._failures
            if failure.parent not in self._broken
            and not self._is_seen(failure)
            and _has_done(simulation, failure.task[:WORKER_ID_SIZE])
        ]

    def _is_seen(self, failure: Failure) -> bool:
        """Whether somebody has looked at one of the refs that have the error; of a stream, at any item."""
        if failure.returns < 0:
            return any(object_.startswith(failure.task) for object_ in self._seen)
        return not self._seen.isdisjoint(object_id(failure.task, index) for index in range(failure.returns))


def _has_done(simulation: Simulation, owner: bytes) -> bool:
    """Whether the process is alive and runs nothing any more, other than the driver's main program."""
    process = simulation.world.processes[owner]
    assert isinstance(process, UserProcess)
    if isinstance(process.engine, WorkerClient):
        executor = process.engine.executor
        return process.alive and not executor.running and not executor.queue
    return not any(fiber.client is process and fiber is not process.main for fiber in simulation.world.fibers)
