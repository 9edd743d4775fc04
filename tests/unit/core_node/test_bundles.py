"""Bundles on a node: reserved whole or not at all, drawn from under names of their own, ended with their group."""

from __future__ import annotations

import msgspec

from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    ActorSpec,
    ActorStarted,
    Blocked,
    BundlesPrepared,
    CancelLease,
    ClusterView,
    GroupInfo,
    GroupSpec,
    GroupState,
    Heartbeat,
    LeaseElsewhere,
    LeaseFailed,
    LeaseGranted,
    LeaseWaits,
    NodeInfo,
    PrepareBundles,
    ReclaimLeases,
    RegisterAgain,
    RegisterNode,
    RequestLease,
    ReturnBundles,
    ReturnLease,
    StartActor,
)
from rustyray.model.resources import ResourceSet, resource_set
from rustyray.model.strategies import Strategy
from rustyray.model.values import FaultKind
from tests.unit.core_node.world import DRIVER, JOB, NODE, OTHER, STRANGER, World

GROUP = ids.task_id(DRIVER, 1001)
CPU = {"CPU": 10_000}


class Groups(World):
    """A node that is asked for bundles."""

    version = 0

    def prepare(self, round_: int, bundles: dict[int, ResourceSet], group: bytes = GROUP) -> bool:
        self.say(HEAD, PrepareBundles(group, round_, bundles))
        return self.one(HEAD, BundlesPrepared).reserved

    def news(
        self, state: GroupState, *nodes: bytes, group: bytes = GROUP, reason: str = "", each: ResourceSet = CPU
    ) -> None:
        self.version += 1
        spec = GroupSpec(group, JOB, [dict(each) for _ in nodes])
        self.say(HEAD, GroupInfo(spec, state, list(nodes), self.version, reason))

    def make(self, count: int = 1, group: bytes = GROUP) -> None:
        assert self.prepare(1, {number: dict(CPU) for number in range(count)}, group)
        self.news(GroupState.CREATED, *[NODE] * count, group=group)

    def ask(
        self, number: int, bundle: int = -1, cpus: float = 1, owner: bytes = DRIVER, group: bytes = GROUP, hops: int = 0
    ) -> None:
        strategy = Strategy(group=group, bundle=bundle)
        demand = resource_set({"CPU": cpus})
        self.say(owner, RequestLease(number, JOB, demand, hops, strategy=strategy))
        self.ready_all()

    def granted(self) -> list[int]:
        return [grant.request for grant in self.take(DRIVER, LeaseGranted)]

    def see(self, **available: float) -> None:
        """The other node, and what is free there."""
        info = NodeInfo(OTHER, "tcp:other", True, resource_set({"CPU": 4}), resource_set(available))
        self.say(HEAD, ClusterView([info]))


def test_all_bundles_are_reserved_or_none() -> None:
    world = Groups(2)
    assert not world.prepare(1, {0: dict(CPU), 1: dict(CPU), 2: dict(CPU)})
    assert world.free() == 2
    assert world.prepare(2, {0: dict(CPU), 1: dict(CPU)})
    assert world.free() == 0


def test_a_round_that_is_over_reserves_nothing_any_more() -> None:
    world = Groups(2)
    assert world.prepare(1, {0: dict(CPU)})
    world.say(HEAD, PrepareBundles(GROUP, 1, {0: dict(CPU)}))  # asked again, by a head that was away
    assert world.one(HEAD, BundlesPrepared).reserved
    world.say(HEAD, ReturnBundles(GROUP, 1))
    assert world.free() == 2
    world.say(HEAD, PrepareBundles(GROUP, 1, {0: dict(CPU)}))  # late
    assert world.free() == 2
    assert world.prepare(2, {0: dict(CPU)})
    world.say(HEAD, ReturnBundles(GROUP, 1))
    assert world.free() == 1


def test_old_news_of_a_group_change_nothing() -> None:
    world = Groups(2)
    world.make()
    late = GroupInfo(GroupSpec(GROUP, JOB, [CPU]), GroupState.CREATED, [NODE], world.version)
    world.news(GroupState.REMOVED, b"")
    world.say(HEAD, late)
    world.say(HEAD, PrepareBundles(GROUP, 9, {0: dict(CPU)}))
    assert not world.take(HEAD, BundlesPrepared)
    assert world.free() == 2


def test_only_the_head_disposes_of_bundles() -> None:
    world = Groups(2)
    world.say(DRIVER, PrepareBundles(GROUP, 1, {0: dict(CPU)}))
    world.make()
    world.say(DRIVER, ReturnBundles(GROUP, 1))
    world.say(DRIVER, GroupInfo(GroupSpec(GROUP, JOB, [CPU]), GroupState.REMOVED, [b""], 99))
    assert world.free() == 1


