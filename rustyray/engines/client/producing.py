"""Run a generator in a worker: each item goes to the caller when it is yielded, and the next may have to wait.

A plain generator runs in the thread that its task or call has, an async one in the actor's event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rustyray.core.owner.streams import NONE
from rustyray.core.producing import Producer
from rustyray.engines.client.waiter import Waiter
from rustyray.model.ids import item_id
from rustyray.model.streams import DYNAMIC
from rustyray.model.values import Fault, Packed, RefInfo, Value
from rustyray.runtime.serialization import INLINE_MAX, pack

if TYPE_CHECKING:
    from rustyray.core.jobs import Job
    from rustyray.engines.client.ports import Host

#: What a job came to: its values, and whether they are a failure.
Result = tuple["bytes | list[Value]", bool]


class Abandoned(BaseException):
    """The connection to the caller broke: it has given the attempt up, and expects nothing of it."""


class ItemFailed(Exception):
    """An item could not be stored; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Producing:
    """Runs generators on behalf of a worker."""

    def __init__(self, worker: Host) -> None:
        self._worker = worker
        self._paused: dict[bytes, Waiter] = {}

    def go_on(self, task: bytes) -> None:
        """A generator may have been waiting, and need not wait any more. Under the lock."""
        waiter = self._paused.pop(task, None)
        if waiter is not None:
            self._worker.pump.finish(waiter)

    def run(self, job: Job, items: Any) -> Result:
        """Iterate to the end, or until nobody wants more. Raises what the generator raises."""
        producers = self._worker.executor.producers
        iterator: Iterator[Any] = iter(items)
        with self._producing(job) as producer:
            try:
                for item in iterator:
                    self._send(job, producer, item)
                    if producers.is_full(producer):
                        self._pause(producer)
                    if producer.over:
                        break
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the caller's to know
                return self._listed_so_far(job, producer, error)
            finally:
                if hasattr(iterator, "close"):
                    iterator.close()
            return self._result(job, producer)

    async def run_async(self, job: Job, items: Any) -> Result:
        """As `run`, for async generators, and for plain ones between whose items others may run."""
        import asyncio

        producers = self._worker.executor.producers
        iterator: AsyncIterator[Any] = items if hasattr(items, "__anext__") else _in_turns(items)
        with self._producing(job) as producer:
            try:
                async for item in iterator:
                    self._send(job, producer, item)
                    while producers.is_full(producer):
                        await self._not_full(producer, asyncio.get_running_loop())
                    if producer.over:
                        break
            except Exception as error:  # noqa: BLE001 - whatever the user's code raises is the caller's to know
                return self._listed_so_far(job, producer, error)
            finally:
                await iterator.aclose()  # type: ignore[attr-defined]
            return self._result(job, producer)

    @contextmanager
    def _producing(self, job: Job) -> Iterator[Producer]:
        worker = self._worker
        producers = worker.executor.producers
        with worker.pump.lock:
            producer = producers.begin(job)
        try:
            yield producer
        finally:
            with worker.pump.lock:
                producers.end(producer)
                if producers.limit:  # others may have been waiting for it
                    worker.pump.carry_out()

    def _send(self, job: Job, producer: Producer, item: Any) -> None:
        worker = self._worker
        packed = pack(item, f"an item of {worker.runner.name_of(job.task)}")
        value: Value
        if type(packed) is bytes and len(packed) <= INLINE_MAX:
            value = packed
        else:
            value = worker.runner.to_caller(job, producer.made + 1, packed)
            if isinstance(value, Fault):
                raise ItemFailed(value)
        pump = worker.pump
        with pump.lock:
            gathering = worker.executor.producers.yielded(producer, value, pump.clock())
            if not gathering and worker.core.out:
                pump.carry_out()
        if gathering:
            pump.hub.wake()  # somebody is to look in time whether it still waits for company
        if pump.interrupted:
            pump.check_interrupt()

    def _pause(self, producer: Producer) -> None:
        """Wait until more is read. What is queued behind the task is given back: it may be what reads."""
        worker = self._worker
        while True:
            waiter = Waiter()
            with worker.pump.lock:
                if not worker.executor.producers.is_full(producer):
                    return
                self._paused[producer.task] = waiter
                worker.pump.flush()
            try:
                worker.block(waiter)
            finally:
                with worker.pump.lock:
                    self._paused.pop(producer.task, None)

    async def _not_full(self, producer: Producer, loop: Any) -> None:
        arrived = loop.create_future()

        def tell() -> None:
            if not arrived.done():
                arrived.set_result(None)

        with self._worker.pump.lock:
            if not self._worker.executor.producers.is_full(producer):
                return
            self._paused[producer.task] = Waiter(callback=lambda: loop.call_soon_threadsafe(tell))
            self._worker.pump.flush()
        await arrived

    # --- the end ------------------------------------------------------------------------------------------------------

    def _result(self, job: Job, producer: Producer) -> Result:
        if producer.cut:
            raise Abandoned
        return [self._own_value(job, producer.made), producer.made.to_bytes(4, "big")], False

    def _own_value(self, job: Job, count: int) -> Value:
        """What the generator comes to: None, or, if its items are listed, the list."""
        if job.task.returns != DYNAMIC:
            return NONE
        from rustyray.runtime.generator import Listing

        data = pack(Listing(job.task.id, count))
        assert isinstance(data, bytes)
        return Packed(data, None, [RefInfo(item_id(job.task.id, index), "") for index in range(count)] or None)

    def _listed_so_far(self, job: Job, producer: Producer, error: Exception) -> Result:
        """The generator raised. Where all items are listed, the last one is the error."""
        if producer.cut:
            raise Abandoned from error
        failure = error.fault if isinstance(error, ItemFailed) else self._worker.runner.failure(job, error)
        if job.task.returns == DYNAMIC and not isinstance(failure, Fault):
            return [failure, self._own_value(job, producer.made + 1)], True
        return [failure], True


async def _in_turns(items: Any) -> Any:
    import asyncio

    for item in items:
        yield item
        await asyncio.sleep(0)
