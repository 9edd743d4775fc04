"""Placement groups from an owner's side: the refs of ``ready``, and the one warning."""

from __future__ import annotations

import msgspec

from rustyray.core.effects import Effect, Ready, Send, Warn
from rustyray.core.owner import OwnerCore
from rustyray.core.owner.holding import held, let_go
from rustyray.core.owner.waits import tell_object
from rustyray.model import ids
from rustyray.model.messages import HEAD, GroupInfo, GroupSpec, GroupState, RemoveGroup, WatchGroup
from rustyray.model.values import Fault, FaultKind

NODE = b"node-one"
ME = ids.worker_id(NODE, 0)


def make() -> tuple[OwnerCore, bytes]:
    core = OwnerCore(ME, "unix:@me", NODE, b"\0\0\0\1")
    return core, core.next_task()


def news(group: bytes, state: GroupState, reason: str = "") -> GroupInfo:
    return GroupInfo(GroupSpec(group, b"\0\0\0\1", [{"CPU": 10_000}]), state, [NODE], 1, reason)


def taken(core: OwnerCore) -> list[Effect]:
    core.check()
    out = core.out[:]
    core.out.clear()
    return out


def test_a_ref_has_its_value_when_the_group_is_created() -> None:
    core, group = make()
    object_ = core.group_ready(group, b"handle")
    assert taken(core) == [Send(HEAD, WatchGroup(group))]
    assert tell_object(core, object_) == f"placement group {group.hex()} to be created"
    core.watch(object_)
    for state in (GroupState.PENDING, GroupState.PREPARING):
        core.on_message(HEAD, news(group, state), 0.0)
        assert core.objects[object_].value is None
    core.on_message(HEAD, news(group, GroupState.CREATED), 0.0)
    assert core.objects[object_].value == b"handle"
    assert taken(core) == [Ready([object_])]
    assert core.groups.awaited(object_) == b""


def test_a_ref_has_an_error_when_the_group_is_removed() -> None:
    core, group = make()
    object_ = core.group_ready(group, b"handle")
    core.on_message(HEAD, news(group, GroupState.REMOVED, "it is gone"), 0.0)
    assert core.objects[object_].value == Fault(FaultKind.GROUP_REMOVED, "it is gone")


def test_refs_that_are_dropped_while_the_group_is_not_there_are_forgotten() -> None:
    core, group = make()
    for _ in range(100):
        core.drop([core.group_ready(group, b"handle")])
    kept = core.group_ready(group, b"handle")
    assert list(core.groups._waiting[group]) == [kept]
    core.on_message(HEAD, news(group, GroupState.CREATED), 0.0)
    assert list(core.objects) == [kept]


def test_only_the_creator_warns_and_once() -> None:
    core, group = make()
    stranger = ids.task_id(ids.worker_id(NODE, 5), 1)
    for whose in (group, group, stranger):
        core.on_message(HEAD, news(whose, GroupState.PENDING, "no room"), 0.0)
    assert taken(core) == [Warn("no room")]
    core.on_message(HEAD, news(group, GroupState.CREATED), 0.0)
    core.on_message(HEAD, news(group, GroupState.RESCHEDULING, "no room"), 0.0)
    assert taken(core) == [Warn("no room")]


def test_what_a_program_has_made_is_held_until_it_is_removed() -> None:
    core, group = make()
    stranger = ids.task_id(ids.worker_id(NODE, 5), 1)
    for whose in (group, stranger):
        core.on_message(HEAD, news(whose, GroupState.PENDING), 0.0)
    detached = news(core.next_task(), GroupState.CREATED)
    detached.spec = msgspec.structs.replace(detached.spec, detached=True)
    core.on_message(HEAD, detached, 0.0)
    what = f"placement group {group.hex()} of {{CPU: 1}}"
    assert held(core)["groups"] == {group: what}
    assert core.groups.having()[0] == f"{what}, pending"
    core.on_message(HEAD, news(group, GroupState.PENDING, "no room"), 0.0)
    assert tell_object(core, core.group_ready(group, b"handle")) == f"{what} to be created: no room"
    taken(core)
    assert let_go(core, "groups", group, 0.0)
    assert taken(core) == [Send(HEAD, RemoveGroup(0, group))]
    core.on_message(HEAD, news(group, GroupState.REMOVED), 0.0)
    assert held(core)["groups"] == {}
