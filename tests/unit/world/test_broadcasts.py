"""One object, many nodes that want it: under any schedule all get it whole, and none sends it more than a few times."""

from __future__ import annotations

from collections import Counter

import pytest

from rustyray.core.node import NodeLimits
from rustyray.core.node.serving import FANOUT
from rustyray.engines.sim.scripted.client import BIG
from rustyray.engines.sim.scripted.scripts import Add, Get, Put, Return, Script, Step, Submit, Work
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Chooser, Seeded, Tame
from rustyray.engines.sim.world.faults import Fault, Trouble
from rustyray.model.ids import NodeID
from rustyray.model.messages import Message, PullElsewhere
from tests.unit.world.runs import FAULTS, MOODS, shown

SEEDS = range(40)
NODES = 8


class CountingWorld(ScriptedWorld):
    """Counts the bytes of objects that each node sends."""

    def __init__(self, chooser: Chooser, faults: list[Fault], chunk: int) -> None:
        self.bytes_sent: Counter[NodeID] = Counter()
        self.sent_on = 0
        super().__init__(chooser, [1] * NODES, faults=faults, limits=NodeLimits(chunk=chunk))

    def send(self, frm: bytes, to: bytes, message: Message, address: str, body: bytes = b"") -> None:
        self.bytes_sent[frm] += len(body)
        self.sent_on += isinstance(message, PullElsewhere)
        super().send(frm, to, message, address, body)


def broadcast(seed: int, faults: list[Fault], chunk: int = 1000, rounds: int = 1) -> tuple[CountingWorld, object]:
    reads = Script("reads", [Add("s", ["a0", 1]), Work(2.0), Return("s")])
    steps: list[Step] = [Put("x", 41, big=True)]
    tasks = [f"t{number}" for number in range(NODES * rounds)]
    steps += [Submit(task, reads, ["x"]) for task in tasks]
    steps += [Get("v", tasks), Return("v")]
    chooser = Seeded(seed, MOODS[seed % len(MOODS)]) if seed else Tame()
    world = CountingWorld(chooser, faults, chunk)
    driver = world.add_driver(Script("main", steps))
    world.finish()
    return world, shown(driver.outcome)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_nodes_get_it_and_none_sends_it_more_than_twice(seed: int) -> None:
    world, outcome = broadcast(seed, [])
    assert outcome == [42] * NODES
    assert sum(world.bytes_sent.values()) <= (NODES - 1) * BIG
    assert max(world.bytes_sent.values()) <= FANOUT * BIG


def test_it_spreads_over_the_nodes_that_have_it() -> None:
    world, outcome = broadcast(0, [])
    assert outcome == [42] * NODES
    assert sum(world.bytes_sent.values()) == (NODES - 1) * BIG, "once to each"
    assert max(world.bytes_sent.values()) == FANOUT * BIG
    assert world.sent_on > 0


@pytest.mark.parametrize("nodes", [1, 3, 7])
def test_it_takes_as_long_as_two_transfers_however_many_nodes_there_are(nodes: int) -> None:
    """The first node sends it twice at the same time, and the others pass each piece on as it comes."""
    reads = Script("reads", [Add("s", ["a0", 1]), Return("s")])
    tasks = [f"t{number}" for number in range(nodes)]
    steps: list[Step] = [Put("x", 41, big=True), *(Submit(task, reads, ["x"]) for task in tasks)]
    steps += [Get("v", tasks), Return("v")]
    world = CountingWorld(Tame(), [], 64)
    world.bandwidth = BIG  # a transfer takes a second
    hold = Script("hold", [Work(100.0), Return(0)])
    driver = world.add_driver(Script("main", [Submit("h", hold), *steps]))
    world.run()
    assert shown(driver.outcome) == [42] * nodes
    assert max(1, min(nodes, 2)) <= world.now <= 2.3


@pytest.mark.parametrize("seed", SEEDS)
def test_nodes_that_pass_it_on_may_die(seed: int) -> None:
    """The number of steps before the first death goes through the whole of the transfer."""
    step = 60 + 7 * (seed % 40)
    faults = [Fault(step, Trouble.NODE, seed), Fault(step + 30, Trouble.NODE, seed + 3)]
    _, outcome = broadcast(seed, faults, rounds=2)
    assert outcome in ([42] * NODES * 2, *FAULTS)
