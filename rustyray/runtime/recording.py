"""What programs record with `rustyray.util.metrics`, for each process by itself."""

from __future__ import annotations

import time
from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from rustyray.model.listed import MetricRow
from rustyray.runtime import context

if TYPE_CHECKING:
    from collections.abc import Sequence


class Series:
    """What was recorded under one name and one set of tags."""

    __slots__ = ("boundaries", "counts", "description", "kind", "name", "tags", "time", "value")

    def __init__(
        self, kind: str, name: str, description: str, tags: dict[str, str], boundaries: Sequence[float]
    ) -> None:
        self.kind = kind
        self.name = name
        self.description = description
        self.tags = tags
        self.boundaries = list(boundaries)
        self.counts = [0] * (len(boundaries) + 1) if kind == "histogram" else []
        self.value = 0.0
        self.time = 0.0

    def add(self, value: float) -> None:
        self.time = time.time()
        self.value = value if self.kind == "gauge" else self.value + value
        if self.counts:
            self.counts[bisect_left(self.boundaries, value)] += 1


#: By the engine of the process (a simulated one has a process of this interpreter for each), name and tags.
_recorded: WeakKeyDictionary[Any, dict[tuple[str, ...], Series]] = WeakKeyDictionary()
_lock = Lock()


def record(
    kind: str, name: str, description: str, tags: dict[str, str], value: float, boundaries: Sequence[float] = ()
) -> None:
    """Add a value; nothing happens while the runtime is down, as nobody could ask for it."""
    engine = context.own_engine()
    if engine is None:
        return
    key = (kind, name, *(part for pair in sorted(tags.items()) for part in pair))
    with _lock:
        mine = _recorded.setdefault(engine, {})
        series = mine.get(key)
        if series is None:
            series = mine[key] = Series(kind, name, description, tags, boundaries)
        series.add(value)


def recorded(engine: object) -> list[MetricRow]:
    """What the process of this engine has recorded."""
    with _lock:
        return [
            MetricRow(
                name=one.name,
                kind=one.kind,
                description=one.description,
                tags=one.tags,
                value=one.value,
                time=one.time,
                boundaries=one.boundaries,
                counts=list(one.counts),
            )
            for one in _recorded.get(engine, {}).values()
        ]
