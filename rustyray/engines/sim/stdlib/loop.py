"""An event loop in virtual time: where it would wait for sockets, its program gives way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Final

from rustyray.engines.sim.green import ProcessEnded
from rustyray.engines.sim.stdlib import order
from rustyray.engines.sim.stdlib.outside import user_line
from rustyray.engines.sim.world.process import GRAIN, NEVER, Until
from rustyray.exceptions import SimulationError

if TYPE_CHECKING:
    from rustyray.engines.sim.host import UserProcess


class _Quiet:
    """In the place of a selector: nothing but time and `SimLoop.call_soon_threadsafe` ever wakes the loop."""

    def __init__(self, process: UserProcess) -> None:
        self._process = process
        self._until: Until | None = None
        self._woken = False

    def select(self, timeout: float | None) -> list[object]:
        if self._woken or (timeout is not None and timeout <= 0):
            self._woken = False
            self._process.check_interrupt()
            return []
        until = self._until = Until()
        until.deadline = NEVER if timeout is None else self._process.world.now + timeout + GRAIN
        try:
            self._process.suspend(until)
        finally:
            self._until = None
            self._woken = False
        self._process.check_interrupt()
        return []

    def wake(self) -> None:
        self._woken = True
        if self._until is not None:
            self._until.done = True

    def close(self) -> None:
        """There is nothing to close."""


class SimLoop(asyncio.BaseEventLoop):
    """Runs in one program of ``process``. It has timers, tasks and threads (which are simulated), but no sockets."""

    def __init__(self, process: UserProcess) -> None:
        super().__init__()
        self._selector = _Quiet(process)
        self._process = process
        self.simulation = process.simulation
        self._clock_resolution = 1e-9
        self.set_task_factory(order.task)

    def create_future(self) -> asyncio.Future[Any]:
        return order.SimFuture(self)

    def time(self) -> float:
        return self._process.simulation.monotonic()

    def _process_events(self, events: list[object]) -> None:
        """There never are any."""

    def _write_to_self(self) -> None:
        self._selector.wake()

    def call_soon_threadsafe(  # type: ignore[override] # without type variables
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> Any:
        self._check_closed()  # type: ignore[attr-defined]
        handle = self._call_soon(callback, args, context)  # type: ignore[attr-defined] # `call_soon` looks who calls
        self._write_to_self()
        return handle

    def run_in_executor(  # type: ignore[override] # without type variables
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> Any:
        """The default executor makes a program of each call."""
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        future: asyncio.Future[Any] = self.create_future()

        def run() -> None:
            try:
                result = func(*args)
            except ProcessEnded:
                raise
            except BaseException as error:  # noqa: BLE001 - it is the future's to carry
                self.call_soon_threadsafe(_settle, future, None, error)
            else:
                self.call_soon_threadsafe(_settle, future, result, None)

        self._process.simulation.spawn(self._process, "executor", run)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """As asyncio's, which does not know that a process may end in the middle of a task: nobody is there to hear."""
        if not isinstance(context.get("exception"), ProcessEnded):
            super().call_exception_handler(context)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """There is none."""

    def add_signal_handler(  # type: ignore[override] # without type variables
        self, sig: int, callback: Callable[..., object], *args: Any
    ) -> None:
        raise NotImplementedError("a simulated event loop gets no signals")


def _refusing(what: str) -> Callable[..., Any]:
    def refuse(self: SimLoop, *args: object, **kwargs: object) -> Any:
        raise SimulationError(
            f"a simulated event loop has no {what}: {user_line(2)} asks for one. Replace it by something of the test's "
            "own there, or run this test with the native engine"
        )

    return refuse


_MISSING: Final = {
    "subprocesses": "subprocess_exec subprocess_shell",
    "pipes": "connect_read_pipe connect_write_pipe",
    "sockets": "add_reader remove_reader add_writer remove_writer sock_recv sock_recv_into sock_recvfrom sock_sendto "
    "sock_recvfrom_into sock_sendall sock_connect sock_accept sock_sendfile create_connection create_server start_tls "
    "create_unix_connection create_unix_server create_datagram_endpoint",
}
for _what, _names in _MISSING.items():
    for _name in _names.split():
        setattr(SimLoop, _name, _refusing(_what))


class ActorLoop(SimLoop):
    """An actor's loop: it ends with its process, and its coroutines say nothing then."""

    def run_to_the_end(self) -> None:
        """Run until the process ends."""
        try:
            self.run_forever()
        finally:
            for task in asyncio.all_tasks(self):
                task._log_destroy_pending = False  # type: ignore[attr-defined] # as where a process ends
                coroutine: Any = task.get_coro()
                try:
                    coroutine.close()
                except (Exception, GeneratorExit, ProcessEnded):  # noqa: BLE001, S110 - nobody is there to hear
                    pass
            self.close()


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
