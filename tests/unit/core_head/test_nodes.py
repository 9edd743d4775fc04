"""Who is in the cluster, and for how long."""

from __future__ import annotations

from rustyray.core.head import HeadLimits
from rustyray.model import ids
from rustyray.model.messages import (
    ClusterDescription,
    ClusterView,
    DescribeCluster,
    Heartbeat,
    NodeAccepted,
    NodeDied,
    NodeEnds,
    NodeRefused,
    OwnerDied,
    RegisterAgain,
    RegisterNode,
    WorkerDied,
)
from tests.unit.core_head.world import DRIVER, NODES, World, make_info, make_spec

ONE, TWO, THREE = NODES
LIMITS = HeadLimits(suspect=3.0, dead=10.0)


def beat(world: World, node: bytes, seq: int, free: int = 20_000) -> None:
    world.say(node, Heartbeat(node, seq, {"CPU": free}, 0))


def alive(world: World) -> list[bool]:
    world.say(DRIVER, DescribeCluster(1))
    return [info.alive for info in world.one(DRIVER, ClusterDescription).nodes]


def test_a_node_is_accepted_and_described() -> None:
    world = World(nodes=1)
    world.one(ONE, NodeAccepted)
    world.say(DRIVER, DescribeCluster(5))
    (info,) = world.one(DRIVER, ClusterDescription).nodes
    assert (info.node, info.alive, info.total) == (ONE, True, {"CPU": 20_000})


def test_registering_again_changes_nothing() -> None:
    world = World(nodes=2)
    world.say(TWO, RegisterNode(make_info(TWO)))
    assert len(world.take(TWO, NodeAccepted)) == 2
    assert alive(world) == [True, True]


def test_a_node_may_only_speak_for_itself() -> None:
    world = World(nodes=1)
    world.say(TWO, RegisterNode(make_info(THREE)))
    world.one(TWO, NodeRefused)
    world.say(TWO, Heartbeat(ONE, 99, {}, 0))
    world.say(DRIVER, DescribeCluster(1))
    (info,) = world.one(DRIVER, ClusterDescription).nodes
    assert info.available == {"CPU": 20_000}


def test_members_are_told_to_all() -> None:
    world = World(nodes=2)
    assert [info.node for info in world.take(ONE, ClusterView)[-1].nodes] == [ONE, TWO]
    assert [info.node for info in world.take(TWO, ClusterView)[-1].nodes] == [ONE, TWO]


def test_a_lone_node_is_told_of_nobody() -> None:
    world = World(nodes=1)
    beat(world, ONE, 1, 0)
    world.wait(1.0)
    assert not world.take(ONE, ClusterView)


def test_what_is_free_is_told_together_and_not_twice() -> None:
    world = World(nodes=2, limits=HeadLimits(view_gap=0.1))
    world.take(ONE, ClusterView)
    for seq in range(1, 4):
        beat(world, TWO, seq, seq)
    world.wait(0.1)
    view = world.one(ONE, ClusterView)
    assert view.nodes[1].available == {"CPU": 3}
    beat(world, TWO, 4, 3)
    world.wait(0.2)
    assert not world.take(ONE, ClusterView)


def test_each_node_gets_a_view_of_its_own_to_count_in() -> None:
    world = World(nodes=2)
    view = world.take(ONE, ClusterView)[-1]
    view.nodes[1].available["CPU"] = 0
    assert world.take(TWO, ClusterView)[-1].nodes[1].available == {"CPU": 20_000}


def test_old_heartbeats_are_no_news() -> None:
    world = World(nodes=1)
    beat(world, ONE, 2, 5)
    beat(world, ONE, 1, 9)
    world.say(DRIVER, DescribeCluster(1))
    assert world.one(DRIVER, ClusterDescription).nodes[0].available == {"CPU": 5}


def test_silence_makes_a_node_suspect_then_dead() -> None:
    world = World(nodes=2, limits=LIMITS)
    for second in range(1, 10):
        world.wait(1.0)
        beat(world, ONE, second)
    assert alive(world) == [True, True]
    world.wait(1.0)
    assert alive(world) == [True, False]
    assert world.one(ONE, NodeDied).reason == "it was silent for 10 s"


def test_a_suspect_that_speaks_is_trusted_again() -> None:
    world = World(nodes=2, limits=LIMITS)
    for second in range(1, 30):
        world.wait(1.0)
        beat(world, ONE, second)
        if second % 9 == 0:
            beat(world, TWO, second)
    assert alive(world) == [True, True]


