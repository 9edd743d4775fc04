"""Clusters of several nodes, which tests add and remove."""

import numpy as np
import pytest
import ray
from ray.cluster_utils import Cluster
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy


@ray.remote
def where():
    return ray.get_runtime_context().get_node_id()


@ray.remote
class Sitter:
    def where(self):
        return ray.get_runtime_context().get_node_id()


def test_add_nodes(ray_start_cluster):
    cluster = ray_start_cluster
    cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address)
    assert len(ray.nodes()) == 2
    assert ray.cluster_resources()["CPU"] == 3


def test_add_a_node_later(ray_start_cluster_head):
    ref = where.options(resources={"late": 1}).remote()
    assert ray.wait([ref], timeout=0.2) == ([], [ref])
    node = ray_start_cluster_head.add_node(num_cpus=1, resources={"late": 1})
    assert ray.get(ref) == node.node_id


def test_remove_a_node(ray_start_cluster_head):
    node = ray_start_cluster_head.add_node(num_cpus=1)
    ray_start_cluster_head.wait_for_nodes()
    ray_start_cluster_head.remove_node(node)
    while sum(each["Alive"] for each in ray.nodes()) != 1:
        pass


def test_custom_resources_choose_the_node(ray_start_cluster_head):
    nodes = [ray_start_cluster_head.add_node(num_cpus=1, resources={name: 1}) for name in ("a", "b")]
    refs = [where.options(resources={name: 1}).remote() for name in ("a", "b")]
    assert ray.get(refs) == [node.node_id for node in nodes]


def test_node_affinity(ray_start_cluster_2_nodes):
    for node in ray.nodes():
        strategy = NodeAffinitySchedulingStrategy(node_id=node["NodeID"], soft=False)
        assert ray.get(where.options(scheduling_strategy=strategy).remote()) == node["NodeID"]


def test_actors_on_two_nodes(ray_start_cluster_2_nodes):
    sitters = [Sitter.options(num_cpus=1).remote() for _ in range(2)]
    assert len(set(ray.get([sitter.where.remote() for sitter in sitters]))) == 2


@pytest.mark.parametrize("ray_start_cluster_2_nodes", [{"num_cpus": 4}], indirect=True)
def test_spread(ray_start_cluster_2_nodes):
    sitters = [Sitter.options(num_cpus=1, scheduling_strategy="SPREAD").remote() for _ in range(4)]
    assert len(set(ray.get([sitter.where.remote() for sitter in sitters]))) == 2


def test_objects_cross_nodes(ray_start_cluster_head):
    ray_start_cluster_head.add_node(num_cpus=1, resources={"far": 1})

    @ray.remote(resources={"far": 1})
    def make():
        return np.arange(500_000)

    @ray.remote(resources={"far": 1})
    def total(array):
        return int(array.sum())

    assert ray.get(make.remote()).sum() == 124_999_750_000
    assert ray.get(total.remote(ray.put(np.ones(500_000)))) == 500_000


def test_an_actor_dies_with_its_node(ray_start_cluster_head):
    node = ray_start_cluster_head.add_node(num_cpus=1, resources={"far": 1})
    sitter = Sitter.options(resources={"far": 1}).remote()
    assert ray.get(sitter.where.remote()) == node.node_id
    ray_start_cluster_head.remove_node(node, allow_graceful=False)
    with pytest.raises(ray.exceptions.RayActorError):
        while True:
            ray.get(sitter.where.remote())


def test_an_actor_moves_to_another_node(ray_start_cluster_head):
    cluster = ray_start_cluster_head
    first = cluster.add_node(num_cpus=1, resources={"far": 1})
    sitter = Sitter.options(resources={"far": 1}, max_restarts=1, max_task_retries=-1).remote()
    assert ray.get(sitter.where.remote()) == first.node_id
    second = cluster.add_node(num_cpus=1, resources={"far": 1})
    cluster.remove_node(first, allow_graceful=False)
    while ray.get(sitter.where.remote()) != second.node_id:
        pass


def test_a_lost_object_is_made_again(ray_start_cluster_head):
    cluster = ray_start_cluster_head
    first = cluster.add_node(num_cpus=1, resources={"far": 1})

    @ray.remote(resources={"far": 1})
    def make():
        return np.ones(500_000)

    ref = make.remote()
    ray.wait([ref], fetch_local=False)
    cluster.add_node(num_cpus=1, resources={"far": 1})
    cluster.remove_node(first, allow_graceful=False)
    assert ray.get(ref).sum() == 500_000


def test_a_cluster_of_ones_own(shutdown_only):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
    cluster.add_node(num_cpus=3)
    ray.init(address=cluster.address)
    assert ray.cluster_resources()["CPU"] == 5
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.parametrize("ray_start_cluster_head", [{"num_cpus": 0}], indirect=True)
def test_a_head_without_cpus(ray_start_cluster_head):
    node = ray_start_cluster_head.add_node(num_cpus=1)
    assert ray.get(where.remote()) == node.node_id


@pytest.mark.parametrize("ray_start_cluster", [{"num_nodes": 3, "num_cpus": 1, "do_init": True}], indirect=True)
def test_three_nodes(ray_start_cluster):
    assert ray.cluster_resources()["CPU"] == 3
