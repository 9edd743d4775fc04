"""``ray._raylet``: programs take the classes of refs and ids from here."""

from rustyray import (
    ActorID,
    DynamicObjectRefGenerator,
    JobID,
    NodeID,
    ObjectID,
    ObjectRef,
    ObjectRefGenerator,
    TaskID,
    WorkerID,
)

__all__ = [
    "ActorID",
    "DynamicObjectRefGenerator",
    "JobID",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "ObjectRefGenerator",
    "TaskID",
    "WorkerID",
]
