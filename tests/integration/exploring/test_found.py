"""Schedules that have found something once, and that whatever is found is found again."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from rustyray.engines.sim.world.schedules import NEXT, PREEMPT, Deviation
from rustyray.testing import replay
from rustyray.testing.exploring.trial import Plan, Scenario, Setup, run_plan
from tests.integration.exploring.programs import actors, objects
from tests.integration.races import failing
from tests.integration.races.waiting import await_between_check_and_update

ROOT = Path(__file__).parents[3]


@pytest.mark.filterwarnings("error")
def test_an_async_actor_ends_before_its_loop_gets_to_it() -> None:
    """No coroutine is left over that nobody awaits. (pytest tells of those when the test is over.)"""
    plan = Plan((Deviation(NEXT, 23, 1), Deviation(PREEMPT, 33, 1)))
    trial = run_plan(partial(await_between_check_and_update, True), plan, Setup())
    gc.collect()
    assert trial.error is None
    assert trial.plan == plan


#: What failed and should not have, by the schedule under which it did.
FOUND: dict[str, Scenario] = {
    # The news that a borrower had died was faster than what it had said last: that it had passed the ref on. The owner
    # freed the object, and whoever waited for it was not told.
    "rr1:1ba91edf:cpus=2,nodes=3:next0.1+next19.1+next21.1+next22.1+delay34.1+"
    "crash@48.1": actors.handles_that_travel.scenario,
    "rr1:1d2fd994:cpus=2,nodes=1:next9.1+next11.1+next13.1+next19.1+next24.3+next33.1+keep1.1+next40.2+next56.1+"
    "next60.1+crash@50.1+cut@64.2": actors.handles_that_travel.scenario,
    # A task was interrupted while it submitted another one: what that returns was counted, and nobody had a ref of it.
    "rr1:d48c19a8:cpus=2,nodes=2:preempt18.1+crash@46.0+crash@25.2": actors.handles_that_travel.scenario,
    # A node took along an argument of a task that waited for another one, and then of one that was on its worker.
    "rr1:b8a80beb:cpus=2,nodes=2:next4.1+cut@25.0+node@72.0": objects.large_results_of_large_results.scenario,
    "rr1:86348c64:cpus=2,nodes=3:preempt9.1+node@58.0": objects.large_arguments_and_results.scenario,
    # The attempt before had left its large result on another node, where nobody freed it.
    "rr1:b8a80beb:cpus=2,nodes=2:next0.1+next20.1+next22.1+next23.1+next26.1+"
    "crash@18.0": objects.large_results_of_large_results.scenario,
    "rr1:cc152356:cpus=2,nodes=3:next11.1+delay17.3+keep1.1+crash@59.1+"
    "node@57.1": objects.large_results_of_large_results.scenario,
    # An object was made again, and then the word arrived, delayed, that it was not needed: of the attempt before.
    "rr1:b8a80beb:cpus=2,nodes=2:next11.1+next31.1+next49.1+delay80.1+"
    "node@83.0": objects.large_results_of_large_results.scenario,
    # A copy was to go, and was still mapped: what was made again in its place went with it.
    "rr1:e08cb107:cpus=2,nodes=2:next7.1+next30.1+next32.1+next48.1+"
    "node@70.0": objects.large_arguments_and_results.scenario,
    # Three workers in a row were crashed before they were ready, and the node gave up to start any.
    "rr1:fe9a02af:cpus=2,nodes=1:crash@3.0+crash@6.0+crash@1.0": partial(failing.ref_outlives_its_owner, True),
}


@pytest.mark.parametrize("line", FOUND)
def test_what_was_found_in_programs_of_ours(line: str) -> None:
    """As near as it goes: how a program runs changes with the runtime."""
    replay(line, strict=False).run(FOUND[line])


PROGRAM = """
from functools import partial
from rustyray.testing import RaceFound, explore
from tests.integration.races import failing, state, waiting
for scenario, faults in (
    (state.lost_update, ""), (waiting.lost_wake_up, ""), (failing.half_of_a_transfer, "crash,delay,partition")
):
    try:
        explore(partial(scenario, False), faults=faults)
    except RaceFound as found:
        print(found)
"""


@pytest.mark.stress
def test_the_same_is_found_in_any_process() -> None:
    """Whatever the order of sets there: the same schedules in the same order, the same line, the same story."""
    told = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert told[0] == told[1]
    assert told[0].count("Replay it: ") == 3
