"""What the runtime itself can fail at, other than objects: a worker, an actor, a node, or the resources to go on."""

from __future__ import annotations

from rustyray.exceptions.base import NO_CONTEXT, ErrorContext, RayError
from rustyray.exceptions.task import RayTaskError


class _Message(RayError):
    """A `RayError` that is one sentence. Ray calls it ``message`` in some classes and ``error_message`` in others."""

    before = ""

    def __init__(self, message: str = "", *, context: ErrorContext = NO_CONTEXT) -> None:
        super().__init__(message, context=context)
        self.message = self.error_message = message

    def describe(self) -> str:
        return self.before + (self.message or self.default)


class _ErrorMessage(_Message):
    def __init__(self, error_message: str = "", *, context: ErrorContext = NO_CONTEXT) -> None:
        super().__init__(error_message, context=context)


# --- tasks and workers ------------------------------------------------------------------------------------------------


class TaskCancelledError(RayError):
    """The task was cancelled with `rustyray.cancel`; it may have run, wholly or in part. It is not retried."""

    def __init__(
        self, task_id: object = None, error_message: str | None = None, *, context: ErrorContext = NO_CONTEXT
    ) -> None:
        super().__init__(task_id, error_message, context=context)
        self.task_id = task_id
        self.error_message = error_message

    def describe(self) -> str:
        what = f"Task {self.task_id} was cancelled." if self.task_id else "The task was cancelled."
        return f"{what} {self.error_message}" if self.error_message else what


class WorkerCrashedError(RayError):
    """The worker's process died while it ran the task, and no retries were left."""

    default = "The worker died while it ran this task."


class LocalRayletDiedError(RayError):
    """The node's own process died. Ray's name for it; RustyRay says `NodeDiedError`."""

    default = "The process that ran this machine's node died."


class NodeDiedError(_Message):
    """A node is dead or cannot be reached."""

    default = "The node died."


class OutOfMemoryError(_Message):
    """The machine ran out of memory, and the worker was ended to save the others."""

    default = "The machine ran out of memory, so the worker was ended."


class TaskUnschedulableError(_ErrorMessage):
    """The task can never run: its strict placement cannot be met."""

    before = "The task is not schedulable: "


class ActorUnschedulableError(_ErrorMessage):
    """The actor can never run: its strict placement cannot be met."""

    before = "The actor is not schedulable: "


class RuntimeEnvSetupError(_ErrorMessage):
    """The runtime environment that was asked for could not be set up."""

    before = "Failed to set up the runtime environment. "


class TaskPlacementGroupRemoved(RayError):
    """The placement group that the task was to run in is gone."""

    default = "The placement group of this task has been removed."


class ActorPlacementGroupRemoved(RayError):
    """The placement group that the actor was to run in is gone."""

    default = "The placement group of this actor has been removed."


# --- actors -----------------------------------------------------------------------------------------------------------


class RayActorError(RayError):
    """The actor failed before it finished the call. Ray raises one of the two subclasses; so does RustyRay.

    Args:
        actor_id: the actor's id in hexadecimal.
        error_msg: what happened.
        actor_init_failed: whether it was the constructor that failed.
        preempted: whether the node was taken away by its provider.
    """

    default = "The actor failed before it finished this call."

    def __init__(
        self,
        actor_id: str | None = None,
        error_msg: str = default,
        actor_init_failed: bool = False,
        preempted: bool = False,
        *,
        context: ErrorContext = NO_CONTEXT,
    ) -> None:
        super().__init__(actor_id, error_msg, actor_init_failed, preempted, context=context)
        self.actor_id = actor_id
        self.error_msg = error_msg
        self.actor_init_failed = actor_init_failed
        self.preempted = preempted

    def describe(self) -> str:
        return self.error_msg


