"""The head and three nodes together, over links."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorInfo,
    ActorState,
    ClusterDescription,
    CreateActor,
    DescribeCluster,
    JobFinished,
    KillActor,
    LeaseElsewhere,
    LeaseGranted,
    NodeDied,
    OwnerDied,
    RegisterDriver,
    Registered,
    RequestLease,
)
from rustyray.model.resources import resource_set
from tests.unit.core_head.world import DRIVER, NODES, OTHER_DRIVER, Cluster, make_spec

ONE, TWO, THREE = NODES


def cluster(cpus: float = 2) -> Cluster:
    """Three nodes, and a driver on each of the first two."""
    it = Cluster(cpus)
    for node, driver in ((ONE, DRIVER), (TWO, OTHER_DRIVER)):
        it.run()
        it.send(driver, node, RegisterDriver(1, "ns"))
    it.run()
    return it


def create(it: Cluster, number: int = 1, owner: bytes = DRIVER, max_restarts: int = 0, detached: bool = False) -> bytes:
    spec = make_spec(number, owner=owner, max_restarts=max_restarts, detached=detached)
    it.send(owner, HEAD, CreateActor(number, spec))
    it.run()
    return spec.actor


def state(it: Cluster, actor: bytes, peer: bytes = DRIVER) -> ActorInfo:
    return [info for info in it.heard(peer, ActorInfo) if info.actor == actor][-1]


def test_drivers_get_their_jobs() -> None:
    it = cluster()
    (registered,) = it.heard(OTHER_DRIVER, Registered)
    assert (registered.node, registered.job, registered.namespace) == (TWO, b"\0\0\0\2", "ns")
    assert registered.head_address == "tcp:head:1"


def test_all_nodes_are_described_with_what_is_free() -> None:
    it = cluster()
    it.send(DRIVER, ONE, RequestLease(1, b"\0\0\0\1", resource_set({"CPU": 1})))
    it.wait(2.0)
    it.send(DRIVER, HEAD, DescribeCluster(1))
    it.run()
    nodes = it.heard(DRIVER, ClusterDescription)[-1].nodes
    assert [(info.node, info.available["CPU"]) for info in nodes] == [(ONE, 10_000), (TWO, 20_000), (THREE, 20_000)]


def test_a_request_that_finds_no_room_is_sent_to_a_node_that_has_some() -> None:
    it = cluster(cpus=1)
    for number in (1, 2, 3):
        it.send(DRIVER, ONE, RequestLease(number, b"\0\0\0\1", resource_set({"CPU": 1})))
        it.run()
    assert [granted.request for granted in it.heard(DRIVER, LeaseGranted)] == [1]
    elsewhere = it.heard(DRIVER, LeaseElsewhere)
    assert [(answer.request, answer.node) for answer in elsewhere] == [(2, TWO), (3, THREE)]
    it.send(DRIVER, TWO, RequestLease(2, b"\0\0\0\1", resource_set({"CPU": 1}), hops=1))
    it.run()
    granted = it.heard(DRIVER, LeaseGranted)[-1]
    assert ids.node_of(granted.worker) == TWO


def test_actors_spread_and_come_up() -> None:
    it = cluster()
    actors = [create(it, number) for number in range(1, 4)]
    infos = [state(it, actor) for actor in actors]
    assert [info.state for info in infos] == [ActorState.ALIVE] * 3
    assert [ids.node_of(info.worker) for info in infos] == [ONE, TWO, THREE]


def test_an_actor_moves_when_its_node_dies() -> None:
    it = cluster()
    create(it, 1)
    actor = create(it, 2, max_restarts=1)
    assert ids.node_of(state(it, actor).worker) == TWO
    it.crash_node(TWO)
    it.head.on_peer_lost(TWO, "connection reset by peer", it.now)
    it.head.on_peer_lost(TWO, "connection refused", it.now, reached=False)
    it.collect()
    it.run()
    info = state(it, actor)
    assert (info.state, info.incarnation, ids.node_of(info.worker)) == (ActorState.ALIVE, 1, THREE)
    assert it.heard(DRIVER, NodeDied)


def test_a_node_that_falls_silent_is_found_out() -> None:
    it = cluster()
    it.crash_node(THREE)
    it.wait(9.0)
    assert not it.heard(DRIVER, NodeDied)
    it.wait(3.0)
    assert [died.node for died in it.heard(DRIVER, NodeDied)] == [THREE]


def test_a_node_that_was_given_up_stops_when_it_is_heard_again() -> None:
    it = cluster()
    create(it, 1)
    actor = create(it, 2, max_restarts=1)
    old = state(it, actor).worker
    it.head.on_peer_lost(TWO, "connection refused", it.now, reached=False)
    it.collect()
    it.wait(1.5)
    assert it.nodes[TWO].stopped
    assert old not in it.workers
    assert state(it, actor).worker in it.workers


def test_a_node_whose_connection_is_cut_goes_on_where_it_was() -> None:
    it = cluster()
    create(it, 1)
    actor = create(it, 2)
    before = state(it, actor)
    it.head.on_peer_lost(TWO, "connection reset by peer", it.now)
    it.nodes[TWO].on_peer_lost(HEAD, "connection reset by peer", it.now)
    it.collect()
    it.wait(1.5)
    assert not it.heard(DRIVER, NodeDied)
    assert not it.nodes[TWO].stopped
    assert state(it, actor).worker == before.worker
    assert before.worker in it.workers


def test_a_worker_is_replaced_and_its_resources_return() -> None:
    it = cluster()
    actor = create(it, 1, max_restarts=1)
    it.end(state(it, actor).worker, "it was killed by signal 9 (SIGKILL)")
    it.run()
    info = state(it, actor)
    assert (info.state, info.incarnation) == (ActorState.ALIVE, 1)


def test_kill_and_graceful_end_leave_no_process() -> None:
    it = cluster()
    for number, graceful in ((1, False), (2, True)):
        actor = create(it, number)
        it.send(DRIVER, HEAD, KillActor(actor, True, graceful, "enough"))
        it.run()
        assert state(it, actor).state is ActorState.DEAD
    it.wait(1.0)
    assert not it.workers


def test_an_owners_death_is_known_everywhere_and_ends_its_actors() -> None:
    it = cluster()
    owner = state(it, create(it, 1)).worker
    actor = create(it, 2, owner=owner)
    place = ids.node_of(next(worker for worker in it.workers if worker != owner))
    assert place == TWO
    it.end(owner, "it was killed by signal 9 (SIGKILL)")
    it.run()
    assert [died.worker for died in it.heard(OTHER_DRIVER, OwnerDied)] == [owner]
    assert not it.workers
    assert actor in it.head._actors.registry.dead


def test_a_finished_job_takes_its_actors_along() -> None:
    it = cluster()
    mine, theirs = create(it, 1), create(it, 1, owner=OTHER_DRIVER)
    detached = create(it, 2, detached=True)
    it.send(DRIVER, HEAD, JobFinished(b"\0\0\0\1", DRIVER))
    it.run()
    assert state(it, mine).state is ActorState.DEAD
    assert state(it, detached).state is ActorState.ALIVE
    assert state(it, theirs, OTHER_DRIVER).state is ActorState.ALIVE


def test_a_stop_that_crosses_the_start_leaves_nothing_behind() -> None:
    it = cluster()
    spec = make_spec(1)
    it.send(DRIVER, HEAD, CreateActor(1, spec))
    it.send(DRIVER, HEAD, KillActor(spec.actor, True, False, "changed my mind"))
    it.run()
    it.wait(1.0)
    assert state(it, spec.actor).state is ActorState.DEAD
    assert not any(core._actors.hosted for core in it.nodes.values())
    assert not any(worker.actor for core in it.nodes.values() for worker in core._pool.workers.values())
