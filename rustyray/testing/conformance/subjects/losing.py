"""What is lost with a node, and what is made again. Each case has two nodes, in zones a and b, and loses b."""

import numpy as np
import pytest

from rustyray.testing.conformance.helpers import book, entered, gate, got, until

TOPOLOGY = "own"
_SAFE = {"zone": "a"}


def _start(start):
    start(zones="ab", num_cpus=2, namespace="losing")


def _softly(api):
    """There, while it is there."""
    [node] = [about["NodeID"] for about in api.nodes() if about["Labels"]["zone"] == "b"]
    return api.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=True)


def _zone(api):
    return api.get_runtime_context().get_node_labels()["zone"]


def _made(api, *refs):
    """They are there, and have not been brought here."""
    ready, _ = api.wait(list(refs), num_returns=len(refs), timeout=60, fetch_local=False)
    assert len(ready) == len(refs)


def tasks_results_are_made_again(api, start, lose):
    """Values lost with their node are made again by their tasks, with what these need; not with ``max_retries=0``."""
    _start(start)
    seen = book(api, label_selector=_SAFE)

    @api.remote(num_cpus=0.5, scheduling_strategy=_softly(api))
    def large(what):
        api.get(seen.write.remote(what))
        return np.ones(100_000)

    @api.remote(num_cpus=0.5, scheduling_strategy=_softly(api))
    def twice(array):
        return array * 2

    alone, first, final = large.remote("alone"), large.remote("first"), large.options(max_retries=0).remote("final")
    second = twice.remote(first)
    _made(api, alone, second, final)
    lose("b")
    assert got(api, alone).sum() == 100_000
    assert got(api, second).sum() == 200_000
    with pytest.raises(api.exceptions.ObjectLostError):
        got(api, final)
    assert sorted(got(api, seen.read.remote())) == ["alone", "alone", "final", "first", "first"]


def actors_results_are_made_again_on_demand(api, start, lose):
    """Lost values of an actor's calls are made again with ``max_task_retries``, by the restarted actor; else not."""
    _start(start)

    @api.remote(num_cpus=0.5, max_restarts=1, scheduling_strategy=_softly(api))
    class Maker:
        def large(self):
            return np.ones(100_000)

    lost, kept = Maker.remote(), Maker.options(max_task_retries=1).remote()
    values = [maker.large.remote() for maker in (lost, kept)]
    _made(api, *values)
    lose("b")
    with pytest.raises(api.exceptions.ObjectLostError):
        got(api, values[0])
    assert got(api, values[1]).sum() == 100_000


def work_moves_from_a_lost_node(api, start, lose):
    """A task that ran on a node that died runs again on another, an actor that may restart does so there.

    The node is listed as not alive, and its resources are gone.
    """
    _start(start)
    door = gate(api, label_selector=_SAFE)

    @api.remote(num_cpus=0.5, scheduling_strategy=_softly(api))
    def where():
        zone = _zone(api)
        if zone == "b":
            api.get(door.enter.remote())
        return zone

    @api.remote(num_cpus=0.5, max_restarts=1, max_task_retries=-1, scheduling_strategy=_softly(api))
    class Mover:
        def zone(self):
            return _zone(api)

    ref, mover = where.remote(), Mover.remote()
    entered(api, door)
    assert got(api, mover.zone.remote()) == "b"
    assert api.cluster_resources()["CPU"] == 4
    lose("b")
    assert got(api, ref) == "a"
    until(lambda: got(api, mover.zone.remote()) == "a")
    until(lambda: [about["Alive"] for about in api.nodes()].count(True) == 1)
    until(lambda: api.cluster_resources()["CPU"] == 2)


def an_actor_leaves_a_node_that_is_removed(api, start, lose):
    """An actor whose node is removed in order is restarted on another one, if it may be restarted."""
    _start(start)

    @api.remote(num_cpus=0.5, scheduling_strategy=_softly(api))
    class Mover:
        def zone(self):
            return _zone(api)

    mover = Mover.options(max_restarts=1, max_task_retries=-1).remote()
    stayer = Mover.remote()
    assert got(api, [mover.zone.remote(), stayer.zone.remote()]) == ["b", "b"]
    lose("b", in_order=True)
    assert got(api, mover.zone.remote()) == "a"
    with pytest.raises(api.exceptions.ActorDiedError):
        got(api, stayer.zone.remote())
