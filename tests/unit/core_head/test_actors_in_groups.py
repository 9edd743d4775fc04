"""Actors in placement groups, as the head sees them."""

from __future__ import annotations

import msgspec

from rustyray.model.messages import ActorInfo, ActorSpec, ActorState, RemoveGroup
from rustyray.model.strategies import Strategy
from rustyray.model.values import FaultKind
from tests.unit.core_head.groups import Groups, make_group
from tests.unit.core_head.world import DRIVER, NODES, make_spec


def actor_in(group: bytes, number: int = 1, bundle: int = -1, max_restarts: int = 0, cpus: float = 1) -> ActorSpec:
    spec = make_spec(number, cpus=cpus, max_restarts=max_restarts)
    return msgspec.structs.replace(spec, strategy=Strategy(group=group, bundle=bundle))


def test_an_actor_in_a_bundle_that_is_not_there_is_dead() -> None:
    world = Groups()
    group = world.created(make_group())
    world.create(actor_in(group, 1, bundle=2))
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.fault is not None
    assert info.fault.kind is FaultKind.ACTOR_UNSCHEDULABLE
    assert "has no bundle 2" in info.fault.message


def test_actors_wait_for_their_group_and_go_to_their_bundles() -> None:
    world = Groups()
    group = world.make(make_group())
    world.create(actor_in(group, 1, bundle=1, cpus=0))
    assert not world.starting()
    for node, question in world.asked().items():
        world.answer(node, question)
    ((node, _),) = world.starting()
    assert node == NODES[1]
    assert all(info.fault is None for info in world.take(DRIVER, ActorInfo))


def test_actors_in_any_bundle_go_where_others_leave_room() -> None:
    world = Groups()
    group = world.created(make_group(1, 1, 1, 1))
    for number in range(3):
        world.create(actor_in(group, number + 1))
    assert sorted(node for node, _ in world.starting()) == sorted(NODES)


def test_a_removed_group_takes_its_actors_along() -> None:
    world = Groups()
    group = world.created(make_group())
    world.create(actor_in(group, 1, max_restarts=-1))
    world.come_up()
    world.create(actor_in(group, 2))
    world.take(DRIVER, ActorInfo)
    world.say(DRIVER, RemoveGroup(9, group))
    world.create(actor_in(group, 3))
    faults = [info.fault for info in world.take(DRIVER, ActorInfo) if info.state is ActorState.DEAD]
    kinds = [fault.kind for fault in faults if fault is not None]
    assert kinds == [FaultKind.ACTOR_DIED, FaultKind.ACTORS_GROUP_REMOVED, FaultKind.ACTORS_GROUP_REMOVED]
    assert all(fault is not None and "remove_placement_group" in fault.message for fault in faults)


def test_an_actor_that_lost_its_node_restarts_where_its_bundle_is_placed_again() -> None:
    world = Groups()
    group = world.created(make_group())
    world.create(actor_in(group, 1, bundle=1, max_restarts=1))
    _, node, _ = world.come_up()
    assert node == NODES[1]
    world.lose(node)
    assert not world.starting()
    ((there, question),) = world.asked().items()
    world.answer(there, question)
    assert [node for node, _ in world.starting()] == [NODES[2]]
