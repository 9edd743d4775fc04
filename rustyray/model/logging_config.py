"""``LoggingConfig``: how drivers and workers log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ENCODINGS = ("TEXT", "JSON")
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class _Config(NamedTuple):
    encoding: str
    log_level: str
    additional_log_standard_attrs: tuple[str, ...]


class LoggingConfig(_Config):
    """How the driver and the workers log, for ``init(logging_config=…)`` (as in Ray).

    Their root loggers write to standard error, each line with the ids of the job, worker and node, and inside a task or
    an actor with those of the task, its attempt, and the actor. In the driver that ends with the runtime.

    Args:
        encoding: "TEXT", or "JSON" with one object a line.
        log_level: the level from which on is logged.
        additional_log_standard_attrs: more attributes of `logging.LogRecord` for each line, such as ``("name",)``.

    Raises:
        ValueError: There is no such encoding or level.
    """

    __slots__ = ()

    def __new__(
        cls, encoding: str = "TEXT", log_level: str = "INFO", additional_log_standard_attrs: Sequence[str] = ()
    ) -> LoggingConfig:
        for name, value, valid in (("encoding", encoding, ENCODINGS), ("log_level", log_level.upper(), LEVELS)):
            if value not in valid:
                from rustyray.model.options import hint

                raise ValueError(f"{name} must be one of {', '.join(valid)}, got {value!r}{hint(value, valid)}")
        return super().__new__(cls, encoding, log_level.upper(), tuple(additional_log_standard_attrs))

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> LoggingConfig:
        """Out of what `to_dict` gives; what it does not know is ignored (as in Ray)."""
        return cls(**{name: d[name] for name in cls._fields if name in d})

    def to_dict(self) -> dict[str, Any]:
        """Its fields by their names."""
        return self._asdict() | {"additional_log_standard_attrs": list(self.additional_log_standard_attrs)}

    def plain(self) -> tuple[str, str, tuple[str, ...]]:
        """As a tuple, for messages."""
        return self.encoding, self.log_level, self.additional_log_standard_attrs
