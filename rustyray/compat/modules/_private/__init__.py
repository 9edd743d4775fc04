"""``ray._private``: what test suites use of it."""

from rustyray.compat.modules._private import services, worker

__all__ = ["services", "worker"]
