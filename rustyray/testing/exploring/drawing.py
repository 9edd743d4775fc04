"""``schedules``: schedules as a Hypothesis strategy, so that data, schedule and faults are shrunk as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.engines.sim.world.schedules import NEXT, PREEMPT, Deviation, Planned
from rustyray.runtime import context
from rustyray.testing.exploring.explorers import DELAY, FAULTS, WHICH, faults_of
from rustyray.testing.exploring.telling import Teller
from rustyray.testing.exploring.trial import Plan, Setup, simulated
from rustyray.testing.exploring.unread import RAISE, UnreadErrors, check_unread, unread_error

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

#: Decisions and steps that a schedule may depart at: what a short program has.
REACH: Final = 200


class Schedule:
    """One schedule; a test runs its program inside ``with schedule.running():``."""

    def __init__(self, plan: Plan, setup: Setup) -> None:
        self._plan = plan
        self._setup = setup

    @contextmanager
    def running(self) -> Iterator[None]:
        """A simulated runtime under this schedule; it is shut down at the end.

        What is raised inside has the run's story as a note.

        Raises:
            LeakedRuntime: A runtime is up in this process already.
            UnreadError: As for `explore`.
        """
        with simulated(Planned(self._plan.deviations), self._plan.faults, self._setup) as (world, scheduler):
            teller = Teller()
            teller.begin(world, scheduler)
            world.on_event = teller.served
            scheduler.begin()
            try:
                yield
                error = unread_error(context.engine()) if self._setup.unread_errors == RAISE else None
                if error is not None:
                    raise error
            except Exception as error:
                teller.end()
                error.add_note(f"Under {self!r}:\n{teller.text()}")
                raise

    def __repr__(self) -> str:
        items = [f"{what} {number} is {choice}" for what, number, choice in self._plan.deviations]
        items += [f"{fault.trouble.name.lower()} {fault.which} at step {fault.step}" for fault in self._plan.faults]
        return f"<schedule: {', '.join(items) or 'runs to completion'}>"


def schedules(
    *,
    max_deviations: int = 3,
    faults: str = "",
    num_cpus: float = 2,
    num_nodes: int = 1,
    unread_errors: UnreadErrors = RAISE,
) -> SearchStrategy[Schedule]:
    """Schedules for use inside a `hypothesis.given`.

    A schedule is drawn as a short list of departures from running to completion, and shrinks towards none.

    Args:
        max_deviations: the most departures and faults, together.
        faults: what may go wrong, as for `explore`.
        num_cpus: CPUs of each simulated node.
        num_nodes: how many nodes there are.
        unread_errors: whether errors that nobody reads are raised, as for `explore`.

    Raises:
        ValueError: There is no such fault, or ``unread_errors`` is neither "raise" nor "ignore".
    """
    from hypothesis import strategies as st

    names = faults_of(faults)
    check_unread(unread_errors)
    setup = Setup(num_cpus, num_nodes, unread_errors=unread_errors)
    number = st.integers(0, REACH)
    kinds: list[SearchStrategy[Deviation | Fault]] = [
        st.builds(Deviation, st.just(NEXT), number, st.integers(1, 4)),
        st.builds(Deviation, st.just(PREEMPT), number, st.just(1)),
    ]
    if DELAY in names:
        kinds.append(st.builds(Deviation, st.sampled_from(("delay", "stall")), number, st.integers(1, 3)))
    troubles: list[Trouble] = [trouble for name in names if (trouble := FAULTS[name]) is not None]
    if troubles:
        kinds.append(st.builds(Fault, number, st.sampled_from(troubles), st.integers(0, WHICH)))

    items = st.lists(st.one_of(kinds), max_size=max_deviations)

    @st.composite
    def drawn(draw: DrawFn) -> Schedule:
        found = draw(items)
        plan = Plan(
            tuple(item for item in found if isinstance(item, Deviation)),
            tuple(item for item in found if isinstance(item, Fault)),
        )
        return Schedule(plan, setup)

    return drawn()
