"""Who waits, and for how long: the pump over a pretended hub."""

from __future__ import annotations

from typing import cast

import pytest

from rustyray.core.owner import OwnerCore
from rustyray.engines.client.waiter import Waiter
from rustyray.engines.native.hub import Hub
from rustyray.engines.native.pump import Pump
from rustyray.model import ids

NODE = b"node-one"
ME = ids.worker_id(NODE, 0)


class SleepingHub:
    """Whoever sleeps here would do so for ever."""

    def wait(self, timeout: float | None) -> list[tuple[int, int]]:
        raise AssertionError("it went to sleep")

    def wake(self) -> None:
        pass

    def flush(self) -> None:
        pass


class Contended:
    """A lock for which its holder is interrupted, and the wake-up of that reaches somebody else."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump

    def __enter__(self) -> None:
        self._pump.interrupt()

    def __exit__(self, *_: object) -> None:
        pass


def test_an_interrupt_on_the_way_to_the_lead_is_not_slept_through() -> None:
    pump = Pump(cast("Hub", SleepingHub()), OwnerCore(ME, "sim:me", NODE, b""), NODE, {}, lambda _: None)
    pump.lock = Contended(pump)  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        pump.wait(Waiter(), None)
