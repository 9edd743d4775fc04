"""``ray.remote_function``."""

from rustyray import RemoteFunction

__all__ = ["RemoteFunction"]
