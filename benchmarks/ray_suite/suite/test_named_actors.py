"""Actors with names, namespaces, detached ones."""

import os

import pytest
import ray


@ray.remote
class Counter:
    def __init__(self, start=0):
        self.value = start

    def add(self):
        self.value += 1
        return self.value

    def pid(self):
        return os.getpid()


def test_get_actor_by_name(ray_start_regular):
    counter = Counter.options(name="counter").remote()
    ray.get(counter.add.remote())
    assert ray.get(ray.get_actor("counter").add.remote()) == 2


def test_a_missing_name(ray_start_regular):
    with pytest.raises(ValueError):
        ray.get_actor("nobody")


def test_a_name_is_taken(ray_start_regular):
    _counter = Counter.options(name="counter").remote()
    with pytest.raises(ValueError):
        Counter.options(name="counter").remote()


def test_a_name_is_free_after_the_kill(ray_start_regular):
    counter = Counter.options(name="counter").remote(5)
    ray.get(counter.add.remote())
    ray.kill(counter)
    while True:
        try:
            ray.get_actor("counter")
        except ValueError:
            break
    again = Counter.options(name="counter").remote(0)
    assert ray.get(again.add.remote()) == 1


def test_get_if_exists(ray_start_regular):
    one = Counter.options(name="shared", get_if_exists=True).remote(10)
    other = Counter.options(name="shared", get_if_exists=True).remote(99)
    assert ray.get([one.add.remote(), other.add.remote()]) == [11, 12]


def test_get_if_exists_needs_a_name(ray_start_regular):
    with pytest.raises(ValueError):
        Counter.options(get_if_exists=True).remote()


@pytest.mark.parametrize("name", ["", 5])
def test_bad_names(ray_start_regular, name):
    with pytest.raises((TypeError, ValueError)):
        Counter.options(name=name).remote()


def test_a_task_finds_a_named_actor(ray_start_2_cpus):
    @ray.remote
    def bump():
        return ray.get(ray.get_actor("counter").add.remote())

    counter = Counter.options(name="counter").remote()
    assert ray.get(bump.remote()) == 1
    assert ray.get(counter.add.remote()) == 2


def test_namespaces_are_apart(shutdown_only):
    ray.init(num_cpus=2, namespace="one")
    _mine = Counter.options(name="counter").remote(1)
    other = Counter.options(name="counter", namespace="two").remote(100)
    assert ray.get(ray.get_actor("counter").add.remote()) == 2
    assert ray.get(ray.get_actor("counter", namespace="two").add.remote()) == 101
    assert ray.get(other.add.remote()) == 102


def test_a_name_of_another_namespace_is_not_found(shutdown_only):
    ray.init(num_cpus=1, namespace="one")
    _other = Counter.options(name="counter", namespace="two").remote()
    with pytest.raises(ValueError):
        ray.get_actor("counter")


def test_list_named_actors(ray_start_regular):
    _held = [Counter.options(name=name).remote() for name in ("a", "b")]
    ray.get([actor.add.remote() for actor in _held])
    assert sorted(ray.util.list_named_actors()) == ["a", "b"]


def test_list_named_actors_of_all_namespaces(ray_start_regular):
    held = Counter.options(name="a", namespace="elsewhere").remote()
    ray.get(held.add.remote())
    assert ray.util.list_named_actors() == []
    assert ray.util.list_named_actors(all_namespaces=True) == [{"name": "a", "namespace": "elsewhere"}]


def test_named_is_not_detached(ray_start_regular):
    counter = Counter.options(name="counter").remote()
    ray.get(counter.add.remote())
    del counter
    while True:
        try:
            ray.get_actor("counter")
        except ValueError:
            break


def test_detached_outlives_its_handle(ray_start_regular):
    counter = Counter.options(name="counter", lifetime="detached").remote()
    ray.get(counter.add.remote())
    del counter
    assert ray.get(ray.get_actor("counter").add.remote()) == 2


def test_detached_outlives_its_maker(ray_start_2_cpus):
    @ray.remote
    class Maker:
        def make(self):
            actor = Counter.options(name="left", lifetime="detached").remote(40)
            return ray.get(actor.add.remote())

    maker = Maker.remote()
    assert ray.get(maker.make.remote()) == 41
    ray.kill(maker)
    assert ray.get(ray.get_actor("left").add.remote()) == 42


def test_detached_is_seen_by_the_next_driver(ray_start_cluster_head):
    address = ray_start_cluster_head.address
    counter = Counter.options(name="counter", namespace="here", lifetime="detached").remote()
    assert ray.get(counter.add.remote()) == 1
    ray.shutdown()
    ray.init(address=address, namespace="here")
    assert ray.get(ray.get_actor("counter").add.remote()) == 2


def test_a_bad_lifetime(ray_start_regular):
    with pytest.raises(ValueError):
        Counter.options(lifetime="forever").remote()


def test_a_detached_actor_can_be_killed(ray_start_regular):
    counter = Counter.options(name="counter", lifetime="detached").remote()
    ray.get(counter.add.remote())
    ray.kill(ray.get_actor("counter"))
    with pytest.raises(ray.exceptions.RayActorError):
        while True:  # the first calls may come before its end
            ray.get(counter.add.remote())
