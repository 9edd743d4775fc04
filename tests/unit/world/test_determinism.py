"""The same choices, the same trace, byte for byte, in whatever process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rustyray.engines.sim.scripted.world import ScriptedWorld
from rustyray.engines.sim.world.chooser import Recorder, Replay, Seeded, Tame
from tests.unit.purity import offences
from tests.unit.world.limits import Limits
from tests.unit.world.programs import Maker
from tests.unit.world.runs import PROFILES, run

ROOT = Path(__file__).parents[3]
PROGRAM = (
    "from tests.unit.world.runs import PROFILES, run\nfor seed in range(6): print(run(PROFILES[{!r}], seed).trace())"
)


@pytest.mark.parametrize("name", ["everything", "cancelled"])
def test_a_seed_gives_the_same_trace_in_any_process(name: str) -> None:
    traces = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(name)],
            env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert traces[0] == traces[1]
    assert traces[0] == "".join(run(PROFILES[name], seed).trace() + "\n" for seed in range(6))


def test_other_seeds_give_other_traces() -> None:
    program = Maker(Seeded(4), Limits()).program()
    worlds = [ScriptedWorld(Seeded(seed)) for seed in (1, 2)]
    for world in worlds:
        world.add_driver(program)
        world.finish()
    assert worlds[0].trace() != worlds[1].trace()


def test_a_recorded_run_is_repeated() -> None:
    program = Maker(Seeded(11), Limits(keep=True)).program()
    recorder = Recorder(Seeded(5, {"delay": 0.1, "stall": 0.1}))
    first = ScriptedWorld(recorder)
    first.add_driver(program)
    first.finish()
    again = ScriptedWorld(Replay(recorder.choices))
    again.add_driver(program)
    again.finish()
    assert again.trace() == first.trace()


def test_the_tame_schedule_is_fair() -> None:
    program = Maker(Seeded(3), Limits()).program()
    world = ScriptedWorld(Tame())
    world.add_driver(program)
    world.finish()


def test_no_order_in_the_simulator_depends_on_hashes() -> None:
    sim = ROOT.joinpath("rustyray/engines/sim")
    modules = {str(path.relative_to(sim)): path.read_text(encoding="utf-8") for path in sim.rglob("*.py")}
    assert "world/world.py" in modules
    found = [str(offence) for offence in offences(modules)]
    # Whoever explores steers all runtimes of the process; and what is opened is /dev/null.
    allowed = ("import of", "steering.py", "stage.py", "outputs.py")
    assert [line for line in found if not any(word in line for word in allowed)] == []
