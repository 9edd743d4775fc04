"""Stored values that nobody needs any more, and where they lie, until the owner's node is told to free them.

Usually the value says where it is. But an attempt that came to nothing may have left a copy on a node that the owner
does not know of: such objects are freed wherever they are.
"""

from __future__ import annotations

from rustyray.core.effects import Effect, Send
from rustyray.model.ids import NodeID, ObjectID
from rustyray.model.messages import StoreFree
from rustyray.model.values import Stored, Value


class Freeing:
    """What is to be freed. ``node`` is told of all, and passes on what lies elsewhere."""

    __slots__ = ("_node", "_out", "scattered", "untold")

    def __init__(self, node: NodeID, out: list[Effect]) -> None:
        self._node = node
        self._out = out
        #: Attempts, by the node where their objects lie; none: the owner cannot know.
        self.untold: dict[NodeID | None, dict[ObjectID, int]] = {}
        #: Stored results of which attempts up to this one may have left a copy on another node.
        self.scattered: dict[ObjectID, int] = {}

    def value(self, object_: ObjectID, value: Stored) -> None:
        """An object of ours is gone."""
        attempt = self.scattered.pop(object_, None) if self.scattered else None
        if attempt is None:
            self._add(value.node, object_, value.attempt)
        else:
            self._add(None, object_, max(attempt, value.attempt))

    def unwanted(self, object_: ObjectID, value: Value) -> None:
        """A result that nobody wants any more arrived: give its memory back."""
        if isinstance(value, Stored):
            self._add(value.node, object_, value.attempt)

    def anywhere(self, objects: list[ObjectID], attempt: int) -> None:
        """Objects of ours that may be in a store, though no value says so, are not needed."""
        for object_ in objects:
            self._add(None, object_, attempt)

    def _add(self, node: NodeID | None, object_: ObjectID, attempt: int) -> None:
        objects = self.untold.setdefault(node, {})
        objects[object_] = max(attempt, objects.get(object_, 0))

    def flush(self) -> None:
        """Tell the node what was freed since the last flush, in one message for each node that has it."""
        if self.untold:
            for node, objects in self.untold.items():
                told = StoreFree(list(objects), node or b"", node is None, list(objects.values()))
                self._out.append(Send(self._node, told))
            self.untold = {}


def replaces(value: Value, old: Value | None) -> bool:
    """A later attempt has stored it in the same place: there it is now what the store has."""
    if not isinstance(value, Stored) or not isinstance(old, Stored):
        return False
    return value.node == old.node and value.attempt > old.attempt
