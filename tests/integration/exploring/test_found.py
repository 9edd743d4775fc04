"""Schedules that have found something once."""

from __future__ import annotations

import gc
from functools import partial

import pytest

from rustyray.engines.sim.schedules import NEXT, PREEMPT, Deviation
from rustyray.testing.trial import Plan, Setup, run_plan
from tests.integration.races.waiting import await_between_check_and_update


@pytest.mark.filterwarnings("error")
def test_an_async_actor_ends_before_its_loop_gets_to_it() -> None:
    """No coroutine is left over that nobody awaits. (pytest tells of those when the test is over.)"""
    plan = Plan((Deviation(NEXT, 23, 1), Deviation(PREEMPT, 33, 1)))
    trial = run_plan(partial(await_between_check_and_update, True), plan, Setup())
    gc.collect()
    assert trial.error is None
    assert trial.plan == plan
