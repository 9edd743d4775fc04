"""RustyRay: a distributed runtime in pure Python with Ray core's API.

Functions become tasks and classes become actors with `remote`; `get`, `put` and `wait` work on their results, which are
named by refs. `rustyray.exceptions` has everything that can go wrong.

PYTEST_DONT_REWRITE, as pytest would warn that it cannot rewrite a package that was imported before it started.
"""

import sys

if sys.platform == "win32":
    raise ImportError(
        "RustyRay does not run on Windows: it shares memory and sockets between processes by passing file descriptors, "
        "and forks its workers, neither of which Windows has. Use Linux or macOS, or Linux under WSL 2."
    )

from rustyray import exceptions
from rustyray._version import __version__
from rustyray.api.actor_class import ActorClass
from rustyray.api.actor_handle import ActorHandle, ActorMethod
from rustyray.api.calls import cancel, exit_actor, get, get_actor, kill, put, wait
from rustyray.api.cluster import available_resources, cluster_resources, nodes
from rustyray.api.decorators import method, remote
from rustyray.api.ids import ActorID, JobID, NodeID, TaskID, WorkerID
from rustyray.api.inside import events, stats
from rustyray.api.lifecycle import Session, init, is_initialized, shutdown
from rustyray.api.pressure import MemoryPressureHandle, on_memory_pressure
from rustyray.api.remote_function import RemoteFunction
from rustyray.api.runtime_context import RuntimeContext, get_gpu_ids, get_runtime_context
from rustyray.api.timeline import timeline
from rustyray.model.logging_config import LoggingConfig
from rustyray.runtime.engine import MemoryPressure
from rustyray.runtime.generator import DynamicObjectRefGenerator, ObjectRefGenerator
from rustyray.runtime.ref import ObjectRef

#: Ray's other name for it.
ObjectID = ObjectRef

#: Packages that are there after ``import rustyray``, and are imported when they are first used.
_LATE = ("dag", "experimental", "job_config", "job_submission", "runtime_env", "util")


def __getattr__(name: str) -> object:
    if name not in _LATE:
        from rustyray.missing import absent

        raise absent(__name__, name)
    from importlib import import_module

    return import_module(f"rustyray.{name}")


__all__ = [
    "ActorClass",
    "ActorHandle",
    "ActorID",
    "ActorMethod",
    "DynamicObjectRefGenerator",
    "JobID",
    "LoggingConfig",
    "MemoryPressure",
    "MemoryPressureHandle",
    "NodeID",
    "ObjectID",
    "ObjectRef",
    "ObjectRefGenerator",
    "RemoteFunction",
    "RuntimeContext",
    "Session",
    "TaskID",
    "WorkerID",
    "__version__",
    "available_resources",
    "cancel",
    "cluster_resources",
    "events",
    "exceptions",
    "exit_actor",
    "get",
    "get_actor",
    "get_gpu_ids",
    "get_runtime_context",
    "init",
    "is_initialized",
    "kill",
    "method",
    "nodes",
    "on_memory_pressure",
    "put",
    "remote",
    "shutdown",
    "stats",
    "timeline",
    "wait",
]
