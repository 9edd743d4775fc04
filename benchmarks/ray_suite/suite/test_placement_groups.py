"""Placement groups."""

import pytest
import ray
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy


@ray.remote(num_cpus=1)
class Member:
    def node(self):
        return ray.get_runtime_context().get_node_id()

    def group(self):
        return ray.util.get_current_placement_group()


def within(group, index=-1, **more):
    return PlacementGroupSchedulingStrategy(placement_group=group, placement_group_bundle_index=index, **more)


def test_ready(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    ray.get(group.ready())
    assert group.bundle_count == 2
    assert group.bundle_specs == [{"CPU": 1}, {"CPU": 1}]


def test_wait(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}], strategy="PACK")
    assert group.wait(timeout_seconds=30)


def test_it_takes_its_resources(ray_start_2_cpus):
    group = placement_group([{"CPU": 2}])
    assert group.wait(30)
    ref = ray.remote(lambda: 1).remote()
    assert ray.wait([ref], timeout=0.3) == ([], [ref])
    remove_placement_group(group)
    assert ray.get(ref) == 1


def test_tasks_run_in_it(ray_start_2_cpus):
    group = placement_group([{"CPU": 2}])
    task = ray.remote(num_cpus=1)(lambda: "in").options(scheduling_strategy=within(group, 0))
    assert ray.get([task.remote() for _ in range(4)]) == ["in"] * 4


def test_actors_run_in_it(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    members = [Member.options(scheduling_strategy=within(group, i)).remote() for i in range(2)]
    assert len(ray.get([member.node.remote() for member in members])) == 2


def test_what_does_not_fit_the_group_is_refused(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}])
    assert group.wait(30)
    with pytest.raises(ValueError):
        Member.options(num_cpus=2, scheduling_strategy=within(group, 0)).remote()


def test_a_bad_index_is_refused(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}])
    with pytest.raises(ValueError):
        Member.options(scheduling_strategy=within(group, 5)).remote()


@pytest.mark.parametrize("bundles", [[], [{}]])
def test_bad_bundles_are_refused(ray_start_2_cpus, bundles):
    with pytest.raises((ValueError, TypeError)):
        placement_group(bundles)


def test_a_bad_strategy_is_refused(ray_start_2_cpus):
    with pytest.raises(ValueError):
        placement_group([{"CPU": 1}], strategy="EVERYWHERE")


def test_the_table(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}], name="named", strategy="STRICT_PACK")
    ray.get(group.ready())
    entry = placement_group_table(group)
    assert (entry["name"], entry["strategy"], entry["state"]) == ("named", "STRICT_PACK", "CREATED")
    remove_placement_group(group)
    assert placement_group_table(group)["state"] == "REMOVED"


def test_a_group_by_its_name(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}], name="named")
    ray.get(group.ready())
    assert ray.util.get_placement_group("named").id == group.id


def test_removal_kills_its_actors(ray_start_2_cpus):
    group = placement_group([{"CPU": 1}])
    member = Member.options(scheduling_strategy=within(group, 0)).remote()
    ray.get(member.node.remote())
    remove_placement_group(group)
    with pytest.raises(ray.exceptions.RayActorError):
        while True:
            ray.get(member.node.remote())


def test_the_current_group(ray_start_2_cpus):
    assert ray.util.get_current_placement_group() is None
    group = placement_group([{"CPU": 1}])
    member = Member.options(scheduling_strategy=within(group, 0)).remote()
    assert ray.get(member.group.remote()).id == group.id


def test_strict_spread_over_two_nodes(ray_start_cluster_2_nodes):
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_SPREAD")
    members = [Member.options(scheduling_strategy=within(group, i)).remote() for i in range(2)]
    assert len(set(ray.get([member.node.remote() for member in members]))) == 2


@pytest.mark.parametrize("ray_start_cluster_2_nodes", [{"num_cpus": 2}], indirect=True)
def test_strict_pack_on_one_node(ray_start_cluster_2_nodes):
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_PACK")
    members = [Member.options(scheduling_strategy=within(group, i)).remote() for i in range(2)]
    assert len(set(ray.get([member.node.remote() for member in members]))) == 1


def test_strict_pack_that_fits_nowhere_waits(ray_start_cluster_2_nodes):
    group = placement_group([{"CPU": 1}, {"CPU": 1}], strategy="STRICT_PACK")
    assert not group.wait(timeout_seconds=0.3)
