"""Placement groups in the head: rounds, lost bundles, removal, who keeps a group."""

from __future__ import annotations

from rustyray.model import ids
from rustyray.model.messages import (
    HEAD,
    BundlesPrepared,
    CreateGroup,
    FindGroup,
    GroupInfo,
    GroupList,
    GroupState,
    HeadError,
    JobFinished,
    KillActor,
    LeaseGranted,
    ListGroups,
    Packing,
    PrepareBundles,
    RegisterNode,
    RemoveGroup,
    RequestLease,
    ReturnBundles,
    ReturnLease,
    WatchGroup,
    WorkerDied,
)
from rustyray.model.resources import resource_set
from rustyray.wire.codec import decode, encode
from tests.unit.core_head.groups import JOB, Groups, make_group
from tests.unit.core_head.world import DRIVER, NODES, Cluster, make_info, make_spec


def test_a_group_is_created_when_all_nodes_have_reserved_their_bundles() -> None:
    world = Groups()
    world.make(make_group())
    asked = world.asked()
    assert list(asked) == NODES[:2]
    assert world.told(NODES[2]) == [GroupState.PENDING]
    world.answer(NODES[0], asked[NODES[0]])
    assert world.state() is GroupState.PREPARING
    assert world.told(NODES[2]) == []
    world.answer(NODES[1], asked[NODES[1]])
    assert world.state() is GroupState.CREATED
    assert world.told(NODES[2]) == [GroupState.CREATED]


def test_one_refusal_frees_what_the_others_have_reserved() -> None:
    world = Groups()
    group = world.make(make_group())
    asked = world.asked()
    world.answer(NODES[0], asked[NODES[0]])
    world.answer(NODES[1], asked[NODES[1]], reserved=False)
    assert world.one(NODES[0], ReturnBundles) == ReturnBundles(group, 1)
    assert not world.take(NODES[1], ReturnBundles)
    again = world.asked()  # the third node has room, the second has none any more
    assert list(again) == [NODES[0], NODES[2]]
    world.answer(NODES[0], asked[NODES[0]])  # of the round that is over
    assert world.state() is GroupState.PREPARING
    for node, question in again.items():
        world.answer(node, question)
    assert world.state() is GroupState.CREATED


def test_what_a_refusal_leaves_free_goes_to_another_group_that_waits() -> None:
    world = Groups(nodes=1)
    world.make(make_group(1, 2))
    (large,) = world.asked().values()
    small = world.make(make_group(2, 1))
    assert not world.asked()
    world.answer(NODES[0], large, reserved=False, cpus=1)
    assert world.asked()[NODES[0]].group == small


def test_a_node_that_dies_in_a_round_ends_it() -> None:
    world = Groups()
    group = world.make(make_group())
    world.answer(NODES[0], world.asked()[NODES[0]])
    world.lose(NODES[1])
    assert world.one(NODES[0], ReturnBundles) == ReturnBundles(group, 1)
    assert list(world.asked()) == [NODES[0], NODES[2]]


def test_a_removal_that_crosses_the_answers_wins() -> None:
    world = Groups()
    group = world.make(make_group())
    asked = world.asked()
    world.answer(NODES[0], asked[NODES[0]])
    world.say(DRIVER, RemoveGroup(9, group))
    assert world.told(NODES[1])[-1] is GroupState.REMOVED
    world.answer(NODES[1], asked[NODES[1]])
    assert world.state() is GroupState.REMOVED
    world.say(DRIVER, RemoveGroup(10, group))
    assert world.one(DRIVER, GroupInfo).request == 10


def test_lost_bundles_are_placed_again_and_the_others_stay() -> None:
    world = Groups()
    group = world.created(make_group())
    world.told(NODES[2])
    world.lose(NODES[1])
    info = world.take(NODES[2], GroupInfo)[-1]
    assert (info.state, info.nodes) == (GroupState.RESCHEDULING, [NODES[0], b""])
    ((node, question),) = world.asked().items()
    assert (node, list(question.bundles)) == (NODES[2], [1])
    world.answer(node, question)
    info = world.take(DRIVER, GroupInfo)[-1]
    assert (info.state, info.nodes) == (GroupState.CREATED, [NODES[0], NODES[2]])
    assert info.spec.group == group


def test_a_second_loss_while_the_first_is_made_good() -> None:
    world = Groups()
    world.say(b"node-4th", RegisterNode(make_info(b"node-4th")))
    world.created(make_group(1, 2, 2, 2))
    world.lose(NODES[1])
    (question,) = world.take(b"node-4th", PrepareBundles)
    world.lose(NODES[2])
    assert world.take(DRIVER, GroupInfo)[-1].nodes == [NODES[0], b"", b""]
    assert world.one(b"node-4th", ReturnBundles).round == question.round
    world.answer(b"node-4th", question)
    assert world.state() is not GroupState.CREATED
    world.say(b"node-5th", RegisterNode(make_info(b"node-5th")))
    for node in (b"node-4th", b"node-5th"):
        (more,) = world.take(node, PrepareBundles)
        world.answer(node, more)
    info = world.take(DRIVER, GroupInfo)[-1]
    assert (info.state, set(info.nodes)) == (GroupState.CREATED, {NODES[0], b"node-4th", b"node-5th"})


