"""Ray's exceptions as ours.

What user code raises in a worker travels as on our own engines: as a `Failed`, in an exception that Ray only carries.
"""

from __future__ import annotations

from typing import Any

import ray.exceptions

from rustyray import exceptions as x
from rustyray.engines.ray import choices
from rustyray.engines.ray.parcels import Things, our_ref, things
from rustyray.exceptions.base import ErrorContext
from rustyray.model.values import Failed
from rustyray.runtime.faults import from_value
from rustyray.runtime.serialization import loads


class Raised(Exception):
    """What user code raised: ``failed``, with Ray's refs of what is inside. Ray is not to make it again."""

    def __init__(self, failed: Failed, found: Things) -> None:
        super().__init__(failed.traceback)
        self.failed = failed
        self.things = found

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.failed, self.things)


class RaisedAndRetried(Raised):
    """Likewise, by a task that is to run again if it has attempts left."""


def carried(failed: Failed, again: bool, refs: Any) -> Raised:
    return (RaisedAndRetried if again else Raised)(failed, things(refs))


def ours(error: BaseException) -> BaseException:
    """The exception that our API promises for what Ray has raised; others are left as they are."""
    if not isinstance(error, ray.exceptions.RayError):
        return error
    raised = _carried_by(error)
    if raised is not None:
        kept = [our_ref(thing, name) for name, thing in raised.things]
        found = from_value(raised.failed, loads)
        del kept
        return found
    if isinstance(error, ray.exceptions.RayTaskError):
        return _task_error(error)
    return _fault(error)


def _carried_by(error: BaseException) -> Raised | None:
    """Through tasks that failed because of their arguments."""
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, Raised):
        seen = getattr(seen, "cause", None)
    return seen


def _task_error(error: Any) -> BaseException:
    """Something that our own code in the worker has not seen: an argument that failed, say."""
    cause = ours(error.cause)
    if isinstance(cause, x.RayError):
        return cause
    text = vars(error).get("traceback_str") or str(error)
    name = vars(error).get("function_name") or ""
    return x.RayTaskError(name, text, cause, pid=vars(error).get("pid")).as_instanceof_cause()


_PLAIN = (
    "ActorAlreadyExistsError ActorPlacementGroupRemoved ActorUnschedulableError GetTimeoutError NodeDiedError "
    "ObjectStoreFullError OutOfDiskError OutOfMemoryError PendingCallsLimitExceeded RuntimeEnvSetupError "
    "TaskPlacementGroupRemoved TaskUnschedulableError WorkerCrashedError"
).split()


def _fault(error: Any) -> BaseException:
    name, text = type(error).__name__, str(error)
    if isinstance(error, ray.exceptions.RayActorError):
        return _actor_error(error)
    if isinstance(error, ray.exceptions.TaskCancelledError):
        task = error.task_id
        return x.TaskCancelledError(task.hex() if hasattr(task, "hex") else task, error.error_message)
    if isinstance(error, ray.exceptions.ObjectReconstructionFailedError):
        return x.ObjectReconstructionFailedError(error.object_ref_hex, reason_message=text)
    if isinstance(error, ray.exceptions.ObjectLostError):
        return getattr(x, name, x.ObjectLostError)(error.object_ref_hex, None, error.call_site, why=text)
    if name in _PLAIN:
        found: BaseException = getattr(x, name)(text)
        return found
    return x.RaySystemError(text)


def _actor_error(error: Any) -> BaseException:
    actor, text = choices.our_hex(error.actor_id), str(error)
    if isinstance(error, ray.exceptions.ActorUnavailableError):
        return x.ActorUnavailableError(text, actor)
    died = x.ActorDiedError(actor_id=actor, error_msg=text, context=ErrorContext(actor=actor or ""))
    died.actor_init_failed = bool(error.actor_init_failed)
    died.preempted = bool(error.preempted)
    return died
