"""The shrinker, on failures that are made up."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.engines.sim.world.schedules import NEXT, Deviation
from rustyray.testing.exploring.shrinking import Shrinker, as_items
from rustyray.testing.exploring.trial import Plan, Trial


def trial(plan: Plan, fails: bool) -> Trial:
    return Trial(AssertionError() if fails else None, None, plan, {NEXT: 50}, 100, "00000000")


def shrunk(plan: Plan, fails: Callable[[Plan], bool]) -> Shrinker:
    shrinker = Shrinker(lambda plan: trial(plan, fails(plan)), trial(plan, True), lambda other: other.error is not None)
    shrinker.shrink()
    return shrinker


long = st.sets(st.integers(0, 200), min_size=2, max_size=60)


@given(long, st.data())
def test_what_is_needed_is_left(places: set[int], data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.sampled_from(sorted(places)), min_size=2, max_size=3))
    plan = Plan(tuple(Deviation(NEXT, place, 3) for place in sorted(places)))
    shrinker = shrunk(plan, lambda plan: needed <= {one.number for one in plan.deviations})
    assert {one.number for one in shrinker.best.plan.deviations} == needed
    assert {one.choice for one in shrinker.best.plan.deviations} == {1}
    assert shrinker.runs <= 600


def test_faults_are_dropped_and_lowered() -> None:
    crash = Fault(7, Trouble.CRASH, 5)
    plan = Plan((Deviation(NEXT, 3, 2),), (crash, Fault(9, Trouble.CUT, 1)))
    best = shrunk(plan, lambda plan: any(one.trouble is Trouble.CRASH and one.which >= 2 for one in plan.faults)).best
    assert as_items(best.plan) == [Fault(7, Trouble.CRASH, 2)]


def test_one_elsewhere_is_better_than_two() -> None:
    plan = Plan((Deviation(NEXT, 3, 1), Deviation(NEXT, 20, 2)))
    best = shrunk(plan, lambda other: other == plan or other.deviations == (Deviation(NEXT, 31, 1),)).best
    assert best.plan.deviations == (Deviation(NEXT, 31, 1),)


def test_what_fails_by_itself_needs_nothing() -> None:
    plan = Plan(tuple(Deviation(NEXT, place, 1) for place in range(40)))
    shrinker = shrunk(plan, lambda plan: True)
    assert len(shrinker.best.plan) <= 1


def test_a_fault_at_another_moment_is_better_than_help_from_the_schedule() -> None:
    plan = Plan((Deviation(NEXT, 3, 1),), (Fault(20, Trouble.CRASH, 0),))
    alone = (Fault(33, Trouble.CRASH, 1),)
    best = shrunk(plan, lambda other: other == plan or other.faults == alone).best
    assert best.plan == Plan((), alone)
