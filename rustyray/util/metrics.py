"""Numbers that a program records where it runs, and the sum of them over all processes (names as in Ray)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from rustyray.model.events import Query
from rustyray.model.listed import MetricRow
from rustyray.runtime import context
from rustyray.runtime.recording import record

_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Metric:
    """What counters, gauges and histograms have in common. They can be passed to tasks and actors.

    Args:
        name: letters, digits and underscores.
        description: for people.
        tag_keys: the tags that each record must have.

    Raises:
        TypeError: ``tag_keys`` is no tuple of strings.
        ValueError: The name is empty or has other characters.
    """

    _kind = ""

    def __init__(self, name: str, description: str = "", tag_keys: tuple[str, ...] | None = None) -> None:
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"a metric's name is made of letters, digits and underscores, got {name!r}")
        given: Any = () if tag_keys is None else tag_keys
        if not isinstance(given, tuple) or not all(isinstance(key, str) for key in given):
            raise TypeError(f"tag_keys must be a tuple of strings, got {tag_keys!r}")
        self._name = name
        self._description = description
        self._tag_keys: tuple[str, ...] = given
        self._default_tags: dict[str, str] = {}

    def set_default_tags(self, default_tags: Mapping[str, str]) -> Metric:
        """The tags of records that give no others. Returns the metric.

        Raises:
            TypeError: A value is no string.
            ValueError: A tag is not among ``tag_keys``.
        """
        self._default_tags = self._checked(default_tags)
        return self

    def _checked(self, tags: Mapping[str, str]) -> dict[str, str]:
        for key, value in tags.items():
            if key not in self._tag_keys:
                raise ValueError(f"metric {self._name!r} has no tag {key!r}: its tag_keys are {self._tag_keys!r}")
            if not isinstance(value, str):
                raise TypeError(f"the value of tag {key!r} must be a string, got {value!r}")
        return dict(tags)

    def _record(self, value: float, tags: Mapping[str, str] | None, boundaries: Sequence[float] = ()) -> None:
        _number(value)
        all_tags = {**self._default_tags, **self._checked(tags or {})}
        missing = [key for key in self._tag_keys if key not in all_tags]
        if missing:
            raise ValueError(f"metric {self._name!r} needs a value for its tags {', '.join(missing)}")
        record(self._kind, self._name, self._description, all_tags, value, boundaries)

    @property
    def info(self) -> dict[str, Any]:
        """Name, description, tag keys and default tags."""
        return {
            "name": self._name,
            "description": self._description,
            "tag_keys": self._tag_keys,
            "default_tags": self._default_tags,
        }


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"the value of a metric must be a number, got {value!r}")
    return value


class Counter(Metric):
    """A sum that only grows."""

    _kind = "counter"

    def inc(self, value: float = 1.0, tags: Mapping[str, str] | None = None) -> None:
        """Add to it.

        Raises:
            TypeError, ValueError: The value is not a number above 0, or the tags are not the metric's.
        """
        if _number(value) <= 0:
            raise ValueError(f"a counter grows by numbers above 0, got {value!r}")
        self._record(value, tags)


class Gauge(Metric):
    """A number that goes up and down: the last one counts."""

    _kind = "gauge"

    def set(self, value: float | None, tags: Mapping[str, str] | None = None) -> None:
        """Set it; None does nothing (as in Ray). Raises as `Counter.inc`."""
        if value is not None:
            self._record(value, tags)


class Histogram(Metric):
    """How many values there were between which boundaries.

    Args:
        name, description, tag_keys: as of `Metric`.
        boundaries: numbers above 0, ascending; each is the last of its class.

    Raises:
        ValueError: There are no boundaries, or not such.
    """

    _kind = "histogram"

    def __init__(
        self,
        name: str,
        description: str = "",
        boundaries: Sequence[float] | None = None,
        tag_keys: tuple[str, ...] | None = None,
    ) -> None:
        super().__init__(name, description, tag_keys)
        self.boundaries = list(boundaries or ())
        if not self.boundaries or self.boundaries != sorted(self.boundaries) or self.boundaries[0] <= 0:
            raise ValueError(f"boundaries must be numbers above 0, ascending, such as [0.1, 1.0], got {boundaries!r}")

    def observe(self, value: float, tags: Mapping[str, str] | None = None) -> None:
        """Count a value. Raises as `Counter.inc`."""
        self._record(value, tags, self.boundaries)

    @property
    def info(self) -> dict[str, Any]:
        """As of the others, with the boundaries."""
        return {**super().info, "boundaries": self.boundaries}


def collect(*, timeout: float = 5.0) -> list[MetricRow]:
    """What all living processes have recorded, by name and tags: sums; of gauges the value that was set last.

    What a process recorded that is gone is gone with it.

    Args:
        timeout: seconds to wait for processes that do not answer.

    Raises:
        RuntimeError: The runtime is not up.
    """
    found = context.require_engine("metrics.collect()").inspect(Query(metrics=True), timeout)
    rows: dict[tuple[str, ...], MetricRow] = {}
    for row in (row for report in found.reports for row in report.metrics):
        key = (row.kind, row.name, *(part for pair in sorted(row.tags.items()) for part in pair))
        rows[key] = _both(rows[key], row) if key in rows else row
    return sorted(rows.values(), key=lambda row: (row.name, sorted(row.tags.items())))


def _both(one: MetricRow, other: MetricRow) -> MetricRow:
    import msgspec

    late = max(one, other, key=lambda row: row.time)
    if one.kind == "gauge":
        return late
    if one.boundaries != other.boundaries:
        raise ValueError(f"histogram {one.name!r} has other boundaries in another process: {other.boundaries}")
    counts = [a + b for a, b in zip(one.counts, other.counts, strict=True)]
    return msgspec.structs.replace(late, value=one.value + other.value, counts=counts)


def prometheus_text(*, timeout: float = 5.0) -> str:
    """As `collect`, in the text format that Prometheus reads. Names begin with ``ray_``, as Ray's do there."""
    lines: list[str] = []
    last = ""
    for row in collect(timeout=timeout):
        name = f"ray_{row.name}" + ("_total" if row.kind == "counter" else "")
        if name != last:
            lines += [f"# HELP {name} {_escaped(row.description)}", f"# TYPE {name} {row.kind}"]
            last = name
        if row.kind != "histogram":
            lines.append(f"{name}{_tags(row.tags)} {row.value:g}")
            continue
        below = 0
        for boundary, count in zip([*map(str, row.boundaries), "+Inf"], row.counts, strict=True):
            below += count
            lines.append(f"{name}_bucket{_tags({**row.tags, 'le': boundary})} {below}")
        lines += [f"{name}_sum{_tags(row.tags)} {row.value:g}", f"{name}_count{_tags(row.tags)} {below}"]
    return "\n".join([*lines, ""])


def _tags(tags: Mapping[str, str]) -> str:
    inner = ",".join(f'{key}="{_escaped(value, quotes=True)}"' for key, value in tags.items())
    return f"{{{inner}}}" if inner else ""


def _escaped(text: str, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
