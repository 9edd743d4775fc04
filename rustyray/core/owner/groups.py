"""Placement groups, seen from a process that made one or waits for one: the refs of `ready`, and the one warning."""

from __future__ import annotations

from rustyray.core.effects import Effect, Send, Warn
from rustyray.core.owner.arguments import Arguments
from rustyray.core.owner.records import ObjectEntry
from rustyray.core.owner.references import References
from rustyray.model.ids import GroupID, ObjectID, owner_of
from rustyray.model.messages import HEAD, GroupInfo, GroupState, WatchGroup
from rustyray.model.resources import describe
from rustyray.model.values import Fault, FaultKind, Value


class Groups:
    """Groups that this process has made (``made``: those that live), and those that somebody waits for here."""

    def __init__(self, refs: References, arguments: Arguments, out: list[Effect]) -> None:
        self._refs = refs
        self._arguments = arguments
        self._out = out
        self.made: dict[GroupID, GroupInfo] = {}
        #: By group, the objects that get their values when it is created.
        self._waiting: dict[GroupID, dict[ObjectID, Value]] = {}
        #: What the user was warned of.
        self._warned: dict[GroupID, str] = {}

    def ready(self, group: GroupID, object_: ObjectID, value: Value) -> None:
        """``object_``, which is ours and new, has ``value`` as soon as the group is created."""
        self._refs.objects[object_] = ObjectEntry(None, 1)
        waiting = self._waiting.setdefault(group, {})
        for dropped in [other for other in waiting if other not in self._refs.objects]:
            del waiting[dropped]
        waiting[object_] = value
        self._out.append(Send(HEAD, WatchGroup(group)))

    def awaited_groups(self) -> list[GroupID]:
        return list(self._waiting)

    def awaited(self, object_: ObjectID) -> GroupID:
        """The group that the object waits for; empty if it is no such object."""
        return next((group for group, waiting in self._waiting.items() if object_ in waiting), b"")

    def tell(self, group: GroupID) -> str:
        """What it is, in words, and why it cannot be created, as far as that is known here."""
        text = tell_group(self.made[group]) if group in self.made else f"placement group {group.hex()}"
        return f"{text} to be created" + (f": {self._warned[group]}" if group in self._warned else "")

    def having(self) -> list[str]:
        """The groups that this process has made, in words, and what has become of them."""
        return [f"{tell_group(info)}, {info.state.name.lower()}" for info in self.made.values()]

    def on_info(self, info: GroupInfo, now: float) -> None:
        group = info.spec.group
        if owner_of(group) == self._refs.me:
            self._note(info)
        if info.state is GroupState.REMOVED:
            self._warned.pop(group, None)
            fault = Fault(FaultKind.GROUP_REMOVED, info.reason)
            self._settle(dict.fromkeys(self._waiting.pop(group, {}), fault), now)
        elif info.state is GroupState.CREATED:
            self._warned.pop(group, None)
            self._settle(self._waiting.pop(group, {}), now)
        elif info.reason and self._warned.get(group) != info.reason and owner_of(group) == self._refs.me:
            self._warned[group] = info.reason
            self._out.append(Warn(info.reason))

    def _note(self, info: GroupInfo) -> None:
        if info.state is GroupState.REMOVED:
            self.made.pop(info.spec.group, None)
        else:
            self.made[info.spec.group] = info

    def _settle(self, values: dict[ObjectID, Value] | dict[ObjectID, Fault], now: float) -> None:
        ready: list[ObjectID] = []
        for object_, value in values.items():
            entry = self._refs.objects.get(object_)
            if entry is not None and entry.value is None:
                self._refs.settle(object_, entry, value, ready)
                self._arguments.value_arrived(entry, now)
        self._refs.ready_effect(ready)


def tell_group(info: GroupInfo) -> str:
    spec = info.spec
    bundles = ", ".join(f"{{{describe(bundle)}}}" for bundle in spec.bundles)
    return f"placement group {repr(spec.name) if spec.name else spec.group.hex()} of {bundles}"
