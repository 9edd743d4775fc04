"""The order that schedules depart from, and the ways to depart."""

from __future__ import annotations

import random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Deviations
from rustyray.engines.sim.world.schedules import (
    FAIR,
    NEXT,
    Delays,
    Deviation,
    Guide,
    Planned,
    Priorities,
    Scheduler,
    Walk,
    spread,
)
from rustyray.engines.sim.world.world import DELAYS
from rustyray.model.messages import BorrowAck
from tests.unit.world.limits import Limits
from tests.unit.world.programs import Maker
from tests.unit.world.runs import shown
from tests.unit.world.sequential import expected


class One(NamedTuple):
    number: int
    name: str = "run"
    process: bytes = b"p"
    source: bytes = b""


def begun(guide: Guide) -> Scheduler:
    scheduler = Scheduler(guide)
    scheduler.begin()
    return scheduler


def chosen(scheduler: Scheduler, *numbers: int) -> int:
    return numbers[scheduler.choose([One(number) for number in numbers])]


def test_what_became_possible_last_goes_first() -> None:
    scheduler = begun(Planned())
    assert chosen(scheduler, 1, 2) == 1
    assert chosen(scheduler, 2, 5, 6) == 5
    assert chosen(scheduler, 2, 6, 9) == 9
    assert chosen(scheduler, 2, 6) == 6


def test_what_is_passed_over_goes_last() -> None:
    scheduler = begun(Planned([Deviation(NEXT, 0, 1)]))
    assert chosen(scheduler, 1, 2, 3) == 2
    assert chosen(scheduler, 1, 3) == 3
    assert chosen(scheduler, 1, 7) == 7
    assert scheduler.deviations == [Deviation(NEXT, 0, 1)]


def test_nobody_starves() -> None:
    scheduler = begun(Planned([Deviation(NEXT, 0, 1)]))
    served = [chosen(scheduler, 1, 2 + turn) for turn in range(2 * FAIR)]
    assert 1 in served


def test_decisions_count_from_the_beginning() -> None:
    scheduler = Scheduler(Planned([Deviation(NEXT, 0, 1), Deviation("delay", 0, 2)]))
    assert chosen(scheduler, 1, 2) == 1
    assert scheduler.pick("delay", 5) == 0
    scheduler.begin()
    assert scheduler.pick("delay", 5) == 2
    assert chosen(scheduler, 8, 9) == 9
    scheduler.end()
    assert scheduler.pick("delay", 5) == 0


@given(st.integers(1, 200))
def test_spread_meets_each_once(size: int) -> None:
    assert sorted(spread(size)) == list(range(size))


def guides(seed: int) -> list[Guide]:
    return [
        Walk(random.Random(seed), 0.3, 0.05),
        Priorities(random.Random(seed), 200, 3),
        Priorities(random.Random(seed), 200, 3, 0.05, whole=True),
        Delays(random.Random(seed), {NEXT: 200, "delay": 100, "stall": 50}, 4),
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 3), st.integers(0, 50))
def test_what_a_guide_did_is_repeated_from_its_departures(which: int, seed: int) -> None:
    program = Maker(Deviations([("program", seed, 1)]), Limits()).program()
    first = begun(guides(seed)[which])
    world = ScriptedWorld(first)
    driver = world.add_driver(program)
    world.finish()
    again = ScriptedWorld(begun(Planned(first.deviations)))
    again.add_driver(program)
    again.finish()
    assert again.trace() == world.trace()
    assert shown(driver.outcome) == expected(program)


def test_a_delay_counts_from_the_sending() -> None:
    world = ScriptedWorld(Deviations([("delay", number, len(DELAYS) - 1) for number in range(100)]))
    world.now = 100.0
    world.network.connect(b"one", b"other")
    world.network.send(b"one", b"other", BorrowAck(1))
    assert world.network.ready(100.0 + DELAYS[-1] - 0.1) == []
    assert [channel.process for channel in world.network.ready(100.0 + DELAYS[-1])] == [b"other"]
