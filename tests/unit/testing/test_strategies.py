"""What the strategies draw: valid, varied, and small where that is enough."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from rustyray.api import init_options
from rustyray.testing import lifecycles, runtime_options, task_graphs
from rustyray.testing.strategies.graphs import OPERATIONS, Failed, Graph, Node


@given(st.sampled_from(["sim", "native"]).flatmap(runtime_options))
@settings(max_examples=60, deadline=None)
def test_options_are_valid(options: dict[str, Any]) -> None:
    init_options.checked(**options)


def test_options_shrink_to_few() -> None:
    quick = settings(max_examples=100, deadline=None, database=None, derandomize=True)
    assert find(runtime_options(), lambda options: True, settings=quick) == {"engine": "sim", "num_cpus": 1}


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="no options for the engine 'ray'"):
        runtime_options("ray")
    with pytest.raises(ValueError, match="at least 1, not 0"):
        runtime_options(max_nodes=0)
    with pytest.raises(ValueError, match="no operation 'totall'"):
        task_graphs(operations=["totall"])


def test_lifecycles_shrink_to_the_steps_that_matter() -> None:
    quick = settings(max_examples=1000, deadline=None, database=None, derandomize=True)
    found = find(lifecycles("native"), lambda steps: "fork" in [step.name for step in steps], settings=quick)
    assert str(found) == "fork(child='leaves')"


@given(task_graphs())
@settings(max_examples=60, deadline=None)
def test_graphs_can_be_read_back_and_mean_something(graph: Graph) -> None:
    assert [Node.parse(line) for line in str(graph).splitlines()] == list(graph)
    assert set(graph.expected()) == {name for node in graph for name in node.results}


def test_each_operation_is_drawn() -> None:
    drawn: set[str] = set()

    @given(task_graphs())
    @settings(max_examples=150, deadline=None, database=None, derandomize=True)
    def look(graph: Graph) -> None:
        drawn.update(node.operation for node in graph)

    look()
    assert drawn == set(OPERATIONS)


def test_graphs_shrink_to_what_is_needed() -> None:
    quick = settings(max_examples=1000, deadline=None, database=None, derandomize=True)
    graph = find(task_graphs(), lambda graph: "measure" in {node.operation for node in graph}, settings=quick)
    assert str(graph) == "n0 = blob(0)\nn1 = measure(n0)"


def expected(text: str) -> list[object]:
    return [*Graph(map(Node.parse, text.splitlines())).expected().values()]


def test_what_a_graph_comes_to() -> None:
    assert expected("n0 = put(3)\nn1 = blob(n0)\nn2 = box(n0)\nn3 = unbox(n2)") == [3, 3, 3, 3]
    assert expected("n0 = total(1, 2)\nn1, n2 = half(n0)\nn3 = nest(n2)") == [3, 1, 2, 8]
    assert expected("n0 = fail(2)\nn1 = fail(3)\nn2 = total(n0, n1, 4)") == [
        Failed(frozenset([2])),
        Failed(frozenset([3])),
        Failed(frozenset([2, 3])),
    ]
    assert expected("n0 = actor()\nn1 = add(n0, 2)\nn2 = spoil(n0, 3)\nn3 = ask(n0, 1)")[1:] == [
        2,
        Failed(frozenset([5])),
        6,
    ]


@pytest.mark.parametrize("text", ["total(1)", "n0 = nothing(1)", "n0 = total(1", ""])
def test_what_is_no_node(text: str) -> None:
    with pytest.raises(ValueError, match="is no node"):
        Node.parse(text)


def test_without_hypothesis_that_is_said() -> None:
    program = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import rustyray.testing as testing\n"
        "testing.linearizable\n"
        "for name in ('LifecycleMachine', 'task_graphs'):\n"
        "    try:\n        getattr(testing, name)\n"
        "    except ImportError as error:\n        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"rustyray.testing.{name} needs Hypothesis: pip install 'rustyray[test]'"
        for name in ("LifecycleMachine", "task_graphs")
    ]
