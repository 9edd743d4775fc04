"""What a program has under way in a runtime that goes on without it: its refs, actors, tasks and placement groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rustyray.core.effects import Send
from rustyray.core.owner.calls import CREATION
from rustyray.core.owner.groups import tell_group
from rustyray.core.owner.records import ActorLink
from rustyray.core.owner.telling import living
from rustyray.core.owner.waits import tell_object, waits_for
from rustyray.model.ids import HANDLE_INDEX, handle_id
from rustyray.model.messages import HEAD, ActorState, RemoveGroup

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore

#: Of an actor of which there are no handles any more, or that was told to end; and of the call that told it.
ENDS: Final = ", which ends by itself"
_LAST: Final = "__ray_terminate__"
#: By kind, and id: what it is, in words.
Held = dict[str, dict[bytes, str]]


def held(core: OwnerCore) -> Held:
    """The refs that its code refers to, the actors and groups that it made and that live, its tasks that are not done.

    Detached ones are not among them: they are meant to stay. Nor is that one is being created: that is the actor.
    """
    refs = {
        object_: f"a ref to {tell_object(core, object_)}"
        for object_, entry in core.objects.items()
        if entry.local > 0 and not object_.endswith(HANDLE_INDEX)
    }
    records = [record for record in living(core) if record.plan is not CREATION]
    ending = {
        record.target.actor for record in records if record.plan.name == _LAST and isinstance(record.target, ActorLink)
    }
    actors = {
        link.actor: f"actor {link.spec.class_name}"
        + (f" named {link.spec.name!r}" if link.spec.name else "")
        + (ENDS if link.actor in ending or handle_id(link.actor) not in core.objects else "")
        for link in core.calls.links.values()
        if link.spec is not None and link.state != ActorState.DEAD and not link.spec.detached
    }
    tasks = {}
    for record in records:
        why = waits_for(core, record)
        what = f"{record.plan.name}, {record.state}" + (f", waits for {why}" if why else "")
        tasks[record.task.id] = what + (ENDS if record.plan.name == _LAST else "")
    groups = {group: tell_group(info) for group, info in core.groups.made.items() if not info.spec.detached}
    return {"refs": refs, "actors": actors, "tasks": tasks, "groups": groups}


def let_go(core: OwnerCore, kind: str, id_: bytes, now: float) -> bool:
    """Kill the actor, remove the group, or cancel the task and all that it has started; False if that cannot be."""
    if kind == "groups":
        core.out.append(Send(HEAD, RemoveGroup(0, id_)))
        return True
    if kind == "actors":
        core.kill_actor(id_, True, now)
        return True
    record = next((record for record in living(core) if record.task.id == id_), None) if kind == "tasks" else None
    if record is None:
        return False
    core.cancels.cancel_record(record, True, True, now)
    return True
