"""Runtimes that start, end and break in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

import rustyray
from rustyray.testing import LifecycleMachine, lifecycles
from tests.integration.machines.finding import profile


class Simulated(LifecycleMachine):
    pass


class Native(LifecycleMachine):
    engine = "native"


TestSimulated = Simulated.TestCase
TestSimulated.settings = profile(25)
TestNative = Native.TestCase
TestNative.settings = profile(4, steps=8)


@profile(10)
@given(lifecycles())
def test_any_sequence_of_steps(steps: Any) -> None:
    Simulated.replay(str(steps))


@pytest.mark.stress
def test_all_that_breaks_and_all_that_forks() -> None:
    for child in ("leaves", "asks", "starts", "is killed"):
        Native.replay(
            "init(options={'engine': 'native', 'num_cpus': 1}); begin_work(kind='runs', begun=True);"
            f"use_in_thread(); wait_in_thread(); fork(child={child!r}); kill_worker(); shutdown_from(threads=3)"
        )


def test_a_runtime_that_is_up_already_is_refused() -> None:
    with rustyray.init(engine="sim"), pytest.raises(RuntimeError, match="up in this process already"):
        Simulated()