def test_what_can_never_be_placed_is_said_once() -> None:
    world = Groups(cpus=1)
    group = world.make(make_group(1, 2))
    assert [info.reason for info in world.take(DRIVER, GroupInfo)] == [""]
    world.wait(1.0)
    (reason,) = [info.reason for info in world.take(DRIVER, GroupInfo)]
    assert "needs 1 × CPU: 2 (STRICT_SPREAD), and node 6e6f64652d6f6e65 has CPU: 1" in reason
    world.say(b"node-4th", RegisterNode(make_info(b"node-4th", 1)))
    world.wait(1.0)
    assert world.state() is None
    world.say(b"node-5th", RegisterNode(make_info(b"node-5th", 2)))
    (question,) = world.take(b"node-5th", PrepareBundles)
    assert question.group == group


def test_what_has_no_room_now_waits_in_silence() -> None:
    world = Groups(1)
    world.created(make_group(1, 2))
    world.make(make_group(2, 1))
    world.wait(1.0)
    assert world.one(DRIVER, GroupInfo).reason == ""
    assert not world.asked()
    world.say(DRIVER, RemoveGroup(9, ids.task_id(DRIVER, 1001)))
    world.say(NODES[0], BundlesPrepared(b"?" * 20, 1, True, {}))  # of a group that nobody knows
    assert not world.asked()


def test_names_are_unique_while_their_groups_live() -> None:
    world = Groups()
    group = world.make(make_group(1, name="a"))
    world.take(DRIVER, GroupInfo)
    world.make(make_group(2, name="a"))
    assert world.one(DRIVER, HeadError).kind == "name_taken"
    world.say(DRIVER, FindGroup(7, name="a", namespace="ns"))
    assert world.one(DRIVER, GroupInfo).spec.group == group
    world.say(DRIVER, FindGroup(8, name="a", namespace="other"))
    assert world.one(DRIVER, HeadError).kind == "no_such_group"
    world.say(DRIVER, RemoveGroup(9, group))
    world.take(DRIVER, GroupInfo)
    world.say(DRIVER, FindGroup(10, name="a", namespace="ns"))
    assert world.one(DRIVER, HeadError).request == 10
    world.make(make_group(2, name="a"))
    assert world.state() is GroupState.PREPARING


def test_the_list_has_the_removed_ones_too() -> None:
    world = Groups()
    gone = world.make(make_group(1))
    kept = world.make(make_group(2))
    world.say(DRIVER, RemoveGroup(9, gone))
    world.say(DRIVER, ListGroups(10))
    groups = world.one(DRIVER, GroupList).groups
    assert [(info.spec.group, info.state is GroupState.REMOVED) for info in groups] == [(gone, True), (kept, False)]


def test_watchers_hear_of_changes_until_they_are_gone() -> None:
    world = Groups()
    group = world.make(make_group())
    watcher = ids.worker_id(NODES[1], 4)
    world.say(watcher, WatchGroup(group))
    assert world.state(watcher) is GroupState.PREPARING
    world.say(watcher, WatchGroup(ids.task_id(DRIVER, 7)))  # older than the one above, and unknown: removed long ago
    unknown = world.one(watcher, GroupInfo)
    assert decode(encode(unknown)) == unknown
    assert unknown.state is GroupState.REMOVED
    world.lose(watcher)
    world.say(DRIVER, RemoveGroup(9, group))
    assert world.state(watcher) is None
    world.say(watcher, WatchGroup(group))
    assert world.state(watcher) is GroupState.REMOVED


def test_who_asks_before_the_creation_arrives_is_answered_then() -> None:
    world = Groups()
    others = [ids.worker_id(NODES[1], number) for number in range(4, 7)]
    spec = make_group()
    world.say(others[0], WatchGroup(spec.group))
    world.say(others[1], FindGroup(8, spec.group))
    world.say(others[2], RemoveGroup(9, spec.group))
    assert [world.take(other, GroupInfo) for other in others] == [[], [], []]
    world.make(spec)
    assert world.take(others[1], GroupInfo)[-1].request == 8
    assert world.take(others[2], GroupInfo)[-1].request == 9
    assert world.state(others[0]) is world.state() is GroupState.REMOVED


