"""One run of a scenario under one schedule."""

from __future__ import annotations

import os
import sys
import zlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from rustyray.api import lifecycle
from rustyray.engines.sim.circles import LOOK, Watch
from rustyray.engines.sim.driver import SimDriver
from rustyray.engines.sim.steering import Steering, steered
from rustyray.engines.sim.worker import SimWorker
from rustyray.engines.sim.world.faults import Fault, Troubles
from rustyray.engines.sim.world.schedules import Deviation, Guide, Planned, Scheduler
from rustyray.exceptions import LivelockError, RayTaskError, SimulationError
from rustyray.model.settings import Settings, settings
from rustyray.runtime import context
from rustyray.testing.exploring.unread import RAISE, UnreadError, UnreadErrors, unread_error

if TYPE_CHECKING:
    from types import TracebackType

    from rustyray.engines.sim.world.events import Event
    from rustyray.engines.sim.world.world import World
    from rustyray.testing.exploring.sites import Sites

#: What is explored: takes nothing, uses the whole API, and raises when something is wrong.
Scenario: TypeAlias = Callable[[], object]

#: Seconds that a program of a scenario may compute without giving way.
MAX_BUSY: Final = 10.0
_RUNTIME: Final = os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + os.sep
_NOT_FOUND: Final = (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError)


class Setup(NamedTuple):
    """The simulated machines, and what is wanted of a run."""

    num_cpus: float = 2
    num_nodes: int = 1
    max_steps: int = 20_000
    unread_errors: UnreadErrors = RAISE


