"""The refs in what a task, a call or a constructor is given: its caller has lent them, until it has ended.

What is still held then is counted from there on. The caller of a task or call, which hears of its end first, sees to
that; where it is dead, and for constructors, of whose end others hear, this process does.
"""

from __future__ import annotations

from rustyray.core.owner.references import References, refs_inside
from rustyray.model.ids import WORKER_ID_SIZE, ObjectID, WorkerID
from rustyray.model.messages import ActorSpec, Call, Task
from rustyray.model.values import RefInfo


def lent(to: Task | Call | ActorSpec) -> list[RefInfo]:
    """All refs that came with it: inside its arguments, and inside the values of its ref arguments."""
    infos = list(to.refs or ())
    for arg in to.deps or ():
        infos.extend(refs_inside(arg.value))
    return infos


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
