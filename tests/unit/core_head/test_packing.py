"""Where the bundles of a placement group go."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rustyray.core.head.nodes import Node
from rustyray.core.head.packing import place, why_nowhere
from rustyray.model import ids
from rustyray.model.messages import GroupSpec, NodeInfo, Packing
from rustyray.model.resources import ResourceSet, add, fits, resource_set
from rustyray.model.strategies import LabelMatch

GROUP = ids.task_id(ids.worker_id(b"node-one", 0), 1)


def nodes(*cpus: float, labels: dict[int, dict[str, str]] | None = None, **more: float) -> list[Node]:
    """A node for each number of CPUs; the last of them has ``more`` as well."""
    made = []
    for number, amount in enumerate(cpus):
        last = number == len(cpus) - 1
        have = resource_set({"CPU": amount, **(more if last else {})})
        own = (labels or {}).get(number, {})
        made.append(Node(NodeInfo(f"node-{number:03}".encode(), "", True, dict(have), have, labels=own), 0.0))
    return made


def group(packing: Packing, *bundles: float | dict[str, float], labels: object = ()) -> GroupSpec:
    sets = [resource_set(bundle if isinstance(bundle, dict) else {"CPU": bundle}) for bundle in bundles]
    return GroupSpec(GROUP, b"\0\0\0\1", sets, packing, list(labels))  # type: ignore[call-overload]


def where(spec: GroupSpec, on: list[Node], placed: dict[int, bytes] | None = None, ever: bool = False) -> list[int]:
    """The number of each bundle's node; -1 for those that are placed; nothing if there is no room."""
    found = place(spec, placed or {}, on, ever=ever)
    if found is None:
        return []
    names = [node.info.node for node in on]
    return [names.index(found[n].info.node) if n in found else -1 for n in range(len(spec.bundles))]


def test_pack_takes_as_few_nodes_as_it_finds() -> None:
    assert where(group(Packing.PACK, 1, 1, 1), nodes(1, 4, 2)) == [1, 1, 1]
    assert where(group(Packing.PACK, 2, 2, 2), nodes(2, 4)) == [1, 1, 0]


def test_spread_takes_as_many_nodes_as_there_are() -> None:
    assert where(group(Packing.SPREAD, 1, 1, 1), nodes(4, 4)) == [0, 1, 0]
    assert where(group(Packing.SPREAD, 1, 1, 1), nodes(4, 4, 4)) == [0, 1, 2]


def test_strict_pack_is_on_one_node_or_nowhere() -> None:
    assert where(group(Packing.STRICT_PACK, 1, 1, 1), nodes(2, 3)) == [1, 1, 1]
    assert where(group(Packing.STRICT_PACK, 2, 2), nodes(2, 3)) == []


def test_strict_spread_is_on_different_nodes_or_nowhere() -> None:
    assert where(group(Packing.STRICT_SPREAD, 1, 1), nodes(4, 1)) == [0, 1]
    assert where(group(Packing.STRICT_SPREAD, 1, 1, 1), nodes(4, 4)) == []
    # The first bundle fits everywhere, and has to make way for the second.
    assert where(group(Packing.STRICT_SPREAD, 1, 4), nodes(4, 1)) == [1, 0]


def test_bundles_that_few_nodes_can_have_come_first() -> None:
    for packing in (Packing.PACK, Packing.SPREAD):
        assert where(group(packing, 1, {"CPU": 1, "GPU": 1}), nodes(1, 1, GPU=1)) == [0, 1]


def test_labels_of_bundles_decide_as_well() -> None:
    labels = [(LabelMatch("zone", ("b",)),), (LabelMatch("zone", ("b",), negated=True),)]
    there = nodes(4, 4, labels={0: {"zone": "a"}, 1: {"zone": "b"}})
    for packing in (Packing.PACK, Packing.SPREAD, Packing.STRICT_SPREAD):
        assert where(group(packing, 1, 1, labels=labels), there) == [1, 0]
    assert where(group(Packing.STRICT_PACK, 1, 1, labels=labels), there) == []
    assert "zone in b" in why_nowhere(group(Packing.STRICT_PACK, 1, 1, labels=labels), there)


def test_what_is_placed_already_stays_and_counts() -> None:
    there = nodes(4, 4, 4)
    assert where(group(Packing.STRICT_SPREAD, 1, 1), there, {0: b"node-000"}) == [-1, 1]
    assert where(group(Packing.PACK, 1, 1), there, {1: b"node-002"}) == [2, -1]
    assert where(group(Packing.SPREAD, 1, 1), there, {0: b"node-000"}) == [-1, 1]
    assert where(group(Packing.STRICT_PACK, 1, 1), there, {0: b"node-001"}) == [-1, 1]


def test_what_is_taken_now_may_be_free_some_time() -> None:
    there = nodes(4)
    there[0].info.available = resource_set({"CPU": 1})
    assert where(group(Packing.PACK, 2), there) == []
    assert where(group(Packing.PACK, 2), there, ever=True) == [0]


def test_a_thousand_bundles_are_no_trouble() -> None:
    assert sorted(where(group(Packing.PACK, *[1] * 1000), nodes(600, 600))) == [0] * 600 + [1] * 400
    assert sorted(where(group(Packing.SPREAD, *[1] * 1000), nodes(600, 600))) == [0] * 500 + [1] * 500


small = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def feasible(packing: Packing, bundles: list[int], cpus: list[int]) -> bool:
    """By trying all ways."""
    for choice in itertools.product(range(len(cpus)), repeat=len(bundles)):
        used: dict[int, int] = {}
        for node, size in zip(choice, bundles, strict=True):
            used[node] = used.get(node, 0) + size
        alone = packing is Packing.STRICT_PACK and len(used) > 1
        crowded = packing is Packing.STRICT_SPREAD and len(used) < len(bundles)
        if not alone and not crowded and all(used[node] <= cpus[node] for node in used):
            return True
    return False


@given(st.sampled_from(list(Packing)), small, small)
def test_places_are_found_exactly_where_there_are_some(packing: Packing, bundles: list[int], cpus: list[int]) -> None:
    there = nodes(*cpus)
    spec = group(packing, *bundles)
    found = place(spec, {}, there)
    assert (found is not None) is feasible(packing, bundles, cpus)
    if found is None:
        return
    used: dict[bytes, ResourceSet] = {}
    for number, node in found.items():
        add(used.setdefault(node.info.node, {}), spec.bundles[number])
    assert set(found) == set(range(len(bundles)))
    assert all(fits(used.get(node.info.node, {}), node.info.available) for node in there)
    assert packing is not Packing.STRICT_PACK or len(used) == 1
    assert packing is not Packing.STRICT_SPREAD or len(used) == len(bundles)
