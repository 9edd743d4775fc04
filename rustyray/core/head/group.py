"""A placement group as the head knows it, and the moves of its life."""

from __future__ import annotations

import enum

from rustyray.core.story import StateTable
from rustyray.model.ids import NodeID
from rustyray.model.messages import GroupInfo, GroupSpec, GroupState
from rustyray.model.resources import ResourceSet, add


class GroupEvent(enum.IntEnum):
    PLACE = 1
    REFUSED = 2
    RESERVED = 3
    LOST = 4
    REMOVED = 5


_S, _E = GroupState, GroupEvent

GROUP_TABLE = StateTable(
    "placement group",
    _S.PENDING,
    {
        (_S.PENDING, _E.PLACE): _S.PREPARING,
        (_S.PREPARING, _E.REFUSED): _S.PENDING,
        (_S.PREPARING, _E.RESERVED): _S.CREATED,
        (_S.CREATED, _E.LOST): _S.RESCHEDULING,
        (_S.RESCHEDULING, _E.LOST): _S.RESCHEDULING,
        (_S.PREPARING, _E.LOST): _S.RESCHEDULING,
        (_S.RESCHEDULING, _E.PLACE): _S.PREPARING,
        **{(state, _E.REMOVED): _S.REMOVED for state in (_S.PENDING, _S.PREPARING, _S.CREATED, _S.RESCHEDULING)},
    },
)


class Round:
    """One attempt to place bundles: where each is to go, and which nodes have reserved theirs already."""

    __slots__ = ("number", "places", "reserved")

    def __init__(self, number: int, places: dict[int, NodeID]) -> None:
        self.number = number
        self.places = places
        self.reserved: dict[NodeID, bool] = dict.fromkeys(places.values(), False)

    def bundles_on(self, node: NodeID, spec: GroupSpec) -> dict[int, ResourceSet]:
        return {number: spec.bundles[number] for number, there in self.places.items() if there == node}


class Group:
    """One group. ``nodes`` says where each bundle lies (empty: nowhere); ``round`` what is being tried.

    ``was_created``: some of its bundles are or were in use, so that those which are missing were lost. ``reason`` is
    why it cannot be placed as things are, or why it was removed; ``over`` that its job is, and only its creator, an
    actor that outlives the job, keeps it; ``explaining`` that it is looked at soon whether it can be placed at all.
    """

    __slots__ = (
        "explaining",
        "id",
        "nodes",
        "over",
        "reason",
        "round",
        "rounds",
        "spec",
        "state",
        "version",
        "was_created",
        "what",
    )

    def __init__(self, spec: GroupSpec) -> None:
        self.id = spec.group
        self.spec = spec
        self.what = f"placement group {spec.name!r}" if spec.name else f"placement group {spec.group.hex()}"
        self.state = GROUP_TABLE.initial
        self.nodes: list[NodeID] = [b""] * len(spec.bundles)
        self.rounds = 0
        self.round: Round | None = None
        self.version = 0
        self.reason = ""
        self.was_created = False
        self.over = ""
        self.explaining = False

    @property
    def name(self) -> tuple[str, str] | None:
        return (self.spec.namespace, self.spec.name) if self.spec.name else None

    def placed(self) -> dict[int, NodeID]:
        return {number: node for number, node in enumerate(self.nodes) if node}

    def on_node(self, node: NodeID) -> ResourceSet:
        """The sum of what its bundles there hold."""
        total: ResourceSet = {}
        for number, there in enumerate(self.nodes):
            if there == node:
                add(total, self.spec.bundles[number])
        return total

    def info(self, request: int = 0) -> GroupInfo:
        return GroupInfo(self.spec, self.state, list(self.nodes), self.version, self.reason, request)
