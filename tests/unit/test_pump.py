"""Who waits, and for how long: the pump over a pretended hub."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from rustyray.core.owner import OwnerCore
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.network.hub import Hub
from rustyray.engines.native.pump import Pump
from rustyray.model import ids

NODE = b"node-one"
ME = ids.worker_id(NODE, 0)


class SleepingHub:
    """Whoever sleeps here without a limit would do so for ever; otherwise a handler of a signal runs afterwards."""

    def __init__(self) -> None:
        self.pump: Pump | None = None

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        assert timeout is not None, "it went to sleep"
        assert self.pump is not None
        self.pump.interrupted = True
        return []

    def process(self, events: list[tuple[int, int]]) -> list[object]:
        return []

    def wake(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class Contended:
    """A lock for which its holder is interrupted, and the wake-up of that reaches somebody else."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def __enter__(self) -> None:
        self._pump.interrupt()

    def __exit__(self, *_: object) -> None:
        pass


def new_pump() -> Pump:
    hub = SleepingHub()
    hub.pump = Pump(cast("Hub", hub), OwnerCore(ME, "sim:me", NODE, b""), NODE, "", {}, lambda _: None)
    return hub.pump


def test_an_interrupt_on_the_way_to_the_lead_is_not_slept_through() -> None:
    pump = new_pump()
    pump.lock = Contended(pump)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        pump.wait(Waiter(), None)


def test_a_signal_that_came_just_before_the_sleep_is_heeded_soon() -> None:
    pump = new_pump()
    pump.longest_sleep = 0.5
    with pytest.raises(KeyboardInterrupt):
        pump.wait(Waiter(), None)


def test_an_error_of_a_callback_does_not_end_the_background_thread(capsys: pytest.CaptureFixture[str]) -> None:
    pump = new_pump()
    over = threading.Event()

    def exits() -> None:
        raise SystemExit("from a callback")

    pump.deferred.extend([exits, over.set])
    pump.start()
    try:
        assert over.wait(10)
    finally:
        pump.close()
    assert "SystemExit: from a callback" in capsys.readouterr().err
