"""Requests with a strategy: which node gets them, and what happens while there is none."""

from __future__ import annotations

import pytest

from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    CancelLease,
    ClusterView,
    LeaseElsewhere,
    LeaseFailed,
    LeaseGranted,
    LeaseWaits,
    NodeDied,
    RequestLease,
)
from rustyray.model.resources import resource_set
from rustyray.model.strategies import In, NodeLabelSchedulingStrategy, Strategy
from rustyray.model.values import FaultKind
from tests.unit.core_node.test_cluster_view import THIRD, info
from tests.unit.core_node.world import DRIVER, JOB, NODE, OTHER, STRANGER, World

ONE = resource_set({"CPU": 1})
ZONE_B = NodeLabelSchedulingStrategy({"zone": In("b")}).strategy


@pytest.fixture
def world() -> World:
    return World(cpus=2)


def view(world: World, *, other: float = 4, third: float = 4, zone: str = "c") -> None:
    nodes = [info(OTHER, other), info(THIRD, third)]
    nodes[1].labels["zone"] = zone
    world.say(HEAD, ClusterView(nodes))


def ask(world: World, number: int, strategy: Strategy, hops: int = 0, client: bytes = DRIVER) -> None:
    world.say(client, RequestLease(number, JOB, ONE, hops, False, strategy))
    world.ready_all()


def test_it_goes_to_the_node_even_if_there_is_room_here(world: World) -> None:
    view(world)
    ask(world, 1, Strategy(node=OTHER))
    assert world.one(DRIVER, LeaseElsewhere) == LeaseElsewhere(1, OTHER, "tcp:node-two:1")
    ask(world, 2, Strategy(node=NODE))
    assert world.one(DRIVER, LeaseGranted).request == 2


def test_where_it_was_sent_it_stays(world: World) -> None:
    view(world)
    for number in range(4):
        ask(world, number, Strategy(node=NODE), hops=1, client=STRANGER)
    assert len(world.take(STRANGER, LeaseGranted)) == 2
    view(world)
    assert not world.take(STRANGER, LeaseElsewhere), "there is room there, and not here"


def test_what_is_spread_goes_to_each_in_turn(world: World) -> None:
    view(world)
    for number in range(6):
        ask(world, number, Strategy(spread=True))
    assert len(world.take(DRIVER, LeaseGranted)) == 2
    assert sorted(sent.node for sent in world.take(DRIVER, LeaseElsewhere)) == [THIRD, THIRD, OTHER, OTHER]


def test_a_node_that_is_not_known_is_waited_for_not_for_ever(world: World) -> None:
    ask(world, 1, Strategy(node=OTHER))
    ask(world, 1, Strategy(node=OTHER))
    assert not world.take(DRIVER, LeaseFailed)
    view(world)
    assert world.one(DRIVER, LeaseElsewhere).node == OTHER
    ask(world, 2, Strategy(node=b"nowhere!"))
    world.wait(NodeLimits().meet)
    failed = world.one(DRIVER, LeaseFailed)
    assert (failed.request, failed.fault.kind) == (2, FaultKind.UNSCHEDULABLE)
    assert "the task may only run on node 6e6f776865726521, which is not part of the cluster" in failed.fault.message


def test_a_dead_node(world: World) -> None:
    view(world)
    world.say(HEAD, NodeDied(OTHER, "power"))
    ask(world, 1, Strategy(node=OTHER))
    assert "which is dead" in world.one(DRIVER, LeaseFailed).fault.message
    ask(world, 2, Strategy(node=OTHER, soft=True))
    assert world.one(DRIVER, LeaseGranted).request == 2


def test_a_node_that_dies_while_it_is_waited_for(world: World) -> None:
    ask(world, 1, Strategy(node=OTHER))
    world.say(HEAD, NodeDied(OTHER, "power"))
    assert "which is dead" in world.one(DRIVER, LeaseFailed).fault.message
    world.wait(60)
    assert not world.take(DRIVER, LeaseFailed)


def test_labels_that_no_node_has_are_waited_for_with_a_warning(world: World) -> None:
    view(world)
    ask(world, 1, ZONE_B)
    assert "on labels zone in b" in world.one(DRIVER, LeaseWaits).reason
    view(world, zone="b")
    assert world.one(DRIVER, LeaseElsewhere).node == THIRD


@pytest.mark.parametrize("how", ["cancelled", "gone"])
def test_nobody_waits_any_more(world: World, how: str) -> None:
    ask(world, 1, ZONE_B, client=STRANGER)
    ask(world, 2, Strategy(node=OTHER), client=STRANGER)
    if how == "gone":
        world.lose(STRANGER)
    else:
        world.say(STRANGER, CancelLease(1))
        world.say(STRANGER, CancelLease(2))
    view(world, zone="b")
    world.wait(60)
    assert not world.take(STRANGER, LeaseElsewhere)
    assert not world.take(STRANGER, LeaseFailed)


# --- near large arguments ---------------------------------------------------------------------------------------------


def test_near_means_there_while_there_is_room(world: World) -> None:
    view(world, third=2)
    for number in range(4):
        ask(world, number, Strategy(near=THIRD))
    assert [message.node for message in world.take(DRIVER, LeaseElsewhere)] == [THIRD, THIRD]
    assert [message.request for message in world.take(DRIVER, LeaseGranted)] == [2, 3]


def test_near_is_where_it_waits_if_it_has_to(world: World) -> None:
    view(world, other=0, third=0)
    for number in range(2):
        ask(world, number, Strategy(near=THIRD))
    assert len(world.take(DRIVER, LeaseGranted)) == 2, "here is room"
    ask(world, 2, Strategy(near=THIRD))
    assert world.one(DRIVER, LeaseElsewhere).node == THIRD


@pytest.mark.parametrize("near", [b"nobody..", NODE])
def test_near_here_or_nobody_is_as_without(world: World, near: bytes) -> None:
    view(world)
    for number in range(3):
        ask(world, number, Strategy(near=near))
    assert len(world.take(DRIVER, LeaseGranted)) == 2
    assert world.one(DRIVER, LeaseElsewhere).request == 2


def test_near_goes_on_from_where_it_was_sent(world: World) -> None:
    view(world)
    for number in range(3):
        ask(world, number, Strategy(near=NODE), hops=1, client=STRANGER)
    assert len(world.take(STRANGER, LeaseGranted)) == 2
    assert world.one(STRANGER, LeaseElsewhere).request == 2
