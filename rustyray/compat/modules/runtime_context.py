"""``ray.runtime_context``."""

from rustyray import RuntimeContext, get_runtime_context

__all__ = ["RuntimeContext", "get_runtime_context"]
