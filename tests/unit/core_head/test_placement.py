"""Where actors go."""

from __future__ import annotations

from rustyray.model.messages import ActorInfo, ActorState, Heartbeat, RegisterNode
from rustyray.model.values import FaultKind
from tests.unit.core_head.world import DRIVER, NODES, World, make_info, make_spec

ONE, TWO, THREE = NODES


def places(world: World) -> list[bytes]:
    return [node for node, _ in world.starting()]


def free(world: World, node: bytes, units: int, seq: int = 1, queued: int = 0) -> None:
    world.say(node, Heartbeat(node, seq, {"CPU": units}, queued))


def test_equal_nodes_take_turns() -> None:
    world = World(nodes=3)
    chosen = []
    for number in range(6):
        world.create(make_spec(number))
        chosen += places(world)
    assert chosen == [ONE, TWO, THREE, ONE, TWO, THREE]


def test_one_that_has_room_now_comes_before_one_that_has_not() -> None:
    world = World(nodes=2)
    free(world, ONE, 0)
    world.create(make_spec(1))
    world.create(make_spec(2))
    assert places(world) == [TWO, TWO]


def test_what_was_sent_there_counts_before_the_node_says_so() -> None:
    world = World(nodes=2, cpus=1)
    world.create(make_spec(1, cpus=1))
    world.create(make_spec(2, cpus=1))
    assert places(world) == [ONE, TWO]


def test_when_all_are_busy_it_queues_where_the_fewest_wait() -> None:
    world = World(nodes=2)
    free(world, ONE, 0, queued=3)
    free(world, TWO, 0, queued=1)
    world.create(make_spec(1))
    assert places(world) == [TWO]


def test_what_fits_nowhere_waits_and_says_so_once() -> None:
    world = World(nodes=1)
    actor = world.create(make_spec(GPU=2))
    assert len(world.take(DRIVER, ActorInfo)) == 2
    free(world, ONE, 5)
    assert not world.take(DRIVER, ActorInfo)
    world.create(make_spec(2, GPU=2))
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.state is ActorState.PENDING
    assert info.fault is not None
    assert info.fault.kind is FaultKind.ACTOR_UNSCHEDULABLE
    assert f"it needs CPU: 1, GPU: 2, and node {ONE.hex()} has CPU: 2. It waits" in info.fault.message
    world.say(TWO, RegisterNode(make_info(TWO, GPU=2)))
    starting = world.starting()
    assert [node for node, _ in starting] == [TWO, TWO]
    assert starting[0][1].spec.actor == actor


def test_a_large_cluster_is_not_listed_in_full() -> None:
    world = World(nodes=0)
    for number in range(10):
        node = f"node-{number:03}".encode()
        world.say(node, RegisterNode(make_info(node)))
    world.create(make_spec(GPU=1))
    fault = world.take(DRIVER, ActorInfo)[-1].fault
    assert fault is not None
    assert "2 more nodes do not have it either" in fault.message


def test_without_nodes_it_waits_for_one() -> None:
    world = World(nodes=0)
    world.create(make_spec())
    info = world.take(DRIVER, ActorInfo)[-1]
    assert info.fault is not None
    assert "there are no nodes" in info.fault.message
    world.say(ONE, RegisterNode(make_info(ONE)))
    assert places(world) == [ONE]


def test_the_complaint_is_withdrawn_when_it_is_up() -> None:
    world = World(nodes=0)
    world.create(make_spec())
    world.say(ONE, RegisterNode(make_info(ONE)))
    world.come_up()
    assert world.take(DRIVER, ActorInfo)[-1].fault is None
