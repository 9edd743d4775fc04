"""What all nodes of a graph have in common: they know what they need, and run one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn, TypeAlias

Results: TypeAlias = "dict[DAGNode, Any]"

_COMPILED = "compiled graphs are not there: .execute() runs the graph as ordinary tasks and calls"


class DAGNode:
    """A call in a graph that is written down first and run later (as in Ray).

    Made by ``.bind(…)`` instead of ``.remote(…)``. Nodes among its arguments, in lists, tuples, dicts and sets too,
    stand for what they will return.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], before: Iterable[DAGNode] = ()) -> None:
        self._bound_args = args
        self._bound_kwargs = dict(kwargs)
        self._needs = tuple(dict.fromkeys([*before, *nodes_in(self._bound_args), *nodes_in(self._bound_kwargs)]))

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """Run the graph up to this node. Each node runs once, after those that it needs; actors are made anew.

        Args:
            *args: what `InputNode` stands for; so do the keyword arguments.

        Returns:
            What ``.remote`` returns for the last node, at once: a ref, or an actor's handle; of `MultiOutputNode` a
            list of them.
        """
        given = Given(args, kwargs)
        done: Results = {}
        stack: list[DAGNode] = [self]
        while stack:
            node = stack[-1]
            missing = [needed for needed in node._needs if needed not in done]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            if node not in done:
                done[node] = node._run(done, given)
        return done[self]

    def _run(self, done: Results, given: Given) -> Any:
        raise NotImplementedError

    def _arguments(self, done: Results) -> tuple[list[Any], dict[str, Any]]:
        kwargs = {name: filled(value, done) for name, value in self._bound_kwargs.items()}
        return [filled(value, done) for value in self._bound_args], kwargs

    def experimental_compile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"experimental_compile(): {_COMPILED}")

    def with_tensor_transport(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raises NotImplementedError."""
        raise NotImplementedError(f"with_tensor_transport(): {_COMPILED}; values travel through the object store")

    def __getattr__(self, name: str) -> Any:
        hint = f"{name}() is for what is run at once; a graph is run with .execute(…)" if name == "remote" else ""
        raise AttributeError(f"{self!r} has no attribute {name!r}" + (f": {hint}" if hint else ""))

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"{self!r} is a node of a graph, and cannot be sent to another process. Among the arguments of bind() it "
            "may be inside lists, tuples, dicts and sets, not inside other objects; for its result, .execute() it."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Given:
    """What a graph was executed with."""

    def __init__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.args = args
        self.kwargs = kwargs


def nodes_in(value: Any) -> Iterator[DAGNode]:
    """The nodes in an argument, in order."""
    if isinstance(value, DAGNode):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from nodes_in(key)
            yield from nodes_in(one)
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from nodes_in(one)


def filled(value: Any, done: Results) -> Any:
    """The argument with results in the places of nodes; what has none is not copied."""
    if isinstance(value, DAGNode):
        return done[value]
    if not isinstance(value, dict | list | tuple | set | frozenset) or next(nodes_in(value), None) is None:
        return value
    if isinstance(value, dict):
        return {filled(key, done): filled(one, done) for key, one in value.items()}
    parts = [filled(one, done) for one in value]
    if hasattr(value, "_fields"):  # a named tuple
        return type(value)(*parts)
    for kind in (list, tuple, set):
        if isinstance(value, kind):
            return kind(parts)
    return frozenset(parts)
