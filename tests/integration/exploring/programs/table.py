"""The table of programs, and the rules that hold for all of them.

A program raises if its outcome is not the one that it must have. Where processes die, a result may be missing instead,
if the error that says so is one of those that the program names. When it is over nothing may be left: no task, lease,
object, byte in a store or actor, on any process that lives. All invariants of all cores are checked at every event.
"""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import rustyray
from rustyray.engines.sim.driver import SimDriver
from rustyray.engines.sim.world.world import World
from rustyray.runtime import context
from rustyray.testing import Exploration, explore

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)
#: More faults than explored schedules have: a task that may be tried again so often cannot run out of attempts.
FAULTS = "crash,delay,partition,node"
DEPTH = 3
#: Virtual seconds in which everything is given back that nobody needs any more.
PATIENCE = 60
#: Virtual seconds after which refs that are still there may be in cycles.
GARBAGE = 3


class Program(NamedTuple):
    """``scenario`` is the whole of it. It is run on so many ``nodes``, each with ``cpus``."""

    scenario: Callable[[], None]
    nodes: tuple[int, ...]
    cpus: float

    @property
    def name(self) -> str:
        return self.scenario.__name__

    def explore(self, nodes: int, schedules: int, seed: int = 0, explorer: str = "portfolio") -> Exploration:
        """Raises `RaceFound` for a schedule under which something does not hold."""
        return explore(
            self.scenario,
            schedules=schedules,
            faults=FAULTS,
            depth=DEPTH,
            seed=seed,
            explorer=explorer,
            num_cpus=self.cpus,
            num_nodes=nodes,
        )


PROGRAMS: list[Program] = []


def program(*, nodes: tuple[int, ...] = (1, 2, 3), cpus: float = 2) -> Callable[[Callable[[], None]], Program]:
    """Adds a program to the table."""

    def add(body: Callable[[], None]) -> Program:
        PROGRAMS.append(Program(checked(body), nodes, cpus))
        return PROGRAMS[-1]

    return add


def checked(body: Callable[[], None]) -> Callable[[], None]:
    """The program, and what must hold while it runs and when it is over."""

    @functools.wraps(body)
    def scenario() -> None:
        world().careful = True
        body()  # what its variables held is let go when it returns
        nothing_is_left()

    return scenario


def world() -> World:
    """What the driver's code runs in."""
    engine = context.engine()
    assert isinstance(engine, SimDriver)
    return engine.simulation.world


def trouble() -> bool:
    """Whether anything has gone wrong so far; delays do not count."""
    return bool(world().troubles.struck)


def got(ref: rustyray.ObjectRef[T], *may: type[BaseException]) -> T | None:
    """The result; None in place of one of the errors that it ``may`` have if something went wrong before."""
    try:
        return rustyray.get(ref)
    except may:
        if not trouble():
            raise
        return None


def raised(ref: rustyray.ObjectRef[Any], kind: type[E]) -> E:
    """The error that there must be instead of a result, without the frames that it came through, and their refs."""
    try:
        rustyray.get(ref)
    except kind as error:
        return error.with_traceback(None)
    raise AssertionError(f"there was no {kind.__name__}")


def nothing_is_left() -> None:
    """Wait until all is given back; what is not is told. Then what lives must be sound."""
    there = world()
    for second in range(PATIENCE):
        time.sleep(1)
        if second == GARBAGE:
            gc.collect()  # errors often hold themselves, and with them the refs in the frames that they came through
            for client in there.clients():
                there.later(client.me, client.tick)
        left = there.books.unsettled() or there.books.unfreed()
        if not left:
            break
    else:
        raise AssertionError(f"{left}\n{there.describe()}")
    for process in there.processes.values():
        if process.alive:
            process.check()
