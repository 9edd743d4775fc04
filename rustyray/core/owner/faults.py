"""What becomes the value of a task or call that its owner ends: why, and where it was."""

from __future__ import annotations

from rustyray.core.owner.records import ActorLink, Lease, Record, SchedulingClass
from rustyray.model.messages import KilledForMemory
from rustyray.model.values import Failed, Fault, FaultKind


def cancelled(record: Record) -> Fault:
    task = record.task
    return Fault(
        FaultKind.TASK_CANCELLED,
        "the task was cancelled",
        task=task.id,
        function=record.plan.name,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
    )


def given_too_much(record: Record, most: int) -> Fault:
    text = (
        f"the small values of its {len(record.deps or ())} refs are {record.weight / 1e6:.3g} MB together, and "
        f"{most / 1e6:.3g} MB at most go along with a task: pass the refs in a list, and get() them where they are used"
    )
    return Fault(FaultKind.SYSTEM, text, task=record.task.id, function=record.plan.name)


def items_lost(record: Record) -> Fault:
    """Of a stream: its end has come, and not all that was before."""
    kind = FaultKind.WORKER_CRASHED if isinstance(record.target, SchedulingClass) else FaultKind.ACTOR_UNAVAILABLE
    text = "items of the generator were lost when the connection to its worker broke"
    return Fault(kind, text, task=record.task.id, function=record.plan.name)


def crashed(record: Record, lease: Lease, reason: str, for_memory: KilledForMemory | None) -> Fault:
    """The worker died that ran the task."""
    task = record.task
    text = f"the worker died while it ran the task: {reason}"
    return Fault(
        FaultKind.WORKER_CRASHED if for_memory is None else FaultKind.OUT_OF_MEMORY,
        text if for_memory is None else for_memory.reason,
        task=task.id,
        function=record.plan.name,
        attempt=task.attempt,
        max_attempts=task.max_attempts,
        pid=lease.pid,
        worker=lease.worker,
        node=lease.node,
    )


def actor_over(link: ActorLink, record: Record) -> Fault:
    """The actor has ended, by its own account, with the call unanswered."""
    text = f"actor {link.actor.hex()} died: {link.exited}"
    fault = Fault(FaultKind.ACTOR_DIED, text, actor=link.actor, pid=link.pid, worker=link.worker)
    return _with_call(fault, record)


def actor_dead(link: ActorLink, record: Record) -> Fault:
    """The actor is dead for good."""
    fault = link.fault or Fault(FaultKind.ACTOR_DIED, "the actor is dead", actor=link.actor)
    return _with_call(fault, record)


def actor_unavailable(link: ActorLink, record: Record, why: str = "") -> Fault:
    """The actor was or is away, and the call is not to be made twice."""
    reason = why or (link.fault.message if link.fault else "it is restarting")
    fault = Fault(
        FaultKind.ACTOR_UNAVAILABLE,
        f"the actor is unavailable: {reason}",
        actor=link.actor,
        pid=link.pid,
        worker=link.worker,
    )
    return _with_call(fault, record)


def _with_call(fault: Fault, record: Record) -> Fault:
    cause = fault.cause if isinstance(fault.cause, Failed) else None
    return Fault(
        fault.kind,
        fault.message,
        record.task.id,
        fault.actor,
        record.plan.name,
        record.task.attempt,
        record.task.max_attempts,
        fault.pid,
        fault.worker,
        fault.node,
        cause,
    )
