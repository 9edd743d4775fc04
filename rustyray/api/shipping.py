"""The code of a function or class on its way to workers: pickled once, at its first use under an engine."""

from __future__ import annotations

import sys
from typing import Any

from rustyray.runtime import context


class Code:
    """A function or class, and its pickle: ``blob``, its digest ``fn``, and the refs that it carries (``held``).

    ``called`` is its name with its module. The pickle is made anew when the engine changes: refs and globals inside it
    belong to their time. All variants of a remote function (``.options``) share one.
    """

    __slots__ = ("__weakref__", "_packed", "called", "thing")

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.called = f"{thing.__module__}.{thing.__qualname__}"
        self._packed: tuple[bytes, bytes, tuple[object, ...]] | None = None

    def packed(self) -> tuple[bytes, bytes, tuple[object, ...]]:
        """``(fn, blob, held)``. Raises TypeError naming what cannot be pickled."""
        if self._packed is None:
            from hashlib import blake2b

            from rustyray.runtime.serialization import dumps_function

            blob, refs = dumps_function(self.thing, self.called)
            context.remember(self)
            self._packed = blake2b(blob, digest_size=16).digest(), blob, tuple(refs)
        return self._packed

    def forget_engine(self) -> None:
        self._packed = None


def global_name(thing: Any, holder: object) -> str | None:
    """The name by which a worker finds ``holder`` in the module of ``thing``; None if it has to travel by value."""
    module, name = thing.__module__, thing.__qualname__
    if not isinstance(module, str) or by_value(module):
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is holder else None


def by_value(module: str) -> bool:
    """Whether what the module defines travels by value."""
    from rustyray.runtime.serialization import registered_by_value

    registered: Any = registered_by_value()
    cloudpickle: Any = sys.modules.get("cloudpickle")
    if cloudpickle is not None:
        registered |= cloudpickle.list_registry_pickle_by_value()
    parts = module.split(".")
    return module == "__main__" or any(".".join(parts[:count]) in registered for count in range(1, len(parts) + 1))
