"""Who has Ctrl-C: Python's own handler may be replaced by an engine's, a program's own never."""

from __future__ import annotations

import signal


def is_unclaimed() -> bool:
    """Whether SIGINT has Python's own handler, or one that an ended runtime could not take back.

    Only the main thread can change handlers, and a runtime may be shut down from any: an engine's handler is a method
    of an object that says by ``is_over`` whether its runtime has ended.
    """
    handler = signal.getsignal(signal.SIGINT)
    return handler is signal.default_int_handler or getattr(getattr(handler, "__self__", None), "is_over", False)
