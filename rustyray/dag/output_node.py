"""Several results of a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustyray.dag.dag_node import DAGNode

if TYPE_CHECKING:
    from rustyray.dag.dag_node import Given, Results


class MultiOutputNode(DAGNode):
    """The end of a graph that has several results: ``execute`` returns a list of them (as in Ray).

    Raises:
        ValueError: That is no list or tuple of nodes.
    """

    def __init__(self, args: list[DAGNode] | tuple[DAGNode, ...]) -> None:
        if not isinstance(args, list | tuple):
            raise ValueError(f"MultiOutputNode takes a list of nodes, got {args!r}")
        super().__init__(tuple(args), {})

    def _run(self, done: Results, given: Given) -> Any:
        return self._arguments(done)[0]
