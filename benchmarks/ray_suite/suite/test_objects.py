"""Objects: put, get, wait, copies, arrays."""

import asyncio
import time

import numpy as np
import pytest
import ray


@ray.remote
def identity(x):
    return x


@ray.remote
def after(seconds, value=None):
    time.sleep(seconds)
    return value


@ray.remote
class Gate:
    """Opens when told to; what waits for it is certain not to be done."""

    def __init__(self):
        self.event = asyncio.Event()

    async def open(self):
        self.event.set()

    async def wait(self):
        await self.event.wait()


def test_put_and_get(ray_start_regular):
    assert ray.get(ray.put({"a": [1, 2, 3]})) == {"a": [1, 2, 3]}


def test_get_of_a_list_keeps_the_order(ray_start_regular):
    refs = [ray.put(i) for i in range(10)]
    assert ray.get(refs[::-1]) == list(range(9, -1, -1))


def test_get_of_an_empty_list(ray_start_regular):
    assert ray.get([]) == []


def test_get_of_something_else_is_refused(ray_start_regular):
    with pytest.raises((TypeError, ValueError)):
        ray.get(42)


def test_get_of_a_list_with_something_else_is_refused(ray_start_regular):
    with pytest.raises((TypeError, ValueError)):
        ray.get([ray.put(1), 2])


def test_put_of_a_ref_is_refused(ray_start_regular):
    with pytest.raises(TypeError):
        ray.put(ray.put(1))


def test_get_with_a_timeout(ray_start_regular):
    gate = Gate.remote()
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(gate.wait.remote(), timeout=0.1)


def test_get_timeout_is_a_timeout_error(ray_start_regular):
    gate = Gate.remote()
    with pytest.raises(TimeoutError):
        ray.get(gate.wait.remote(), timeout=0.1)


def test_get_with_timeout_zero_of_a_ready_object(ray_start_regular):
    assert ray.get(ray.put(1), timeout=0) == 1


def test_wait_returns_the_first(ray_start_2_cpus):
    gate = Gate.remote()
    slow, fast = gate.wait.remote(), identity.remote(1)
    assert ray.wait([slow, fast]) == ([fast], [slow])


def test_wait_for_all(ray_start_2_cpus):
    refs = [identity.remote(i) for i in range(5)]
    ready, rest = ray.wait(refs, num_returns=5)
    assert ready == refs and rest == []


def test_wait_with_a_timeout(ray_start_regular):
    ref = Gate.remote().wait.remote()
    ready, rest = ray.wait([ref], timeout=0.1)
    assert ready == [] and rest == [ref]


def test_wait_with_timeout_zero(ray_start_regular):
    done = ray.put(1)
    assert ray.wait([done], timeout=0) == ([done], [])


def test_wait_refuses_duplicates(ray_start_regular):
    ref = ray.put(1)
    with pytest.raises(ValueError):
        ray.wait([ref, ref])


def test_wait_refuses_a_single_ref(ray_start_regular):
    with pytest.raises(TypeError):
        ray.wait(ray.put(1))


def test_wait_refuses_too_many_returns(ray_start_regular):
    with pytest.raises(ValueError):
        ray.wait([ray.put(1)], num_returns=2)


def test_wait_refuses_zero_returns(ray_start_regular):
    with pytest.raises(ValueError):
        ray.wait([ray.put(1)], num_returns=0)


def test_wait_of_an_empty_list(ray_start_regular):
    assert ray.wait([]) == ([], [])


def test_process_results_as_they_come(ray_start_2_cpus):
    pending, done = [identity.remote(i) for i in range(20)], []
    while pending:
        ready, pending = ray.wait(pending)
        done += ray.get(ready)
    assert sorted(done) == list(range(20))


def test_limit_the_tasks_in_flight(ray_start_2_cpus):
    pending, most = [], 0
    for i in range(30):
        if len(pending) >= 5:
            _, pending = ray.wait(pending, num_returns=1)
        pending.append(identity.remote(i))
        most = max(most, len(pending))
    assert most == 5
    ray.get(pending)


def test_numpy_arrays_are_read_only(ray_start_regular):
    array = ray.get(ray.put(np.arange(100_000)))
    assert array.sum() == 4_999_950_000
    with pytest.raises(ValueError):
        array[0] = 1


def test_numpy_arrays_as_arguments(ray_start_regular):
    @ray.remote
    def total(array):
        return float(array.sum()), array.flags.writeable

    assert ray.get(total.remote(ray.put(np.ones((500, 500))))) == (250_000.0, False)


def test_a_large_result(ray_start_regular):
    @ray.remote
    def zeros(n):
        return np.zeros(n, dtype=np.uint8)

    assert ray.get(zeros.remote(10_000_000)).nbytes == 10_000_000


def test_equal_objects_are_copies(ray_start_regular):
    value = [1, 2]
    ref = ray.put(value)
    value.append(3)
    assert ray.get(ref) == [1, 2]
    assert ray.get(ref) is not ray.get(ref)


def test_refs_in_a_put_object(ray_start_regular):
    outer = ray.put([ray.put(1), identity.remote(2)])
    assert ray.get(ray.get(outer)) == [1, 2]


def test_a_ref_outlives_the_names_of_what_holds_it(ray_start_regular):
    outer = ray.put({"inner": ray.put(np.ones(200_000))})
    inner = ray.get(outer)["inner"]
    del outer
    assert ray.get(inner).sum() == 200_000


def test_refs_hash_and_compare(ray_start_regular):
    one, other = ray.put(1), ray.put(1)
    assert len({one, other, one}) == 2 and one != other
    assert isinstance(one.hex(), str) and one.hex() != other.hex()


def test_await_a_ref(ray_start_regular):
    async def main():
        return await identity.remote(5)

    assert asyncio.run(main()) == 5


def test_gather_refs(ray_start_2_cpus):
    async def main():
        return await asyncio.gather(*[identity.remote(i) for i in range(5)])

    assert asyncio.run(main()) == [0, 1, 2, 3, 4]


def test_a_ref_as_a_concurrent_future(ray_start_regular):
    assert identity.remote("x").future().result(timeout=30) == "x"


@pytest.mark.parametrize("value", [None, "ä", {3: (4, 5)}])
def test_values_come_back_equal(ray_start_regular, value):
    assert ray.get(identity.remote(value)) == value


def test_a_class_of_the_test(ray_start_regular):
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

    point = ray.get(identity.remote(Point(1, 2)))
    assert (point.x, point.y) == (1, 2)


def test_what_cannot_be_pickled_is_a_type_error(ray_start_regular):
    import threading

    with pytest.raises(TypeError):
        ray.put(threading.Lock())


@pytest.mark.parametrize("ray_start_regular", [{"num_cpus": 2, "object_store_memory": 200 * 2**20}], indirect=True)
def test_many_arrays_pass_through_the_store(ray_start_regular):
    for i in range(30):
        assert ray.get(ray.put(np.full(2_000_000, i)))[0] == i
