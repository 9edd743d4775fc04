"""Hypothesis at the controls: programs begin, time passes, processes die, messages double, in any order."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from rustyray.core.node import NodeLimits
from rustyray.engines.sim.scripted.driver import Driver
from rustyray.engines.sim.scripted.scripts import Script
from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Replay
from rustyray.engines.sim.world.faults import Trouble
from tests.unit.world.limits import Limits
from tests.unit.world.programs import Maker
from tests.unit.world.runs import agrees, shown
from tests.unit.world.sequential import expected

#: A node may lose any number of workers that are starting: one that gives up is another test's.
NODE_LIMITS = NodeLimits(max_failed_starts=1000)
LIMITS = Limits(big=False, keep=True, cpus=(1, 0.5), max_restarts=1, max_task_retries=1)
pick = st.integers(0, 50)


class Hand:
    """A chooser whose next choices are laid out; without any, it is tame."""

    def __init__(self) -> None:
        self.choices: list[int] = []

    def pick(self, what: str, count: int) -> int:
        return self.choices.pop(0) % count if self.choices else 0


class WorldMachine(RuleBasedStateMachine):
    @initialize(nodes=st.sampled_from([(2,), (1, 1), (1, 2, 1)]))
    def begin(self, nodes: tuple[float, ...]) -> None:
        self.hand = Hand()
        self.world = ScriptedWorld(self.hand, nodes, limits=NODE_LIMITS)
        self.drivers: list[tuple[Driver, Script]] = []

    @rule(choices=st.lists(st.integers(0, 8), max_size=30), node=pick)
    def join(self, choices: list[int], node: int) -> None:
        """A driver joins a node, with a program of its own."""
        if len(self.drivers) < 3:
            number = len(self.drivers)
            program = Maker(Replay(choices), LIMITS, count=10_000 * number).program()
            program = Script(f"main{number}", program.steps)
            where = node % len(self.world.nodes())
            self.drivers.append((self.world.add_driver(program, where, 1000 * (number + 1)), program))

    @rule(count=st.integers(1, 30), choices=st.lists(pick, max_size=8))
    def run(self, count: int, choices: list[int]) -> None:
        """So many steps, the first of which are chosen."""
        self.hand.choices += choices
        for _ in range(count):
            self.world.step()
        self.hand.choices.clear()

    @rule(seconds=st.sampled_from([0.02, 0.3, 2.0]))
    def wait(self, seconds: float) -> None:
        self.world.rest(seconds)

    @rule(which=pick, keep=pick)
    def crash(self, which: int, keep: int) -> None:
        self.hand.choices = [keep]
        self.world.troubles.hit(Trouble.CRASH, which)
        self.hand.choices.clear()

    @rule(which=pick, trouble=st.sampled_from([Trouble.CUT, Trouble.NODE, Trouble.TWICE, Trouble.AGAIN]))
    def trouble(self, which: int, trouble: Trouble) -> None:
        self.world.troubles.hit(trouble, which)

    def teardown(self) -> None:
        """Everything ends: each driver that lives has what it should have, or documented faults; nothing is left."""
        if not hasattr(self, "world"):
            return
        self.world.finish()
        for driver, program in self.drivers:
            if driver.alive:
                got, want = shown(driver.outcome), expected(program)
                assert agrees(got, want), f"{got} should be {want}, or faults\n{self.world.describe()}"


WorldMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
test_any_sequence = WorldMachine.TestCase
