"""Actors: state, order, handles, lifetimes."""

import os
import time

import pytest
import ray
from ray.exceptions import RayActorError


@ray.remote
class Counter:
    def __init__(self, start=0):
        self.value = start

    def add(self, n=1):
        self.value += n
        return self.value

    def get(self):
        return self.value

    def pid(self):
        return os.getpid()


def wait_until(condition, seconds=30):
    end = time.time() + seconds
    while not condition():
        assert time.time() < end
        time.sleep(0.02)


def test_state_is_kept(ray_start_regular):
    counter = Counter.remote()
    assert ray.get([counter.add.remote() for _ in range(5)]) == [1, 2, 3, 4, 5]


def test_constructor_arguments(ray_start_regular):
    assert ray.get(Counter.remote(start=10).add.remote(5)) == 15


def test_constructor_takes_refs(ray_start_regular):
    assert ray.get(Counter.remote(ray.put(3)).get.remote()) == 3


def test_two_actors_are_apart(ray_start_regular):
    one, other = Counter.remote(), Counter.remote()
    ray.get([one.add.remote(), one.add.remote(), other.add.remote()])
    assert ray.get([one.get.remote(), other.get.remote()]) == [2, 1]
    assert ray.get(one.pid.remote()) != ray.get(other.pid.remote())


def test_an_actor_is_one_process(ray_start_regular):
    counter = Counter.remote()
    pids = set(ray.get([counter.pid.remote() for _ in range(10)]))
    assert len(pids) == 1 and os.getpid() not in pids


def test_calls_run_in_order(ray_start_regular):
    @ray.remote
    class Log:
        def __init__(self):
            self.items = []

        def append(self, item):
            self.items.append(item)

        def all(self):
            return self.items

    log = Log.remote()
    for i in range(100):
        log.append.remote(i)
    assert ray.get(log.all.remote()) == list(range(100))


def test_handle_as_an_argument(ray_start_2_cpus):
    @ray.remote
    def bump(counter):
        return ray.get(counter.add.remote())

    counter = Counter.remote()
    assert sorted(ray.get([bump.remote(counter) for _ in range(4)])) == [1, 2, 3, 4]


def test_handle_inside_a_list(ray_start_2_cpus):
    @ray.remote
    def total(counters):
        return sum(ray.get([c.get.remote() for c in counters]))

    assert ray.get(total.remote([Counter.remote(i) for i in range(3)])) == 3


def test_an_actor_calls_an_actor(ray_start_2_cpus):
    @ray.remote
    class Outer:
        def __init__(self, inner):
            self.inner = inner

        def bump(self):
            return ray.get(self.inner.add.remote(10))

    assert ray.get(Outer.remote(Counter.remote()).bump.remote()) == 10


def test_an_actor_makes_an_actor(ray_start_2_cpus):
    @ray.remote
    class Parent:
        def __init__(self):
            self.child = Counter.remote(7)

        def ask(self):
            return ray.get(self.child.get.remote())

    assert ray.get(Parent.remote().ask.remote()) == 7


def test_a_task_returns_a_handle(ray_start_2_cpus):
    @ray.remote
    class Holder:
        def handle(self, counter):
            return counter

    counter = Counter.remote(4)
    assert ray.get(ray.get(Holder.remote().handle.remote(counter)).get.remote()) == 4


def test_method_takes_refs(ray_start_regular):
    counter = Counter.remote()
    assert ray.get(counter.add.remote(counter.add.remote(ray.put(2)))) == 4


def test_method_with_several_returns(ray_start_regular):
    @ray.remote
    class Pair:
        @ray.method(num_returns=2)
        def both(self):
            return 1, 2

    one, two = Pair.remote().both.remote()
    assert ray.get([one, two]) == [1, 2]


def test_method_options(ray_start_regular):
    @ray.remote
    class Several:
        def three(self):
            return 1, 2, 3

    assert ray.get(Several.remote().three.options(num_returns=3).remote()) == [1, 2, 3]


