"""Nothing happens any more, or always the same: who waits for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rustyray.exceptions import DeadlockError, LivelockError

if TYPE_CHECKING:
    from rustyray.engines.sim.simulation import Simulation


def check(simulation: Simulation) -> None:
    raise DeadlockError("stuck")


def livelock(simulation: Simulation) -> LivelockError:
    return LivelockError("livelock")
