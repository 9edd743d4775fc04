"""What can happen next in a world: a message arrives, a program goes on, or what was put off is done.

A channel is an event itself, as long as a parcel waits in it (see `network`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from rustyray.engines.sim.world.network import Channel
from rustyray.engines.sim.world.process import OwnerProcess, Program, Until
from rustyray.engines.sim.world.story import short


class Deferred(NamedTuple):
    """What a process put off, or what is due there."""

    number: int
    name: str
    process: bytes
    run: Callable[[], None]
    source: bytes = b""

    @property
    def label(self) -> bytes:
        return self.name.encode()


class Fiber:
    """A program in the middle of its run. When it can go on, that is a candidate."""

    __slots__ = (
        "__weakref__",
        "client",
        "label",
        "number",
        "process",
        "program",
        "serial",
        "source",
        "title",
        "until",
        "wake",
    )

    name: Final = "run"

    def __init__(self, title: str, client: OwnerProcess, program: Program[None], number: int) -> None:
        self.title = title
        self.client = client
        self.process = client.me
        self.program = program
        self.number = number
        #: As `number` in the beginning, which moves on.
        self.serial = number
        self.source = b"%s %d" % (title.encode(), number)
        self.label = b"run" + self.source
        self.wake = 0.0
        self.until: Until | None = None

    @property
    def who(self) -> str:
        """Which program of which process, for people."""
        process = getattr(self.client, "name", short(self.client.me))
        return process if self.title == "main" else f"{self.title} of {process}"


#: What can happen next; ``label`` is its name and source. Of a channel and a fiber, ``number`` goes on when it happens.
Event: TypeAlias = Channel | Fiber | Deferred
