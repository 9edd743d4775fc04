"""How a measuring process tells the runner what it found: a JSON record a line, on a descriptor of its own.

A record is written before each probe and after it, so that when a process hangs or dies the runner knows which
probe it was in, and keeps what came before.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from enum import Enum

from benchmarks.metrics import Sample


class Status(Enum):
    """How a probe stands."""

    BEGUN = "begun"
    MEASURED = "measured"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """One line: a probe, how it stands, and its samples by metric or what went wrong."""

    probe: str
    status: Status
    samples: dict[str, Sample] = field(default_factory=dict)
    message: str = ""

    def send(self, descriptor: int) -> None:
        """Writes the record."""
        line = json.dumps({**asdict(self), "status": self.status.value}) + "\n"
        os.write(descriptor, line.encode())

    @classmethod
    def parse(cls, line: str | bytes) -> Record:
        """Reads what ``send`` wrote."""
        data = json.loads(line)
        samples = {name: Sample(**sample) for name, sample in data["samples"].items()}
        return cls(data["probe"], Status(data["status"]), samples, data["message"])
