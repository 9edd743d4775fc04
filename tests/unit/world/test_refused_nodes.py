"""A node that stands still for so long that it is taken for dead, under many schedules: another takes its place."""

from __future__ import annotations

import pytest

from rustyray.engines.sim.scripted.scripts import Get, Return, Script, Step, Submit, Work
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.engines.sim.world.node import RESTARTS
from rustyray.model.ids import NodeID
from tests.unit.world.runs import MOODS, shown

VICTIM = b"node-001"
#: Seconds after which a node that stands still is dead.
LONG = 12.0


def world(seed: int) -> ScriptedWorld:
    chooser = Seeded(seed, MOODS[seed % len(MOODS)]) if seed else Tame()
    return ScriptedWorld(chooser, (1, 2), apart=True)


def stand_still(there: ScriptedWorld, node: NodeID) -> None:
    there.rest(1.0)
    there.network.paused |= {node}
    there.rest(LONG)
    there.network.paused -= {node}
    there.rest(5.0)


def living(there: ScriptedWorld) -> list[NodeID]:
    return [node.info.node for node in there.head_core._nodes.living()]


def work() -> list[Step]:
    slow = Script("slow", [Work(3.0), Return(1)])
    tasks = [f"t{number}" for number in range(6)]
    return [*(Submit(name, slow) for name in tasks), Get("v", tasks), Return("v")]


@pytest.mark.parametrize("seed", range(12))
def test_another_takes_its_place_and_the_work_is_done(seed: int) -> None:
    there = world(seed)
    driver = there.add_driver(Script("main", work()))
    stand_still(there, VICTIM)
    assert not there.node(VICTIM).alive
    (first, second) = living(there)
    assert first == b"node-000"
    assert second == b"nodf-001"
    dead = there.head_core._nodes.nodes[VICTIM]
    assert dead.info.reason.endswith(f"node {second.hex()} has taken its place")
    there.finish()
    assert shown(driver.outcome) == [1] * 6


def test_after_some_times_none_does() -> None:
    there = world(0)
    there.rest(1.0)
    for _ in range(RESTARTS + 1):
        (victim,) = living(there)[1:]
        stand_still(there, victim)
    assert living(there) == [b"node-000"]
    assert "no other takes its place" in there.node(victim).warnings[-1]
    assert "no other takes its place" in there.head_core._nodes.nodes[victim].info.reason
