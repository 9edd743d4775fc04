"""``ray.types``."""

from rustyray import ObjectRef

__all__ = ["ObjectRef"]
