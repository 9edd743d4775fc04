"""Placement groups: handles, and the functions that make, find and remove them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rustyray.api import calls, lifecycle
from rustyray.api.ids import PlacementGroupID
from rustyray.model import options as opt
from rustyray.model.resources import ResourceSet, as_amounts, resource_set
from rustyray.runtime import context

if TYPE_CHECKING:
    from rustyray.model.messages import GroupInfo
    from rustyray.model.strategies import LabelMatch
    from rustyray.runtime.ref import ObjectRef

_STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")
_EXAMPLE = 'such as [{"CPU": 1}, {"CPU": 1, "GPU": 1}]'


class PlacementGroup:
    """A handle of a placement group, made by `placement_group` (as in Ray). It can be passed to tasks and actors.

    It does not keep the group: that ends when it is removed, or with its job.
    """

    def __init__(self, id: PlacementGroupID, bundle_cache: list[dict[str, float]] | None = None) -> None:  # noqa: A002
        self.id = id
        self.bundle_cache = bundle_cache

    @staticmethod
    def empty() -> PlacementGroup:
        """The handle that stands for no group."""
        return PlacementGroup(PlacementGroupID.nil(), [])

    @property
    def is_empty(self) -> bool:
        return self.id.is_nil()

    def binary(self) -> bytes:
        return self.id.binary()

    def ready(self) -> ObjectRef[PlacementGroup]:
        """A ref to this handle, which has its value when all bundles are reserved.

        If the group is removed first, ``get`` raises `TaskPlacementGroupRemoved`.
        """
        engine = lifecycle.running_engine()
        return calls.put(self) if self.is_empty else engine.group_ready(self.binary(), self)

    def wait(self, timeout_seconds: float = 30) -> bool:
        """Whether all bundles are reserved within that many seconds.

        Raises:
            TaskPlacementGroupRemoved: The group was removed.
        """
        ready = self.ready()
        done, _ = calls.wait([ready], timeout=timeout_seconds)
        if done:
            calls.get(ready)
        return bool(done)

    @property
    def bundle_specs(self) -> list[dict[str, float]]:
        """What each bundle holds."""
        if self.bundle_cache is None:
            info = lifecycle.running_engine().find_group(self.binary(), "")
            self.bundle_cache = [as_amounts(bundle) for bundle in info.spec.bundles]
        return self.bundle_cache

    @property
    def bundle_count(self) -> int:
        return len(self.bundle_specs)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, PlacementGroup) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PlacementGroup({self.id.hex()})" if not self.is_empty else "PlacementGroup.empty()"


def placement_group(
    bundles: Sequence[Mapping[str, float]],
    strategy: str | None = "PACK",
    name: str = "",
    lifetime: str | None = None,
    *,
    bundle_label_selector: Sequence[Mapping[str, str]] | None = None,
    **unsupported: object,
) -> PlacementGroup:
    """Reserve resources together: all of the bundles or none (as in Ray). Returns at once; see `PlacementGroup.ready`.

    Args:
        bundles: what each holds, as a list of dicts of amounts.
        strategy: ``"PACK"`` on few nodes, ``"SPREAD"`` on many, as well as it can be done; ``"STRICT_PACK"`` on one
            node, ``"STRICT_SPREAD"`` on a node for each bundle, or not at all.
        name: by which `get_placement_group` finds it, in this program's namespace.
        lifetime: None: it ends with the program that made it; ``"detached"``: when it is removed.
        bundle_label_selector: for each bundle, which labels its node must have: ``{"zone": "a"}``, or ``"!a"``,
            ``"in(a, b)"``, ``"!in(a, b)"``.

    Raises:
        ValueError: Bundles are no dicts, empty or hold impossible amounts, the strategy or lifetime does not exist, the
            selectors are not as many as the bundles, or another group has the name.
        TypeError: An argument has the wrong type.
    """
    strategy = "PACK" if strategy is None else strategy
    checked, labels = _checked(bundles, strategy, lifetime, bundle_label_selector, unsupported)
    if name != "":
        opt.text("name", name)
    group = lifecycle.running_engine().create_group(checked, strategy, name, lifetime == "detached", labels)
    return PlacementGroup(PlacementGroupID(group), [as_amounts(bundle) for bundle in checked])


def validate_placement_group(
    bundles: Sequence[Mapping[str, float]],
    strategy: str | None = "PACK",
    lifetime: str | None = None,
    _soft_target_node_id: str | None = None,
    bundle_label_selector: Sequence[Mapping[str, str]] | None = None,
    topology_strategy: Mapping[str, str] | None = None,
) -> bool:
    """True if `placement_group` would take these; raises as it does otherwise (as in Ray)."""
    unsupported = {"_soft_target_node_id": _soft_target_node_id, "topology_strategy": topology_strategy}
    _checked(bundles, "PACK" if strategy is None else strategy, lifetime, bundle_label_selector, unsupported)
    return True


def check_placement_group_index(placement_group: PlacementGroup, bundle_index: int) -> None:
    """Raise ValueError unless the group has a bundle of that number; -1 is always right (as in Ray)."""
    count = 0 if placement_group.is_empty else placement_group.bundle_count
    if not -1 <= bundle_index < count:
        valid = f"from -1 to {count - 1}" if count else "-1, as there is no group"
        raise ValueError(f"the index of a bundle must be {valid}, got {bundle_index}")


def _checked(
    bundles: Sequence[Mapping[str, float]],
    strategy: str,
    lifetime: str | None,
    selectors: Sequence[Mapping[str, str]] | None,
    unsupported: Mapping[str, object],
) -> tuple[list[ResourceSet], Sequence[tuple[LabelMatch, ...]]]:
    """The bundles and the labels that their nodes must have. Raises as `placement_group`."""
    for option, value in unsupported.items():
        if option not in ("_soft_target_node_id", "topology_strategy"):
            raise TypeError(f"placement_group() has no argument {option!r}")
        if value is not None:
            raise ValueError(f"placement_group({option}={value!r}) is not supported yet. Use bundle_label_selector.")
    if strategy not in _STRATEGIES:
        raise ValueError(f"strategy must be one of {', '.join(_STRATEGIES)}, got {strategy!r}")
    if lifetime not in (None, "detached"):
        raise ValueError(f"the lifetime of a placement group must be None or 'detached', got {lifetime!r}")
    checked = _bundles(bundles)
    return checked, [] if selectors is None else _selectors(selectors, len(checked))


def _bundles(bundles: Any) -> list[ResourceSet]:
    if not isinstance(bundles, list | tuple) or not all(isinstance(bundle, Mapping) for bundle in bundles):
        raise ValueError(f"bundles must be a list of dicts, {_EXAMPLE}, got {bundles!r}")
    if not bundles:
        raise ValueError(f"a placement group needs at least one bundle, {_EXAMPLE}, got an empty list")
    checked = []
    for number, bundle in enumerate(bundles):
        for resource, amount in bundle.items():
            wrong = isinstance(amount, bool) or not isinstance(amount, int | float)
            if not isinstance(resource, str) or wrong:
                raise ValueError(f"bundle {number} must hold amounts by name, {_EXAMPLE}, got {resource!r}: {amount!r}")
        try:
            checked.append(resource_set(bundle))
        except ValueError as error:
            raise ValueError(f"bundle {number}: {error}") from None
        if not checked[-1]:
            raise ValueError(f"bundle {number} holds nothing: {bundle!r}. Leave it out, or give it resources.")
    return checked


_SELECTOR = re.compile(r"(!?)(?:in\(([^()]*)\)|([^!()]+))")


def _selectors(selectors: Any, count: int) -> list[tuple[LabelMatch, ...]]:
    from rustyray.model.strategies import LabelMatch, check_label

    if not isinstance(selectors, list | tuple) or not all(isinstance(selector, Mapping) for selector in selectors):
        raise ValueError(f"bundle_label_selector must be a list of dicts of labels, got {selectors!r}")
    if len(selectors) != count:
        raise ValueError(
            f"bundle_label_selector must have one dict for each of the {count} bundles, {{}} for any node, got "
            f"{len(selectors)}"
        )
    found = []
    for selector in selectors:
        matches = []
        for label, text in sorted(selector.items()):
            match = _SELECTOR.fullmatch(text) if isinstance(label, str) and isinstance(text, str) else None
            if match is None:
                raise ValueError(
                    f"a label selector is a value, !value, in(value, …) or !in(value, …), got {label!r}: {text!r}"
                )
            check_label("bundle_label_selector", label)
            values = match[2].split(",") if match[2] is not None else [match[3]]
            matches.append(LabelMatch(label, tuple(value.strip() for value in values), bool(match[1])))
        found.append(tuple(matches))
    return found


def remove_placement_group(placement_group: PlacementGroup) -> None:
    """Remove a group: the tasks and actors in it are killed, and its resources are free again (as in Ray).

    What was submitted to it, or is later, raises `TaskPlacementGroupRemoved` or `ActorPlacementGroupRemoved`; calls of
    actors that lived in it raise `ActorDiedError`. A group that is removed already is no error.
    """
    if not isinstance(placement_group, PlacementGroup):
        raise TypeError(f"remove_placement_group() takes what placement_group(…) returns, got {placement_group!r}")
    if not placement_group.is_empty:
        lifecycle.running_engine().remove_group(placement_group.binary())


def get_placement_group(placement_group_name: str) -> PlacementGroup:
    """The group with that name in this program's namespace. Raises ValueError if there is none (as in Ray)."""
    name = opt.text("placement_group_name", placement_group_name)
    info = lifecycle.running_engine().find_group(b"", name)
    bundles = [as_amounts(bundle) for bundle in info.spec.bundles]
    return PlacementGroup(PlacementGroupID(info.spec.group), bundles)


