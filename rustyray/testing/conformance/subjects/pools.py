"""``util.ActorPool``: actors that share out work."""

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got


def _workers(api, count, door=None):
    class Worker:
        def double(self, value):
            return 2 * value

        def wait(self, value):
            api.get(door.enter.remote())
            return value

        def fail(self, value):
            raise ValueError(value)

    made = api.remote(num_cpus=0)(Worker)
    return [made.remote() for _ in range(count)]


def _double(actor, value):
    return actor.double.remote(value)


def _wait(actor, value):
    return actor.wait.remote(value)


def a_pool_maps_in_order(api):
    """``map`` gives the results in the order of the values."""
    pool = api.util.ActorPool(_workers(api, 2))
    assert list(pool.map(_double, range(6))) == [0, 2, 4, 6, 8, 10]


def a_pool_maps_as_it_comes(api):
    """``map_unordered`` gives each result when it is there: one that takes longer holds up no other."""
    door = gate(api)
    pool = api.util.ActorPool(_workers(api, 2, door))
    found = pool.map_unordered(lambda actor, value: (_double if value else _wait)(actor, value), [0, 1, 2])
    assert [next(found), next(found)] == [2, 4]
    api.get(door.open.remote())
    assert list(found) == [0]


def a_pool_takes_work_one_by_one(api):
    """``submit`` hands out work; ``get_next`` gives the results in order, ``has_next`` says whether there are any."""
    pool = api.util.ActorPool(_workers(api, 2))
    assert not pool.has_next()
    for n in range(4):
        pool.submit(_double, n)
    assert pool.has_next()
    assert [pool.get_next() for _ in range(4)] == [0, 2, 4, 6]
    assert not pool.has_next()


def a_pool_without_work_has_no_next(api):
    """``get_next`` and ``get_next_unordered`` of a pool without work raise StopIteration."""
    pool = api.util.ActorPool(_workers(api, 1))
    for ask in (pool.get_next, pool.get_next_unordered):
        with pytest.raises(StopIteration):
            ask()


def a_pool_gives_what_is_ready(api):
    """``get_next_unordered`` gives what is ready first."""
    door = gate(api)
    pool = api.util.ActorPool(_workers(api, 2, door))
    pool.submit(_wait, "late")
    pool.submit(_double, 1)
    assert pool.get_next_unordered() == 2
    api.get(door.open.remote())
    assert pool.get_next_unordered() == "late"


def a_pool_gives_up_in_time(api):
    """``get_next(timeout=…)`` raises TimeoutError when the result is not there in time; it can be had later."""
    door = gate(api)
    pool = api.util.ActorPool(_workers(api, 1, door))
    pool.submit(_wait, "late")
    with pytest.raises(TimeoutError):
        pool.get_next(timeout=0.05)
    api.get(door.open.remote())
    assert pool.get_next() == "late"


def a_pools_error_is_raised(api):
    """What an actor raised is raised where its result is taken; the actor works on."""
    pool = api.util.ActorPool(_workers(api, 1))
    pool.submit(lambda actor, value: actor.fail.remote(value), "no")
    pool.submit(_double, 1)
    with pytest.raises(ValueError):
        pool.get_next()
    assert pool.get_next() == 2


def idle_actors_can_be_taken(api):
    """``has_free`` says whether an actor is idle, ``pop_idle`` takes one out, or gives None; ``push`` adds one."""
    door = gate(api)
    workers = _workers(api, 1, door)
    pool = api.util.ActorPool(workers)
    assert pool.has_free()
    pool.submit(_wait, 1)
    entered(api, door)
    assert not pool.has_free()
    assert pool.pop_idle() is None
    [more] = _workers(api, 1)
    pool.push(more)
    assert pool.has_free()
    assert pool.pop_idle() == more
    with pytest.raises(ValueError):
        pool.push(workers[0])
    api.get(door.open.remote())
    assert pool.get_next() == 1


def more_work_than_actors_waits(api):
    """More work than there are actors waits, and is done in turn."""
    pool = api.util.ActorPool(_workers(api, 1))
    for n in range(5):
        pool.submit(_double, n)
    assert [pool.get_next() for _ in range(5)] == [0, 2, 4, 6, 8]


def results_come_as_they_are_ready(api):
    """``util.as_completed`` gives the values of refs as they are ready, ``map_unordered`` those of tasks."""

    @api.remote(num_cpus=0)
    def double(value):
        return 2 * value

    assert sorted(api.util.as_completed([double.remote(n) for n in range(4)])) == [0, 2, 4, 6]
    assert sorted(api.util.map_unordered(double, range(4))) == [0, 2, 4, 6]


def a_pool_can_be_used_in_a_task(api):
    """A task can make a pool of actors that it was given."""

    @api.remote(num_cpus=0)
    def total(workers):
        return sum(api.util.ActorPool(workers).map(_double, range(4)))

    assert got(api, total.remote(_workers(api, 2))) == 12
