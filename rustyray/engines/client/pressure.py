"""Callbacks of the program for when its node's store fills up."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import partial

from rustyray.engines.client.ports import Pump
from rustyray.engines.client.waiter import Waiter
from rustyray.model.ids import NodeID
from rustyray.model.messages import StorePressure, UnwatchPressure, WatchPressure
from rustyray.runtime.engine import MemoryPressure


class PressureCallbacks:
    """Those that are registered in this process, by the number under which the node knows them."""

    def __init__(self, pump: Pump, node: NodeID) -> None:
        self._pump = pump
        self._node = node
        self._callbacks: dict[int, tuple[Callable[[MemoryPressure], object], float]] = {}
        self._last = 0
        pump.handlers[StorePressure] = self._on_pressure

    def add(self, callback: Callable[[MemoryPressure], object], fraction: float) -> Callable[[], None]:
        """Returns what takes it back; it may be called more than once, and from any thread."""
        with self._pump.lock:
            self._last = number = self._last + 1
            self._callbacks[number] = (callback, fraction)
            self._tell(WatchPressure(number, fraction))
        return partial(self._remove, number)

    def _remove(self, number: int) -> None:
        with self._pump.lock:
            if self._callbacks.pop(number, None) is not None and not self._pump.closed:
                self._tell(UnwatchPressure(number))

    def _tell(self, message: WatchPressure | UnwatchPressure) -> None:
        self._pump.hub.send(self._node, message)
        self._pump.hub.flush()

    def _on_pressure(self, peer: bytes, message: StorePressure, now: float) -> None:
        found = self._callbacks.get(message.number)
        if found is not None and peer == self._node:
            callback, fraction = found
            pressure = MemoryPressure(message.used, message.capacity, fraction)
            self._pump.finish(Waiter(0, callback=partial(_call, callback, pressure)))


def _call(callback: Callable[[MemoryPressure], object], pressure: MemoryPressure) -> None:
    """Without the lock. It runs in whatever thread looks after messages, which its error must not end."""
    try:
        callback(pressure)
    except Exception:  # noqa: BLE001 - it is the user's code, and nobody waits for it
        traceback.print_exc()
