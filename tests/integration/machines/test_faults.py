"""Jobs under faults come to what they come to without, or to an error that is promised for that."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
from hypothesis import given

import rustyray
from rustyray.testing import FaultMachine, fault_plans, strike, task_graphs
from rustyray.testing.machines import work
from rustyray.testing.strategies.graphs import OPERATIONS
from rustyray.util.state import list_workers
from tests.integration.drivers import eventually
from tests.integration.machines.finding import profile


class Simulated(FaultMachine):
    pass


class Partitions(FaultMachine):
    faults = ("crash", "partition", "node")


class Native(FaultMachine):
    engine = "native"
    options = {"num_cpus": 2, "num_nodes": 2}  # noqa: RUF012 - a constant


TestSimulated = Simulated.TestCase
TestSimulated.settings = profile(15)
TestPartitions = Partitions.TestCase
TestPartitions.settings = profile(10)
TestNative = Native.TestCase
TestNative.settings = profile(2, steps=10)


@profile(20)
@given(task_graphs(operations=[one for one in OPERATIONS if one != "ask"]), fault_plans())
def test_graphs_under_plans(graph: Any, plan: Any) -> None:
    with rustyray.init(engine="sim", num_cpus=2, num_nodes=2):
        graph.check(faults=plan)


@pytest.mark.parametrize("engine", ["native", "sim"])
def test_what_strikes(engine: str) -> None:
    with rustyray.init(engine=engine, num_cpus=1, num_nodes=2):
        rustyray.get(work.where.remote())
        assert eventually(lambda: all(worker.pid for worker in list_workers()))
        workers = {worker.pid for worker in list_workers()}
        strike("crash", 3)
        assert eventually(lambda: len(workers - {worker.pid for worker in list_workers()}) == 1)
        strike("node")
        assert eventually(lambda: [node["Alive"] for node in rustyray.nodes()].count(True) == 1)
        strike("node")  # there is none any more
        assert rustyray.get(work.double.remote(2)) == 4


def test_what_cannot_strike() -> None:
    with pytest.raises(RuntimeError, match=r"rustyray\.init\(\)"):
        strike("crash")
    with pytest.raises(ValueError, match="no fault 'fire'"):
        strike("fire")
    with pytest.raises(ValueError, match="no fault 'fire'"):
        fault_plans(["fire"])
    with rustyray.init(num_cpus=1), pytest.raises(ValueError, match="cannot be broken: use 'crash'"):
        strike("partition")


def test_a_task_that_dies_by_itself_is_no_fault_of_the_runtimes() -> None:
    """The machine tells what the runtime promises from what the code does."""

    @rustyray.remote(max_retries=0)
    def dies() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    class Dying(FaultMachine):
        def finish(self) -> None:
            rustyray.get(dies.remote())

    with pytest.raises(rustyray.exceptions.WorkerCrashedError):
        Dying.replay("start(seed=0)")
