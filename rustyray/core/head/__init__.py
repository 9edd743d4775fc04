"""The head's core: nodes and their health, jobs, the life of actors and their names, and what the cluster has."""

from rustyray.core.head.base import HeadLimits
from rustyray.core.head.core import HeadCore

__all__ = ["HeadCore", "HeadLimits"]
