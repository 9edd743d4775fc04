"""The refs in what a task, a call or a constructor is given: its caller has lent them, until it has ended; and those in
what a task or call comes to.

What is still held then is counted from there on. The caller of a task or call, which hears of its end first, sees to
that; where it is dead, and for constructors, of whose end others hear, this process does.
"""

from __future__ import annotations

from rustyray.core.jobs import Job
from rustyray.core.owner.references import References, refs_inside
from rustyray.model.ids import WORKER_ID_SIZE, ObjectID, WorkerID
from rustyray.model.messages import ActorSpec, Call, Task
from rustyray.model.values import RefInfo, Value


def lent(to: Task | Call | ActorSpec) -> list[RefInfo]:
    """All refs that came with it: inside its arguments, and inside the values of its ref arguments."""
    infos = list(to.refs or ())
    for arg in to.deps or ():
        infos.extend(refs_inside(arg.value))
    return infos


def give(refs: References, job: Job, value: Value) -> None:
    """``value`` is part of what ``job`` comes to: its caller is registered for the refs inside.

    Of an object of the caller's own there is nothing to register. It is held until the value is sent: if this process
    let go of it before, its owner would free what it is about to get.
    """
    infos = refs_inside(value)
    if not infos:
        return
    caller = job.caller
    refs.register(caller, infos)
    own = [info for info in infos if info.object[:WORKER_ID_SIZE] == caller]
    if own and caller != refs.me and not refs.gone(caller):
        known = {info.object for info in lent(job.task)}  # which the caller holds itself
        back = [info for info in own if info.object not in known]
        for info in back:
            refs.hold(info.object, info.owner_address)
        job.back = (job.back or []) + [info.object for info in back]


def kept_after(refs: References, infos: list[RefInfo], submitter: WorkerID) -> list[ObjectID] | None:
    """Which of the refs lent to a task that has just ended are still held here.

    The submitter will register us with their owners; if it is dead, we do.
    """
    if submitter == refs.me:
        return None
    held = _still_held(refs, infos)
    if held and refs.gone(submitter):
        _register(refs, held)
        return None
    return held or None


def keep(refs: References, infos: list[RefInfo]) -> None:
    """A constructor has ended. Before its creator, who lets go of what it has lent when the actor is over, can hear of
    that, ``refs.passed_on`` must be empty."""
    _register(refs, _still_held(refs, infos))


def _still_held(refs: References, infos: list[RefInfo]) -> list[ObjectID]:
    held: list[ObjectID] = []
    for object_ in dict.fromkeys(info.object for info in infos):
        entry = refs.objects.get(object_)
        if refs.owns(object_) or entry is None or entry.more is None:
            continue
        if entry.local > 0 or entry.holds > 0:
            entry.more.registrations += 1
            held.append(object_)
    return held


def _register(refs: References, held: list[ObjectID]) -> None:
    theirs = [object_ for object_ in held if not refs.gone(object_[:WORKER_ID_SIZE])]
    refs.passed_on.tell(refs.me, [RefInfo(object_, refs.address_of(object_)) for object_ in theirs])
