"""`rustyray.util.queue`, under a name that it has in old programs (as in Ray)."""

from __future__ import annotations

from rustyray.util.queue import Empty, Full, Queue

__all__ = ["Empty", "Full", "Queue"]
