"""``get`` and ``wait``."""

import time

import pytest

from rustyray.testing.conformance.helpers import entered, gate, got


def _behind(api, door):
    @api.remote
    def waits(value=None):
        api.get(door.enter.remote())
        return value

    return waits


def get_of_one_and_of_many(api):
    """``get`` of a ref gives its value; of a list of refs, a list of values."""
    assert got(api, api.put(1)) == 1
    assert got(api, [api.put(1), api.put(2)]) == [1, 2]


def get_of_nothing(api):
    """``get([])`` is an empty list."""
    assert api.get([]) == []


def get_takes_a_ref_twice(api):
    """The same ref may be in the list of ``get`` more than once."""
    ref = api.put(7)
    assert api.get([ref, ref]) == [7, 7]


def get_refuses_what_is_no_ref(api):
    """``get`` of anything but refs raises an error that is a ValueError or a TypeError."""
    with pytest.raises((ValueError, TypeError)):
        api.get(1)
    with pytest.raises((ValueError, TypeError)):
        api.get([1])


def get_again_gives_it_again(api):
    """A ref can be got any number of times."""
    ref = api.put([1])
    assert got(api, ref) == got(api, ref) == [1]


def get_gives_up_after_its_timeout(api):
    """``get`` raises GetTimeoutError when the value is not there after ``timeout`` seconds."""
    door = gate(api)
    ref = _behind(api, door).remote()
    before = time.monotonic()
    with pytest.raises(api.exceptions.GetTimeoutError):
        api.get(ref, timeout=0.05)
    assert time.monotonic() - before >= 0.049
    api.get(door.open.remote())
    got(api, ref)


def get_timeouts_are_timeout_errors(api):
    """``GetTimeoutError`` is a TimeoutError."""
    door = gate(api)
    ref = _behind(api, door).remote()
    with pytest.raises(TimeoutError):
        api.get(ref, timeout=0.01)
    api.get(door.open.remote())
    got(api, ref)


def get_without_patience_raises(api):
    """``get(timeout=0)`` raises GetTimeoutError when the value is not there."""
    door = gate(api)
    ref = _behind(api, door).remote()
    with pytest.raises(api.exceptions.GetTimeoutError):
        api.get(ref, timeout=0)
    api.get(door.open.remote())
    got(api, ref)


def get_without_patience_gives_what_is_there(api):
    """``get(timeout=0)`` gives the value when it is there."""
    ref = api.put(1)
    assert api.get(ref, timeout=0) == 1


def a_task_goes_on_after_a_timeout(api):
    """A task whose value somebody stopped waiting for goes on."""
    door = gate(api)
    ref = _behind(api, door).remote("there")
    with pytest.raises(api.exceptions.GetTimeoutError):
        api.get(ref, timeout=0.01)
    api.get(door.open.remote())
    assert got(api, ref) == "there"


def get_raises_the_first_error_at_once(api):
    """``get`` of a list raises an error as soon as it is known, without waiting for the others."""
    door = gate(api)

    @api.remote
    def fails():
        raise ValueError("early")

    late = _behind(api, door).remote()
    with pytest.raises(ValueError):
        got(api, [late, fails.remote()])
    api.get(door.open.remote())
    got(api, late)


def get_in_a_task_gives_its_cpu_back(api):
    """A task that blocks in ``get`` gives its CPU back meanwhile: others can run on it."""

    @api.remote(num_cpus=4)
    def inner():
        return "ran"

    @api.remote(num_cpus=4)
    def outer():
        return api.get(inner.remote())

    assert got(api, outer.remote()) == "ran"


def wait_in_a_task_gives_its_cpu_back(api):
    """A task that blocks in ``wait`` gives its CPU back meanwhile, too."""

    @api.remote(num_cpus=4)
    def inner():
        return "ran"

    @api.remote(num_cpus=4)
    def outer():
        ready, _ = api.wait([inner.remote()])
        return api.get(ready[0])

    assert got(api, outer.remote()) == "ran"


def get_keeps_the_gpu(api):
    """A task that blocks in ``get`` keeps its GPU."""
    door = gate(api)

    @api.remote(num_gpus=2, num_cpus=0)
    def holds():
        api.get(door.enter.remote())

    @api.remote(num_gpus=1, num_cpus=0)
    def wants():
        return "ran"

    first = holds.remote()
    entered(api, door)
    second = wants.remote()
    assert api.wait([second], timeout=0.2) == ([], [second])
    api.get(door.open.remote())
    assert got(api, [first, second]) == [None, "ran"]


def wait_returns_one_ready_ref(api):
    """``wait`` returns one ready ref and the rest, by default."""
    refs = [api.put(n) for n in range(3)]
    ready, rest = api.wait(refs)
    assert len(ready) == 1
    assert len(rest) == 2


