"""Tasks with large arguments run where those are, under any schedule; where they run changes no result."""

from __future__ import annotations

import pytest

from rustyray.engines.sim.scripted.client import BIG
from rustyray.engines.sim.scripted.scripts import Add, Get, Return, Script, Submit, Wait
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Seeded, Tame
from rustyray.model.messages import Message
from tests.unit.world.runs import MOODS, shown


class World(ScriptedWorld):
    """Counts the bytes that go from node to node."""

    moved = 0

    def send(self, frm: bytes, to: bytes, message: Message, address: str, body: bytes = b"") -> None:
        self.moved += len(body)
        super().send(frm, to, message, address, body)


def run(seed: int) -> World:
    """A value that only the second node can make, through five tasks in a row that any could run."""
    make = Script("make", [Return(1, big=True)], cpus=2)
    more = Script("more", [Add("s", ["a0", 1]), Return("s", big=True)])
    steps = [Submit("v0", make), *(Submit(f"v{n + 1}", more, [f"v{n}"]) for n in range(5))]
    main = Script("main", [*steps, Wait(["v5"], 1), Get("v", ["v5"]), Return("v")])
    there = World(Seeded(seed, MOODS[seed % len(MOODS)]) if seed else Tame(), (1, 2))
    driver = there.add_driver(main)
    there.finish()
    assert shown(driver.outcome) == [6]
    return there


def test_only_the_last_result_is_moved() -> None:
    assert run(0).moved == BIG


@pytest.mark.parametrize("seed", range(1, 40))
def test_under_any_schedule_it_is_done(seed: int) -> None:
    assert run(seed).moved <= 6 * BIG
