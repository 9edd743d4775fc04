"""Which node tasks and actors run on, where the program says so. The nodes are labelled: zone a, b and c."""

from collections import Counter

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got

TOPOLOGY = "cluster"


def _where(api, **options):
    @api.remote(**({"num_cpus": 1} | options))
    def where():
        return api.get_runtime_context().get_node_id()

    return where


def _actor(api, **options):
    class Somewhere:
        def where(self):
            return api.get_runtime_context().get_node_id()

    return api.remote(**({"num_cpus": 1} | options))(Somewhere)


def _zones(api):
    """The ids of the nodes by their zones."""
    return {node["Labels"]["zone"]: node["NodeID"] for node in api.nodes() if node["Alive"]}


def _on(api, node, soft=False):
    return api.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=soft)


def _labelled(api, hard=None, soft=None):
    return api.util.scheduling_strategies.NodeLabelSchedulingStrategy(hard=hard or {}, soft=soft or {})


def _zone(api, **how):
    """The zone in which a task with these options ran."""
    ran = got(api, _where(api).options(**how).remote())
    return next(zone for zone, node in _zones(api).items() if node == ran)


def spread_takes_all_nodes(api):
    """With "SPREAD", tasks that run at the same time are on different nodes."""
    door = gate(api)

    @api.remote(num_cpus=1, scheduling_strategy="SPREAD")
    def stays():
        api.get(door.enter.remote())
        return api.get_runtime_context().get_node_id()

    refs = [stays.remote() for _ in range(3)]
    entered(api, door, 3)
    api.get(door.open.remote())
    assert set(got(api, refs)) == set(_zones(api).values())


def spread_actors_take_all_nodes(api):
    """With "SPREAD", actors are shared out over the nodes."""
    actors = [_actor(api, scheduling_strategy="SPREAD").remote() for _ in range(6)]
    found = Counter(got(api, [actor.where.remote() for actor in actors]))
    assert found == dict.fromkeys(_zones(api).values(), 2)


def a_strategy_can_be_given_for_a_call(api):
    """``.options(scheduling_strategy=…)`` is for that call; "DEFAULT" takes the decorator's back."""
    node = _zones(api)["b"]
    sent = _where(api, scheduling_strategy=_on(api, node))
    assert got(api, sent.remote()) == node
    assert got(api, sent.options(scheduling_strategy="DEFAULT").remote()) in _zones(api).values()


def affinity_is_to_one_node(api):
    """A task with node affinity runs on that node, whichever it is."""
    for node in _zones(api).values():
        assert got(api, _where(api).options(scheduling_strategy=_on(api, node)).remote()) == node


def affinity_of_actors(api):
    """An actor with node affinity lives on that node."""
    for node in _zones(api).values():
        actor = _actor(api).options(scheduling_strategy=_on(api, node)).remote()
        assert got(api, actor.where.remote()) == node


def affinity_waits_for_a_full_node(api):
    """A task with hard node affinity waits while its node is full, though others are free."""
    door = gate(api)
    node = _zones(api)["b"]

    @api.remote(num_cpus=2)
    def stays():
        api.get(door.enter.remote())

    @api.remote(num_cpus=0, resources={"widget": 2})
    def holds():
        api.get(door.enter.remote())

    first = holds.options(scheduling_strategy=_on(api, node)).remote()
    entered(api, door)
    second = _where(api, resources={"widget": 1}).options(scheduling_strategy=_on(api, node)).remote()
    assert api.wait([second], timeout=0.1) == ([], [second])
    api.get(door.open.remote())
    assert got(api, [first, second]) == [None, node]


def soft_affinity_may_move(api):
    """A task with soft node affinity to a node that is not there runs on another."""
    nowhere = "e" * len(_zones(api)["a"])
    assert got(api, _where(api).options(scheduling_strategy=_on(api, nowhere, soft=True)).remote())


def soft_affinity_stays_where_it_can(api):
    """A task with soft node affinity runs on that node if it is there."""
    node = _zones(api)["c"]
    assert got(api, _where(api).options(scheduling_strategy=_on(api, node, soft=True)).remote()) == node


def hard_affinity_to_no_node_fails(api):
    """A task with hard node affinity to a node that is not there raises TaskUnschedulableError."""
    nowhere = "e" * len(_zones(api)["a"])
    with pytest.raises(api.exceptions.TaskUnschedulableError):
        got(api, _where(api).options(scheduling_strategy=_on(api, nowhere)).remote())


def an_actor_bound_to_no_node_fails(api):
    """Calls of an actor with hard node affinity to a node that is not there raise ActorUnschedulableError."""
    nowhere = "e" * len(_zones(api)["a"])
    actor = _actor(api).options(scheduling_strategy=_on(api, nowhere)).remote()
    with pytest.raises(api.exceptions.ActorUnschedulableError):
        got(api, actor.where.remote())


def labels_say_where(api):
    """A task with a label strategy runs on a node whose labels fit: In, NotIn, Exists."""
    strategies = api.util.scheduling_strategies
    assert _zone(api, scheduling_strategy=_labelled(api, {"zone": strategies.In("b")})) == "b"
    assert _zone(api, scheduling_strategy=_labelled(api, {"zone": strategies.NotIn("a", "b")})) == "c"
    assert _zone(api, scheduling_strategy=_labelled(api, {"zone": strategies.Exists()})) in "abc"


