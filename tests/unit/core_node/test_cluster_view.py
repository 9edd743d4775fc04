"""Heartbeats, and requests that are better served elsewhere."""

from __future__ import annotations

from rustyray.core.node import NodeLimits
from rustyray.model.messages import (
    HEAD,
    ActorStarted,
    ClusterView,
    Heartbeat,
    LeaseElsewhere,
    LeaseGranted,
    LeaseWaits,
    NodeAccepted,
    NodeInfo,
    RegisterAgain,
    RegisterNode,
    RequestLease,
    ReturnLease,
)
from rustyray.model.resources import resource_set
from rustyray.model.strategies import LabelMatch, Strategy
from tests.unit.core_node.world import DRIVER, JOB, NODE, OTHER, World

THIRD = b"node-3rd"


def info(node: bytes, free: float, total: float = 4, alive: bool = True, zone: str = "", **more: float) -> NodeInfo:
    return NodeInfo(
        node,
        f"tcp:{node.decode()}:1",
        alive,
        resource_set({"CPU": total, **more}),
        resource_set({"CPU": free, **more}),
        labels={"zone": zone} if zone else {},
    )


def test_it_registers_with_what_it_has_until_it_is_accepted() -> None:
    world = World(cpus=2, limits=NodeLimits(heartbeat=1.0))
    assert world.one(HEAD, RegisterNode).info.total == {"CPU": 20_000}
    world.wait(1.0)
    world.one(HEAD, RegisterNode)
    world.say(HEAD, NodeAccepted(NODE))
    world.wait(3.0)
    assert not world.take(HEAD, RegisterNode)


def test_it_registers_again_when_the_head_was_lost() -> None:
    world = World(limits=NodeLimits(heartbeat=1.0))
    world.say(HEAD, NodeAccepted(NODE))
    world.take(HEAD, RegisterNode)
    world.lose(HEAD)
    world.wait(0.2)
    first = world.one(HEAD, RegisterNode)
    world.lose(HEAD)
    world.wait(0.2)
    second = world.one(HEAD, RegisterNode)
    assert second.seq > first.seq
    world.say(HEAD, NodeAccepted(NODE))
    world.wait(5.0)
    assert not world.take(HEAD, RegisterNode)


def test_it_gives_up_a_head_that_stays_away() -> None:
    world = World(shared=True, limits=NodeLimits(call_head=1.0, head_away=5.0))
    world.say(HEAD, NodeAccepted(NODE))
    for _ in range(5):
        world.lose(HEAD)
        world.wait(1.0)
    assert world.stopped


def test_a_head_that_comes_back_is_told_what_there_is() -> None:
    world = World(shared=True)
    (worker,) = world.ready_all()
    actor = world.start_actor(1)
    world.say(worker, ActorStarted(actor, 0, worker, "unix:@w", 7))
    world.take(HEAD, RegisterNode)
    world.say(HEAD, RegisterAgain(NODE))
    said = world.one(HEAD, RegisterNode)
    assert [(each.actor, each.incarnation, each.running, each.worker) for each in said.actors] == [
        (actor, 0, True, worker)
    ]
    assert said.processes == [worker, DRIVER]
    assert [type(report) for report in said.reports] == [ActorStarted]
    assert said.jobs == [JOB]


def test_heartbeats_count_up() -> None:
    world = World(limits=NodeLimits(heartbeat=1.0))
    registered = world.one(HEAD, RegisterNode)
    world.say(HEAD, NodeAccepted(NODE))
    world.wait(3.0)
    beats = world.take(HEAD, Heartbeat)
    assert [registered.seq, *(beat.seq for beat in beats)] == [1, 2, 3, 4]


def test_changes_are_told_soon_but_together() -> None:
    world = World(cpus=2, limits=NodeLimits(heartbeat=10.0, heartbeat_gap=0.1))
    world.say(HEAD, NodeAccepted(NODE))
    for number in range(3):
        world.request(number)
    world.wait(0.0)
    assert world.one(HEAD, Heartbeat).available == {"CPU": 0}
    world.ready_all()
    first, second = world.take(DRIVER, LeaseGranted)
    world.say(DRIVER, ReturnLease(first.lease))
    world.wait(0.05)
    assert not world.take(HEAD, Heartbeat), "the third request took what was given back"
    world.say(DRIVER, ReturnLease(second.lease))
    world.wait(0.1)
    assert world.one(HEAD, Heartbeat).available == {"CPU": 10_000}


