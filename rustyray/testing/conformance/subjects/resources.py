"""What tasks and actors ask for, and what there is."""

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got, until


def _holding(api, door, **options):
    @api.remote(**({"num_cpus": 0} | options))
    def holds():
        api.get(door.enter.remote())
        return "held"

    return holds


def _quick(api, **options):
    @api.remote(**({"num_cpus": 0} | options))
    def quick():
        return "ran"

    return quick


def _waits(api, ref):
    return api.wait([ref], timeout=0.1) == ([], [ref])


def _waits_behind(api, holder, other):
    """Whether ``other`` waits while ``holder`` holds what it needs, and runs then."""
    door = gate(api)
    first = _holding(api, door, **holder).remote()
    entered(api, door)
    second = _quick(api, **other).remote()
    waited = _waits(api, second)
    api.get(door.open.remote())
    assert got(api, [first, second]) == ["held", "ran"]
    return waited


def _runs_beside(api, holder, other):
    """Whether ``other`` runs while ``holder`` holds what it was given."""
    door = gate(api)
    first = _holding(api, door, **holder).remote()
    entered(api, door)
    ran = got(api, _quick(api, **other).remote()) == "ran"
    api.get(door.open.remote())
    assert got(api, first) == "held"
    return ran


def custom_resources_are_counted(api):
    """A task waits for custom resources that another holds."""
    assert _waits_behind(api, {"resources": {"widget": 4}}, {"resources": {"widget": 1}})


def custom_resources_are_shared(api):
    """Tasks that fit together run together."""
    assert _runs_beside(api, {"resources": {"widget": 3}}, {"resources": {"widget": 1}})


def gpus_are_counted(api):
    """A task waits for GPUs that another holds."""
    assert _waits_behind(api, {"num_gpus": 2}, {"num_gpus": 1})


def fractions_of_a_gpu_are_shared(api):
    """Two tasks share a GPU of which each asks for half."""
    assert _runs_beside(api, {"num_gpus": 0.5}, {"num_gpus": 0.5})


def fractions_are_exact(api):
    """Ten tasks of 0.1 fit into 1 exactly: nothing is lost to rounding."""
    door = gate(api)
    rest = _holding(api, door, resources={"widget": 3}).remote()
    tenth = _holding(api, door, resources={"widget": 0.1})
    refs = [tenth.remote() for _ in range(10)]
    entered(api, door, 11)
    late = _quick(api, resources={"widget": 0.0001}).remote()
    assert _waits(api, late)
    api.get(door.open.remote())
    assert got(api, [rest, *refs, late])


def what_cannot_be_had_waits(api):
    """A task that asks for more than there is waits: that is no error."""
    ref = _quick(api, resources={"widget": 5}).remote()
    assert _waits(api, ref)
    api.cancel(ref)


def what_nobody_has_waits(api):
    """A task that asks for a resource that no node has waits, too, and holds nobody up."""
    ref = _quick(api, resources={"no such thing": 1}).remote()
    assert got(api, _quick(api).remote()) == "ran"
    assert _waits(api, ref)
    api.cancel(ref)


def a_task_without_needs_runs_on_a_full_node(api):
    """A task with ``num_cpus=0`` runs where all CPUs are taken."""
    assert _runs_beside(api, {"num_cpus": 4}, {"num_cpus": 0})


def actors_hold_what_they_ask_for(api):
    """An actor holds its resources as long as it lives."""

    @api.remote(num_cpus=0, resources={"widget": 4})
    class Holder:
        def f(self):
            return 1

    holder = Holder.remote()
    assert got(api, holder.f.remote()) == 1
    ref = _quick(api, resources={"widget": 1}).remote()
    assert _waits(api, ref)
    api.kill(holder)
    assert got(api, ref) == "ran"


def plain_actors_hold_no_cpu(api):
    """An actor that asks for nothing holds no CPU while it lives: there may be more of them than CPUs."""

    @api.remote
    class A:
        def f(self):
            return 1

    actors = [A.remote() for _ in range(6)]
    assert got(api, [actor.f.remote() for actor in actors]) == [1] * 6


def amounts_are_free_again(api):
    """What a task held is available when it is over."""
    assert got(api, _quick(api, num_gpus=2, resources={"widget": 4}).remote()) == "ran"
    until(lambda: api.available_resources().get("widget") == 4 and api.available_resources().get("GPU") == 2)


def what_is_held_is_not_available(api):
    """``available_resources`` is less by what tasks hold, and ``cluster_resources`` is not."""
    door = gate(api)
    ref = _holding(api, door, resources={"widget": 1.5}).remote()
    entered(api, door)
    until(lambda: api.available_resources().get("widget") == 2.5)
    assert api.cluster_resources()["widget"] == 4
    api.get(door.open.remote())
    assert got(api, ref) == "held"


def cpus_are_not_custom(api):
    """CPUs and GPUs in ``resources`` of a task raise ValueError: they have options of their own."""
    for name in ("CPU", "GPU"):
        with pytest.raises(ValueError):
            _quick(api, resources={name: 1}).remote()


def negative_amounts_are_refused(api):
    """A negative amount raises ValueError."""
    for options in ({"num_cpus": -1}, {"num_gpus": -1}, {"resources": {"widget": -1}}):
        with pytest.raises(ValueError):
            _quick(api, **options).remote()


def a_failed_task_holds_nothing(api):
    """What a task held is free again after it raised an error."""

    @api.remote(num_cpus=0, resources={"widget": 4})
    def fails():
        raise KeyError

    with pytest.raises(KeyError):
        got(api, fails.remote())
    assert got(api, _quick(api, resources={"widget": 4}).remote()) == "ran"


def a_cancelled_task_asks_for_nothing(api):
    """A waiting task that is cancelled raises TaskCancelledError, and is not waited for."""
    ref = _quick(api, resources={"widget": 5}).remote()
    assert _waits(api, ref)
    api.cancel(ref)
    with pytest.raises(api.exceptions.TaskCancelledError):
        got(api, ref)


def blocked_tasks_keep_custom_resources(api):
    """A task that blocks in ``get`` gives its CPU back, and nothing else."""
    assert _waits_behind(api, {"num_cpus": 1, "resources": {"widget": 4}}, {"resources": {"widget": 1}})


def many_blocked_tasks(api):
    """Tasks that wait for their own tasks never exhaust the CPUs, however deep they go."""

    @api.remote(num_cpus=2)
    def deep(n):
        return 0 if n == 0 else 1 + api.get(deep.remote(n - 1))

    assert got(api, deep.remote(6)) == 6


def each_node_has_its_store_and_its_name(api):
    """Nodes have ``object_store_memory``, and one of ``node:ADDRESS`` for which tasks may ask."""
    total = api.cluster_resources()
    name = f"node:{api.util.get_node_ip_address()}"
    assert (total["object_store_memory"] > 0, total[name] >= 1) == (True, True)
    assert got(api, _quick(api, resources={name: 0.01}).remote()) == "ran"


def the_first_node_has_a_name_of_its_own(api):
    """One node, that of the head, has ``node:__internal_head__``, for which tasks may ask."""
    name = "node:__internal_head__"
    assert (api.cluster_resources()[name], [name in node["Resources"] for node in api.nodes()].count(True)) == (1, 1)
    assert got(api, _quick(api, resources={name: 0.01}).remote()) == "ran"
