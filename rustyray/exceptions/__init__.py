"""Everything RustyRay raises on its own behalf, with Ray's names, bases and fields.

`RayError` is the root. Two families matter most: `RayTaskError` is what an exception of the user's code becomes on its
way to whoever waits for the result (and it is an instance of that exception's own class as well); all others say that
the runtime failed the user. A mistake in *calling* RustyRay is never one of these: it is a TypeError or a ValueError.

Each carries a `context` saying where it happened. All of them pickle, whatever their constructors look like. This is
the lowest layer: it imports nothing else of the project.
"""

from rustyray.exceptions.base import ErrorContext, RayError
from rustyray.exceptions.faults import (
    ActorAlreadyExistsError,
    ActorDiedError,
    ActorHandleNotFoundError,
    ActorPlacementGroupRemoved,
    ActorUnavailableError,
    ActorUnschedulableError,
    AsyncioActorExit,
    AuthenticationError,
    CrossLanguageError,
    LocalRayletDiedError,
    NodeDiedError,
    OutOfMemoryError,
    PendingCallsLimitExceeded,
    RayActorError,
    RaySystemError,
    RpcError,
    RuntimeEnvSetupError,
    StreamingGeneratorReplayInconsistentError,
    TaskCancelledError,
    TaskPlacementGroupRemoved,
    TaskUnschedulableError,
    UnserializableException,
    UserCodeException,
    WorkerCrashedError,
)
from rustyray.exceptions.objects import (
    GetTimeoutError,
    ObjectFetchTimedOutError,
    ObjectFreedError,
    ObjectLostError,
    ObjectReconstructionFailedError,
    ObjectReconstructionFailedLineageEvictedError,
    ObjectReconstructionFailedMaxAttemptsExceededError,
    ObjectRefStreamEndOfStreamError,
    ObjectStoreFullError,
    OufOfBandObjectRefSerializationException,
    OutOfDiskError,
    OwnerDiedError,
    PlasmaObjectNotAvailable,
    ReconstructionFailure,
    ReferenceCountingAssertionError,
)
from rustyray.exceptions.simulation import DeadlockError, LivelockError, SimulationError, StarvationError
from rustyray.exceptions.task import RayTaskError

#: Other names for the same classes.
RustyRayError = RayError
TaskError = RayTaskError
ActorError = RayActorError

__all__ = [
    "ActorAlreadyExistsError",
    "ActorDiedError",
    "ActorError",
    "ActorHandleNotFoundError",
    "ActorPlacementGroupRemoved",
    "ActorUnavailableError",
    "ActorUnschedulableError",
    "AsyncioActorExit",
    "AuthenticationError",
    "CrossLanguageError",
    "DeadlockError",
    "ErrorContext",
    "GetTimeoutError",
    "LivelockError",
    "LocalRayletDiedError",
    "NodeDiedError",
    "ObjectFetchTimedOutError",
    "ObjectFreedError",
    "ObjectLostError",
    "ObjectReconstructionFailedError",
    "ObjectReconstructionFailedLineageEvictedError",
    "ObjectReconstructionFailedMaxAttemptsExceededError",
    "ObjectRefStreamEndOfStreamError",
    "ObjectStoreFullError",
    "OufOfBandObjectRefSerializationException",
    "OutOfDiskError",
    "OutOfMemoryError",
    "OwnerDiedError",
    "PendingCallsLimitExceeded",
    "PlasmaObjectNotAvailable",
    "RayActorError",
    "RayError",
    "RaySystemError",
    "RayTaskError",
    "ReconstructionFailure",
    "ReferenceCountingAssertionError",
    "RpcError",
    "RuntimeEnvSetupError",
    "RustyRayError",
    "SimulationError",
    "StarvationError",
    "StreamingGeneratorReplayInconsistentError",
    "TaskCancelledError",
    "TaskError",
    "TaskPlacementGroupRemoved",
    "TaskUnschedulableError",
    "UnserializableException",
    "UserCodeException",
    "WorkerCrashedError",
]

# They print, and pickle, under the name that users import them by.
for _name in __all__:
    globals()[_name].__module__ = __name__
