"""Being told when the object store fills up."""

from __future__ import annotations

from collections.abc import Callable

from rustyray.model import options
from rustyray.runtime import context
from rustyray.runtime.engine import MemoryPressure


class MemoryPressureHandle:
    """A callback that `on_memory_pressure` has registered, until `unregister`; usable in ``with``."""

    def __init__(self, remove: Callable[[], None]) -> None:
        self._remove = remove

    def unregister(self) -> None:
        """Call it no more. A call that is under way goes on; a second time, nothing happens."""
        self._remove()

    def __enter__(self) -> MemoryPressureHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.unregister()


def on_memory_pressure(callback: Callable[[MemoryPressure], object], fraction: float = 0.8) -> MemoryPressureHandle:
    """Call ``callback`` in this process when the object store of its node is filled to ``fraction``.

    It is called once for each time that the use passes the fraction from below; that counts again when the use was
    five hundredths lower meanwhile. It is called at once if the store is as full already. It runs in some thread, soon,
    and may use RustyRay; what it raises is printed. Ray has nothing of the kind.

    Args:
        callback: it is given a `MemoryPressure`: ``used`` and ``capacity`` in bytes, and the ``fraction``.
        fraction: the share of the store's capacity, above 0 and at most 1.

    Raises:
        TypeError: ``callback`` cannot be called, or ``fraction`` is no number.
        ValueError: ``fraction`` is out of range.
        RuntimeError: RustyRay is down.
    """
    if not callable(callback):
        raise TypeError(f"on_memory_pressure() needs a function to call, got {callback!r}")
    share = options.amount("fraction", fraction)
    if not 0 < share <= 1:
        raise ValueError(f"fraction is a share of the store's capacity, above 0 and at most 1, got {fraction!r}")
    return MemoryPressureHandle(context.require_engine("on_memory_pressure()").on_memory_pressure(callback, share))
