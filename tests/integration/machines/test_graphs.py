"""Jobs of tasks, actors and objects have the outcome that they have in order."""

from __future__ import annotations

from typing import Any

from hypothesis import given

import rustyray
from rustyray.testing import GraphMachine, task_graphs
from tests.integration.machines.finding import profile


class Simulated(GraphMachine):
    pass


class Nodes(GraphMachine):
    options = {"num_cpus": 1, "num_nodes": 2, "seed": 7}  # noqa: RUF012 - a constant


class Native(GraphMachine):
    engine = "native"


TestSimulated = Simulated.TestCase
TestSimulated.settings = profile(25)
TestNodes = Nodes.TestCase
TestNodes.settings = profile(10)
TestNative = Native.TestCase
TestNative.settings = profile(5, steps=10)


@profile(20)
@given(task_graphs())
def test_graphs(graph: Any) -> None:
    with rustyray.init(engine="sim", num_cpus=2):
        graph.check()