def get_current_placement_group() -> PlacementGroup | None:
    """The group that the calling task or actor runs in; None if it runs in none, or this is a driver (as in Ray)."""
    task = context.current_task.get()
    if task is None or task.strategy is None or not task.strategy.group:
        return None
    return PlacementGroup(PlacementGroupID(task.strategy.group))


def placement_group_table(placement_group: PlacementGroup | None = None) -> dict[str, Any]:
    """What a group is made of and where its bundles are, with Ray's keys; without one, all groups by their ids.

    Those that were removed last are among them.
    """
    engine = lifecycle.running_engine()
    if placement_group is not None:
        return _row(engine.find_group(placement_group.binary(), ""))
    return {info.spec.group.hex(): _row(info) for info in engine.list_groups()}


def _row(info: GroupInfo) -> dict[str, Any]:
    state = info.state.name
    if state == "PREPARING":  # which takes milliseconds, and Ray has no name for
        state = "RESCHEDULING" if any(info.nodes) else "PENDING"
    return {
        "placement_group_id": info.spec.group.hex(),
        "name": info.spec.name,
        "bundles": {number: as_amounts(bundle) for number, bundle in enumerate(info.spec.bundles)},
        "bundles_to_node_id": {number: node.hex() for number, node in enumerate(info.nodes)},
        "strategy": info.spec.packing.value,
        "state": state,
        "reason": info.reason,
    }
