"""What a graph is executed with, as its nodes name it while the graph is written down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rustyray.dag.dag_node import DAGNode

if TYPE_CHECKING:
    from rustyray.dag.dag_node import Given, Results


class InputNode(DAGNode):
    """Stands for what the graph will be executed with (as in Ray): ``with InputNode() as given: …``

    ``given`` itself is the one argument of ``execute``. ``given[0]``, ``given["key"]`` and ``given.name`` are parts of
    it: if there was one argument, its items and attributes, else that argument, by its place or its name.
    """

    def __init__(self, *, input_type: object = None) -> None:
        super().__init__((), {})
        self._entered = False
        self._parts: dict[tuple[bool, int | str], InputAttributeNode] = {}

    def __enter__(self) -> InputNode:
        self._entered = True
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _run(self, done: Results, given: Given) -> Any:
        if not self._entered:
            raise RuntimeError("an InputNode is for use in a context manager: with InputNode() as given: …")
        if len(given.args) == 1 and not given.kwargs:
            return given.args[0]
        return DAGInputData(*given.args, **given.kwargs)

    def __getitem__(self, key: int | str) -> InputAttributeNode:
        return self._part(False, key)

    def __getattr__(self, name: str) -> InputAttributeNode:
        if name.startswith("__"):
            raise AttributeError(f"an InputNode has no {name!r}")
        return self._part(True, name)

    def _part(self, attribute: bool, key: int | str) -> InputAttributeNode:
        if isinstance(key, bool) or not isinstance(key, int | str):
            raise TypeError(f"a part of a graph's input is named by a place or a text, got {key!r}")
        found = self._parts.get((attribute, key))
        if found is None:
            found = self._parts[attribute, key] = InputAttributeNode(self, attribute, key)
        return found


class InputAttributeNode(DAGNode):
    """A part of what the graph will be executed with: see `InputNode`."""

    def __init__(self, whole: InputNode, attribute: bool, key: int | str) -> None:
        super().__init__((whole,), {})
        self._attribute = attribute
        self._key = key

    def _run(self, done: Results, given: Given) -> Any:
        whole = done[self._bound_args[0]]
        if isinstance(whole, DAGInputData) or not self._attribute:
            return whole[self._key]
        return getattr(whole, str(self._key))

    def __repr__(self) -> str:
        return f"<part {self._key!r} of a graph's input>"


class DAGInputData:
    """Several arguments of ``execute``, by their places and names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._args = args
        self._kwargs = kwargs

    def __getitem__(self, key: int | str) -> Any:
        return self._args[key] if isinstance(key, int) else self._kwargs[key]