def test_inheritance(ray_start_regular):
    class Base:
        def name(self):
            return "base"

        def twice(self):
            return self.name() * 2

    @ray.remote
    class Child(Base):
        def name(self):
            return "child"

    assert ray.get(Child.remote().twice.remote()) == "childchild"


def test_static_and_class_methods(ray_start_regular):
    @ray.remote
    class Mixed:
        kind = "mixed"

        @staticmethod
        def double(x):
            return 2 * x

        @classmethod
        def label(cls):
            return cls.kind

    actor = Mixed.remote()
    assert ray.get([actor.double.remote(2), actor.label.remote()]) == [4, "mixed"]


def test_a_class_cannot_be_made_directly(ray_start_regular):
    with pytest.raises(TypeError):
        Counter()


def test_a_method_cannot_be_called_directly(ray_start_regular):
    counter = Counter.remote()
    with pytest.raises(TypeError):
        counter.add()


def test_wrong_constructor_arguments(ray_start_regular):
    with pytest.raises(TypeError):
        Counter.remote(1, 2, 3)


def test_wrong_method_arguments(ray_start_regular):
    counter = Counter.remote()
    with pytest.raises(TypeError):
        counter.add.remote(1, 2, 3)


def test_ray_remote_of_a_class(ray_start_regular):
    class Plain:
        def ping(self):
            return "pong"

    assert ray.get(ray.remote(Plain).remote().ping.remote()) == "pong"


def test_kill(ray_start_regular):
    counter = Counter.remote()
    ray.get(counter.add.remote())
    ray.kill(counter)
    with pytest.raises(RayActorError):
        while True:  # the first calls may come before its end
            ray.get(counter.add.remote())


def test_exit_actor(ray_start_regular):
    @ray.remote
    class Leaver:
        def leave(self):
            ray.actor.exit_actor()

        def ping(self):
            return 1

    actor = Leaver.remote()
    assert ray.get(actor.ping.remote()) == 1
    with pytest.raises(RayActorError):
        ray.get(actor.leave.remote())
    with pytest.raises(RayActorError):
        ray.get(actor.ping.remote())


def test_ray_terminate(ray_start_regular):
    counter = Counter.remote()
    assert ray.get(counter.add.remote()) == 1
    counter.__ray_terminate__.remote()
    with pytest.raises(RayActorError):
        while True:
            ray.get(counter.add.remote())


def test_ray_ready(ray_start_regular):
    counter = Counter.remote()
    ray.get(counter.__ray_ready__.remote())


def test_an_actor_ends_with_its_last_handle(ray_start_regular):
    counter = Counter.remote()
    pid = ray.get(counter.pid.remote())
    del counter

    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"

    wait_until(gone)


def test_calls_in_flight_finish_after_the_last_handle(ray_start_regular):
    refs = [Counter.remote(i).add.remote() for i in range(3)]
    assert ray.get(refs) == [1, 2, 3]


def test_more_actors_than_cpus_wait(ray_start_regular):
    @ray.remote(num_cpus=1)
    class Whole:
        def ping(self):
            return 1

    first = Whole.remote()
    assert ray.get(first.ping.remote()) == 1
    second = Whole.remote()
    ref = second.ping.remote()
    assert ray.wait([ref], timeout=0.3) == ([], [ref])
    ray.kill(first)
    assert ray.get(ref) == 1


def test_parameter_server(ray_start_4_cpus):
    @ray.remote
    class Server:
        def __init__(self):
            self.weights = [0.0] * 4

        def push(self, gradient):
            self.weights = [w + g for w, g in zip(self.weights, gradient, strict=True)]

        def pull(self):
            return self.weights

    @ray.remote
    def worker(server, rounds):
        for _ in range(rounds):
            ray.get(server.pull.remote())
            ray.get(server.push.remote([1.0] * 4))

    server = Server.remote()
    ray.get([worker.remote(server, 3) for _ in range(3)])
    assert ray.get(server.pull.remote()) == [9.0] * 4


@pytest.mark.parametrize("start", [0, 5, -1])
def test_counters_start_anywhere(ray_start_regular, start):
    assert ray.get(Counter.remote(start).add.remote()) == start + 1
