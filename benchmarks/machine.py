"""Where and with what a run was measured."""

from __future__ import annotations

import datetime as dt
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.libraries import SYSTEMS


@dataclass(frozen=True, slots=True)
class Machine:
    """The facts that a figure cannot be read without."""

    cpu: str
    cores: int
    memory_gb: int
    load: float
    kernel: str
    python: str
    versions: list[str]
    date: str

    def text(self) -> str:
        """One line for under the table."""
        cores = f"{self.cores} core" + ("" if self.cores == 1 else "s")
        hardware = f"{self.cpu}, {cores}, {self.memory_gb} GB, Linux {self.kernel}"
        versions = ", ".join([f"Python {self.python}", *self.versions])
        return f"{hardware}; {versions}; {self.date}; load at the start {self.load:.2f}"


def describe(systems: Sequence[str]) -> Machine:
    """Looks at this machine and at the versions of ``systems``."""
    return Machine(
        cpu=_cpu(),
        cores=len(os.sched_getaffinity(0)),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        load=os.getloadavg()[0],
        kernel=platform.release(),
        python=platform.python_version(),
        versions=[version for name in systems if (version := SYSTEMS[name].version()) is not None],
        date=dt.datetime.now(dt.UTC).date().isoformat(),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
