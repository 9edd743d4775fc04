"""What is lost with a node, and what is made again. Each case has two nodes, in zones a and b, and loses b."""

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, until

TOPOLOGY = "own"


def _start(start):
    start(zones="ab", num_cpus=1, namespace="losing")


def _softly(api):
    """There, while it is there."""
    [node] = [about["NodeID"] for about in api.nodes() if about["Labels"]["zone"] == "b"]
    return api.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=True)


def _large(api, seen, **options):
    @api.remote(**({"num_cpus": 1} | options))
    def large():
        api.get(seen.write.remote("made"))
        return np.ones(100_000)

    return large


def _zone(api):
    return api.get_runtime_context().get_node_labels()["zone"]


def lost_results_are_made_again(api, start, lose):
    """The value of a task that was lost with its node is made again, by the same task."""
    _start(start)
    seen = book(api)
    ref = _large(api, seen).options(scheduling_strategy=_softly(api)).remote()
    api.wait([ref], timeout=60, fetch_local=False)
    lose("b")
    assert got(api, ref).sum() == 100_000
    assert len(got(api, seen.read.remote())) == 2


def what_it_was_made_of_is_made_again(api, start, lose):
    """Where a lost value was made of others that are lost, these are made again first."""
    _start(start)
    seen = book(api)

    @api.remote(num_cpus=1)
    def twice(array):
        return array * 2

    first = _large(api, seen).options(scheduling_strategy=_softly(api)).remote()
    second = twice.options(scheduling_strategy=_softly(api)).remote(first)
    api.wait([second], timeout=60, fetch_local=False)
    lose("b")
    assert got(api, second).sum() == 200_000


def values_without_retries_are_lost(api, start, lose):
    """The value of a task with ``max_retries=0`` is not made again: ``get`` raises ObjectLostError."""
    _start(start)
    seen = book(api)
    ref = _large(api, seen, max_retries=0).options(scheduling_strategy=_softly(api)).remote()
    api.wait([ref], timeout=60, fetch_local=False)
    lose("b")
    with pytest.raises(api.exceptions.ObjectLostError):
        got(api, ref)
    assert len(got(api, seen.read.remote())) == 1


def _maker(api, **options):
    class Maker:
        def large(self):
            return np.ones(100_000)

        def zone(self):
            return _zone(api)

    return api.remote(num_cpus=1, scheduling_strategy=_softly(api), **options)(Maker).remote()


def actors_results_are_lost(api, start, lose):
    """The value of an actor's call is not made again, by default, though the actor restarts."""
    _start(start)
    ref = _maker(api, max_restarts=1).large.remote()
    api.wait([ref], timeout=60, fetch_local=False)
    lose("b")
    with pytest.raises(api.exceptions.ObjectLostError):
        got(api, ref)


def actors_results_are_made_again_on_demand(api, start, lose):
    """With ``max_task_retries`` the value of an actor's call is made again, by the actor that was restarted."""
    _start(start)
    maker = _maker(api, max_restarts=1, max_task_retries=1)
    ref = maker.large.remote()
    api.wait([ref], timeout=60, fetch_local=False)
    lose("b")
    assert got(api, ref).sum() == 100_000


def tasks_move_from_a_lost_node(api, start, lose):
    """A task that ran on a node that died runs again on another."""
    _start(start)
    door = gate(api)

    @api.remote(num_cpus=1)
    def where():
        zone = _zone(api)
        if zone == "b":
            api.get(door.enter.remote())
        return zone

    ref = where.options(scheduling_strategy=_softly(api)).remote()
    entered(api, door)
    lose("b")
    assert got(api, ref) == "a"


def actors_move_from_a_lost_node(api, start, lose):
    """An actor that may restart does so on another node; one that may not is dead."""
    _start(start)
    moves = _maker(api, max_restarts=1, max_task_retries=-1)
    assert got(api, moves.zone.remote()) == "b"
    lose("b")
    until(lambda: got(api, moves.zone.remote()) == "a")


def lost_nodes_are_listed_as_dead(api, start, lose):
    """``nodes()`` lists a node that died as not alive, and its resources are gone."""
    _start(start)
    assert api.cluster_resources()["CPU"] == 2
    lose("b")
    until(lambda: [about["Alive"] for about in api.nodes()].count(True) == 1)
    until(lambda: api.cluster_resources()["CPU"] == 1)