def labels_that_no_node_has_are_waited_for(api):
    """A task whose labels no node has waits."""
    strategies = api.util.scheduling_strategies
    for strategy in (
        _labelled(api, {"zone": strategies.In("z")}),
        _labelled(api, {"zone": strategies.DoesNotExist()}),
    ):
        ref = _where(api).options(scheduling_strategy=strategy).remote()
        assert api.wait([ref], timeout=0.1) == ([], [ref])
        api.cancel(ref)


def soft_labels_are_preferred(api):
    """Soft labels choose among the nodes that the hard ones allow, and are given up where there is none."""
    strategies = api.util.scheduling_strategies
    hard = {"zone": strategies.In("b", "c")}
    assert _zone(api, scheduling_strategy=_labelled(api, hard, {"zone": strategies.In("c")})) == "c"
    assert _zone(api, scheduling_strategy=_labelled(api, hard, {"zone": strategies.In("z")})) in "bc"


def labels_of_actors(api):
    """An actor with a label strategy lives on a node whose labels fit."""
    strategies = api.util.scheduling_strategies
    strategy = _labelled(api, {"zone": strategies.In("c")})
    actor = _actor(api).options(scheduling_strategy=strategy).remote()
    assert got(api, actor.where.remote()) == _zones(api)["c"]


def selectors_say_where(api):
    """``label_selector`` of a task: a value, ``!`` for another one, ``in(…)`` and ``!in(…)``."""
    assert _zone(api, label_selector={"zone": "b"}) == "b"
    assert _zone(api, label_selector={"zone": "!b"}) in "ac"
    assert _zone(api, label_selector={"zone": "in(c)"}) == "c"
    assert _zone(api, label_selector={"zone": "!in(a,c)"}) == "b"


def blanks_in_selectors_mean_nothing(api):
    """``in(a, c)`` is ``in(a,c)``, and ``!in(a, c)`` is ``!in(a,c)``."""
    for selector in ("!in(a, c)", "!in(c, a)"):
        assert _zone(api, label_selector={"zone": selector}) == "b"


def selectors_of_actors(api):
    """``label_selector`` of an actor says where it lives."""
    actor = _actor(api, label_selector={"zone": "b"}).remote()
    assert got(api, actor.where.remote()) == _zones(api)["b"]


def a_selector_that_fits_nowhere_waits(api):
    """A task whose ``label_selector`` no node fits waits."""
    ref = _where(api, label_selector={"zone": "z"}).remote()
    assert api.wait([ref], timeout=0.1) == ([], [ref])
    api.cancel(ref)


def tasks_go_where_room_is(api):
    """Without a strategy, tasks that do not fit on one node run on others at the same time."""
    door = gate(api)

    @api.remote(num_cpus=0, resources={"widget": 2})
    def stays():
        api.get(door.enter.remote())
        return api.get_runtime_context().get_node_id()

    refs = [stays.remote() for _ in range(3)]
    entered(api, door, 3)
    api.get(door.open.remote())
    assert len(set(got(api, refs))) == 3


def children_have_a_strategy_of_their_own(api):
    """What a task submits does not inherit its node affinity: it has its own, or none."""
    zones = _zones(api)

    @api.remote(num_cpus=0)
    def outer(node):
        here = api.get_runtime_context().get_node_id()
        return here, api.get(_where(api).options(scheduling_strategy=_on(api, node)).remote())

    ref = outer.options(scheduling_strategy=_on(api, zones["b"])).remote(zones["c"])
    assert got(api, ref) == (zones["b"], zones["c"])


def an_unknown_strategy_is_refused(api):
    """A scheduling strategy that does not exist raises ValueError or TypeError."""
    for strategy in ("SOMEWHERE", 3):
        with pytest.raises((ValueError, TypeError)):
            _where(api).options(scheduling_strategy=strategy).remote()


def a_node_tells_its_labels(api):
    """``nodes()`` has the labels of each node, and the context those of its own."""

    @api.remote(num_cpus=1, label_selector={"zone": "c"})
    def labels():
        return api.get_runtime_context().get_node_labels()

    assert sorted(_zones(api)) == ["a", "b", "c"]
    assert got(api, labels.remote())["zone"] == "c"


def large_arguments_travel(api):
    """A large argument arrives on whichever node its task runs, and a large result comes back."""

    @api.remote(num_cpus=1)
    def twice(value):
        return value * 2

    ref = api.put(b"x" * 1_000_000)
    for node in _zones(api).values():
        found = got(api, twice.options(scheduling_strategy=_on(api, node)).remote(ref))
        assert len(found) == 2_000_000


def objects_of_other_nodes_are_waited_for(api):
    """``wait`` with ``fetch_local`` is ready when the value is here; without it, when it is anywhere."""
    node = _zones(api)["b"]

    @api.remote(num_cpus=1)
    def large():
        return b"x" * 1_000_000

    refs = [large.options(scheduling_strategy=_on(api, node)).remote() for _ in range(2)]
    assert api.wait(refs, num_returns=2, timeout=30, fetch_local=False) == (refs, [])
    assert api.wait(refs, num_returns=2, timeout=30) == (refs, [])
    assert [len(value) for value in got(api, refs)] == [1_000_000] * 2
