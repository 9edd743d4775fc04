"""Streams whose items are lost with their node, while more come and after they were read: they are made again."""

from __future__ import annotations

import pytest

from rustyray.engines.sim.scripted.driver import Driver
from rustyray.engines.sim.scripted.scripts import Drop, Get, Next, Return, Script, Step, Submit, Work, Yield
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.model.streams import STREAMING, streaming
from tests.unit.world.runs import MOODS, Profile, check
from tests.unit.world.test_task_hazards import SEEDS

ITEMS = 4
#: Its tasks need a whole CPU, so that they never run on the node that stays. Whoever reads when the node is lost may
#: find that its items are.
APART = Profile(nodes=(0.5, 1, 1), exact=False)


def program(returns: int) -> Script:
    yields = [step for number in range(ITEMS) for step in (Work(0.01), Yield(number, big=number != 1))]
    items = [f"i{number}" for number in range(ITEMS)]
    nexts = [Next(item, "s") for item in items]
    makes = Script("makes", [*yields], returns=returns, max_retries=-1)
    rest = [Work(0.1)] * 8
    return Script("main", [Submit("s", makes), *nexts, *rest, Get("all", items, catch=True), Return("all")])


def made_again(seed: int, step: int) -> bool:
    """Whether items were lost after the last had come, and read all the same; a node is lost at ``step``."""
    chooser = Seeded(seed, MOODS[seed % len(MOODS)])
    there = check(program((STREAMING, streaming(1))[seed % 2]), APART, chooser, [Fault(step, Trouble.NODE, step)])
    (driver,) = [client for client in there.clients() if isinstance(client, Driver)]
    return driver.core.history.counts.rebuilt > 0 and driver.outcome == list(range(ITEMS))


@pytest.mark.parametrize("of", SEEDS[:3])
def test_items_are_made_again_that_are_lost_with_their_node(of: int) -> None:
    """At some step, that is: whatever the step, all is well in the end."""
    assert any(made_again(of, step) for step in range(10, 90, 3))


def test_an_item_goes_before_its_stream_does() -> None:
    makes = Script("makes", [Yield(7, big=True)], returns=STREAMING, max_retries=-1)
    steps: list[Step] = [Submit("s", makes), Next("i", "s"), Get("v", ["i"]), Drop("i"), Work(1.0), Return("v")]
    there = check(Script("main", steps), APART, Tame())
    (driver,) = [client for client in there.clients() if isinstance(client, Driver)]
    assert driver.outcome == [7]
