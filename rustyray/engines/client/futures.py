"""Refs as futures: for ``asyncio``, and for programs that want a callback rather than to wait."""

from __future__ import annotations

from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from rustyray.engines.client.values import Values
from rustyray.engines.client.waiter import Waiter
from rustyray.exceptions import GetTimeoutError, RayTaskError
from rustyray.runtime.ref import ObjectRef

if TYPE_CHECKING:
    import asyncio

    from rustyray.runtime.generator import ObjectRefGenerator


class Futures(Values):
    """What waits for a ref without a thread that does."""

    def when_ready(self, ref: ObjectRef[Any] | ObjectRefGenerator[Any], callback: Callable[[], None]) -> Waiter:
        """Call ``callback`` (in some thread, without the lock) once the object has a value."""
        pump = self.pump
        waiter = Waiter(1, callback=callback)
        with pump.lock:
            object_ = ref._id
            if self.core.watch(object_).value is None:
                pump.watch(object_, waiter)
                pump.flush()
                return waiter
        callback()
        return waiter

    def future(self, ref: ObjectRef[Any]) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()

        def complete() -> None:
            try:
                value = self.get([ref], 0)[0]
            except BaseException as error:  # noqa: BLE001 - it is the future's to carry
                if _is_lost_meanwhile(error):
                    self.when_ready(ref, complete)
                else:
                    future.set_exception(error)
            else:
                future.set_result(value)

        self.when_ready(ref, complete)
        return future

    def await_ref(self, ref: ObjectRef[Any]) -> Generator[Any, None, Any]:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            yield from self._arrival(ref, loop)
            try:
                return self.get([ref], 0)[0]
            except GetTimeoutError as error:
                if not _is_lost_meanwhile(error):
                    raise

    def _arrival(
        self, ref: ObjectRef[Any] | ObjectRefGenerator[Any], loop: asyncio.AbstractEventLoop
    ) -> Generator[Any, None, None]:
        """Return when the object has a value."""
        import asyncio

        object_ = ref._id
        arrived: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            if not arrived.done():
                arrived.set_result(None)

        def tell_loop() -> None:
            try:
                loop.call_soon_threadsafe(tell)
            except RuntimeError:
                pass  # the loop was closed meanwhile, and whoever awaited went with it

        waiter = self.when_ready(ref, tell_loop)
        try:
            yield from arrived
        except asyncio.CancelledError:
            with self.pump.lock:
                self.pump.unwatch([object_], waiter)
            raise


def _is_lost_meanwhile(error: BaseException) -> bool:
    """Whether a value that was there is not any more: it is being made again. (A task may raise the like itself.)"""
    return isinstance(error, GetTimeoutError) and not isinstance(error, RayTaskError)
