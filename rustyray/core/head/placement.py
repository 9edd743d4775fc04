"""Where an actor goes: decided on what the nodes last said, the same for the same input.

A node with room now, else one that has room when others are done (it queues the start, and asks for idle leases back);
among equals the one with the fewest actors, then the one that joined first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rustyray.core.head.group import Group
from rustyray.core.head.nodes import Node
from rustyray.model.bundles import in_group
from rustyray.model.ids import NodeID
from rustyray.model.messages import ActorSpec
from rustyray.model.resources import ResourceSet, describe, describe_node, fits, subtract
from rustyray.model.strategies import Strategy, allows


def demand(spec: ActorSpec) -> ResourceSet:
    """What must be free where the actor is placed: what it holds, and whatever more its placement asks for."""
    need = dict(spec.resources)
    for name, units in spec.placement.items():
        need[name] = max(units, need.get(name, 0))
    return need


def choose(spec: ActorSpec, nodes: list[Node], crowd: Mapping[NodeID, int]) -> Node | None:
    """The node for ``spec``, or None if none of ``nodes`` could ever take it; ``crowd`` is how many actors each has."""
    need = demand(spec)
    spread = spec.strategy is not None and spec.strategy.spread
    able: list[Node] = []
    for there in allowed(spec.strategy, nodes):
        there = [node for node in there if fits(need, node.info.total)]
        ready = [node for node in there if fits(need, node.info.available)]
        if ready:
            return min(there if spread else ready, key=lambda node: crowd.get(node.info.node, 0))
        able = able or there
    return min(able, key=lambda node: (0 if spread else node.queued) + crowd.get(node.info.node, 0), default=None)


def choose_in_group(
    spec: ActorSpec,
    strategy: Strategy,
    group: Group,
    usable: Mapping[NodeID, Node],
    held: Mapping[NodeID, list[ResourceSet]],
) -> Node | None:
    """The node with the actor's bundle, or None while that has none; ``held`` is what the group's actors hold on each.

    In any bundle: a node where the actors leave enough of the group and enough is free, as far as is known; else where
    they do; else where there are the fewest.
    """
    need = demand(spec)
    if strategy.bundle >= 0:
        return usable.get(group.nodes[strategy.bundle])
    bundles = list(zip(group.nodes, group.spec.bundles, strict=True))
    hosts = dict.fromkeys(there for there, bundle in bundles if there in usable and fits(need, bundle))
    free = in_group(group.id, need)

    def suits(there: NodeID) -> tuple[bool, bool, int]:
        left = group.on_node(there)
        for resources in held.get(there, ()):
            subtract(left, resources)
        return not fits(need, left), not fits(free, usable[there].info.available), len(held.get(there, ()))

    return usable[min(hosts, key=suits)] if hosts else None


def allowed(strategy: Strategy | None, nodes: list[Node]) -> Iterator[list[Node]]:
    """Where it may go; if some are preferred, those. Of several answers the first one counts that has room."""
    if strategy is None:
        yield nodes
    elif strategy.node:
        there = [node for node in nodes if node.info.node == strategy.node]
        yield there if there or not strategy.soft else nodes
    else:
        for selector in strategy.selectors():
            fitting = [node for node in nodes if allows(selector, node.info.labels)]
            yield [node for node in fitting if strategy.prefers(node.info.labels)] or fitting


def why_nowhere(spec: ActorSpec, nodes: list[Node]) -> str:
    """For the one warning: what it needs and what there is."""
    need, strategy = describe(demand(spec)), spec.strategy
    if strategy is not None and not strategy.spread:
        need += f" on {strategy}"
    have = [f"node {node.info.node.hex()} has {describe_node(node.info.total)}" for node in nodes[:8]]
    if len(nodes) > 8:
        have.append(f"{len(nodes) - 8} more nodes do not have it either")
    there = "; ".join(have) or "there are no nodes"
    return f"it needs {need}, and {there}. It waits until a node that has it joins"
