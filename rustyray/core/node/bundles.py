"""Bundles of placement groups on this node: reserved when the head asks, usable when the group is created.

A bundle takes its resources from the node's own, and gives them out under names of its own
(`rustyray.model.bundles`). When its group is removed, who works in it is killed; what it reserved is free again when
the last of them has ended.
"""

from __future__ import annotations

import enum
from typing import Final

from rustyray.core.node.accounts import Accounts
from rustyray.core.node.actors import HostedActors
from rustyray.core.node.base import NodeBase
from rustyray.core.node.cluster import Cluster
from rustyray.core.node.gpus import Shares
from rustyray.core.node.leases import LeaseDesk
from rustyray.core.story import StateTable
from rustyray.model.bundles import PLACE, in_bundle, is_in_bundle
from rustyray.model.ids import GroupID
from rustyray.model.messages import (
    HEAD,
    BundlesPrepared,
    GroupInfo,
    GroupState,
    PrepareBundles,
    ReturnBundles,
)
from rustyray.model.resources import GPU, ResourceSet, add, fits, total
from rustyray.model.values import Fault, FaultKind

#: So many removed groups are remembered.
REMEMBERED: Final = 1_000


class BundleState(enum.IntEnum):
    RESERVED = 1
    IN_USE = 2
    ENDING = 3
    GONE = 4


class BundleEvent(enum.IntEnum):
    CREATED = 1
    RETURNED = 2
    REMOVED = 3
    UNUSED = 4


_S, _E = BundleState, BundleEvent

BUNDLE_TABLE = StateTable(
    "bundle",
    _S.RESERVED,
    {
        (_S.RESERVED, _E.CREATED): _S.IN_USE,
        (_S.RESERVED, _E.RETURNED): _S.GONE,
        (_S.RESERVED, _E.REMOVED): _S.GONE,
        (_S.IN_USE, _E.REMOVED): _S.ENDING,
        (_S.ENDING, _E.UNUSED): _S.GONE,
    },
)


class Bundle:
    """One bundle; ``names`` is what can be had of it while it is in use, ``gpus`` those that it has."""

    __slots__ = ("gpus", "group", "names", "number", "resources", "state")

    def __init__(self, group: GroupID, number: int, resources: ResourceSet, gpus: Shares, places: int) -> None:
        self.group = group
        self.number = number
        self.resources = resources
        self.gpus = gpus
        self.names = in_bundle(group, number, {**resources, PLACE: places})
        self.state = BUNDLE_TABLE.initial


class KnownGroup:
    """What the node knows of a group: the head's last word, the last round that it was asked in and what it answered,
    its bundles here."""

    __slots__ = ("answer", "bundles", "info", "round")

    def __init__(self) -> None:
        self.info: GroupInfo | None = None
        self.round = 0
        self.answer: BundlesPrepared | None = None
        self.bundles: dict[int, Bundle] = {}


