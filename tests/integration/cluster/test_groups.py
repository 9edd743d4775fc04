"""Placement groups, on both engines; and with nodes that come and go, natively."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from rustyray.exceptions import (
    ActorDiedError,
    ActorPlacementGroupRemoved,
    GetTimeoutError,
    TaskPlacementGroupRemoved,
)
from rustyray.util import state
from rustyray.util.placement_group import (
    PlacementGroup,
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from rustyray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from tests.integration.cluster.meeting import meet, where
from tests.integration.drivers import eventually


@rustyray.remote
def current() -> PlacementGroup | None:
    return get_current_placement_group()


@rustyray.remote(num_cpus=1)
class Actor:
    def where(self) -> str:
        return rustyray.get_runtime_context().get_node_id()

    def child(self) -> Any:
        return rustyray.get(current.remote())

    def make(self, lifetime: str | None = None) -> PlacementGroup:
        return placement_group([{"CPU": 1}], name="made", lifetime=lifetime)


def within(group: PlacementGroup, index: int = -1, capture: bool = False) -> PlacementGroupSchedulingStrategy:
    return PlacementGroupSchedulingStrategy(group, index, capture)


def created(bundles: list[dict[str, float]], strategy: str = "PACK", **options: Any) -> PlacementGroup:
    group = placement_group(bundles, strategy, **options)
    assert rustyray.get(group.ready(), timeout=20) == group
    return group


def places(group: PlacementGroup) -> list[str]:
    return list(placement_group_table(group)["bundles_to_node_id"].values())


def free_again(cpus: float) -> None:
    eventually(lambda: rustyray.available_resources().get("CPU", 0) == cpus)


# --- where bundles go, and what runs in them --------------------------------------------------------------------------


def test_each_strategy(nodes: list[str]) -> None:
    for strategy, count in (("PACK", 1), ("STRICT_PACK", 1), ("SPREAD", 2), ("STRICT_SPREAD", 2)):
        group = created([{"CPU": 1}, {"CPU": 1}], strategy)
        assert len(set(places(group))) == count, strategy
        assert group.wait(0.1)
        remove_placement_group(group)
        free_again(6)


def test_tasks_and_actors_run_where_their_bundle_is(nodes: list[str]) -> None:
    group = created([{"CPU": 1}] * 3, "STRICT_SPREAD")
    for index, node in enumerate(places(group)):
        there = within(group, index)
        assert rustyray.get([where.options(scheduling_strategy=there).remote() for _ in range(3)]) == [node] * 3
        actor = Actor.options(scheduling_strategy=there).remote()
        assert rustyray.get(actor.where.remote()) == node


def test_any_bundle_is_used_and_all_of_them_at_once(nodes: list[str], tmp_path: Path) -> None:
    group = created([{"CPU": 1}] * 3, "STRICT_SPREAD")
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        refs = [meet.options(scheduling_strategy=within(group)).remote(str(folder), 3) for _ in range(3)]
        assert {node for node, _ in rustyray.get(refs)} == set(nodes)


def test_actors_in_any_bundle_each_find_one(nodes: list[str]) -> None:
    group = created([{"CPU": 1}] * 3, "STRICT_SPREAD")
    actors = [Actor.options(scheduling_strategy=within(group)).remote() for _ in range(3)]
    assert set(rustyray.get([actor.where.remote() for actor in actors], timeout=20)) == set(nodes)


def test_a_bundle_gives_no_more_than_it_has(nodes: list[str]) -> None:
    group = created([{"CPU": 1}])
    holder = Actor.options(scheduling_strategy=within(group)).remote()
    rustyray.get(holder.where.remote())
    waiting = where.options(scheduling_strategy=within(group, 0)).remote()
    with pytest.raises(GetTimeoutError):
        rustyray.get(waiting, timeout=0.3)
    assert rustyray.get(where.remote()) in nodes
    rustyray.kill(holder)
    assert rustyray.get(waiting, timeout=20) in nodes


def test_what_is_reserved_is_nobody_elses(nodes: list[str]) -> None:
    group = created([{"CPU": 2}] * 3)
    free_again(0)
    outside = where.remote()
    with pytest.raises(GetTimeoutError):
        rustyray.get(outside, timeout=0.3)
    assert rustyray.cluster_resources()["CPU"] == 6
    remove_placement_group(group)
    assert rustyray.get(outside, timeout=20) in nodes
    free_again(6)


def test_groups_wait_for_room_one_after_the_other(nodes: list[str]) -> None:
    groups = [placement_group([{"CPU": 2}] * 3) for _ in range(3)]
    refs = [group.ready() for group in groups]
    for ref, group in zip(refs, groups, strict=True):
        assert rustyray.get(ref, timeout=20) == group
        remove_placement_group(group)
    free_again(6)


def test_a_report_of_who_waits_names_groups(nodes: list[str]) -> None:
    created([{"CPU": 1}], name="first")
    second = placement_group([{"CPU": 100}])
    future = second.ready().future()
    waits, *groups = state.who_waits()
    assert f"waits for placement group {second.id.hex()} of {{CPU: 100}} to be created" in waits
    assert groups == [
        "the driver has placement group 'first' of {CPU: 1}, created",
        f"the driver has placement group {second.id.hex()} of {{CPU: 100}}, pending",
    ]
    assert not future.done()


def test_tasks_may_be_submitted_before_the_group_is_there(nodes: list[str]) -> None:
    first = created([{"CPU": 2}] * 3)
    second = placement_group([{"CPU": 2}] * 3)
    task = where.options(scheduling_strategy=within(second, 1)).remote()
    actor = Actor.options(scheduling_strategy=within(second)).remote()
    assert not second.wait(0.2)
    remove_placement_group(first)
    assert rustyray.get([task, actor.where.remote()], timeout=20)


def test_children_are_captured_only_if_asked_for(nodes: list[str]) -> None:
    group = created([{"CPU": 2}])
    for capture in (False, True):
        actor = Actor.options(scheduling_strategy=within(group, capture=capture)).remote()
        assert rustyray.get(actor.child.remote()) == (group if capture else None)
        rustyray.kill(actor)


def test_a_captured_child_that_does_not_fit_is_refused(nodes: list[str]) -> None:
    @rustyray.remote
    def parent(strategy: str | None) -> bool:
        rustyray.get(where.options(num_cpus=2, scheduling_strategy=strategy).remote())
        return True

    group = created([{"CPU": 1}])
    captures = parent.options(scheduling_strategy=within(group, capture=True))
    with pytest.raises(ValueError, match="cannot fit into any bundles"):
        rustyray.get(captures.remote(None))
    assert rustyray.get(captures.remote("DEFAULT"))


def test_handles_travel_and_names_are_found(nodes: list[str]) -> None:
    @rustyray.remote
    def use(group: PlacementGroup) -> tuple[bool, list[dict[str, float]]]:
        found = get_placement_group("mine")
        inside = rustyray.get(current.options(scheduling_strategy=within(found)).remote())
        return inside == group, group.bundle_specs

    group = created([{"CPU": 1}], name="mine")
    assert rustyray.get(use.remote(group)) == (True, [{"CPU": 1.0}])
    assert rustyray.get(current.options(scheduling_strategy=within(group)).remote()) == group
    with pytest.raises(ValueError, match="taken"):
        placement_group([{"CPU": 1}], name="mine")
    with pytest.raises(ValueError, match="no placement group is named 'yours'"):
        get_placement_group("yours")


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_removed_group_takes_its_work_along(nodes: list[str]) -> None:
    group = created([{"CPU": 1}, {"CPU": 1}], name="x")
    running = where.options(scheduling_strategy=within(group, 0)).remote(100)
    queued = where.options(scheduling_strategy=within(group, 0)).remote()
    actor = Actor.options(scheduling_strategy=within(group, 1), max_restarts=-1, max_task_retries=-1).remote()
    waiting = Actor.options(scheduling_strategy=within(group, 1)).remote()
    rustyray.get(actor.where.remote())
    remove_placement_group(group)
    remove_placement_group(group)
    late = where.options(scheduling_strategy=within(group)).remote()
    for ref in (running, queued, late, group.ready()):
        with pytest.raises(TaskPlacementGroupRemoved, match="placement group 'x' is gone"):
            rustyray.get(ref, timeout=20)
    with pytest.raises(ActorDiedError, match="placement group 'x' is gone"):
        rustyray.get(actor.where.remote(), timeout=20)
    too_late = Actor.options(scheduling_strategy=within(group)).remote()
    for dead in (waiting, too_late):
        with pytest.raises(ActorPlacementGroupRemoved, match="placement group 'x' is gone"):
            rustyray.get(dead.where.remote(), timeout=20)
    with pytest.raises(TaskPlacementGroupRemoved):
        group.wait(1)
    free_again(6)
    assert placement_group_table(group)["state"] == "REMOVED"


def test_what_cannot_be_placed_warns_and_waits(nodes: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    group = placement_group([{"CPU": 3}, {"CPU": 1}], name="large")
    task = where.options(scheduling_strategy=within(group)).remote()
    assert not group.wait(2)
    assert capfd.readouterr().err.count("placement group 'large' cannot be placed: it needs 1 × CPU: 3") == 1
    remove_placement_group(group)
    with pytest.raises(TaskPlacementGroupRemoved):
        rustyray.get(task, timeout=20)


def test_a_group_outlives_the_actor_that_made_it(nodes: list[str]) -> None:
    actor = Actor.remote()
    group = rustyray.get(actor.make.remote())
    rustyray.kill(actor)
    free_again(5)
    assert rustyray.get(current.options(scheduling_strategy=within(group)).remote()) == group


def test_a_detached_actors_group_ends_with_the_actor(nodes: list[str]) -> None:
    actor = Actor.options(name="keeper", lifetime="detached").remote()
    group = rustyray.get(actor.make.remote("detached"))
    rustyray.kill(actor)
    free_again(5)
    assert placement_group_table(group)["state"] == "CREATED"


# --- nodes that come and go -------------------------------------------------------------------------------------------


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    rustyray.init(address=cluster.address)
    yield cluster
    cluster.shutdown()


def state_is(group: PlacementGroup, state: str) -> Callable[[], bool]:
    return lambda: bool(placement_group_table(group)["state"] == state)


def test_lost_bundles_are_placed_again(cluster: Cluster) -> None:
    first, second = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=2)
    group = created([{"CPU": 2}, {"CPU": 2}], "STRICT_SPREAD")
    actors = [
        Actor.options(scheduling_strategy=within(group, index), max_restarts=1, max_task_retries=-1).remote()
        for index in range(2)
    ]
    lives = rustyray.get([actor.where.remote() for actor in actors])
    assert sorted(lives) == sorted([first.node_id, second.node_id])
    os.kill(second.pid, signal.SIGKILL)
    eventually(state_is(group, "RESCHEDULING"))
    kept = lives.index(first.node_id)
    assert rustyray.get(where.options(scheduling_strategy=within(group, kept)).remote(), timeout=20) == first.node_id
    assert rustyray.get(where.options(scheduling_strategy=within(group)).remote(), timeout=20) == first.node_id
    lost = where.options(scheduling_strategy=within(group, 1 - kept)).remote()
    assert not group.wait(0.2)
    third = cluster.add_node(num_cpus=2)
    assert group.wait(20)
    assert rustyray.get(lost, timeout=20) == third.node_id
    assert rustyray.get(actors[1 - kept].where.remote(), timeout=20) == third.node_id


@pytest.mark.stress
def test_a_group_waits_for_nodes_that_join(cluster: Cluster, capfd: pytest.CaptureFixture[str]) -> None:
    group = placement_group([{"CPU": 1}] * 3, "STRICT_SPREAD")
    assert not group.wait(2)
    cluster.add_node(num_cpus=1)
    assert not group.wait(0.1)
    cluster.add_node(num_cpus=1)
    assert group.wait(20)
    assert capfd.readouterr().err.count("cannot be placed") == 1


def test_labels_choose_the_nodes_of_bundles(cluster: Cluster) -> None:
    nodes = {zone: cluster.add_node(num_cpus=2, labels={"zone": zone}) for zone in "abc"}
    group = created(
        [{"CPU": 1}] * 3, bundle_label_selector=[{"zone": "b"}, {"zone": "in(a, d)"}, {"zone": "!in(a, b)"}]
    )
    first, second, third = places(group)
    assert (first, second) == (nodes["b"].node_id, nodes["a"].node_id)
    assert third not in {first, second}


def test_nodes_die_while_groups_come_and_go(cluster: Cluster) -> None:
    for round_ in range(3):
        nodes = [cluster.add_node(num_cpus=1) for _ in range(2)]
        groups = [placement_group([{"CPU": 1}, {"CPU": 1}], "SPREAD") for _ in range(4)]
        os.kill(nodes[round_ % 2].pid, signal.SIGKILL)
        for group in groups:
            remove_placement_group(group)
        last = created([{"CPU": 1}, {"CPU": 1}], "STRICT_SPREAD")
        assert rustyray.get(where.options(scheduling_strategy=within(last)).remote(), timeout=20)
        remove_placement_group(last)
        cluster.remove_node(nodes[1 - round_ % 2])
        free_again(1)