class ActorDiedError(RayActorError):
    """The actor is dead, for good: its process ended, its constructor raised, its owner ended, or it was killed.

    Args:
        cause: the constructor's error, if that is why (then ``actor_init_failed`` is set).
        actor_id: the actor's id in hexadecimal.
        error_msg: what happened.
        preempted: whether the node was taken away by its provider.
    """

    default = "The actor died before it finished this call."

    def __init__(
        self,
        cause: RayTaskError | None = None,
        *,
        actor_id: str | None = None,
        error_msg: str = default,
        preempted: bool = False,
        context: ErrorContext = NO_CONTEXT,
    ) -> None:
        if cause is not None:
            actor_id = actor_id or cause.actor_id or None
            error_msg = f"The actor died because its constructor raised an exception: {cause}"
        super().__init__(actor_id, error_msg, cause is not None, preempted, context=context)
        self.cause = cause

    @staticmethod
    def from_task_error(task_error: RayTaskError) -> ActorDiedError:
        return ActorDiedError(task_error)


class ActorUnavailableError(RayActorError):
    """The actor cannot be reached at the moment, and may be back later. The call may or may not have run."""

    def __init__(
        self, error_message: str, actor_id: str | bytes | None = None, *, context: ErrorContext = NO_CONTEXT
    ) -> None:
        hex_id = actor_id.hex() if isinstance(actor_id, bytes) else actor_id
        who = f"The actor {hex_id}" if hex_id else "The actor"
        super().__init__(
            hex_id, f"{who} is unavailable: {error_message}. The call may or may not have run.", context=context
        )


class ActorAlreadyExistsError(ValueError, RayError):
    """A living actor has that name already."""

    def __init__(self, error_message: str = "", *, context: ErrorContext = NO_CONTEXT) -> None:
        RayError.__init__(self, error_message, context=context)
        self.error_message = error_message


class ActorHandleNotFoundError(ValueError, RayError):
    """The handle belongs to an actor of an earlier runtime."""

    def __init__(self, error_message: str = "", *, context: ErrorContext = NO_CONTEXT) -> None:
        RayError.__init__(self, error_message, context=context)
        self.error_message = error_message


class AsyncioActorExit(RayError):
    """Raised inside an asynchronous actor by `rustyray.exit_actor`; not for users to catch."""


class PendingCallsLimitExceeded(RayError):
    """More calls of the actor are pending than its ``max_pending_calls``."""


# --- the rest ---------------------------------------------------------------------------------------------------------


class RaySystemError(RayError):
    """RustyRay itself failed, or was shut down while the program waited for it.

    Args:
        client_exc: what happened: a sentence or an exception.
        traceback_str: a traceback as text, if there is one.
    """

    def __init__(
        self, client_exc: object = "", traceback_str: str | None = None, *, context: ErrorContext = NO_CONTEXT
    ) -> None:
        super().__init__(client_exc, traceback_str, context=context)
        self.client_exc = client_exc
        self.traceback_str = traceback_str

    def describe(self) -> str:
        trace = f"\n{self.traceback_str.rstrip()}" if self.traceback_str else ""
        return f"System error: {self.client_exc}{trace}"


class StreamingGeneratorReplayInconsistentError(RaySystemError):
    """A generator task that was run again yielded another number of objects."""


class AuthenticationError(_Message):
    """The peer did not prove that it belongs to this session."""

    default = "The peer did not prove that it belongs to this session."


class RpcError(RayError):
    """Two processes could not talk to one another."""

    def __init__(self, message: str = "", rpc_code: int | None = None, *, context: ErrorContext = NO_CONTEXT) -> None:
        super().__init__(message, rpc_code, context=context)
        self.message = message
        self.rpc_code = rpc_code

    def describe(self) -> str:
        return self.message


class UserCodeException(RayError):
    """For libraries: wraps an exception of the user's code that ran inside of theirs."""


class CrossLanguageError(RayError):
    """Raised by Ray for workers in other languages. RustyRay has none: it is here for programs that name it."""


class UnserializableException(RayError):
    """An exception arrived that this process cannot unpickle; its traceback from over there is the text."""

    def __init__(self, original_stack_trace: str = "", *, context: ErrorContext = NO_CONTEXT) -> None:
        super().__init__(original_stack_trace, context=context)
        self.original_stack_trace = original_stack_trace

    def describe(self) -> str:
        return f"The exception could not be unpickled here. It was:\n{self.original_stack_trace.rstrip()}"
