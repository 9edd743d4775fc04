"""The same seed, the same run: in other processes, with other hash seeds, and twice in one."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

import rustyray
from rustyray.engines.sim.selfcheck import first_difference, record
from tests.integration.sim.programs import everything, measure

ROOT = Path(__file__).parents[3]


def test_a_seed_gives_the_same_run_in_any_process() -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.integration.sim.programs", "0", "1", "7"],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    traces = [child.communicate(timeout=60)[0] for child in children]
    assert traces[0] == traces[1]
    assert len(set(traces[0].splitlines())) == 3


def test_a_run_is_repeated_in_one_process() -> None:
    for seed in (0, 4):
        runs = [record(everything, rustyray.init, seed=seed, num_cpus=2) for _ in range(2)]
        assert first_difference(*runs) == ""


def test_the_first_event_that_differs_is_named() -> None:
    chance = random.Random()  # not the simulator's

    def program() -> None:
        chance.seed(next(seeds))
        for _ in range(5):
            rustyray.get(measure.remote(["a"], 0))
            if chance.random() < 0.5:
                rustyray.get(rustyray.put(bytes(200_000)))

    seeds = iter((1, 2))
    text = first_difference(*[record(program, rustyray.init, num_cpus=2) for _ in range(2)])
    assert "is not the same in two runs with the same seed" in text
    assert "first run: " in text
    assert "StoreCreate" in text


@pytest.mark.parametrize("seed", range(20))
def test_every_seed_gives_the_same_answers(seed: int) -> None:
    with rustyray.init(engine="sim", seed=seed, num_cpus=2, num_nodes=1 + seed % 3):
        spreads, _, size, _ = everything()
    assert sorted(spreads) in ([107, 109], [104, 111])  # type: ignore[call-overload]
    assert size == 300_000
