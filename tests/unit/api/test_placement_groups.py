"""What `placement_group` and its scheduling strategy accept, and what they refuse at once."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import rustyray
from rustyray import util
from rustyray.api.ids import PlacementGroupID
from rustyray.model.strategies import LabelMatch, Strategy
from rustyray.runtime import context
from rustyray.util.placement_group import (
    PlacementGroup,
    get_current_placement_group,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)
from rustyray.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from tests.unit.api.fake_engine import FakeEngine


@rustyray.remote
def work() -> int:
    return 1


@rustyray.remote
class Actor:
    pass


def test_a_group_knows_its_bundles(engine: FakeEngine) -> None:
    group = placement_group([{"CPU": 1, "GPU": 0}, {"x": 0.5}], "SPREAD", name="a", lifetime="detached")
    assert group.bundle_specs == [{"CPU": 1.0}, {"x": 0.5}]
    assert group.bundle_count == 2
    spec = engine.groups[group.binary()].spec
    assert (spec.packing.value, spec.name, spec.detached) == ("SPREAD", "a", True)
    found = get_placement_group("a")
    assert found == group
    assert len({found, group}) == 1
    assert pickle.loads(pickle.dumps(group)) == group
    assert rustyray.get(group.ready()) == group
    assert group.wait(0.1)
    with pytest.raises(ValueError, match="taken"):
        placement_group([{"CPU": 1}], name="a")
    assert util.placement_group is placement_group


def test_the_table_has_rays_keys(engine: FakeEngine) -> None:
    group = placement_group([{"CPU": 1}])
    row = placement_group_table(group)
    assert row["state"] == "CREATED"
    assert row["bundles"] == {0: {"CPU": 1.0}}
    assert list(placement_group_table()) == [group.id.hex()]
    remove_placement_group(group)
    assert placement_group_table(group)["state"] == "REMOVED"


@pytest.mark.parametrize(
    ("bundles", "kind", "text"),
    [
        ([], ValueError, "at least one bundle"),
        ({"CPU": 1}, ValueError, "must be a list of dicts"),
        (["a"], ValueError, "must be a list of dicts"),
        ([{"CPU": 1}, {}], ValueError, "bundle 1 holds nothing"),
        ([{"CPU": 0}], ValueError, "bundle 0 holds nothing"),
        ([{"CPU": -1}], ValueError, "bundle 0: resource 'CPU': the amount must be zero or more"),
        ([{"CPU": "1"}], ValueError, "bundle 0 must hold amounts by name"),
        ([{"CPU": True}], ValueError, "bundle 0 must hold amounts by name"),
    ],
)
def test_bundles_that_are_refused(engine: FakeEngine, bundles: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        placement_group(bundles)


@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        ({"strategy": "PAC"}, ValueError, "strategy must be one of PACK, SPREAD, STRICT_PACK, STRICT_SPREAD"),
        ({"lifetime": "forever"}, ValueError, "None or 'detached'"),
        ({"name": 3}, TypeError, "name must be a string"),
        ({"bundle_label_selector": []}, ValueError, "one dict for each of the 1 bundles"),
        ({"bundle_label_selector": ["a"]}, ValueError, "list of dicts of labels"),
        ({"bundle_label_selector": [{"zone": "in(a"}]}, ValueError, "got 'zone': 'in\\(a'"),
        ({"topology_strategy": {}}, ValueError, "not supported yet"),
        ({"shape": 1}, TypeError, "no argument 'shape'"),
    ],
)
def test_options_that_are_refused(
    engine: FakeEngine, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        placement_group([{"CPU": 1}], **options)


def test_label_selectors_are_rays(engine: FakeEngine) -> None:
    selector = {"a": "x", "b": "!x", "c": "in(x, y)", "d": "!in(x,y)"}
    group = placement_group([{"CPU": 1}], bundle_label_selector=[selector])
    assert engine.groups[group.binary()].spec.labels == [
        (
            LabelMatch("a", ("x",)),
            LabelMatch("b", ("x",), True),
            LabelMatch("c", ("x", "y")),
            LabelMatch("d", ("x", "y"), True),
        )
    ]


def test_a_strategy_names_the_group_and_the_bundle(engine: FakeEngine) -> None:
    group = placement_group([{"CPU": 1}, {"CPU": 2}])
    work.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, 1, True)).remote()
    work.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group)).remote()
    work.options(scheduling_strategy=PlacementGroupSchedulingStrategy(None)).remote()
    work.options(scheduling_strategy=PlacementGroupSchedulingStrategy(PlacementGroup.empty())).remote()
    work.options(scheduling_strategy="DEFAULT").remote()
    work.remote()
    assert [(plan.strategy, plan.follows) for plan in engine.submitted] == [
        (Strategy(group=group.binary(), bundle=1, capture=True), False),
        (Strategy(group=group.binary()), False),
        (None, False),
        (None, False),
        (None, False),
        (None, True),
    ]


def test_a_strategy_refuses_what_cannot_be(engine: FakeEngine) -> None:
    group = placement_group([{"CPU": 1}, {"CPU": 2}])
    for index in (2, -2):
        with pytest.raises(ValueError, match=f"bundle index {index} is invalid: the group has bundles 0 to 1"):
            PlacementGroupSchedulingStrategy(group, index)
    with pytest.raises(ValueError, match="must be -1"):
        PlacementGroupSchedulingStrategy(None, 1)
    with pytest.raises(TypeError, match="what placement_group"):
        PlacementGroupSchedulingStrategy("group")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must be an integer"):
        PlacementGroupSchedulingStrategy(group, "0")  # type: ignore[arg-type]


def test_what_no_bundle_can_hold_is_refused_when_it_is_submitted(engine: FakeEngine) -> None:
    group = placement_group([{"CPU": 1}, {"GPU": 1}])
    first = PlacementGroupSchedulingStrategy(group, 0)
    work.options(scheduling_strategy=first).remote()
    Actor.options(scheduling_strategy=first).remote()
    with pytest.raises(ValueError, match=r"work .*\{'CPU': 2.0\} cannot fit into any bundles"):
        work.options(num_cpus=2, scheduling_strategy=PlacementGroupSchedulingStrategy(group)).remote()
    with pytest.raises(ValueError, match=r"work .*\{'CPU': 1.0\} cannot fit into bundle 1"):
        work.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, 1)).remote()
    with pytest.raises(ValueError, match=r"Actor .*an actor needs \{'CPU': 1.0\} to be placed"):
        Actor.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, 1)).remote()


def test_the_current_group_is_the_running_tasks(engine: FakeEngine) -> None:
    assert get_current_placement_group() is None
    group = placement_group([{"CPU": 1}])
    task = context.TaskContext(b"\0\0\0\1", bytes(20), "work")
    token = context.current_task.set(task)
    try:
        assert get_current_placement_group() is None
        task.strategy = Strategy(group=group.binary())
        current = get_current_placement_group()
        assert current == group
        assert current is not None
        assert current.bundle_specs == [{"CPU": 1.0}]
    finally:
        context.current_task.reset(token)


def test_the_empty_group_is_no_group(engine: FakeEngine) -> None:
    empty = PlacementGroup.empty()
    assert empty.is_empty
    assert empty == PlacementGroup(PlacementGroupID.nil())
    assert rustyray.get(empty.ready()) == empty
    remove_placement_group(empty)
    with pytest.raises(TypeError, match="what placement_group"):
        remove_placement_group(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must not be empty"):
        get_placement_group("")
