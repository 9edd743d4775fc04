"""Actors in a graph, and calls of their methods."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rustyray.dag.dag_node import DAGNode
from rustyray.dag.input_node import InputNode

if TYPE_CHECKING:
    from rustyray.dag.dag_node import Given, Results


class ClassNode(DAGNode):
    """An actor that is to be created, at each execution anew; made by ``Actor.bind(…)``. Its methods can be bound."""

    def __init__(self, actor_class: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        super().__init__(args, kwargs)
        self._class = actor_class
        #: Calls run in the order in which they were bound.
        self._last_call: ClassMethodNode | None = None
        waiting: list[DAGNode] = [self]
        while waiting:
            node = waiting.pop()
            if isinstance(node, InputNode):
                raise ValueError(
                    f"{self!r}: what a graph is executed with cannot be passed to a constructor; pass it to a method"
                )
            waiting += node._needs

    def _run(self, done: Results, given: Given) -> Any:
        args, kwargs = self._arguments(done)
        return self._class.remote(*args, **kwargs)

    def __getattr__(self, name: str) -> UnboundMethod:
        if name.startswith("__") or name == "bind":
            raise AttributeError(f"{self!r} has no attribute {name!r}: bind its methods")
        if not hasattr(self._class.cls, name):
            raise AttributeError(f"{self._class!r} has no method {name!r}")
        return UnboundMethod(self, name, {})

    def __repr__(self) -> str:
        return f"<node of {self.__dict__.get('_class')!r}>"


class UnboundMethod:
    """A method of an actor that is to be created: ``.bind(…)`` makes a node of a call."""

    def __init__(self, actor: ClassNode, name: str, options: dict[str, Any]) -> None:
        self._actor = actor
        self._name = name
        self._options = options

    def options(self, **options: Any) -> UnboundMethod:
        return UnboundMethod(self._actor, self._name, {**self._options, **options})

    def bind(self, *args: Any, **kwargs: Any) -> ClassMethodNode:
        actor, name, options = self._actor, self._name, self._options

        def method(done: Results) -> Any:
            found = getattr(done[actor], name)
            return found.options(**options) if options else found

        before: list[DAGNode] = [actor] if actor._last_call is None else [actor, actor._last_call]
        actor._last_call = node = ClassMethodNode(f"{name} of {actor!r}", method, args, kwargs, before)
        return node

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{self._name} of {self._actor!r} has .bind(…) and .options(…), and no {name!r}")


class ClassMethodNode(DAGNode):
    """A call of an actor's method; made by ``handle.method.bind(…)``, or with a method of a `ClassNode`."""

    def __init__(
        self,
        called: str,
        method: Callable[[Results], Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        before: list[DAGNode] | None = None,
    ) -> None:
        super().__init__(args, kwargs, before or ())
        self._called = called
        self._method = method

    def _run(self, done: Results, given: Given) -> Any:
        args, kwargs = self._arguments(done)
        return self._method(done).remote(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<node of {self._called}>"


class MethodOutput(ClassMethodNode):
    """One of several values that a method returns."""

    def __init__(self, call: ClassMethodNode, index: int) -> None:
        super().__init__(f"value {index} of {call!r}", lambda done: None, (call,), {})
        self._index = index

    def _run(self, done: Results, given: Given) -> Any:
        return done[self._bound_args[0]][self._index]


def bound_method(method: Any, returns: int, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The node of a call through a handle; if the method returns several values, a node for each (as in Ray)."""
    node = ClassMethodNode(repr(method), lambda done: method, args, kwargs)
    return tuple(MethodOutput(node, index) for index in range(returns)) if returns > 1 else node
