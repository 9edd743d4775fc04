"""Placement groups, nodes and resources, as Ray has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import ray

from rustyray.engines.ray import choices
from rustyray.engines.ray.parcels import our_ref
from rustyray.model import resources as res
from rustyray.model.messages import GroupInfo
from rustyray.model.messages.groups import GroupSpec, GroupState, Packing

if TYPE_CHECKING:
    from rustyray.model.resources import ResourceSet
    from rustyray.model.settings import Settings
    from rustyray.model.strategies import LabelMatch
    from rustyray.runtime.engine import MemoryPressure
    from rustyray.runtime.ref import ObjectRef


class GroupsAndNodes:
    """What the engine tells of the cluster, and reserves in it."""

    def create_group(
        self,
        bundles: Sequence[ResourceSet],
        packing: str,
        name: str,
        detached: bool,
        labels: Sequence[tuple[LabelMatch, ...]],
    ) -> bytes:
        made = ray.util.placement_group(
            [res.as_amounts(bundle) for bundle in bundles],
            strategy=packing,
            name=name,
            lifetime="detached" if detached else None,
            bundle_label_selector=[_selector(matches) for matches in labels] if labels else None,
        )
        return choices.our_group(made.id)

    def remove_group(self, group: bytes) -> None:
        ray.util.remove_placement_group(choices.rays_group(group))

    def find_group(self, group: bytes, name: str) -> GroupInfo:
        theirs = choices.rays_group(group) if group else ray.util.get_placement_group(name)
        row = ray.util.placement_group_table(theirs)
        if not row:
            raise ValueError(f"there is no placement group {group.hex() or repr(name)}")
        return _info(row)

    def list_groups(self, timeout: float | None = None) -> list[GroupInfo]:
        return [_info(row) for row in ray.util.placement_group_table().values()]

    def group_ready(self, group: bytes, handle: Any) -> ObjectRef[Any]:
        from rustyray.engines.ray.parcels import Parcel

        ready = choices.rays_group(group).ready()
        handed_on = ray.remote(num_cpus=0)(_second)
        return our_ref(handed_on.remote(ready, Parcel(handle)))

    def nodes(self) -> list[Mapping[str, Any]]:
        return list(ray.nodes())

    def cluster_resources(self) -> dict[str, float]:
        return dict(ray.cluster_resources())

    def available_resources(self) -> dict[str, float]:
        return dict(ray.available_resources())

    # --- what real Ray leaves to whoever has started it ---------------------------------------------------------------

    def add_node(self, settings: Settings) -> bytes:
        _refuse("nodes are added")

    def remove_node(self, node: bytes, graceful: bool) -> None:
        _refuse("nodes are removed")

    def kill_node(self, node: bytes) -> None:
        _refuse("nodes are killed")

    def pause_node(self, node: bytes) -> None:
        _refuse("nodes are paused")

    def resume_node(self, node: bytes) -> None:
        _refuse("nodes are resumed")

    def keep_apart(self, pairs: frozenset[frozenset[bytes]]) -> None:
        _refuse("networks are parted")

    def cut_connections(self, one: bytes, other: bytes) -> None:
        _refuse("connections are cut")

    def on_memory_pressure(self, callback: Callable[[MemoryPressure], object], fraction: float) -> Callable[[], None]:
        _refuse("the store's filling is told")


def _refuse(what: str) -> NoReturn:
    raise RuntimeError(f"engine='ray' leaves the cluster to Ray: {what} on engine='native'")


def _second(_ready: object, value: Any) -> Any:
    from rustyray.engines.ray.parcels import Parcel

    return Parcel(value)


def _selector(matches: tuple[LabelMatch, ...]) -> dict[str, str]:
    found = {}
    for match in matches:
        values = match.values[0] if len(match.values) == 1 else f"in({','.join(match.values)})"
        found[match.key] = f"{'!' if match.negated else ''}{values}"
    return found


def _info(row: Mapping[str, Any]) -> GroupInfo:
    group = bytes.fromhex(row["placement_group_id"]) + bytes(20 - choices.GROUP_ID)
    bundles = [res.resource_set(bundle) for _, bundle in sorted(row["bundles"].items())]
    placed = row.get("bundles_to_node_id") or {}
    nodes = [bytes.fromhex(placed.get(number) or "") for number in range(len(bundles))]
    spec = GroupSpec(group, b"", bundles, Packing(row["strategy"]), name=row["name"])
    reason = str(row.get("stats", {}).get("scheduling_state", ""))
    return GroupInfo(spec, GroupState[row["state"]], nodes, 0, "" if reason == "FINISHED" else reason)
