"""Resources of nodes, and what tasks and actors take of them."""

import pytest
import ray


@ray.remote(num_cpus=1)
def one():
    return 1


@ray.remote(num_cpus=0)
class Holder:
    def ping(self):
        return "pong"


def test_cluster_resources(ray_start_2_cpus):
    assert ray.cluster_resources()["CPU"] == 2


def test_available_resources(ray_start_2_cpus):
    holder = Holder.options(num_cpus=1).remote()
    ray.get(holder.ping.remote())
    while ray.available_resources().get("CPU") != 1:
        pass


@pytest.mark.parametrize("ray_start_regular", [{"resources": {"special": 2}}], indirect=True)
def test_custom_resources(ray_start_regular):
    assert ray.cluster_resources()["special"] == 2
    assert ray.get(one.options(resources={"special": 1}).remote()) == 1


@pytest.mark.parametrize("ray_start_regular", [{"resources": {"seat": 1}, "num_cpus": 4}], indirect=True)
def test_a_custom_resource_runs_out(ray_start_regular):
    first = Holder.options(resources={"seat": 1}).remote()
    assert ray.get(first.ping.remote()) == "pong"
    second = Holder.options(resources={"seat": 1}).remote()
    ref = second.ping.remote()
    assert ray.wait([ref], timeout=0.3) == ([], [ref])
    ray.kill(first)
    assert ray.get(ref) == "pong"


def test_what_cannot_run_waits(ray_start_regular):
    ref = one.options(num_cpus=100).remote()
    assert ray.wait([ref], timeout=0.3) == ([], [ref])


def test_fractions(ray_start_regular):
    holders = [Holder.options(num_cpus=0.25).remote() for _ in range(4)]
    assert ray.get([holder.ping.remote() for holder in holders]) == ["pong"] * 4
    while ray.available_resources().get("CPU", 0) != 0:
        pass


@pytest.mark.parametrize("ray_start_regular", [{"num_gpus": 2}], indirect=True)
def test_gpus_are_assigned(ray_start_regular):
    @ray.remote(num_gpus=1)
    def gpus():
        return ray.get_gpu_ids()

    assert len(ray.get(gpus.remote())) == 1
    assert ray.cluster_resources()["GPU"] == 2


@pytest.mark.parametrize("ray_start_regular", [{"num_gpus": 1}], indirect=True)
def test_the_environment_says_which_gpus(ray_start_regular):
    @ray.remote(num_gpus=1)
    def visible():
        import os

        return os.environ.get("CUDA_VISIBLE_DEVICES")

    assert ray.get(visible.remote()) == "0"


def test_a_blocked_task_lends_its_cpu(ray_start_regular):
    @ray.remote
    def outer():
        return ray.get(one.remote())

    assert ray.get(outer.remote()) == 1


def test_tasks_without_cpus(ray_start_regular):
    holder = Holder.options(num_cpus=1).remote()
    ray.get(holder.ping.remote())
    assert ray.get([one.options(num_cpus=0).remote() for _ in range(5)]) == [1] * 5


def test_nodes(ray_start_regular):
    (node,) = ray.nodes()
    assert node["Alive"]
    assert node["Resources"]["CPU"] == 1


@pytest.mark.parametrize("resources", [{"CPU": 1}, {"GPU": 1}, {"x": -1}])
def test_bad_resources_are_refused(ray_start_regular, resources):
    with pytest.raises(ValueError):
        one.options(resources=resources).remote()
