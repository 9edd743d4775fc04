"""Exceptions as values: how what a task raised becomes a `Failed`, and how a `Failed` or `Fault` is raised again.

The value carries the context in plain text, so that even an exception that does not pickle, or that the reader cannot
unpickle, still tells its story. Tracebacks lose the frames of RustyRay itself: what is left is the user's program.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from rustyray import exceptions as x
from rustyray.exceptions.task import portable
from rustyray.model.values import Failed, Fault, FaultKind, RefInfo
from rustyray.runtime.serialization import dumps, ref_infos
from rustyray.runtime.serialization_by_value import dumps_by_value

if TYPE_CHECKING:
    from traceback import TracebackException

Raises = Callable[[Fault, x.ErrorContext, str, str], BaseException]

#: The most bytes that an exception may have when it is pickled, and characters that its traceback may.
MOST: Final = 64 << 20
MOST_TEXT: Final = 1 << 20

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def make_failed(
    error: BaseException,
    *,
    function: str,
    task: bytes = b"",
    actor: bytes = b"",
    actor_repr: str = "",
    attempt: int = 0,
    max_attempts: int = 0,
    pid: int = 0,
    worker: bytes = b"",
    node: bytes = b"",
    address: str = "",
    job: bytes = b"",
) -> Failed:
    """The value that stands for an exception of user code; ``attempt`` counts from 0.

    If the exception does not pickle, ``cause`` stays empty and the traceback ends with a note naming the culprit. An
    error that came out of another task's ref is handed on as that task's cause, not wrapped once more. ``refs`` lists
    the refs inside: whoever sends the value registers the receiver for them while the exception is alive.
    """
    cause = error.cause if isinstance(error, x.RayTaskError) else error
    text = _told(error)
    refs: list[RefInfo] | None = None
    try:
        packed = dumps(portable(cause), "the exception")
        if packed.size > MOST:
            raise ValueError(f"it has {packed.size / 1e6:.3g} MB, and {MOST / 1e6:.3g} MB at most go with an error")
        blob = packed.data if not packed.buffers else dumps_by_value(portable(cause), None)  # in one piece
        refs = ref_infos(packed.refs)
    except BaseException as refusal:  # noqa: BLE001 - reducers are the user's code, and raise whatever they like
        blob = b""
        text += f"({_name(type(cause))} itself stays behind, as it cannot be pickled: {_culprit(cause, refusal)})\n"
    return Failed(
        cause=blob,
        function=function,
        traceback=text,
        task=task,
        actor=actor,
        actor_repr=actor_repr,
        attempt=attempt,
        max_attempts=max_attempts,
        pid=pid,
        worker=worker,
        node=node,
        address=address,
        job=job,
        refs=refs,
    )


def from_value(
    value: Failed | Fault, load: Callable[[bytes], Any], object_id: bytes = b"", owner_address: str = ""
) -> BaseException:
    """The exception to raise for ``value``; ``load`` unpickles a cause. Name the object and its owner if known."""
    if isinstance(value, Failed):
        return task_error(value, load).as_instanceof_cause()
    where = _fault_context(value)
    if value.kind in (FaultKind.ACTOR_INIT_FAILED, FaultKind.ACTOR_DIED) and value.cause is not None:
        return x.ActorDiedError(task_error(value.cause, load), actor_id=value.actor.hex() or None, context=where)
    if value.kind is FaultKind.FUNCTION_UNAVAILABLE:
        cause = task_error(value.cause, load).cause if value.cause is not None else RuntimeError(value.message)
        return x.RayTaskError(value.function, value.message, cause, context=where).as_instanceof_cause()
    error = _RAISE[value.kind](value, where, object_id.hex() or "of unknown id", owner_address)
    if value.cause is not None:
        error.__cause__ = task_error(value.cause, load).as_instanceof_cause()
    return error


def task_error(failed: Failed, load: Callable[[bytes], Any]) -> x.RayTaskError:
    """The plain `RayTaskError`; a cause that is missing or does not unpickle here is replaced by a `RayError`."""
    text = failed.traceback
    cause: BaseException
    if not failed.cause:
        cause = x.RayError(text.strip().rpartition("\n")[2])
    else:
        try:
            cause = load(failed.cause)
        except Exception as refusal:  # noqa: BLE001 - classes may be missing, and constructors are the user's code
            text += f"(The exception itself could not be unpickled here: {_name(type(refusal))}: {refusal})\n"
            cause = x.UnserializableException(failed.traceback)
    where = x.ErrorContext(
        function=failed.function,
        job=failed.job.hex(),
        task=failed.task.hex(),
        attempt=failed.attempt + 1,
        max_attempts=failed.max_attempts,
        actor=failed.actor.hex(),
        actor_repr=failed.actor_repr,
        worker=failed.worker.hex(),
        pid=failed.pid,
        node=failed.node.hex(),
        address=failed.address,
    )
    return x.RayTaskError(failed.function, text, cause, context=where)


def trimmed_traceback(error: BaseException) -> str:
    """The traceback as text, with its causes, without RustyRay's own frames."""
    from traceback import TracebackException

    told = TracebackException.from_exception(error)
    _trim(told, set())
    return "".join(told.format())


