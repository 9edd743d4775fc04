"""Graphs of calls that are written down first, with ``.bind(…)``, and run later, with ``.execute(…)`` (as in Ray)."""

from rustyray.dag.class_node import ClassMethodNode, ClassNode
from rustyray.dag.dag_node import DAGNode
from rustyray.dag.function_node import FunctionNode
from rustyray.dag.input_node import DAGInputData, InputAttributeNode, InputNode
from rustyray.dag.output_node import MultiOutputNode

__all__ = [
    "ClassMethodNode",
    "ClassNode",
    "DAGInputData",
    "DAGNode",
    "FunctionNode",
    "InputAttributeNode",
    "InputNode",
    "MultiOutputNode",
]


def __getattr__(name: str) -> object:
    from rustyray.missing import absent

    raise absent(__name__, name)
