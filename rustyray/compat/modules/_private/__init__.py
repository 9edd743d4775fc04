"""``ray._private``: what test suites use of it."""

from rustyray.compat.modules._private import services

__all__ = ["services"]