def test_nothing_is_placed_on_a_suspect() -> None:
    world = World(nodes=2, limits=LIMITS)
    world.wait(2.0)
    beat(world, TWO, 1)
    world.wait(1.5)
    world.create(make_spec(1))
    assert [node for node, _ in world.starting()] == [TWO]


def test_what_waits_is_placed_when_a_suspect_speaks_again() -> None:
    world = World(nodes=1, limits=LIMITS)
    world.wait(4.0)
    world.create(make_spec(1))
    assert not world.starting()
    beat(world, ONE, 1)
    assert len(world.starting()) == 1


def test_time_in_which_the_head_itself_stood_still_is_nobodys_silence() -> None:
    world = World(nodes=2, limits=LIMITS)
    world.wait(4.0)
    world.now += 1000.0
    world.head.on_time(world.now)
    world.settle()
    assert alive(world) == [True, True]
    beat(world, ONE, 1)
    world.wait(8.0)
    assert alive(world) == [True, False]


def test_a_node_whose_connection_is_lost_is_called_and_dead_if_nobody_answers() -> None:
    world = World(nodes=2)
    world.cut(TWO, "connection reset by peer")
    assert world.one(TWO, RegisterAgain) == RegisterAgain(TWO)
    assert alive(world) == [True, True]
    world.lose(TWO, "connection refused")
    assert world.one(ONE, NodeDied).reason == "the connection to it is lost (connection reset by peer)"
    world.lose(TWO)
    assert not world.take(ONE, NodeDied)


def test_a_node_that_does_not_come_back_in_time_is_dead() -> None:
    world = World(nodes=2, limits=LIMITS)
    world.cut(TWO, "connection reset by peer")
    beat(world, TWO, 1)
    world.wait(1.9)
    assert alive(world) == [True, True]
    world.wait(0.2)
    assert alive(world) == [True, False]


def test_a_node_that_comes_back_is_trusted_again() -> None:
    world = World(nodes=2)
    world.cut(TWO)
    world.say(TWO, RegisterNode(make_info(TWO), seq=5))
    for seq in range(6, 30):
        world.wait(0.5)
        beat(world, ONE, seq)
        beat(world, TWO, seq)
    assert alive(world) == [True, True]


def test_an_old_registration_does_not_count() -> None:
    world = World(nodes=2)
    world.say(TWO, RegisterNode(make_info(TWO), seq=5))
    world.cut(TWO)
    world.say(TWO, RegisterNode(make_info(TWO), seq=5))
    world.wait(2.1)
    assert alive(world) == [True, False]


def test_the_dead_are_refused_whatever_they_say() -> None:
    world = World(nodes=2)
    world.lose(TWO)
    beat(world, TWO, 9)
    world.say(TWO, RegisterNode(make_info(TWO)))
    assert len(world.take(TWO, NodeRefused)) == 2
    assert alive(world) == [True, False]


def test_a_nodes_words_on_its_workers_death_reach_the_other_nodes() -> None:
    world = World(nodes=3)
    worker = ids.worker_id(TWO, 4)
    for _ in range(2):
        world.say(TWO, WorkerDied(worker, "it exited with code 1"))
    for node in (ONE, THREE):
        assert world.one(node, OwnerDied).worker == worker
    assert not world.take(TWO, OwnerDied)


def test_but_not_on_anothers() -> None:
    world = World(nodes=2)
    world.say(TWO, WorkerDied(ids.worker_id(ONE, 4), "x"))
    assert not world.take(ONE, OwnerDied)


def told(world: World, node: bytes) -> str:
    world.say(DRIVER, DescribeCluster(1))
    return next(info.reason for info in world.one(DRIVER, ClusterDescription).nodes if info.node == node)


def test_of_a_dead_node_its_reason_and_what_came_after_are_told() -> None:
    world = World(nodes=2)
    world.lose(TWO)
    why = told(world, TWO)
    world.say(TWO, NodeEnds(TWO, "another takes its place in 0.5 s"))
    assert told(world, TWO) == f"{why}; another takes its place in 0.5 s"
    for _ in range(2):
        world.say(THREE, RegisterNode(make_info(THREE), replaces=TWO))
    assert told(world, TWO) == f"{why}; node {THREE.hex()} has taken its place"
    assert alive(world) == [True, False, True]


def test_only_the_dead_have_successors() -> None:
    world = World(nodes=2)
    world.say(TWO, NodeEnds(TWO, "it says so"))
    world.say(THREE, RegisterNode(make_info(THREE), replaces=TWO))
    assert told(world, TWO) == ""
    assert alive(world) == [True, True, True]