class Plan(NamedTuple):
    """How a schedule departs from running to completion, and what goes wrong in it. Faults count steps from the start
    of the scenario."""

    deviations: tuple[Deviation, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return len(self.deviations) + len(self.faults)


class Kind(NamedTuple):
    """What makes two failures the same: the error's class, and the line of the scenario that it came out of."""

    error: str
    place: str


class Trial(NamedTuple):
    """What became of a run.

    ``plan`` is what was departed from indeed; ``lengths`` says how many decisions of each kind there were, ``steps``
    how many events. ``fingerprint`` is the same for runs in which the same happened to each process in the same order.
    """

    error: BaseException | None
    result: object
    plan: Plan
    lengths: dict[str, int]
    steps: int
    fingerprint: str

    @property
    def kind(self) -> Kind | None:
        return None if self.error is None else kind_of(self.error)


class Watching(Protocol):
    """Told about a run while it goes on."""

    def begin(self, world: World, scheduler: Scheduler) -> None:
        """The runtime is up, and the scenario begins."""
        ...

    def served(self, event: Event, number: int) -> None: ...

    def end(self) -> None:
        """The scenario has returned, or raised; the runtime is still up."""
        ...


@lru_cache(maxsize=1)
def _settings(setup: Setup) -> Settings:
    return settings(
        engine="sim",
        num_cpus=setup.num_cpus,
        num_gpus=0,
        memory=2**30,
        resources=None,
        object_store_memory=None,
        namespace=None,
        labels=None,
        logging_level="WARNING",
        system_config={"max_steps": setup.max_steps, "max_busy": MAX_BUSY},
        num_nodes=setup.num_nodes,
    )


class LeakedRuntime(RuntimeError):
    """A scenario, or whoever explores it, left a runtime of its own running."""


@contextmanager
def simulated(guide: Guide, faults: Sequence[Fault], setup: Setup) -> Iterator[tuple[World, Scheduler]]:
    """A runtime of its own, up inside; the schedule departs from running to completion from the scheduler's `begin` on.

    Raises:
        LeakedRuntime: A runtime is up already, or another one was put in place of this one.
    """
    if lifecycle.is_initialized():
        raise LeakedRuntime(
            "a runtime is up in this process already, and each schedule is run in a runtime of its own: call "
            "rustyray.shutdown() before, and leave init() to the explorer"
        )
    scheduler = Scheduler(guide)
    steering = Steering(scheduler)
    with steered(steering):
        session = lifecycle.start(_settings(setup))
        world = steering.world
        assert world is not None
        world.troubles = Troubles(world, [fault._replace(step=fault.step + world.steps + 1) for fault in faults])
        mine = context.engine()
        try:
            yield world, scheduler
        finally:
            scheduler.end()
            world.on_event = None
            world.troubles = Troubles(world, ())
            now = context.engine()
            session.shutdown()
            lifecycle.shutdown()
    if now is not None and now is not mine:
        raise LeakedRuntime(
            "the scenario started a runtime of its own: leave init() and shutdown() to the explorer, which gives each "
            "schedule a fresh one"
        )


def run(
    scenario: Scenario,
    guide: Guide,
    faults: Sequence[Fault],
    setup: Setup,
    watching: Watching | None = None,
    sites: Sites | None = None,
) -> Trial:
    """Run the scenario in a runtime of its own. Raises as `simulated`."""
    prints = Fingerprint(setup.max_steps)
    error: BaseException | None = None
    result: object = None
    with simulated(guide, faults, setup) as (world, scheduler):
        begun = world.steps
        world.on_event = prints.served if watching is None else _both(prints.served, watching.served)
        if watching is not None:
            watching.begin(world, scheduler)
        if sites is not None:
            sites.begin(world)
        scheduler.begin()
        try:
            result = scenario()
        except BaseException as raised:
            if is_no_failure(raised):
                raise
            error = raised
        scheduler.end()
        if error is None and setup.unread_errors == RAISE:
            error = unread_error(context.engine(), sites)
        elif error is not None and sites is not None:
            sites.explain(error)
        steps, fingerprint, lengths = world.steps - begun, prints.text(), dict(scheduler.counts)
        if watching is not None:
            watching.end()
    _check_result(result)
    return Trial(error, result, Plan(tuple(scheduler.deviations), tuple(faults)), lengths, steps, fingerprint)


def _both(one: Callable[[Event, int], None], other: Callable[[Event, int], None]) -> Callable[[Event, int], None]:
    def served(event: Event, number: int) -> None:
        one(event, number)
        other(event, number)

    return served


def run_plan(
    scenario: Scenario, plan: Plan, setup: Setup, watching: Watching | None = None, sites: Sites | None = None
) -> Trial:
    """As `run`, for a schedule that is known."""
    return run(scenario, Planned(plan.deviations), plan.faults, setup, watching, sites)


class Fingerprint:
    """What happened to each process, in its order. More than ``most`` events are not the end of anything."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count = 0
        #: From here on, what goes on is looked at.
        self._look = most - min(LOOK, most // 2)
        self._watch: Watch | None = None
        self._by_process: dict[bytes, int] = {}

    def served(self, event: Event, number: int) -> None:
        self._count += 1
        if self._count > self._look:
            self._look_on(event)
        by_process, process = self._by_process, event.process
        by_process[process] = zlib.crc32(event.label, by_process.get(process, 0))

    def _look_on(self, event: Event) -> None:
        engine = context.engine()
        if self._watch is None and isinstance(engine, SimDriver | SimWorker):
            self._watch = Watch(engine.simulation)
        if self._watch is not None:
            self._watch.served(event)
        if self._count > self._most:
            watch, self._watch, self._count = self._watch, None, 0  # the scenario may go on to clean up
            what = (
                f"the scenario has taken {self._most:,} events, and is not done: it goes round in circles, or it needs "
                "a higher max_steps."
            )
            raise watch.error(what) if watch is not None else LivelockError(what)

    def text(self) -> str:
        whole = 0
        for process, line in sorted(self._by_process.items()):
            whole = zlib.crc32(process + line.to_bytes(4, "big"), whole)
        return f"{whole:08x}"


# --- errors -----------------------------------------------------------------------------------------------------------


def is_no_failure(error: BaseException) -> bool:
    """Whether it is not the scenario's failure: Ctrl-C and the like, wrong use of explorers, and pytest's skipping."""
    outcomes = sys.modules.get("_pytest.outcomes")
    words = (outcomes.Skipped, outcomes.XFailed) if outcomes is not None else ()
    if isinstance(error, RayTaskError):  # it may be a SystemExit as well, which a task has raised
        return False
    return isinstance(error, (*_NOT_FOUND, LeakedRuntime, *words))


def _check_result(result: object) -> None:
    if isinstance(result, Coroutine | Generator | AsyncGenerator):
        if isinstance(result, Coroutine):
            result.close()
        raise TypeError(
            f"the scenario did nothing but return a {type(result).__name__}: it has to be a plain function, which can "
            "call one that is async by asyncio.run()"
        )


def kind_of(error: BaseException) -> Kind:
    place = ""
    if isinstance(error, UnreadError):
        place = error.where
    elif not isinstance(error, SimulationError):  # where those come up says little: everybody waits somewhere
        tb: TracebackType | None = error.__traceback__
        while tb is not None:
            name = tb.tb_frame.f_code.co_filename
            if not name.startswith(_RUNTIME):
                place = f"{name}:{tb.tb_lineno}"
            tb = tb.tb_next
    return Kind(type(error).__qualname__, place)
