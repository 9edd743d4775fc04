"""Where tasks and actors may run, and where they should: what ``scheduling_strategy`` takes (as in Ray)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

import msgspec

from rustyray.model.ids import NODE_ID_SIZE, RAYS_NODE_ID_SIZE, GroupID, NodeID
from rustyray.model.resources import ResourceSet, as_amounts, fits, resource_set

#: What every node has a label of: its own id, in hexadecimal.
NODE_LABEL = "ray.io/node-id"
#: Labels of others cannot begin so.
RESERVED_LABELS = "ray.io/"
_WORD = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")


class LabelMatch(msgspec.Struct, array_like=True, frozen=True):
    """What the label ``key`` of a node must be: one of ``values``, or (``negated``) none of them.

    Without values: the label must be there, or must not.
    """

    key: str
    values: tuple[str, ...] = ()
    negated: bool = False

    def fits(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        found = value is not None if not self.values else value in self.values
        return found is not self.negated

    def __str__(self) -> str:
        values = f" in {', '.join(self.values)}" if self.values else ""
        return f"{'not ' if self.negated else ''}{self.key}{values}"


class Strategy(msgspec.Struct, array_like=True, frozen=True):
    """A strategy as messages carry it. ``node``: there and nowhere else, or (``soft``) elsewhere if it is gone.

    ``spread``: on as many nodes as there are. ``hard`` labels must fit, ``preferred`` ones should. ``group``: in that
    placement group, in its ``bundle`` (-1: in any); ``capture``: so do the tasks and actors that it submits itself.
    ``near``: on that node if there is room, where large arguments are; no user says so. ``fallbacks``: what labels may
    be instead of ``hard``, one after the other, where no node with those has room.
    """

    spread: bool = False
    node: NodeID = b""
    soft: bool = False
    hard: tuple[LabelMatch, ...] = ()
    preferred: tuple[LabelMatch, ...] = ()
    group: GroupID = b""
    bundle: int = -1
    capture: bool = False
    near: NodeID = b""
    fallbacks: tuple[tuple[LabelMatch, ...], ...] = ()

    def selectors(self) -> tuple[tuple[LabelMatch, ...], ...]:
        """What labels must be: the first, if a node that has those has room, else the second, and so on."""
        return (self.hard, *self.fallbacks)

    def prefers(self, labels: Mapping[str, str]) -> bool:
        return all(match.fits(labels) for match in self.preferred)

    def __str__(self) -> str:
        if self.node:
            return f"node {self.node.hex()}"
        if self.group:
            where = f"bundle {self.bundle} of " if self.bundle >= 0 else ""
            return f"{where}placement group {self.group.hex()}"
        return ", or else ".join(map(_on_labels, self.selectors()))


def allows(selector: tuple[LabelMatch, ...], labels: Mapping[str, str]) -> bool:
    return all(match.fits(labels) for match in selector)


def _on_labels(selector: tuple[LabelMatch, ...]) -> str:
    return f"labels {', '.join(map(str, selector))}" if selector else "any node"


def is_pinned(strategy: Strategy | None) -> bool:
    """Whether a request for a worker that has come to a node may not move on from there."""
    return strategy is not None and (strategy.spread or bool(strategy.node) or strategy.bundle >= 0)


# --- what users write -------------------------------------------------------------------------------------------------


class NodeAffinitySchedulingStrategy:
    """Run on one node.

    Args:
        node_id: the node, in hexadecimal (``NodeID`` of `rustyray.nodes`).
        soft: run elsewhere if that node is gone; otherwise the task or actor fails then.

    Raises:
        TypeError, ValueError: That is no node's id.
    """

    def __init__(self, node_id: str, soft: bool) -> None:
        if not isinstance(node_id, str):
            raise TypeError(f"node_id must be a node's id in hexadecimal, got {node_id!r}")
        try:
            node = bytes.fromhex(node_id)
        except ValueError:
            node = b""
        if len(node) not in (NODE_ID_SIZE, RAYS_NODE_ID_SIZE):
            raise ValueError(f"node_id must be the NodeID of one of nodes(), got {node_id!r}")
        self.node_id = node_id
        self.soft = bool(soft)
        self.strategy = Strategy(node=node, soft=self.soft)


class In:
    """The label has one of these values."""

    negated = False

    def __init__(self, *values: str) -> None:
        if not values or not all(isinstance(value, str) for value in values):
            raise TypeError(f"{type(self).__name__}() takes the values of a label, which are strings, got {values!r}")
        self.values = values


class NotIn(In):
    """The label has none of these values, or the node has no such label."""

    negated = True


class Exists:
    """The node has the label."""

    values: tuple[str, ...] = ()
    negated = False


class DoesNotExist(Exists):
    """The node does not have the label."""

    negated = True


Matches: TypeAlias = "Mapping[str, In | Exists]"


class NodeLabelSchedulingStrategy:
    """Run where the nodes' labels fit.

    Args:
        hard: by label, what it must be: `In`, `NotIn`, `Exists` or `DoesNotExist`.
        soft: likewise, what it should be.

    Raises:
        TypeError: That is something else.
    """

    def __init__(self, hard: Matches, *, soft: Matches | None = None) -> None:
        self.hard = hard
        self.soft = soft
        self.strategy = Strategy(hard=_matches(hard), preferred=_matches(soft or {}))


def _matches(given: Any) -> tuple[LabelMatch, ...]:
    if not isinstance(given, Mapping):
        raise TypeError(f"labels must be a dict such as {{'zone': In('a')}}, got {given!r}")
    for key, match in given.items():
        if not isinstance(key, str) or not isinstance(match, In | Exists):
            raise TypeError(f"labels must be a dict such as {{'zone': In('a')}}, got {key!r}: {match!r}")
    return tuple(LabelMatch(key, match.values, match.negated) for key, match in sorted(given.items()))


def selected(name: str, given: Any) -> tuple[LabelMatch, ...]:
    """What a label selector asks for. Raises TypeError or ValueError naming what is wrong, with ``name`` before it."""
    if not isinstance(given, Mapping):
        raise TypeError(f"{name} must be a dict such as {{'zone': 'a'}}, got {given!r}")
    return tuple(_selected(name, key, value) for key, value in sorted(given.items()))


def check_label(name: str, key: str) -> None:
    """Raise ValueError unless ``key`` can be a label's, with ``name`` before it."""
    prefix, _, word = key.rpartition("/")
    if not _WORD.fullmatch(word) or (prefix and not all(map(_WORD.fullmatch, prefix.split(".")))):
        raise ValueError(
            f"{name}: invalid label key {key!r}. It has up to 63 letters, digits, '-', '_' and '.', of which the first "
            "and the last are letters or digits, and may have a domain and a '/' before them (as in Ray)."
        )


