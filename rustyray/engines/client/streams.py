"""Generators, as a program sees them: their items are taken one by one, and waited for."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from rustyray.engines.client.futures import Futures
from rustyray.engines.client.waiter import Waiter
from rustyray.exceptions import GetTimeoutError
from rustyray.model.ids import FIRST_RETURN
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    from rustyray.runtime.generator import ObjectRefGenerator

_OVER = "this is a generator from an earlier runtime of this program, or one that is gone: its items have gone with it"


class StreamReader(Futures):
    """Implements `rustyray.runtime.generator.Reader`."""

    def _generator(self, task: bytes) -> ObjectRefGenerator[Any]:
        from rustyray.runtime.generator import ObjectRefGenerator

        completed: ObjectRef[Any] = ObjectRef(task + FIRST_RETURN, self.address, self._drop)
        return ObjectRefGenerator(self, task, completed, self._drop)

    def take(self, generator: ObjectRefGenerator[Any], deadline: float | None) -> ObjectRef[Any] | None:
        pump, task = self.pump, generator._task
        while True:
            with pump.lock:
                self._check_open(task)
                object_ = self.core.tasks.streams.take(task)
                if object_ is None:
                    awaited = self.core.tasks.streams.next_of(task)
                    waiter = Waiter()
                    self.core.watch(awaited)
                    pump.watch(awaited, waiter)
                    pump.flush()
                elif self.core.out:
                    pump.carry_out()
            if object_ is not None:
                ref: ObjectRef[Any] | None = ObjectRef(object_, self.address, self._drop) if object_ else None
                if pump.interrupted:
                    pump.check_interrupt()
                return ref
            if not self._wait_for([awaited], waiter, deadline):
                raise GetTimeoutError("next() waited, and the generator has not yielded another item")
            if pump.closed:
                raise RuntimeError("the runtime was shut down while next() waited")

    def _check_open(self, task: bytes) -> None:
        if task not in self.core.tasks.streams.of or self.pump.closed:
            raise RuntimeError(_OVER)

    def await_item(self, generator: ObjectRefGenerator[Any]) -> Generator[Any, None, ObjectRef[Any] | None]:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            if self.core.closed or self.item_state(generator) != (False, False):
                return self.take(generator, None)
            yield from self._arrival(generator, loop)

    def next_of(self, task: bytes) -> bytes:
        return self.core.tasks.streams.next_of(task)

    def item_state(self, generator: ObjectRefGenerator[Any]) -> tuple[bool, bool]:
        streams = self.core.tasks.streams
        with self.pump.lock:
            self._check_open(generator._task)
            return streams.is_ready(generator._task), streams.is_over(generator._task)