def test_who_asks_for_what_is_never_created_hears_so_when_its_owner_is_gone() -> None:
    world = Groups()
    group = make_group().group
    watcher = ids.worker_id(NODES[1], 4)
    world.say(watcher, WatchGroup(group))
    world.say(watcher, FindGroup(8, group))
    world.say(ids.node_of(DRIVER), WorkerDied(DRIVER, "it was killed"))
    assert world.one(watcher, GroupInfo).state is GroupState.REMOVED
    assert world.one(watcher, HeadError).kind == "no_such_group"


def test_a_removed_group_makes_room_for_those_that_wait() -> None:
    world = Groups(nodes=3, cpus=1)
    first = world.make(make_group(1, 1))
    waiting = world.make(make_group(2, 1, 1, 1))
    assert {question.group for question in world.asked().values()} == {first}
    world.say(DRIVER, RemoveGroup(9, first))
    assert {question.group for question in world.asked().values()} == {waiting}


def test_a_group_ends_with_its_job_unless_it_is_detached() -> None:
    world = Groups()
    world.make(make_group(1, 1))
    world.make(make_group(2, 1, detached=True))
    world.say(DRIVER, JobFinished(JOB, DRIVER))
    world.say(DRIVER, ListGroups(10))
    states = [info.state for info in world.one(DRIVER, GroupList).groups]
    assert states == [GroupState.REMOVED, GroupState.PREPARING]


def test_a_group_that_is_created_after_its_job_is_removed_at_once() -> None:
    world = Groups()
    world.say(DRIVER, JobFinished(JOB, DRIVER))
    world.make(make_group())
    assert world.state() is GroupState.REMOVED
    assert not world.asked()


def test_a_detached_actor_keeps_its_groups_beyond_the_job() -> None:
    world = Groups()
    actor = world.create(make_spec(1, name="keeper", detached=True))
    world.come_up()
    world.make(make_group(1, 1, creator=actor))
    world.say(DRIVER, JobFinished(JOB, DRIVER))
    assert world.state() is not GroupState.REMOVED
    world.make(make_group(2, 1, creator=actor))
    assert world.state() is not GroupState.REMOVED
    world.say(DRIVER, KillActor(actor, True, False, "killed"))
    world.say(DRIVER, ListGroups(10))
    assert [info.state for info in world.one(DRIVER, GroupList).groups] == [GroupState.REMOVED] * 2


# --- head and nodes together ------------------------------------------------------------------------------------------


def test_reserving_and_freeing_on_real_nodes() -> None:
    it = Cluster(cpus=2)
    it.run()
    spec = make_group(1, 2, 2)
    it.send(DRIVER, HEAD, CreateGroup(1, spec))
    it.run()
    assert it.heard(DRIVER, GroupInfo)[-1].state is GroupState.CREATED
    free = [node._accounts.free["CPU"] for node in it.nodes.values()]
    assert sorted(free) == [0, 0, 20_000]
    it.send(DRIVER, HEAD, RemoveGroup(2, spec.group))
    it.run()
    assert all(node._accounts.free == node._accounts.total for node in it.nodes.values())


def test_two_groups_that_want_the_same_room_get_it_one_after_the_other() -> None:
    it = Cluster(cpus=2)
    it.run()
    for number in (1, 2):
        it.send(DRIVER, HEAD, CreateGroup(number, make_group(number, 2, 2)))
    it.run()
    states = {info.spec.group: info.state for info in it.heard(DRIVER, GroupInfo)}
    assert sorted(states.values()) == [GroupState.PENDING, GroupState.CREATED]
    first = next(group for group, state in states.items() if state is GroupState.CREATED)
    it.send(DRIVER, HEAD, RemoveGroup(3, first))
    it.run()
    it.wait(2.0)
    states = {info.spec.group: info.state for info in it.heard(DRIVER, GroupInfo)}
    assert sorted(states.values()) == [GroupState.CREATED, GroupState.REMOVED]


def test_a_group_that_finds_gpus_in_pieces_waits_without_asking_all_the_time() -> None:
    it = Cluster(cpus=2, GPU=2)
    it.run()
    for node in NODES:
        for number in (1, 2):
            it.send(DRIVER, node, RequestLease(number, JOB, resource_set({"GPU": 0.6}), local_only=True))
    it.run()
    leases = [lease.lease for lease in it.heard(DRIVER, LeaseGranted)]
    assert len(leases) == 2 * len(NODES)
    spec = make_group(1, packing=Packing.PACK)
    spec.bundles = [resource_set({"GPU": 0.8})]
    it.send(DRIVER, HEAD, CreateGroup(1, spec))
    it.run()
    it.wait(5.0)
    group = it.head._actors.groups.living[spec.group]
    assert not all(group.nodes)
    assert len(NODES) <= group.rounds <= 7 * len(NODES), "a round for each node and heartbeat"
    it.send(DRIVER, NODES[0], ReturnLease(leases[0]))
    it.run()
    it.wait(2.0)
    assert group.nodes == [NODES[0]]
