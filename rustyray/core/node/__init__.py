"""The node's core: resources, the lease queue, the worker pool, the actors that live here, and the store's index."""

from rustyray.core.node.base import NodeLimits
from rustyray.core.node.core import NodeCore

__all__ = ["NodeCore", "NodeLimits"]
