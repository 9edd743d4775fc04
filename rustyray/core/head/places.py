"""Which node each actor is on, and which actors wait for a place: each gets one as soon as a node can have it."""

from __future__ import annotations

from collections.abc import Callable

from rustyray.core.head.actor import Actor
from rustyray.core.head.base import HeadBase
from rustyray.core.head.groups import Groups
from rustyray.core.head.nodes import Node, Nodes, NodeState
from rustyray.core.head.placement import choose, choose_in_group, why_nowhere
from rustyray.core.head.registry import Registry
from rustyray.model.bundles import in_bundle
from rustyray.model.ids import ActorID, NodeID
from rustyray.model.messages import ActorState, GroupState, StartActor
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import Strategy
from rustyray.model.values import Fault, FaultKind


class Places:
    """Starts actors on nodes. ``die`` ends one that can have no place; ``lose_group`` one whose group is gone."""

    __slots__ = ("_base", "_by_node", "_die", "_groups", "_lose_group", "_nodes", "_registry", "_waiting")

    def __init__(
        self,
        base: HeadBase,
        nodes: Nodes,
        groups: Groups,
        registry: Registry,
        die: Callable[[Actor, Fault], None],
        lose_group: Callable[[Actor, str], None],
    ) -> None:
        self._base = base
        self._nodes = nodes
        self._groups = groups
        self._registry = registry
        self._die = die
        self._lose_group = lose_group
        self._by_node: dict[NodeID, dict[ActorID, Actor]] = {}
        self._waiting: dict[ActorID, Actor] = {}

    def on(self, node: NodeID) -> list[Actor]:
        """The actors that are there, or are to start there."""
        return list(self._by_node.get(node, {}).values())

    def await_place(self, actor: Actor) -> None:
        """The actor has no place; `place` looks for one."""
        self._waiting[actor.id] = actor

    def leave(self, actor: Actor) -> None:
        """It needs no place any more, or another."""
        if actor.node:
            del self._by_node[actor.node][actor.id]
        self._waiting.pop(actor.id, None)

    def node_died(self, node: NodeID) -> None:
        """All its actors have left it."""
        self._by_node.pop(node, None)

    def restore(self, actor: Actor) -> None:
        """It lived when the head ended."""
        if actor.node:
            self._by_node.setdefault(actor.node, {})[actor.id] = actor
        else:
            self._waiting[actor.id] = actor

    def place(self, actor: Actor, now: float) -> None:
        if actor.id not in self._waiting or now < actor.not_before:
            return
        if actor.spec.strategy is not None and actor.spec.strategy.group:
            self._place_in_group(actor, actor.spec.strategy)
            return
        crowd = {node: len(actors) for node, actors in self._by_node.items()}
        node = choose(actor.spec, self._nodes.usable(), crowd)
        if node is None and self._is_gone(actor.spec.strategy):
            text = f"{actor.what} may only run on {actor.spec.strategy}, which is dead, or not part of the cluster"
            self._die(actor, actor.fault_of(FaultKind.ACTOR_UNSCHEDULABLE, text))
            return
        if node is None:
            self._explain(actor)
            return
        self._start_on(node, actor, actor.spec.resources)

    def _start_on(self, node: Node, actor: Actor, takes: ResourceSet) -> None:
        del self._waiting[actor.id]
        self._base.changed("actor", actor.id, actor)
        actor.node = node.info.node
        self._by_node.setdefault(actor.node, {})[actor.id] = actor
        self._nodes.take(node, takes)
        self._base.send(actor.node, StartActor(actor.spec, actor.incarnation), node.info.address)

    def _place_in_group(self, actor: Actor, strategy: Strategy) -> None:
        """Where its bundle is; it waits while that has no place, and dies if its group is gone."""
        group = self._groups.get(strategy.group)
        if group is None or group.state is GroupState.REMOVED:
            self._lose_group(actor, group.reason if group is not None else f"{strategy} is gone")
            return
        if strategy.bundle >= len(group.nodes):
            text = f"{actor.what} cannot start: {group.what} has no bundle {strategy.bundle}"
            self._die(actor, actor.fault_of(FaultKind.ACTOR_UNSCHEDULABLE, text))
            return
        held: dict[NodeID, list[ResourceSet]] = {}
        for there in dict.fromkeys(node for node in group.nodes if node):
            others = self._by_node.get(there, {}).values()
            held[there] = [other.spec.resources for other in others if other.is_in(group.id)]
        usable = {node.info.node: node for node in self._nodes.usable()}
        node = choose_in_group(actor.spec, strategy, group, usable, held)
        if node is not None:
            self._start_on(node, actor, in_bundle(group.id, strategy.bundle, actor.spec.resources))

    def place_waiting(self, now: float) -> None:
        """There may be room that was not there before."""
        for actor in list(self._waiting.values()):
            self.place(actor, now)

    def _is_gone(self, strategy: Strategy | None) -> bool:
        """Whether it names a node that is not there, and that will not come: ids are never used again."""
        if strategy is None or not strategy.node or strategy.soft:
            return False
        return not any(node.info.node == strategy.node for node in self._nodes.living())

    def _explain(self, actor: Actor) -> None:
        """It waits for a node that could have it; tell the watchers once (its owner warns the user)."""
        if actor.told_unplaceable:
            return
        actor.told_unplaceable = True
        text = f"{actor.what} cannot be placed: {why_nowhere(actor.spec, self._nodes.living())}"
        actor.fault = actor.fault_of(FaultKind.ACTOR_UNSCHEDULABLE, text)
        self._registry.tell(actor)

    def check(self) -> None:
        told = self._base.journal.told
        for id_, actor in [*self._registry.living.items(), *self._registry.dead.items()]:
            dead = actor.state is ActorState.DEAD
            assert (id_ in self._waiting) is not (dead or bool(actor.node)), (
                f"waits for a place, or not? {told(actor.what, id_)}"
            )
            if actor.node:
                assert id_ in self._by_node[actor.node], f"not listed on its node: {told(actor.what, id_)}"
                state = self._nodes.nodes[actor.node].state
                assert state is not NodeState.DEAD, f"lives on a dead node: {told(actor.what, id_)}"
        placed = sum(map(len, self._by_node.values()))
        with_node = sum([bool(actor.node) for actor in self._registry.living.values()])
        assert placed == with_node, f"{placed} actors are listed on nodes, {with_node} say that they have one"
