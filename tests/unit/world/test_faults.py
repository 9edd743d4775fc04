"""Faults hit what they say, and their effects are those of the real ones."""

from __future__ import annotations

import pytest

from rustyray.core.node import NodeLimits
from rustyray.engines.sim.scripted import scripts as s
from rustyray.engines.sim.scripted.scripts import Script
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Tame
from rustyray.engines.sim.world.faults import SPANS, Fault, Trouble
from tests.unit.world.faulty import KINDS
from tests.unit.world.runs import run

LONG = 37 * (len(SPANS) - 1)
HALF_A_SECOND = 37 * SPANS.index(0.6)
#: It waits for a task that takes a whole node, and so may run on either.
BUSY = Script("busy", [s.Work(2.0), s.Return(7)], cpus=1, max_retries=-1)
WAITING: list[s.Step] = [s.Submit("one", BUSY), s.Submit("two", BUSY), s.Get("both", ["one", "two"]), s.Return("both")]


@pytest.mark.parametrize("name", KINDS)
def test_seeds(name: str) -> None:
    profiles = KINDS[name].profiles
    for seed in range(6):
        run(profiles[seed % len(profiles)], seed)


def world(*faults: Fault, shared: bool = False) -> ScriptedWorld:
    there = ScriptedWorld(Tame(), (1, 1), faults=faults, limits=NodeLimits(), shared=shared)
    there.add_driver(Script("driver", list(WAITING)))
    return there


@pytest.mark.parametrize("trouble", [Trouble.PAUSE, Trouble.SPLIT])
def test_a_node_that_is_silent_for_long_is_refused_when_it_is_back(trouble: Trouble) -> None:
    there = world(Fault(45, trouble, LONG))
    there.finish()
    assert there.troubles.hits == {trouble: 1}
    assert [host.me for host in there.nodes()] == [b"node-000"]
    assert there.story.counts["NodeRefused"] == 1
    assert there.drivers[0].outcome == [7, 7]
    assert there.now > SPANS[-1]


@pytest.mark.parametrize("trouble", [Trouble.PAUSE, Trouble.SPLIT, Trouble.SLOW])
def test_a_node_that_is_silent_for_a_moment_goes_on(trouble: Trouble) -> None:
    there = world(Fault(45, trouble, HALF_A_SECOND))
    there.finish()
    assert there.troubles.hits == {trouble: 1}
    assert len(there.nodes()) == 2
    assert "NodeDied" not in there.story.counts
    assert there.drivers[0].outcome == [7, 7]


@pytest.mark.parametrize("trouble", [Trouble.HALF, Trouble.LINK])
def test_a_connection_that_breaks_is_lost_to_both_ends(trouble: Trouble) -> None:
    there = world(Fault(20, trouble, HALF_A_SECOND))
    there.finish()
    assert there.troubles.hits == {trouble: 1}
    assert there.story.counts["lost"] >= 2
    assert there.drivers[0].outcome == [7, 7]


def test_the_job_of_a_driver_that_dies_is_over() -> None:
    there = world(Fault(60, Trouble.DRIVER, 0), shared=True)
    other = there.add_driver(Script("other", list(WAITING)), 1, 1000)
    there.finish()
    assert not other.alive
    assert there.story.counts["JobOver"] >= 1
    assert there.drivers[0].outcome == [7, 7]
