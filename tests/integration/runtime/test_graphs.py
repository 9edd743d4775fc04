"""Graphs of calls that are bound first and executed later: what is RustyRay's own about them."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest

import rustyray
from rustyray.dag import InputNode, MultiOutputNode

pytestmark = pytest.mark.usefixtures("local")
Pair = namedtuple("Pair", ["one", "other"])


@rustyray.remote
def add(a: int, b: int = 0) -> int:
    return a + b


@rustyray.remote
def count(value: Any) -> Any:
    """The refs in it, replaced by their values."""
    if isinstance(value, rustyray.ObjectRef):
        return rustyray.get(value)
    if isinstance(value, dict):
        return {key: count.func(one) for key, one in value.items()}
    if isinstance(value, Pair):
        return Pair(*map(count.func, value))
    return type(value)(map(count.func, value)) if isinstance(value, list | tuple | set | frozenset) else value


class Holder:
    def __init__(self, node: object) -> None:
        self.node = node


def test_a_graph_may_be_as_deep_as_it_likes() -> None:
    node: Any = add.bind(0)
    for _ in range(500):
        node = add.bind(node, 1)
    assert rustyray.get(node.execute(), timeout=60) == 500


def test_nodes_are_found_in_containers() -> None:
    node = add.bind(1, 2)
    for value, found in (
        ([node, 4], [3, 4]),
        ((node, (node,)), (3, (3,))),
        ({"a": [node]}, {"a": [3]}),
        (Pair(node, 5), Pair(3, 5)),
        ({node, 9}, {3, 9}),
        (frozenset([node]), frozenset([3])),
    ):
        assert rustyray.get(count.bind(value).execute(), timeout=60) == found


def test_what_cannot_be_found_is_named() -> None:
    with pytest.raises(
        TypeError, match=r"<node of <remote function .*add>> is a node of a graph.*inside lists, tuples"
    ):
        count.bind(Holder(add.bind(1))).execute()
    with pytest.raises(TypeError, match="execute"):
        rustyray.put(add.bind(1))


def test_mistakes_are_named() -> None:
    node: Any = add.bind(1)
    with pytest.raises(TypeError, match="add"):
        add.bind(1, 2, 3)  # where it stands, not when the graph is run
    with pytest.raises(AttributeError, match=r"graph is run with \.execute"):
        _ = node.remote
    for refused in (node.experimental_compile, node.with_tensor_transport):
        with pytest.raises(NotImplementedError, match="compiled graphs are not there"):
            refused()
    with pytest.raises(ValueError, match="takes a list of nodes"):
        MultiOutputNode(node)
    with pytest.raises(RuntimeError, match="with InputNode"):
        add.bind(InputNode()).execute(1)
    with InputNode() as given:
        with pytest.raises(TypeError, match="place or a text"):
            given[1.5]  # type: ignore[index]
        with pytest.raises(KeyError):
            add.bind(given["a"]).execute({"b": 1})


def test_a_handle_is_kept_by_its_graph() -> None:
    @rustyray.remote
    class Sums:
        def __init__(self) -> None:
            self.all = 0

        def add(self, number: int) -> int:
            self.all += number
            return self.all

    handle: Any = Sums.remote()
    graph = MultiOutputNode([handle.add.bind(1), handle.add.bind(2)])
    del handle
    assert rustyray.get(graph.execute(), timeout=60) == [1, 3]
    assert rustyray.get(graph.execute(), timeout=60) == [4, 6]
    kind: Any = Sums
    sums = kind.bind()
    calls = [sums.add.bind(number) for number in range(5)]
    assert rustyray.get(MultiOutputNode(calls[::-1]).execute(), timeout=60) == [10, 6, 3, 1, 0], "in the order of bind"
