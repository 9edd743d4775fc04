"""What a task that is not done waits for, in words."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from rustyray.core.owner.records import (
    BACKOFF,
    PUSHED,
    WAITING,
    ActorLink,
    FunctionStats,
    Record,
    SchedulingClass,
)
from rustyray.core.owner.telling import living
from rustyray.model.ids import FIRST_RETURN, STREAM_INDEX, ObjectID, owner_of
from rustyray.model.messages import ActorState, Call
from rustyray.model.resources import describe
from rustyray.model.states import TaskState

if TYPE_CHECKING:
    from rustyray.core.owner.core import OwnerCore

#: So many tasks of one process are told of, and so many things that one waits for.
LISTED: Final = 1000
NAMED: Final = 5


def tell_object(core: OwnerCore, object_: ObjectID) -> str:
    """What an object is, to somebody who waits for it."""
    entry = core.objects.get(object_)
    record = entry.record if entry is not None else None
    if record is not None:
        item = record.task.returns < 0 and not object_.endswith(FIRST_RETURN)
        return f"{'an item' if item else 'the result'} of {record.plan.name}"
    if object_.endswith(STREAM_INDEX) and (stream := core.tasks.streams.of.get(object_[:-4])):
        return f"the items of {stream.record.plan.name}"
    if group := core.groups.awaited(object_):
        return core.groups.tell(group)
    if owner_of(object_) == core.me:
        return f"object {object_.hex()}"
    return f"object {object_.hex()} of worker {owner_of(object_).hex()}"


def tell_objects(core: OwnerCore, objects: list[ObjectID]) -> str:
    counts: dict[str, int] = {}
    for object_ in objects:
        text = tell_object(core, object_)
        counts[text] = counts.get(text, 0) + 1
    texts = [text if count == 1 else f"{text} (× {count})" for text, count in counts.items()]
    return ", ".join(texts[:NAMED] + ["…"] * (len(texts) > NAMED))


def states(core: OwnerCore, now: float) -> list[TaskState]:
    """The tasks and calls that are not done."""
    return [_state(core, record, now) for record in islice(living(core), LISTED)]


def _state(core: OwnerCore, record: Record, now: float) -> TaskState:
    task, target = record.task, record.target
    slot = getattr(record.plan, "slot", None)
    missing = [dep for dep in dict.fromkeys(record.deps or ()) if core.objects[dep].value is None]
    on = target if isinstance(target, ActorLink) else record.lease
    worker = on.worker if on is not None else b""
    since = record.since if record.state in (WAITING, BACKOFF) else record.submitted
    return TaskState(
        task_id=task.id.hex(),
        name=record.plan.name,
        state=record.state,
        seconds=max(0.0, now - since),
        attempt=task.attempt,
        actor_id=task.actor.hex() if isinstance(task, Call) else "",
        worker_id=worker.hex(),
        owner=core.me.hex(),
        usual=slot.seconds if isinstance(slot, FunctionStats) else -1.0,
        awaits=[dep.hex() for dep in missing[:LISTED]] if record.state == WAITING else [],
        waits_for=waits_for(core, record),
    )


def waits_for(core: OwnerCore, record: Record) -> str:
    """What has to happen before it goes on, as far as its owner knows; empty if it may just run."""
    if record.state == WAITING:
        missing = [dep for dep in dict.fromkeys(record.deps or ()) if core.objects[dep].value is None]
        return f"{tell_objects(core, missing)}, its argument" if missing else ""
    if record.state == BACKOFF:
        return "its next attempt"
    target = record.target
    if isinstance(target, ActorLink):
        return _call_waits_for(target, record)
    if record.state == PUSHED:
        return _turn(record)
    return _worker(target)


def _call_waits_for(link: ActorLink, record: Record) -> str:
    if link.creation is record:
        return "its actor to be created" + (f": {link.fault.message}" if link.fault is not None else "")
    if link.state == ActorState.RESTARTING:
        return "its actor to be restarted" + (f": {link.fault.message}" if link.fault is not None else "")
    if link.state != ActorState.ALIVE:
        return "its actor to start" + (f": {link.fault.message}" if link.fault is not None else "")
    before = list(link.inflight).index(record.task.id) if record.task.id in link.inflight else len(link.inflight)
    return f"{before} earlier calls of its actor" if before else ""


def _turn(record: Record) -> str:
    lease = record.lease
    if lease is None:
        return ""
    before = list(lease.inflight).index(record.task.id)
    return f"its turn behind {before} other tasks on worker {lease.worker.hex()}" if before else ""


def _worker(target: SchedulingClass) -> str:
    have = f"; {len(target.leases)} are busy with others of its kind" if target.leases else ""
    asked = ", ".join(f"node {node.hex()}" for node in dict.fromkeys(target.requests.values()))
    why = f" ({target.why})" if target.why else ""
    where = f" in {target.strategy}" if target.strategy is not None and target.strategy.group else ""
    return f"a worker with {describe(target.resources)}{where}{f', asked of {asked}' if asked else ''}{have}{why}"
