"""Which GPUs tasks and actors have. (Nothing here needs a real one.)"""

import os

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got


def _seen(api):
    return api.get_gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES")


def _at_once(api, amount, count):
    """What so many tasks see that hold so much of a GPU at the same time."""
    door = gate(api)

    @api.remote(num_cpus=0, num_gpus=amount)
    def holds():
        seen = _seen(api)
        api.get(door.enter.remote())
        return seen

    refs = [holds.remote() for _ in range(count)]
    entered(api, door, count)
    api.get(door.open.remote())
    return got(api, refs)


def a_task_has_the_gpus_that_it_asked_for(api):
    """``get_gpu_ids`` gives as many as were asked for, and ``CUDA_VISIBLE_DEVICES`` names them."""
    ((ids, visible),) = _at_once(api, 2, 1)
    assert sorted(ids) == [0, 1]
    assert sorted(visible.split(",")) == ["0", "1"]


def two_tasks_have_different_gpus(api):
    """Tasks that hold whole GPUs at the same time have different ones."""
    (one, _), (other, _) = _at_once(api, 1, 2)
    assert sorted([*one, *other]) == [0, 1]


def fractions_are_parts_of_one_gpu(api):
    """Who asks for less than a GPU has one, and shares it: four halves are two each."""
    ids = [ids[0] for ids, _ in _at_once(api, 0.5, 4)]
    assert sorted(ids) == [0, 0, 1, 1]


def who_asks_for_none_has_none(api):
    """A task without GPUs has none, and neither has a driver."""

    @api.remote
    def without():
        return api.get_gpu_ids()

    assert got(api, without.remote()) == api.get_gpu_ids() == []


def an_actor_keeps_its_gpus(api):
    """An actor has the same GPUs in its constructor and in all its calls, and nobody else has them meanwhile."""

    @api.remote(num_cpus=0, num_gpus=1)
    class Holder:
        def __init__(self):
            self.first = _seen(api)

        def seen(self):
            return self.first, _seen(api)

    holder = Holder.remote()
    first, later = got(api, holder.seen.remote())
    assert first == later
    assert first[1] == str(first[0][0])
    ((others, _),) = _at_once(api, 1, 1)
    assert sorted([*first[0], *others]) == [0, 1]
    api.kill(holder)


def the_context_tells_them_by_kind(api):
    """``get_accelerator_ids`` gives the ids as strings, by kind."""

    @api.remote(num_cpus=0, num_gpus=1)
    def asks():
        ids = api.get_runtime_context().get_accelerator_ids()
        return ids, [str(gpu) for gpu in api.get_gpu_ids()]

    ids, gpus = got(api, asks.remote())
    assert ids["GPU"] == gpus
    assert ids["TPU"] == []


def a_bundle_has_gpus_of_its_own(api):
    """Who runs in a placement group has GPUs out of its bundle."""
    group = api.util.placement_group([{"GPU": 1}, {"GPU": 1}])
    got(api, group.ready())

    def strategy(bundle):
        return api.util.scheduling_strategies.PlacementGroupSchedulingStrategy(group, bundle)

    @api.remote(num_cpus=0, num_gpus=1)
    def asks():
        return api.get_gpu_ids()

    try:
        found = [got(api, asks.options(scheduling_strategy=strategy(bundle)).remote()) for bundle in (0, 1, 0, 1)]
        assert found[0] == found[2]
        assert found[1] == found[3]
        assert sorted(found[0] + found[1]) == [0, 1]
    finally:
        api.util.remove_placement_group(group)


def parts_of_several_gpus_are_refused(api):
    """More than one GPU has to be a whole number: 1.5 raises ValueError."""

    @api.remote
    def f():
        return 1

    with pytest.raises(ValueError):
        f.options(num_gpus=1.5).remote()