def test_whoever_has_idle_workers_is_asked_for_them_when_there_is_no_room() -> None:
    world = Groups(1)
    world.lease(1)
    world.take(DRIVER, ReclaimLeases)
    world.wait(1.0)
    assert not world.prepare(1, {0: dict(CPU)})
    assert world.take(DRIVER, ReclaimLeases)


def test_leases_draw_from_the_bundles_not_from_the_node() -> None:
    world = Groups(3)
    world.make(2)
    for number in (1, 2, 3):
        world.ask(number)
    assert world.granted() == [1, 2]
    assert world.free() == 1
    assert world.lease(4).request == 4


def test_who_wants_a_certain_bundle_waits_for_that_one() -> None:
    world = Groups(2)
    world.make(2)
    world.ask(1, bundle=0)
    grant = world.one(DRIVER, LeaseGranted)
    world.ask(2, bundle=0)
    world.ask(3, bundle=1)
    assert world.granted() == [3]
    world.say(DRIVER, ReturnLease(grant.lease))
    assert world.granted() == [2]


def test_certain_bundles_and_any_never_get_more_than_there_is() -> None:
    world = Groups(2)
    world.make(2)
    world.ask(1, bundle=0)
    world.ask(2)
    world.ask(3)
    world.ask(4, bundle=1)
    assert world.granted() == [1, 2]


def test_requests_wait_in_silence_until_the_group_is_created() -> None:
    world = Groups(2)
    world.news(GroupState.PENDING, b"")
    world.ask(1)
    world.ask(2, bundle=0)
    assert world.prepare(1, {0: dict(CPU)})
    world.say(DRIVER, CancelLease(1))
    world.wait(60)
    assert not world.take(DRIVER, LeaseWaits)
    world.news(GroupState.CREATED, NODE)
    world.ready_all()
    assert world.granted() == [2]


def test_a_request_that_comes_twice_waits_once_and_for_its_bundle() -> None:
    world = Groups(1)
    world.news(GroupState.PENDING, b"")
    for _ in range(2):
        world.ask(1, bundle=0)
    assert world.prepare(1, {0: dict(CPU)})
    world.news(GroupState.CREATED, NODE)
    world.ready_all()
    assert world.granted() == [1]


def test_a_request_may_come_before_the_group_is_heard_of_but_not_for_ever() -> None:
    world = Groups(2)
    world.ask(1)
    world.ask(2)
    world.wait(4)
    world.make(2)
    world.ready_all()
    assert world.granted() == [1, 2]
    world.ask(3, group=b"?" * 20)
    world.wait(6)
    failed = world.one(DRIVER, LeaseFailed)
    assert (failed.request, failed.fault.kind) == (3, FaultKind.GROUP_REMOVED)


def test_a_bundle_that_the_group_has_not_got_is_refused() -> None:
    world = Groups(2)
    world.make()
    world.ask(1, bundle=1)
    failed = world.one(DRIVER, LeaseFailed)
    assert failed.fault.kind is FaultKind.UNSCHEDULABLE
    assert f"there is no bundle 1 of placement group {GROUP.hex()}" in failed.fault.message


def test_tasks_without_resources_have_places_in_bundles_too() -> None:
    world = Groups(1)
    world.make()
    for number in range(1, 80):
        world.ask(number, cpus=0)
    while world.forked:
        world.ready_all()
    assert len(world.granted()) == 64


def test_a_removed_group_takes_along_who_works_and_who_waits_in_it() -> None:
    world = Groups(1)
    world.make()
    world.ask(1)
    worker = world.one(DRIVER, LeaseGranted).worker
    world.ask(2)
    world.news(GroupState.REMOVED, b"", reason="placement group 'x' is gone")
    failed = world.one(DRIVER, LeaseFailed)
    assert (failed.request, failed.fault.kind) == (2, FaultKind.GROUP_REMOVED)
    assert (worker, True) in world.ended
    assert world.free() == 0  # it may still use the CPU
    world.take(HEAD, Heartbeat)
    world.end(worker)
    assert world.free() == 1
    assert world.one(HEAD, Heartbeat).available["CPU"] == 10_000
    world.ask(3)
    failed = world.one(DRIVER, LeaseFailed)
    assert failed.fault.message == "the task cannot run: placement group 'x' is gone"


def test_what_waits_for_the_node_gets_what_a_group_leaves() -> None:
    world = Groups(1)
    world.make()
    world.request(1)
    assert not world.granted()
    world.news(GroupState.REMOVED, b"")
    world.ready_all()
    assert world.granted() == [1]


