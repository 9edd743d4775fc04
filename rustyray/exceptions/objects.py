"""Objects that are lost, late, or do not fit into the store."""

from __future__ import annotations

import enum

from rustyray.exceptions.base import NO_CONTEXT, ErrorContext, RayError


class ObjectLostError(RayError):
    """Every copy of the object is gone.

    Args:
        object_ref_hex: the object's id in hexadecimal.
        owner_address: where its owner listens, or listened.
        call_site: where the ref was made, if that was recorded.
    """

    why = "All copies of it were lost, and it cannot be made again."

    def __init__(
        self,
        object_ref_hex: str,
        owner_address: str | bytes | None = None,
        call_site: str = "",
        *,
        why: str = "",
        context: ErrorContext = NO_CONTEXT,
    ) -> None:
        super().__init__(object_ref_hex, owner_address, call_site, context=context)
        self.object_ref_hex = object_ref_hex
        self.owner_address = owner_address
        self.call_site = call_site
        if why:
            self.why = why

    def describe(self) -> str:
        site = f" Its ref was made at {self.call_site}" if self.call_site else ""
        return f"Object {self.object_ref_hex} cannot be had. {self.why}{site}"


class ObjectFetchTimedOutError(ObjectLostError):
    """The object's value could not be fetched in time from any place that should have it."""

    why = "No node that should have it answered in time."


class ReferenceCountingAssertionError(ObjectLostError, AssertionError):
    """The object was deleted although refs to it exist: a bug in RustyRay."""

    why = "It was deleted although refs to it exist; this is a bug in RustyRay."


class ObjectFreedError(ObjectLostError):
    """The program freed the object itself and asked for it afterwards."""

    why = "The program freed it before it asked for it."


class OwnerDiedError(ObjectLostError):
    """The object's owner (the process that called ``.remote()`` or ``put``) is dead, so the object is lost."""

    why = "Its owner, the process that called .remote() or put(), is dead. Have a longer-lived process own it."


class ReconstructionFailure(enum.StrEnum):
    """Why a lost object cannot be made again; Ray's names."""

    MAX_ATTEMPTS = "OBJECT_UNRECONSTRUCTABLE_MAX_ATTEMPTS_EXCEEDED"
    LINEAGE_EVICTED = "OBJECT_UNRECONSTRUCTABLE_LINEAGE_EVICTED"
    PUT = "OBJECT_UNRECONSTRUCTABLE_PUT"
    RETRIES_DISABLED = "OBJECT_UNRECONSTRUCTABLE_RETRIES_DISABLED"
    BORROWED = "OBJECT_UNRECONSTRUCTABLE_BORROWED"
    TASK_CANCELLED = "OBJECT_UNRECONSTRUCTABLE_TASK_CANCELLED"


_RECONSTRUCTION = {
    ReconstructionFailure.MAX_ATTEMPTS: "Its task has no retries left: raise max_retries.",
    ReconstructionFailure.LINEAGE_EVICTED: "The record of how it was made was dropped to save memory.",
    ReconstructionFailure.PUT: "It was stored by put(), so no task can make it again: return it from a task instead.",
    ReconstructionFailure.RETRIES_DISABLED: "Its task has max_retries=0.",
    ReconstructionFailure.BORROWED: "Only its owner could have it made again, and this process is not its owner.",
    ReconstructionFailure.TASK_CANCELLED: "Its task was cancelled.",
}


class ObjectReconstructionFailedError(ObjectLostError):
    """The object was lost and could not be made again; ``reason`` and ``reason_message`` say why."""

    def __init__(
        self,
        object_ref_hex: str,
        reason: ReconstructionFailure | None = None,
        reason_message: str | None = None,
        owner_address: str | bytes | None = None,
        call_site: str = "",
        *,
        context: ErrorContext = NO_CONTEXT,
    ) -> None:
        super().__init__(object_ref_hex, owner_address, call_site, context=context)
        self.reason = reason
        self.reason_message = reason_message or (_RECONSTRUCTION[reason] if reason else "")
        self.why = f"It was lost and could not be made again. {self.reason_message}".rstrip()


class ObjectReconstructionFailedMaxAttemptsExceededError(ObjectReconstructionFailedError):
    """As `ObjectReconstructionFailedError`, because the task has no retries left. Ray had this class until 2.49."""


class ObjectReconstructionFailedLineageEvictedError(ObjectReconstructionFailedError):
    """As `ObjectReconstructionFailedError`, because the task's lineage was evicted. Ray had this class until 2.49."""


class ObjectStoreFullError(RayError):
    """The object does not fit into the store, although everything that may be evicted or spilled was."""

    default = "The object store is full of objects that are still referenced."


class OutOfDiskError(RayError):
    """The store is full, and so is the disk that objects would spill to."""

    default = "The object store and the disk it spills to are full."


class GetTimeoutError(RayError, TimeoutError):
    """`rustyray.get` did not have all values when its time was up. The tasks go on; asking again is fine."""


class PlasmaObjectNotAvailable(RayError):
    """Ray's store raises it when an object is not there in time. RustyRay raises `GetTimeoutError`."""


class OufOfBandObjectRefSerializationException(RayError):
    """A ref was pickled outside of RustyRay although the program forbade that. The spelling is Ray's."""


class ObjectRefStreamEndOfStreamError(RayError):
    """A generator task has no more refs."""
