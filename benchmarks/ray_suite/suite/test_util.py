"""ray.util: queues, pools, serializers."""

import pytest
import ray
from ray.util import ActorPool
from ray.util.queue import Empty, Full, Queue


@ray.remote
class Doubler:
    def double(self, x):
        return 2 * x


def test_queue_is_first_in_first_out(ray_start_2_cpus):
    queue = Queue()
    for i in range(5):
        queue.put(i)
    assert [queue.get() for _ in range(5)] == [0, 1, 2, 3, 4]


def test_queue_sizes(ray_start_2_cpus):
    queue = Queue(maxsize=2)
    assert queue.empty() and not queue.full() and queue.size() == 0
    queue.put(1)
    queue.put(2)
    assert queue.full() and len(queue) == 2


def test_queue_is_full(ray_start_2_cpus):
    queue = Queue(maxsize=1)
    queue.put(1)
    with pytest.raises(Full):
        queue.put(2, block=False)
    with pytest.raises(Full):
        queue.put(2, timeout=0.1)


def test_queue_is_empty(ray_start_2_cpus):
    queue = Queue()
    with pytest.raises(Empty):
        queue.get(block=False)
    with pytest.raises(Empty):
        queue.get(timeout=0.1)


def test_queue_batches(ray_start_2_cpus):
    queue = Queue(maxsize=10)
    queue.put_nowait_batch([1, 2, 3])
    assert queue.get_nowait_batch(2) == [1, 2]
    with pytest.raises(Empty):
        queue.get_nowait_batch(2)


def test_queue_between_tasks(ray_start_2_cpus):
    @ray.remote
    def produce(queue, n):
        for i in range(n):
            queue.put(i)

    @ray.remote
    def consume(queue, n):
        return [queue.get() for _ in range(n)]

    queue = Queue(maxsize=2)
    result = consume.remote(queue, 6)
    produce.remote(queue, 6)
    assert ray.get(result) == list(range(6))


def test_queue_shutdown(ray_start_2_cpus):
    queue = Queue()
    queue.put(1)
    queue.shutdown(force=True)
    with pytest.raises(Exception):
        queue.put(2)


def test_pool_map(ray_start_2_cpus):
    pool = ActorPool([Doubler.remote() for _ in range(2)])
    assert list(pool.map(lambda a, v: a.double.remote(v), range(6))) == [0, 2, 4, 6, 8, 10]


def test_pool_map_unordered(ray_start_2_cpus):
    pool = ActorPool([Doubler.remote() for _ in range(2)])
    assert sorted(pool.map_unordered(lambda a, v: a.double.remote(v), range(6))) == [0, 2, 4, 6, 8, 10]


def test_pool_submit(ray_start_2_cpus):
    pool = ActorPool([Doubler.remote()])
    pool.submit(lambda a, v: a.double.remote(v), 1)
    pool.submit(lambda a, v: a.double.remote(v), 2)
    assert pool.has_next()
    assert [pool.get_next(), pool.get_next()] == [2, 4]
    assert not pool.has_next()
    with pytest.raises(StopIteration):
        pool.get_next()


def test_pool_push_and_pop(ray_start_2_cpus):
    one = Doubler.remote()
    pool = ActorPool([one])
    assert pool.has_free()
    assert pool.pop_idle() is one
    assert pool.pop_idle() is None
    pool.push(one)
    with pytest.raises(ValueError):
        pool.push(one)


def test_a_serializer_of_ones_own(ray_start_regular):
    import threading

    class Locked:
        def __init__(self, value):
            self.value, self.lock = value, threading.Lock()

    ray.util.register_serializer(Locked, serializer=lambda o: o.value, deserializer=Locked)
    assert ray.get(ray.put(Locked(5))).value == 5
    ray.util.deregister_serializer(Locked)
    with pytest.raises(TypeError):
        ray.put(Locked(5))


def test_cloudpickle(ray_start_regular):
    from ray import cloudpickle

    assert cloudpickle.loads(cloudpickle.dumps(lambda x: x + 1))(1) == 2


def test_multiprocessing_pool(ray_start_2_cpus):
    from ray.util.multiprocessing import Pool

    with Pool(2) as pool:
        assert pool.map(lambda x: x * x, range(5)) == [0, 1, 4, 9, 16]


def test_a_simple_graph(ray_start_2_cpus):
    @ray.remote
    def double(x):
        return 2 * x

    @ray.remote
    def add(a, b):
        return a + b

    graph = add.bind(double.bind(1), double.bind(2))
    assert ray.get(graph.execute()) == 6
