"""Placement groups: what anybody asks of the head, and how the head reserves bundles on nodes."""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec

from rustyray.model.ids import ActorID, GroupID, JobID, NodeID
from rustyray.model.messages.base import Demand, Part
from rustyray.model.resources import ResourceSet
from rustyray.model.strategies import LabelMatch

# --- anyone ↔ head ----------------------------------------------------------------------------------------------------


class Packing(enum.StrEnum):
    """How the bundles of a group are spread over nodes: on few or on many, at best or (``STRICT``) exactly."""

    PACK = "PACK"
    SPREAD = "SPREAD"
    STRICT_PACK = "STRICT_PACK"
    STRICT_SPREAD = "STRICT_SPREAD"


class GroupSpec(Part):
    """All that is needed to (re)place a group: for each bundle what it holds, and which labels its node must have.

    ``creator`` is the actor that made it, if one did.
    """

    group: GroupID
    job: JobID
    bundles: Annotated[list[Demand], msgspec.Meta(min_length=1)]
    packing: Packing = Packing.PACK
    labels: list[tuple[LabelMatch, ...]] = msgspec.field(default_factory=list)
    name: str = ""
    namespace: str = ""
    detached: bool = False
    creator: ActorID = b""

    def __post_init__(self) -> None:
        if self.labels and len(self.labels) != len(self.bundles):
            raise ValueError(f"{len(self.bundles)} bundles with labels for {len(self.labels)}")


class GroupState(enum.IntEnum):
    """Where a group is in its life; the head decides, everybody else is told."""

    PENDING = 1
    PREPARING = 2
    CREATED = 3
    RESCHEDULING = 4
    REMOVED = 5


class GroupInfo(msgspec.Struct, array_like=True, gc=False, tag=120):
    """The state of a group, told to all nodes, to its creator and to all who asked; an answer carries ``request``.

    ``nodes`` says for each bundle where it lies; empty: nowhere yet, or not any more. ``version`` counts the changes,
    so that an old one cannot be mistaken for news. ``reason`` says why it was removed, or why it cannot be placed.
    """

    spec: GroupSpec
    state: GroupState
    nodes: list[NodeID]
    version: int
    reason: str = ""
    request: int = 0


class CreateGroup(msgspec.Struct, array_like=True, gc=False, tag=121):
    """Answered by `GroupInfo`, before it is placed, or by `HeadError` when its name is taken."""

    request: int
    spec: GroupSpec


class RemoveGroup(msgspec.Struct, array_like=True, gc=False, tag=122):
    """Answered by `GroupInfo`, or by `HeadError` if nobody knows it (any more)."""

    request: int
    group: GroupID


class FindGroup(msgspec.Struct, array_like=True, gc=False, tag=123):
    """Look a living group up by name, or any by id; answered by `GroupInfo` or `HeadError`."""

    request: int
    group: GroupID = b""
    name: str = ""
    namespace: str = ""


class ListGroups(msgspec.Struct, array_like=True, gc=False, tag=124):
    """Answered by `GroupList`: the groups there are, and those that were removed last."""

    request: int


class GroupList(msgspec.Struct, array_like=True, gc=False, tag=125):
    request: int
    groups: list[GroupInfo]


class WatchGroup(msgspec.Struct, array_like=True, gc=False, tag=126):
    """Tell the sender the group's state now and at every change."""

    group: GroupID


# --- head ↔ node ------------------------------------------------------------------------------------------------------


class PrepareBundles(msgspec.Struct, array_like=True, gc=False, tag=127):
    """Head → node: reserve these bundles (by their numbers), all or none; `BundlesPrepared` says which.

    They can be used when a `GroupInfo` says that the group is created. Rounds of a group count up.
    """

    group: GroupID
    round: int
    bundles: dict[int, Demand]


class BundlesPrepared(msgspec.Struct, array_like=True, gc=False, tag=128):
    """Node → head. ``available`` is what is free there now."""

    group: GroupID
    round: int
    reserved: bool
    available: ResourceSet


class ReturnBundles(msgspec.Struct, array_like=True, gc=False, tag=129):
    """Head → node: the round came to nothing; free what it reserved."""

    group: GroupID
    round: int