def test_actors_live_in_bundles_and_die_with_them() -> None:
    world = Groups(1)
    world.make()
    spec = world_spec(1, cpus=1)
    world.say(HEAD, StartActor(spec, 0))
    world.say(HEAD, StartActor(world_spec(2, cpus=1), 0))
    (worker,) = world.ready_all()
    world.say(worker, ActorStarted(spec.actor, 0, worker, "unix:@w", 1))
    world.take(HEAD, ActorStarted)
    assert world.free() == 0
    world.news(GroupState.REMOVED, b"", reason="it is gone")
    told = world.one(HEAD, ActorStarted)  # the one that waited for room
    assert told.failed is not None
    assert (worker, True) in world.ended
    world.end(worker)
    assert world.free() == 1


def world_spec(number: int, cpus: float) -> ActorSpec:
    need = resource_set({"CPU": cpus})
    spec = ActorSpec(ids.task_id(DRIVER, number), JOB, b"class", b"code", "Counter", "unix:@driver", ["add"])
    return msgspec.structs.replace(spec, resources=need, placement=need, strategy=Strategy(group=GROUP))


def test_a_worker_that_waits_lends_the_bundles_cpu_to_others_in_the_bundle() -> None:
    world = Groups(2)
    world.make(1)
    world.ask(1, bundle=0)
    worker = world.one(DRIVER, LeaseGranted).worker
    world.ask(2)
    assert not world.granted()
    world.say(worker, Blocked())
    world.ready_all()
    assert world.granted() == [2]
    assert world.free() == 1


# --- several nodes ----------------------------------------------------------------------------------------------------


def test_requests_go_to_the_node_with_the_bundle() -> None:
    world = Groups(2)
    world.see(CPU=4)
    world.news(GroupState.CREATED, OTHER)
    world.ask(1)
    world.ask(2, bundle=0)
    assert [told.node for told in world.take(DRIVER, LeaseElsewhere)] == [OTHER, OTHER]


def test_a_node_that_is_not_known_yet_is_waited_for() -> None:
    world = Groups(2)
    world.news(GroupState.CREATED, OTHER)
    world.ask(1)
    assert not world.take(DRIVER, LeaseElsewhere)
    world.see(CPU=4)
    assert world.one(DRIVER, LeaseElsewhere).request == 1


def test_any_bundle_is_one_with_room() -> None:
    world = Groups(2)
    assert world.prepare(1, {0: dict(CPU)})
    world.news(GroupState.CREATED, NODE, OTHER)
    world.see(**{"CPU": 4, f"CPU of group {GROUP.hex()}": 1})
    world.ask(1)
    world.ask(2)
    assert world.granted() == [1]
    assert world.one(DRIVER, LeaseElsewhere).request == 2
    world.ask(3)  # there is room nowhere: as many to each
    world.ask(4)
    assert world.one(DRIVER, LeaseElsewhere).request in {3, 4}
    world.see(**{"CPU": 4, f"CPU of group {GROUP.hex()}": 1})
    assert world.one(DRIVER, LeaseElsewhere).request in {3, 4}  # the one that waited here


def test_who_was_sent_here_is_not_sent_on() -> None:
    world = Groups(2)
    assert world.prepare(1, {0: dict(CPU)})
    world.news(GroupState.CREATED, NODE, OTHER)
    world.see(CPU=4)
    world.ask(1, owner=STRANGER)
    world.ask(2, owner=STRANGER, hops=1)
    assert not world.take(STRANGER, LeaseElsewhere)
    assert world.one(STRANGER, LeaseGranted).request == 1


def test_bundles_that_lost_their_node_are_waited_for_and_the_others_serve() -> None:
    world = Groups(2)
    assert world.prepare(1, {0: dict(CPU)})
    world.news(GroupState.CREATED, NODE, OTHER)
    world.news(GroupState.RESCHEDULING, NODE, b"")
    world.ask(1)
    world.ask(2, bundle=1)
    assert world.granted() == [1]
    world.see(CPU=4)
    world.news(GroupState.CREATED, NODE, OTHER)
    assert world.one(DRIVER, LeaseElsewhere).request == 2


def test_a_head_that_comes_back_is_told_of_all_groups_that_are_waited_for_here() -> None:
    """One may have been removed meanwhile, and has no bundles here: who waits for it would wait for ever."""
    world = Groups()
    other, third = ids.task_id(DRIVER, 1002), ids.task_id(DRIVER, 1003)
    world.news(GroupState.PENDING, b"")
    world.news(GroupState.REMOVED, b"", group=other)
    world.make(group=third)
    world.ask(1)
    world.take(HEAD, RegisterNode)
    world.say(HEAD, RegisterAgain(NODE))
    assert world.one(HEAD, RegisterNode).groups == [(GROUP, 0), (third, 1)]
    world.news(GroupState.REMOVED, b"", reason="it was removed")
    failed = world.one(DRIVER, LeaseFailed)
    assert (failed.request, failed.fault.kind) == (1, FaultKind.GROUP_REMOVED)
