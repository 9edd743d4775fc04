"""Placement groups: where their bundles go, in rounds of two phases, and when they end.

In a *round* the nodes chosen for the bundles that have no place are asked to reserve them. If all have done so, the
group is created, and the news of that makes the bundles usable; if one cannot, or dies, the others free what they have
reserved, and another round is tried when there is room. So nothing is ever reserved in part. Bundles whose node dies
are placed again; those on other nodes stay in use. Groups that are not detached end with their job, or with the
detached actor that made them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from rustyray.core.head.base import HeadBase
from rustyray.core.head.early import Early, Question
from rustyray.core.head.group import GROUP_TABLE, Group, GroupEvent, Round
from rustyray.core.head.jobs import Jobs
from rustyray.core.head.nodes import Node, Nodes, NodeState
from rustyray.core.head.packing import place, why_nowhere
from rustyray.core.head.watchers import Watchers
from rustyray.model.bundles import in_bundle
from rustyray.model.ids import ActorID, GroupID, JobID, NodeID
from rustyray.model.messages import (
    BundlesPrepared,
    CreateGroup,
    FindGroup,
    GroupInfo,
    GroupList,
    GroupSpec,
    GroupState,
    HeadError,
    ListGroups,
    PrepareBundles,
    RemoveGroup,
    ReturnBundles,
    WatchGroup,
)
from rustyray.model.resources import add

#: The version of what is said last about a group.
LAST: Final = 1 << 62
#: So many removed groups are remembered.
REMOVED_REMEMBERED: Final = 1_000


class Groups:
    """All groups. ``on_placed`` is told when one is created, ``on_removed`` which one was removed."""

    __slots__ = (
        "_base",
        "_early",
        "_jobs",
        "_nodes",
        "_on_placed",
        "_on_removed",
        "_outlives_job",
        "_watchers",
        "freed",
        "living",
        "names",
        "removed",
    )

    def __init__(
        self,
        base: HeadBase,
        nodes: Nodes,
        jobs: Jobs,
        on_placed: Callable[[float], None],
        on_removed: Callable[[Group], None],
        outlives_job: Callable[[ActorID], bool],
    ) -> None:
        self._base = base
        self._nodes = nodes
        self._jobs = jobs
        self._on_placed = on_placed
        self._on_removed = on_removed
        #: Whether an actor lives on when its job is over.
        self._outlives_job = outlives_job
        self._watchers = Watchers()
        self._early = Early(base)
        #: Something that was taken for a bundle is free again: others that wait may find room (see `place_waiting`).
        self.freed = False
        self.living: dict[GroupID, Group] = {}
        self.removed: dict[GroupID, Group] = {}
        self.names: dict[tuple[str, str], GroupID] = {}

    def get(self, group: GroupID) -> Group | None:
        return self.living.get(group) or self.removed.get(group)

    # --- what clients ask ---------------------------------------------------------------------------------------------

    def create(self, sender: bytes, message: CreateGroup, now: float) -> None:
        spec = message.spec
        known = self.get(spec.group)
        if known is None:
            known = Group(spec)
            if known.name is not None and known.name in self.names:
                text = f"the name {spec.name!r} is taken by another placement group in namespace {spec.namespace!r}"
                self._base.send(sender, HeadError(message.request, "name_taken", text))
                self._answer(self._early.created(spec.group), now)
                return
            self.living[spec.group] = known
            if known.name is not None:
                self.names[known.name] = spec.group
            self._start(known, now)
        if known.id in self.living:
            self._watchers.add(known.id, sender)
        self._base.send(sender, known.info(message.request))
        self._answer(self._early.created(spec.group), now)

    def _answer(self, asked: list[tuple[bytes, Question]], now: float) -> None:
        """What had to wait until it was known whether the group is created."""
        for sender, question in asked:
            if isinstance(question, WatchGroup):
                self.watch(sender, question, now)
            elif isinstance(question, RemoveGroup):
                self.remove(sender, question, now)
            else:
                self.find(sender, question, now)

    def owners_gone(self, prefix: bytes, now: float) -> None:
        """These create nothing any more."""
        self._answer(self._early.owners_gone(prefix), now)

    def _start(self, group: Group, now: float) -> None:
        over = None if group.spec.detached else self._jobs.why_over(group.spec.job)
        if over is not None and not self._outlives_job(group.spec.creator):
            self._remove(group, f"its job {group.spec.job.hex()} is finished: {over}")
            return
        group.over = over or ""
        self._tell(group)
        self._place(group, now)

    def remove(self, sender: bytes, message: RemoveGroup, now: float) -> None:
        group = self.get(message.group)
        if group is None:
            self._unknown(sender, message)
            return
        if group.id in self.living:
            self._remove(group, "it was removed with remove_placement_group")
        self._base.send(sender, group.info(message.request))

    def find(self, sender: bytes, message: FindGroup, now: float) -> None:
        named = self.names.get((message.namespace, message.name)) if message.name else message.group
        group = self.get(named) if named is not None else None
        if group is not None:
            self._base.send(sender, group.info(message.request))
        elif message.name:
            text = f"no placement group is named {message.name!r} in namespace {message.namespace!r}"
            self._base.send(sender, HeadError(message.request, "no_such_group", text))
        else:
            self._unknown(sender, message)

    def list_all(self, sender: bytes, message: ListGroups, now: float) -> None:
        groups = [group.info() for group in (*self.removed.values(), *self.living.values())]
        self._base.send(sender, GroupList(message.request, groups))

    def watch(self, sender: bytes, message: WatchGroup, now: float) -> None:
        """The sender was told the group's id: one that is not known is not known yet, or was removed long ago."""
        group = self.get(message.group)
        if group is None:
            if self._early.keep(sender, message):
                return
            spec = GroupSpec(message.group, b"", [{}])
            reason = f"placement group {message.group.hex()} is gone: it was removed long ago"
            self._base.send(sender, GroupInfo(spec, GroupState.REMOVED, [b""], 0, reason))
            return
        if group.id in self.living:
            self._watchers.add(group.id, sender)
        self._base.send(sender, group.info())

    def _unknown(self, sender: bytes, question: RemoveGroup | FindGroup) -> None:
        if not self._early.keep(sender, question):
            text = f"there is no placement group {question.group.hex()}"
            self._base.send(sender, HeadError(question.request, "no_such_group", text))

    def forget_peer(self, peer: bytes) -> None:
        self._watchers.drop_peer(peer)
        self._early.drop_peer(peer)

    # --- rounds -------------------------------------------------------------------------------------------------------

    def place_waiting(self, now: float) -> None:
        """There may be room now. Groups that have lost bundles come first."""
        self.freed = False
        waiting = [group for group in self.living.values() if group.round is None and not all(group.nodes)]
        for group in sorted(waiting, key=lambda group: not group.was_created):
            if group.id in self.living:
                self._place(group, now)

    def _place(self, group: Group, now: float) -> None:
        if group.round is not None or all(group.nodes):
            return
        places = place(group.spec, group.placed(), self._nodes.usable())
        if places is None:
            if not group.reason and not group.explaining:
                group.explaining = True
                self._base.timers.at(now + self._base.limits.explain, partial(self._explain, group))
            return
        group.rounds += 1
        round_ = group.round = Round(group.rounds, {number: node.info.node for number, node in places.items()})
        self._move(group, GroupEvent.PLACE)
        for node in round_.reserved:
            bundles = round_.bundles_on(node, group.spec)
            for held in bundles.values():
                self._nodes.take(self._nodes.nodes[node], held)
            address = self._nodes.nodes[node].info.address
            self._base.send(node, PrepareBundles(group.id, round_.number, bundles), address)

    def _explain(self, group: Group, now: float) -> None:
        """It waits for room. If there never will be any, as things are, the watchers are told once."""
        group.explaining = False
        living = self._nodes.living()
        waits = group.id in self.living and group.round is None and not all(group.nodes)
        if waits and not group.reason and place(group.spec, group.placed(), living, ever=True) is None:
            group.reason = f"{group.what} cannot be placed: {why_nowhere(group.spec, living)}"
            self._tell(group, nodes=False)

    def prepared(self, sender: bytes, message: BundlesPrepared, now: float) -> None:
        group = self.living.get(message.group)
        round_ = group.round if group is not None else None
        node = self._nodes.nodes.get(sender)
        if group is None or round_ is None or node is None or round_.number != message.round:
            return
        if not message.reserved:
            self._end_round(group, round_, refused=sender)
            node.info.available = dict(message.available)
            self.freed = True  # what the round was taken to have there, too
            self._place(group, now)
            return
        round_.reserved[sender] = True
        if all(round_.reserved.values()):
            self._created(group, round_, now)

    def _created(self, group: Group, round_: Round, now: float) -> None:
        for number, there in round_.places.items():
            group.nodes[number] = there
            bundle = in_bundle(group.id, number, group.spec.bundles[number])
            add(self._nodes.nodes[there].info.available, bundle)
        group.round = None
        group.was_created = True
        group.reason = ""
        self._move(group, GroupEvent.RESERVED)
        self._tell(group)
        self._on_placed(now)

    def _end_round(self, group: Group, round_: Round, refused: NodeID) -> None:
        """What was reserved is freed. (A message for a node that has not answered yet comes after the question.)"""
        for there in round_.reserved:
            if there != refused:
                self._base.send(there, ReturnBundles(group.id, round_.number))
                self._count_back(group, round_, there)
        group.round = None
        self._move(group, GroupEvent.LOST if group.was_created else GroupEvent.REFUSED, f"round {round_.number}")

    def _count_back(self, group: Group, round_: Round, there: NodeID) -> None:
        """What the round took there is free again (the next heartbeat says better)."""
        self.freed = True
        node = self._nodes.nodes[there]
        if node.state is not NodeState.DEAD:
            for held in round_.bundles_on(there, group.spec).values():
                add(node.info.available, held)

    # --- nodes --------------------------------------------------------------------------------------------------------

    def node_joined(self, node: NodeID) -> None:
        """It has to know of all groups, as requests for them may come there."""
        address = self._nodes.nodes[node].info.address
        for group in self.living.values():
            self._base.send(node, group.info(), address)

    def compare(self, node: NodeID, groups: list[tuple[GroupID, int]]) -> None:
        """The node may have missed something: it is asked again, and frees what belongs to no round, or no group."""
        for id_, number in groups:
            group = self.get(id_)
            if id_ not in self.living:
                gone = GroupInfo(
                    GroupSpec(id_, b"", []), GroupState.REMOVED, [], LAST, "nothing is known of it any more"
                )
                self._base.send(node, gone if group is None else group.info())
            elif group is not None and (group.round is None or group.round.number != number):
                self._base.send(node, ReturnBundles(id_, number))
        for group in self.living.values():
            if group.round is not None and group.round.reserved.get(node) is False:
                bundles = group.round.bundles_on(node, group.spec)
                self._base.send(node, PrepareBundles(group.id, group.round.number, bundles))

    def node_died(self, node: Node, now: float) -> None:
        id_ = node.info.node
        for group in list(self.living.values()):
            round_, lost = group.round, id_ in group.nodes
            if round_ is not None and (lost or id_ in round_.reserved):  # what a round reserves is all that is missing
                self._end_round(group, round_, refused=id_)
            elif lost:
                self._move(group, GroupEvent.LOST, f"node {id_.hex()} died")
            if lost:
                group.nodes = [b"" if there == id_ else there for there in group.nodes]
                self._tell(group)
        self.place_waiting(now)

    # --- ends ---------------------------------------------------------------------------------------------------------

    def job_finished(self, job: JobID, reason: str) -> None:
        for group in list(self.living.values()):
            if group.spec.job == job and not group.spec.detached:
                group.over = f"its job {job.hex()} is finished: {reason}"
                if not self._outlives_job(group.spec.creator):
                    self._remove(group, group.over)

    def actor_died(self, actor: ActorID) -> None:
        """Groups that only this actor, which made them, kept alive."""
        for group in list(self.living.values()):
            if group.spec.creator == actor and group.over:
                self._remove(group, f"the actor {actor.hex()} that created it died, and {group.over}")

    def _remove(self, group: Group, reason: str) -> None:
        round_, group.round = group.round, None
        if round_ is not None:
            for there in round_.reserved:
                self._count_back(group, round_, there)
        self._move(group, GroupEvent.REMOVED, reason)
        group.reason = f"{group.what} is gone: {reason}"
        group.nodes = [b""] * len(group.nodes)
        del self.living[group.id]
        if group.name is not None and self.names.get(group.name) == group.id:
            del self.names[group.name]
        self.removed[group.id] = group
        if len(self.removed) > REMOVED_REMEMBERED:
            oldest = next(iter(self.removed))
            del self.removed[oldest]
            self._base.changed("group", oldest, None)
        self._tell(group)
        self._watchers.drop(group.id)
        self._on_removed(group)

    # --- bookkeeping --------------------------------------------------------------------------------------------------

    def _tell(self, group: Group, nodes: bool = True) -> None:
        """Tell the nodes and the watchers."""
        group.version += 1
        self._base.changed("group", group.id, group)
        for node in self._nodes.living() if nodes else ():
            self._base.send(node.info.node, group.info(), node.info.address)
        for peer in self._watchers.of(group.id):
            self._base.send(peer, group.info())

    def restore(self, group: Group) -> None:
        """It was there when the head ended."""
        if group.state is GroupState.REMOVED:
            self.removed[group.id] = group
            self._early.created(group.id)
            return
        self.living[group.id] = group
        self._early.created(group.id)
        if group.name is not None:
            self.names[group.name] = group.id

    def _move(self, group: Group, event: GroupEvent, cause: object = None) -> None:
        self._base.changed("group", group.id, group)
        group.state = self._base.journal.move(GROUP_TABLE, group.id, group.state, event, cause)

    def check(self) -> None:
        told = self._base.journal.told
        for id_, group in [*self.living.items(), *self.removed.items()]:
            gone = group.state is GroupState.REMOVED
            assert gone is (id_ in self.removed) is not (id_ in self.living), f"half removed: {told(group.what, id_)}"
            named = group.name is not None and not gone
            assert named is (group.name is not None and self.names.get(group.name) == id_), (
                f"its name: {told(group.what, id_)}"
            )
            assert (group.round is not None) is (group.state is GroupState.PREPARING), (
                f"its round: {told(group.what, id_)}"
            )
            assert (group.state is GroupState.CREATED) is all(group.nodes), (
                f"{group.state.name}, all placed? {told(group.what, id_)}"
            )
            assert not (gone and self._watchers.of(id_)), f"removed and watched: {told(group.what, id_)}"
            rounds = list(group.round.reserved) if group.round is not None else []
            for there in [node for node in (*group.nodes, *rounds) if node]:
                assert self._nodes.nodes[there].state is not NodeState.DEAD, (
                    f"has bundles on a dead node: {told(group.what, id_)}"
                )
        for name, id_ in self.names.items():
            assert self.living[id_].name == name, f"name {name} belongs to a group that has another"
        self._watchers.check()
        self._early.check({**self.living, **self.removed})