class Bundles:
    """The groups that the node knows, and their bundles here."""

    __slots__ = ("_accounts", "_actors", "_base", "_cluster", "_desk", "_ending", "groups")

    def __init__(
        self, base: NodeBase, accounts: Accounts, desk: LeaseDesk, actors: HostedActors, cluster: Cluster
    ) -> None:
        self._base = base
        self._cluster = cluster
        self._accounts = accounts
        self._desk = desk
        self._actors = actors
        self.groups: dict[GroupID, KnownGroup] = {}
        #: Those that are removed, and in which somebody still works.
        self._ending: dict[GroupID, None] = {}

    def info(self, group: GroupID) -> GroupInfo | None:
        known = self.groups.get(group)
        return known.info if known is not None else None

    # --- the head's wishes --------------------------------------------------------------------------------------------

    def prepare(self, sender: bytes, message: PrepareBundles, now: float) -> None:
        """Reserve all of it or nothing. What comes twice, or after the end of its round, is ignored."""
        if sender != HEAD:
            return
        known = self.groups.setdefault(message.group, KnownGroup())
        removed = known.info is not None and known.info.state is GroupState.REMOVED
        if message.round == known.round and known.answer is not None:
            self._base.tell_head(known.answer)  # the head was away: it may not have got it
            return
        if message.round <= known.round or removed:
            return
        known.round = message.round
        bundles = message.bundles
        got = None if self._base.stopping else self._accounts.reserve(list(bundles.values()))
        for (number, bundle), gpus in zip(bundles.items(), got or (), strict=got is not None):
            places = self._base.limits.max_demanding_nothing
            known.bundles[number] = Bundle(message.group, number, bundle, gpus, places)
        free = dict(self._accounts.free)
        if got is None and fits(total(bundles.values()), free):
            # The GPUs are there in pieces. Until the next heartbeat none are: or it would ask for the same at once.
            free[GPU] = 0
        known.answer = BundlesPrepared(message.group, message.round, got is not None, free)
        self._base.tell_head(known.answer)
        if got is None:
            self._desk.recall.ask_all(now)

    def snapshot(self) -> list[tuple[GroupID, int]]:
        """The groups that have bundles here, or are not known to be removed: requests for these may wait here."""
        return [
            (group, known.round)
            for group, known in self.groups.items()
            if known.bundles or (known.info is not None and known.info.state is not GroupState.REMOVED)
        ]

    def give_back(self, sender: bytes, message: ReturnBundles, now: float) -> None:
        known = self.groups.get(message.group)
        if sender == HEAD and known is not None and known.round == message.round:
            known.answer = None
            self._return(known, BundleEvent.RETURNED)
            self._desk.schedule(now)

    def _return(self, known: KnownGroup, event: BundleEvent) -> None:
        for bundle in list(known.bundles.values()):
            if bundle.state is BundleState.RESERVED:
                self._move(bundle, event)
                self._free(known, bundle)

    def see(self, info: GroupInfo, now: float) -> None:
        """The head's word on a group."""
        known = self.groups.setdefault(info.spec.group, KnownGroup())
        if known.info is not None and info.version <= known.info.version:
            return
        known.info = info
        if info.state is GroupState.REMOVED:
            self._end(known, info, now)
            return
        for bundle in known.bundles.values():
            if bundle.state is BundleState.RESERVED and info.nodes[bundle.number] == self._base.node:
                self._move(bundle, BundleEvent.CREATED)
                self._accounts.open(bundle.names, bundle.gpus)

    # --- the end of a group -------------------------------------------------------------------------------------------

    def _end(self, known: KnownGroup, info: GroupInfo, now: float) -> None:
        group = info.spec.group
        self._return(known, BundleEvent.REMOVED)
        for bundle in known.bundles.values():
            self._move(bundle, BundleEvent.REMOVED)
            self._accounts.close(bundle.names, bundle.gpus)
        if known.bundles:
            self._ending[group] = None
            fault = Fault(FaultKind.GROUP_REMOVED, info.reason)
            self._actors.no_workers(self._desk.end_group(group, fault, now), fault)
        self.look(now)
        self._forget()

    def look(self, now: float) -> None:
        """A process has ended: what the bundles that it worked in have reserved may be free now."""
        for group in [group for group in self._ending if not self._desk.works_in(group)]:
            del self._ending[group]
            known = self.groups[group]
            for bundle in list(known.bundles.values()):
                self._move(bundle, BundleEvent.UNUSED)
                self._free(known, bundle)
            self._desk.schedule(now)
            self._cluster.beat(now)  # the head does not know it, and others may wait for just that

    def _free(self, known: KnownGroup, bundle: Bundle) -> None:
        del known.bundles[bundle.number]
        self._accounts.forget(bundle.names)
        self._accounts.free_reserved(bundle.resources, bundle.gpus)

    def _forget(self) -> None:
        """The oldest of those that are removed."""
        gone = [
            group
            for group, known in self.groups.items()
            if known.info is not None and known.info.state is GroupState.REMOVED and not known.bundles
        ]
        for group in gone[:-REMEMBERED]:
            del self.groups[group]

    def _move(self, bundle: Bundle, event: BundleEvent) -> None:
        bundle.state = self._base.journal.move(BUNDLE_TABLE, bundle.group, bundle.state, event, bundle.number)

    def check(self) -> None:
        told = self._base.journal.told
        reserved: ResourceSet = {}
        open_: ResourceSet = {}
        for group, known in self.groups.items():
            removed = known.info is not None and known.info.state is GroupState.REMOVED
            for bundle in known.bundles.values():
                add(reserved, bundle.resources)
                assert (bundle.state is BundleState.ENDING) is removed, (
                    f"is it removed? {told(f'placement group {group.hex()}', group)}"
                )
                if bundle.state is BundleState.IN_USE:
                    add(open_, bundle.names)
            assert (group in self._ending) is (removed and bool(known.bundles)), (
                f"waits for its workers? {told(f'placement group {group.hex()}', group)}"
            )
        mine = self._accounts.reserved
        if mine != reserved:
            mine = {name: units for name, units in mine.items() if units}
        assert mine == reserved, f"{mine} are reserved, by the bundles it should be {reserved}"
        names = {name: units for name, units in self._accounts.total.items() if units and is_in_bundle(name)}
        assert names == open_, f"{names} can be had of bundles, it should be {open_}"