def _told(error: BaseException) -> str:
    """The traceback, or as much of it as the exception lets be had: its methods are the user's code."""
    try:
        return _shortened(trimmed_traceback(error))
    except Exception as refusal:  # noqa: BLE001 - see above
        from traceback import format_tb

        frames = "".join(format_tb(error.__traceback__))
        what = f"{_name(type(error))}, and describing it raised {said(refusal)}"
        return f"Traceback (most recent call last):\n{frames}{what}\n"


def said(error: BaseException) -> str:
    """An exception in a line, as far as it can tell."""
    try:
        return f"{_name(type(error))}: {error}"
    except Exception:  # noqa: BLE001 - whatever its __str__ does
        return _name(type(error))


def _shortened(text: str) -> str:
    """The beginning and the end, if it is very long: what the error says may be in it many times."""
    half = MOST_TEXT // 2
    return text if len(text) <= MOST_TEXT else f"{text[:half]}\n… {len(text) - 2 * half} characters …\n{text[-half:]}"


def _trim(told: TracebackException, seen: set[int]) -> None:
    if id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith(_PACKAGE)]
    for inner in (told.__cause__, told.__context__, *(told.exceptions or ())):
        if inner is not None:
            _trim(inner, seen)


def _culprit(cause: BaseException, refusal: BaseException) -> str:
    """Why it does not pickle: where in the exception as it is the culprit sits, in the user's own terms, if that is
    found."""
    try:
        dumps(cause, type(cause).__qualname__)
    except BaseException as again:  # noqa: BLE001 - see `make_failed`
        refusal = again
    try:
        return str(refusal)
    except Exception:  # noqa: BLE001 - whatever its __str__ does
        return said(refusal)


def _name(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _fault_context(fault: Fault) -> x.ErrorContext:
    return x.ErrorContext(
        function=fault.function,
        task=fault.task.hex(),
        attempt=fault.attempt + 1 if fault.max_attempts else 0,
        max_attempts=fault.max_attempts,
        actor=fault.actor.hex(),
        worker=fault.worker.hex(),
        pid=fault.pid,
        node=fault.node.hex(),
    )


def _plain(cls: type[x.RayError]) -> Raises:
    return lambda fault, where, object_hex, owner: cls(fault.message, context=where)


def _actor(fault: Fault, where: x.ErrorContext, object_hex: str, owner: str) -> BaseException:
    return x.ActorDiedError(actor_id=fault.actor.hex() or None, error_msg=fault.message, context=where)


def _object(cls: type[x.ObjectLostError]) -> Raises:
    def make(fault: Fault, where: x.ErrorContext, object_hex: str, owner: str) -> BaseException:
        return cls(object_hex, owner, why=fault.message, context=where)

    return make


def _unmade(cls: type[x.ObjectReconstructionFailedError], reason: x.ReconstructionFailure | None) -> Raises:
    def make(fault: Fault, where: x.ErrorContext, object_hex: str, owner: str) -> BaseException:
        return cls(object_hex, reason, fault.message, owner, context=where)

    return make


#: One class of exception for each kind of fault, except those that `from_value` treats by itself.
_RAISE: dict[FaultKind, Raises] = {
    FaultKind.WORKER_CRASHED: _plain(x.WorkerCrashedError),
    FaultKind.TASK_CANCELLED: lambda fault, where, object_hex, owner: x.TaskCancelledError(
        fault.task.hex() or None, fault.message, context=where
    ),
    FaultKind.ACTOR_DIED: _actor,
    FaultKind.ACTOR_INIT_FAILED: _actor,
    FaultKind.ACTOR_UNAVAILABLE: lambda fault, where, object_hex, owner: x.ActorUnavailableError(
        fault.message.rstrip("."), fault.actor or None, context=where
    ),
    FaultKind.OWNER_DIED: _object(x.OwnerDiedError),
    FaultKind.OBJECT_LOST: _object(x.ObjectLostError),
    FaultKind.OBJECT_FREED: _object(x.ObjectFreedError),
    FaultKind.RECONSTRUCTION_FAILED: _unmade(x.ObjectReconstructionFailedError, None),
    FaultKind.MAX_ATTEMPTS: _unmade(
        x.ObjectReconstructionFailedMaxAttemptsExceededError, x.ReconstructionFailure.MAX_ATTEMPTS
    ),
    FaultKind.LINEAGE_EVICTED: _unmade(
        x.ObjectReconstructionFailedLineageEvictedError, x.ReconstructionFailure.LINEAGE_EVICTED
    ),
    FaultKind.NODE_DIED: _plain(x.NodeDiedError),
    FaultKind.OUT_OF_MEMORY: _plain(x.OutOfMemoryError),
    FaultKind.STORE_FULL: _plain(x.ObjectStoreFullError),
    FaultKind.OUT_OF_DISK: _plain(x.OutOfDiskError),
    FaultKind.UNSCHEDULABLE: _plain(x.TaskUnschedulableError),
    FaultKind.ACTOR_UNSCHEDULABLE: _plain(x.ActorUnschedulableError),
    FaultKind.GROUP_REMOVED: _plain(x.TaskPlacementGroupRemoved),
    FaultKind.ACTORS_GROUP_REMOVED: _plain(x.ActorPlacementGroupRemoved),
    FaultKind.RUNTIME_ENV: _plain(x.RuntimeEnvSetupError),
    FaultKind.SHUT_DOWN: _plain(x.RaySystemError),
    FaultKind.SYSTEM: _plain(x.RaySystemError),
}