def test_a_request_goes_where_there_is_room_now() -> None:
    world = World(cpus=1)
    world.say(HEAD, ClusterView([info(NODE, 1), info(THIRD, 0), info(OTHER, 1)]))
    world.lease(1)
    world.request(2)
    elsewhere = world.one(DRIVER, LeaseElsewhere)
    assert (elsewhere.request, elsewhere.node, elsewhere.address) == (2, OTHER, "tcp:node-two:1")
    world.request(3)
    assert not world.take(DRIVER, LeaseElsewhere), "that room has been given away"


def test_room_that_was_given_away_is_looked_for_again() -> None:
    """The head says nothing new of a node that has as much free as before."""
    world = World(cpus=1, limits=NodeLimits(heartbeat=1.0))
    world.say(HEAD, NodeAccepted(NODE))
    world.say(HEAD, ClusterView([info(OTHER, 1)]))
    for number in (1, 2, 3):
        world.request(number)
    assert [answer.request for answer in world.take(DRIVER, LeaseElsewhere)] == [2]
    world.wait(1.5)
    assert [answer.request for answer in world.take(DRIVER, LeaseElsewhere)] == [3]


def test_the_own_node_comes_first() -> None:
    world = World(cpus=2)
    world.say(HEAD, ClusterView([info(OTHER, 4)]))
    world.lease(1)
    assert not world.take(DRIVER, LeaseElsewhere)


def test_what_can_never_run_here_goes_where_it_can() -> None:
    world = World(cpus=1)
    world.say(HEAD, ClusterView([info(THIRD, 4), info(OTHER, 0, GPU=1)]))
    world.request(1, GPU=1)
    assert world.one(DRIVER, LeaseElsewhere).node == OTHER


def test_who_waits_here_moves_when_room_appears_elsewhere() -> None:
    world = World(cpus=1)
    world.lease(1)
    world.request(2)
    world.request(3)
    world.say(HEAD, ClusterView([info(OTHER, 1)]))
    assert world.one(DRIVER, LeaseElsewhere).request == 2
    world.say(HEAD, ClusterView([info(OTHER, 1)]))
    assert world.one(DRIVER, LeaseElsewhere).request == 3


def test_a_request_that_wandered_enough_or_is_pinned_stays() -> None:
    world = World(cpus=1, limits=NodeLimits(max_hops=2))
    world.say(HEAD, ClusterView([info(OTHER, 4)]))
    world.lease(1)
    world.say(DRIVER, RequestLease(2, JOB, resource_set({"CPU": 1}), hops=2))
    world.say(DRIVER, RequestLease(3, JOB, resource_set({"CPU": 1}), local_only=True))
    assert not world.take(DRIVER, LeaseElsewhere)


def test_dead_nodes_are_no_place_to_go() -> None:
    world = World(cpus=1)
    world.say(HEAD, ClusterView([info(OTHER, 4, alive=False)]))
    world.lease(1)
    world.request(2)
    assert not world.take(DRIVER, LeaseElsewhere)


def test_the_warning_names_what_the_cluster_has() -> None:
    world = World(cpus=1)
    world.say(HEAD, ClusterView([info(OTHER, 4)]))
    world.request(1, cpus=64)
    reason = world.one(DRIVER, LeaseWaits).reason
    assert f"node {NODE.hex()} has CPU: 1; node {OTHER.hex()} has CPU: 4" in reason


def test_what_nobody_could_run_moves_when_a_node_that_can_joins() -> None:
    world = World(cpus=1)
    world.request(1, cpus=64)
    world.say(HEAD, ClusterView([info(OTHER, 0, total=64)]))
    assert world.one(DRIVER, LeaseElsewhere).request == 1


def test_who_waits_here_moves_only_where_its_labels_allow() -> None:
    world = World(cpus=1)
    world.lease(1)
    strategy = Strategy(hard=(LabelMatch("zone", ("a",)),), fallbacks=((LabelMatch("zone", ("b",)),),))
    world.say(DRIVER, RequestLease(2, JOB, resource_set({"CPU": 1}), 1, strategy=strategy))
    world.say(HEAD, ClusterView([info(OTHER, 1, zone="c"), info(THIRD, 0, zone="b")]))
    assert not world.take(DRIVER, LeaseElsewhere)
    world.say(HEAD, ClusterView([info(OTHER, 1, zone="b"), info(THIRD, 1, zone="a")]))
    assert world.one(DRIVER, LeaseElsewhere).node == THIRD, "that is what it asked for first"