def _selected(name: str, key: Any, given: Any) -> LabelMatch:
    if not isinstance(key, str) or not isinstance(given, str):
        raise TypeError(f"{name} must be a dict of strings such as {{'zone': 'a'}}, got {key!r}: {given!r}")
    check_label(name, key)
    negated = given.startswith("!")
    text = given.removeprefix("!")
    several = text.startswith("in(") and text.endswith(")")
    values = tuple(value.strip() for value in (text[3:-1].split(",") if several else (text,)))
    if not all(value and not set(value) & set("!(),") for value in values):
        raise ValueError(f"{name}[{key!r}] must be a value, '!value', 'in(value, …)' or '!in(value, …)', got {given!r}")
    return LabelMatch(key, values, negated)


class GroupHandle(Protocol):
    """A placement group, as far as it matters here; ``is_empty`` stands for none."""

    @property
    def is_empty(self) -> bool: ...

    @property
    def bundle_specs(self) -> list[dict[str, float]]: ...

    def binary(self) -> bytes: ...


class PlacementGroupSchedulingStrategy:
    """Run in a placement group (as in Ray).

    Args:
        placement_group: the group; None, or an empty one: in none.
        placement_group_bundle_index: the bundle, counted from 0; -1: any that has room.
        placement_group_capture_child_tasks: whether the tasks and actors that it submits itself run in the group as
            well, unless they have a scheduling strategy of their own.

    Raises:
        TypeError: That is no placement group, or no index.
        ValueError: The group has no such bundle.
    """

    def __init__(
        self,
        placement_group: GroupHandle | None,
        placement_group_bundle_index: int = -1,
        placement_group_capture_child_tasks: bool | None = None,
    ) -> None:
        index = placement_group_bundle_index
        if placement_group is not None and not hasattr(placement_group, "bundle_specs"):
            raise TypeError(f"placement_group must be what placement_group(…) returns, got {placement_group!r}")
        if isinstance(index, bool) or not isinstance(index, int):
            raise TypeError(f"placement_group_bundle_index must be an integer, got {index!r}")
        self.placement_group = placement_group
        self.placement_group_bundle_index = index
        self.placement_group_capture_child_tasks = placement_group_capture_child_tasks
        self.strategy: Strategy | None = None
        if placement_group is None or placement_group.is_empty:
            if index != -1:
                raise ValueError("without a placement group, placement_group_bundle_index must be -1")
            return
        count = len(placement_group.bundle_specs)
        if not -1 <= index < count:
            raise ValueError(
                f"placement group bundle index {index} is invalid: the group has bundles 0 to {count - 1}, and -1 "
                "stands for any"
            )
        capture = bool(placement_group_capture_child_tasks)
        self.strategy = Strategy(group=placement_group.binary(), bundle=index, capture=capture)

    def check_room(self, called: str, resources: ResourceSet, placement: ResourceSet) -> None:
        """Raise ValueError if no bundle that it may run in can ever hold this."""
        if self.placement_group is None or self.strategy is None:
            return
        specs, index = self.placement_group.bundle_specs, self.strategy.bundle
        able = [resource_set(spec) for spec in (specs if index < 0 else specs[index : index + 1])]
        where = "any bundles" if index < 0 else f"bundle {index}"
        if not any(fits(resources, bundle) for bundle in able):
            raise ValueError(
                f"Cannot schedule {called} with the placement group because the resource request "
                f"{as_amounts(resources)} cannot fit into {where} for the placement group, {specs}."
            )
        if not any(fits(placement, bundle) for bundle in able):
            raise ValueError(
                f"Cannot schedule {called} with the placement group because an actor needs "
                f"{as_amounts(placement)} to be placed, which cannot fit into {where} for the placement group, {specs}."
            )


SchedulingStrategy: TypeAlias = (
    "str | NodeAffinitySchedulingStrategy | NodeLabelSchedulingStrategy | PlacementGroupSchedulingStrategy"
)

DEFAULT = "DEFAULT"
SPREAD = "SPREAD"
