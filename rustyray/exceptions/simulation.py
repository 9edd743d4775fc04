"""What a simulated runtime says when it cannot go on."""

from __future__ import annotations

from rustyray.exceptions.base import RayError


class SimulationError(RayError):
    """The program asks for something that cannot be simulated: a process, a socket, a thread of the system's own."""

    default = "This cannot be simulated"


class DeadlockError(SimulationError):
    """Nothing can ever happen again, and the driver waits; the message says who waits for what."""

    default = "Nothing can ever happen again, and the driver waits"


class LivelockError(SimulationError):
    """Much has happened, and none of it was what the driver waits for."""

    default = "The program goes round in circles while the driver waits"


class StarvationError(LivelockError):
    """The program goes round in circles, and what could end that never gets a turn; the message says who starves."""

    default = "Some task or call never gets a turn, while others do again and again"
