"""Which node each bundle of a placement group goes to, decided on what the nodes last said.

The strict strategies are exact: what can be placed is placed. The others try the places in the order that suits them
best, and go back a bounded number of times if that leads nowhere; large bundles and those that few nodes can have come
first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rustyray.core.head.nodes import Node
from rustyray.model.ids import NodeID
from rustyray.model.messages import GroupSpec, Packing
from rustyray.model.resources import ResourceSet, add, describe, describe_node, fits, subtract

#: So many steps a search for places takes at most.
MAX_STEPS: Final = 2_000


def place(
    spec: GroupSpec, placed: Mapping[int, NodeID], nodes: Sequence[Node], *, ever: bool = False
) -> dict[int, Node] | None:
    """A node for each bundle that is not ``placed``, or None if there is no room.

    Args:
        ever: as if nothing else took any room: whether the nodes could have the bundles at all.
    """
    room = {node.info.node: dict(node.info.total if ever else node.info.available) for node in nodes}
    if ever:
        placed = {}
    missing = [number for number in range(len(spec.bundles)) if number not in placed]
    able = {
        number: [node for node in nodes if _may_have(spec, number, node, room[node.info.node])] for number in missing
    }
    if not all(able.values()):
        return None
    match spec.packing:
        case Packing.STRICT_PACK:
            return _on_one(spec, placed, missing, able, room)
        case Packing.STRICT_SPREAD:
            return _on_different(placed, missing, able)
        case _:
            return _Search(spec, placed, missing, able, room).run()


def _may_have(spec: GroupSpec, number: int, node: Node, room: ResourceSet) -> bool:
    labels = spec.labels[number] if spec.labels else ()
    return fits(spec.bundles[number], room) and all(match.fits(node.info.labels) for match in labels)


def _on_one(
    spec: GroupSpec,
    placed: Mapping[int, NodeID],
    missing: list[int],
    able: dict[int, list[Node]],
    room: dict[NodeID, ResourceSet],
) -> dict[int, Node] | None:
    total: ResourceSet = {}
    for number in missing:
        add(total, spec.bundles[number])
    taken = set(placed.values())
    for node in able[missing[0]]:
        there = node.info.node
        if taken <= {there} and fits(total, room[there]) and all(node in able[number] for number in missing):
            return dict.fromkeys(missing, node)
    return None


def _on_different(
    placed: Mapping[int, NodeID], missing: list[int], able: dict[int, list[Node]]
) -> dict[int, Node] | None:
    """A bipartite matching: a bundle that finds all its nodes taken has one of those who took them move on."""
    taken = set(placed.values())
    owner: dict[NodeID, int] = {}
    found: dict[int, Node] = {}

    def find(number: int, seen: set[NodeID]) -> bool:
        for node in sorted(able[number], key=lambda node: node.info.node in owner):
            there = node.info.node
            if there in taken or there in seen:
                continue
            seen.add(there)
            if there not in owner or find(owner[there], seen):
                owner[there], found[number] = number, node
                return True
        return False

    return found if all(find(number, set()) for number in missing) else None


class _Search:
    """Places bundle after bundle, and takes the last ones back where the next has no place."""

    def __init__(
        self,
        spec: GroupSpec,
        placed: Mapping[int, NodeID],
        missing: list[int],
        able: dict[int, list[Node]],
        room: dict[NodeID, ResourceSet],
    ) -> None:
        self._spec = spec
        self._able = able
        self._room = room
        self._order = sorted(missing, key=lambda number: (len(able[number]), -sum(spec.bundles[number].values())))
        self._count: dict[NodeID, int] = {}
        for there in placed.values():
            self._count[there] = self._count.get(there, 0) + 1
        self._found: dict[int, Node] = {}

    def run(self) -> dict[int, Node] | None:
        choices = [self._choices(0)]
        for _ in range(MAX_STEPS + 2 * len(self._order)):
            number = self._order[len(choices) - 1]
            if number in self._found:
                self._move(number, self._found.pop(number), -1)
            node = next(choices[-1], None)
            if node is not None:
                self._move(number, node, 1)
                self._found[number] = node
                if len(choices) == len(self._order):
                    return self._found
                choices.append(self._choices(len(choices)))
                continue
            choices.pop()
            if not choices:
                return None
        return None

    def _move(self, number: int, node: Node, by: int) -> None:
        there = node.info.node
        (subtract if by > 0 else add)(self._room[there], self._spec.bundles[number])
        self._count[there] = self._count.get(there, 0) + by

    def _choices(self, at: int) -> Iterator[Node]:
        """Where the ``at``-th bundle may go, what suits the strategy best first."""
        bundle, able = self._spec.bundles[self._order[at]], self._able[self._order[at]]
        fitting = [node for node in able if fits(bundle, self._room[node.info.node])]
        used = {node.info.node: self._count.get(node.info.node, 0) for node in fitting}
        if self._spec.packing is Packing.SPREAD:
            yield from sorted(fitting, key=lambda node: used[node.info.node])
            return
        yield from [node for node in fitting if used[node.info.node]]
        yield from sorted(
            [node for node in fitting if not used[node.info.node]], key=lambda node: -self._capacity(node, at)
        )

    def _capacity(self, node: Node, at: int) -> int:
        """How many of the bundles from the ``at``-th on would fit there, one after the other."""
        left = dict(self._room[node.info.node])
        held = 0
        for number in self._order[at:]:
            if fits(self._spec.bundles[number], left) and node in self._able[number]:
                subtract(left, self._spec.bundles[number])
                held += 1
        return held


def why_nowhere(spec: GroupSpec, nodes: Sequence[Node]) -> str:
    """For the one warning: what it needs and what there is."""
    shapes: dict[str, int] = {}
    for number, bundle in enumerate(spec.bundles):
        labels = ", ".join(str(match) for match in spec.labels[number]) if spec.labels else ""
        shape = describe(bundle) + (f" where {labels}" if labels else "")
        shapes[shape] = shapes.get(shape, 0) + 1
    need = "; ".join(f"{count} × {shape}" for shape, count in shapes.items())
    have = [f"node {node.info.node.hex()} has {describe_node(node.info.total)}" for node in nodes[:8]]
    if len(nodes) > 8:
        have.append(f"{len(nodes) - 8} more nodes")
    there = "; ".join(have) or "there are no nodes"
    return f"it needs {need} ({spec.packing.value}), and {there}. It waits until nodes that have it join"
