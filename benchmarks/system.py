"""What a system under measurement can be asked to do.

Each adapter in ``benchmarks.systems`` implements as much of ``System`` as its library offers; what it leaves out raises
``Unsupported`` and becomes a dash in the table. Adapters contain no timing: the probes time the calls, so every
system is timed by the same lines. This module imports little, because a cold start pays for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from benchmarks.work import Array

WORKERS = 2
"""Worker processes of every system."""

Handle: TypeAlias = object
"""A system's own reference to a value: an object ref, a future, or the value itself where a pool has nothing else."""


class Unsupported(Exception):
    """The system has no such operation."""


class Caller(Protocol):
    """Something that makes many actor calls."""

    def burst(self, calls: int) -> int:
        """Makes ``calls`` calls, all in flight at once, and returns how many were answered."""
        ...

    def stop(self) -> None:
        """Ends the actors."""
        ...


class Actor(Caller, Protocol):
    """One ``work.Counter`` in a worker."""

    def call(self, amount: int) -> int:
        """Adds ``amount``, waits, and returns the new value."""
        ...


class System(Protocol):
    """One library with two workers. Adapters subclass it; its own methods say that an operation is missing."""

    fixture: str | None = None
    """The pytest fixture that gives each test its runtime, where the system ships one."""

    fixture_plugin: str | None = None
    """The name under which pytest loads that fixture's plugin."""

    def start(self) -> None:
        """Brings up ``WORKERS`` workers."""
        ...

    def stop(self) -> None:
        """Shuts down as the library's documentation asks."""
        ...

    def call(self, value: int) -> int:
        """Submits one ``work.identity`` and waits for it."""
        ...

    def burst(self, tasks: int) -> int:
        """Submits ``identity(0) … identity(tasks - 1)``, waits for all, and returns the sum of the results."""
        ...

    def blocks(self, tasks: int, nbytes: int) -> int:
        """Runs ``tasks`` tasks returning ``work.block(nbytes)`` and returns how many bytes arrived."""
        ...

    def queue(self, tasks: int) -> None:
        """Submits ``tasks`` no-op tasks without waiting, and keeps their handles."""
        ...

    def queue_hold(self, gate: str, index: int) -> None:
        """Submits one ``work.hold`` without waiting."""
        ...

    def share(self, value: Array) -> Handle:
        """Makes ``value`` an argument for tasks, in the cheapest way that the system has."""
        ...

    def total(self, shared: Handle) -> float:
        """Runs ``work.total`` on a shared array."""
        ...

    def length(self, shared: Handle) -> int:
        """Runs ``work.length`` on a shared array."""
        ...

    def wait_each(self, tasks: int) -> int:
        """Submits no-op tasks and waits for one more of them at a time; returns how many were seen."""
        raise Unsupported

    def put(self, value: object) -> Handle:
        """Stores a value."""
        raise Unsupported

    def get(self, handle: Handle) -> object:
        """Fetches a stored value."""
        raise Unsupported

    def count(self, handles: list[Handle]) -> int:
        """Runs one ``work.count`` with every handle as an argument of its own."""
        raise Unsupported

    def nested(self, width: int) -> int:
        """Runs a task that runs ``width`` no-op tasks; returns how many tasks ran inside it."""
        raise Unsupported

    def tree(self, width: int) -> int:
        """Runs a task of ``width`` tasks of ``width`` no-op tasks; returns how many leaves ran."""
        raise Unsupported

    def actors(self, number: int) -> list[Actor]:
        """Creates actors; they need not be up when it returns."""
        raise Unsupported

    def mesh(self, clients: int, actors: int) -> Caller:
        """``clients`` tasks, each calling all of ``actors`` actors."""
        raise Unsupported


def load(name: str) -> System:
    """Imports and makes the adapter called ``name``."""
    system: System = import_module(f"benchmarks.systems.{name}").create()
    return system