def wait_keeps_the_order(api):
    """Both lists of ``wait`` are in the order of the refs that were given."""
    refs = [api.put(n) for n in range(6)]
    ready, rest = api.wait(refs, num_returns=4)
    assert ready == [ref for ref in refs if ref in ready]
    assert rest == [ref for ref in refs if ref in rest]
    assert len(ready) == 4


def wait_returns_no_more_than_asked(api):
    """``wait`` returns at most ``num_returns`` refs as ready, even where more are."""
    refs = [api.put(n) for n in range(5)]
    ready, rest = api.wait(refs, num_returns=2)
    assert (len(ready), len(rest)) == (2, 3)


def wait_gives_up_after_its_timeout(api):
    """After ``timeout`` seconds ``wait`` returns what is ready, which may be nothing."""
    door = gate(api)
    late, there = _behind(api, door).remote(), api.put(1)
    ready, rest = api.wait([late, there], num_returns=2, timeout=0.1)
    assert (ready, rest) == ([there], [late])
    api.get(door.open.remote())
    got(api, late)


def wait_takes_failed_tasks_as_ready(api):
    """A task that failed is ready: ``wait`` returns its ref and raises nothing."""

    @api.remote
    def fails():
        raise ValueError

    ref = fails.remote()
    assert api.wait([ref]) == ([ref], [])


def wait_refuses_doubles(api):
    """``wait`` raises ValueError when a ref is in the list twice."""
    ref = api.put(1)
    with pytest.raises(ValueError):
        api.wait([ref, ref])


def wait_refuses_what_is_no_list(api):
    """``wait`` of anything but a list raises TypeError."""
    ref = api.put(1)
    with pytest.raises(TypeError):
        api.wait(ref)
    with pytest.raises(TypeError):
        api.wait((ref,))
    with pytest.raises(TypeError):
        api.wait([1])


def a_timeout_of_minus_one_is_none(api):
    """A timeout of ``get`` of -1 is none."""

    @api.remote
    def f():
        return 1

    assert api.get(f.remote(), timeout=-1) == 1


def wait_for_nothing(api):
    """``wait([])`` returns two empty lists."""
    assert api.wait([]) == ([], [])


def wait_refuses_impossible_numbers(api):
    """``num_returns`` of ``wait`` is at least 1 and at most the number of refs; otherwise ValueError."""
    ref = api.put(1)
    for number in (0, -1, 2):
        with pytest.raises(ValueError):
            api.wait([ref], num_returns=number)


def wait_refuses_negative_timeouts(api):
    """A negative timeout of ``wait`` raises ValueError."""
    with pytest.raises(ValueError):
        api.wait([api.put(1)], timeout=-1)


def wait_can_leave_values_where_they_are(api):
    """``fetch_local=False`` waits for values without bringing them here."""

    @api.remote
    def f():
        return 1

    ref = f.remote()
    assert api.wait([ref], fetch_local=False) == ([ref], [])
    assert got(api, ref) == 1


def get_in_a_thread(api):
    """``get`` works in any thread of the driver."""
    import threading

    found = []

    @api.remote
    def f():
        return 5

    thread = threading.Thread(target=lambda: found.append(got(api, f.remote())))
    thread.start()
    thread.join()
    assert found == [5]


def refs_can_be_awaited(api):
    """In asynchronous code a ref can be awaited, and refs gathered."""
    import asyncio

    @api.remote
    def f(x):
        return x

    async def main():
        return await f.remote(1), await asyncio.gather(f.remote(2), f.remote(3))

    assert asyncio.run(main()) == (1, [2, 3])


def an_awaited_ref_raises_the_tasks_error(api):
    """``await ref`` raises what the task raised."""
    import asyncio

    @api.remote
    def fails():
        raise KeyError("gone")

    async def main():
        await fails.remote()

    with pytest.raises(KeyError):
        asyncio.run(main())


def refs_have_futures(api):
    """``ref.future()`` is a concurrent future with the value."""

    @api.remote
    def f():
        return "value"

    assert f.remote().future().result(timeout=60) == "value"


def a_future_has_the_tasks_error(api):
    """``ref.future()`` has what the task raised as its exception."""

    @api.remote
    def fails():
        raise KeyError("gone")

    with pytest.raises(KeyError):
        fails.remote().future().result(timeout=60)


def what_is_waited_for_has_a_name(api):
    """``wait`` and ``cancel`` take what they are about by its name, too."""
    ref = api.put(1)
    assert api.wait(ray_waitables=[ref], timeout=60) == ([ref], [])
    made = api.remote(lambda: 1).remote()
    assert got(api, made) == 1
    api.cancel(ray_waitable=made)
    assert api.get(object_refs=made) == 1
