"""A task in a graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustyray.dag.dag_node import DAGNode

if TYPE_CHECKING:
    from rustyray.dag.dag_node import Given, Results


class FunctionNode(DAGNode):
    """A task that is to be submitted; made by ``f.bind(…)``."""

    def __init__(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(args, kwargs)
        self._function = function

    def _run(self, done: Results, given: Given) -> Any:
        args, kwargs = self._arguments(done)
        return self._function.remote(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<node of {self._function!r}>"
