"""How much memory the machine, or the control group that this process is in, has and uses, and each worker."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rustyray.core.node.memory import Memory
from rustyray.model.ids import WorkerID

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Meter:
    """Reads the kernel's figures; ``limit`` bytes instead of the machine's memory, if it is not 0.

    With a limit what counts is what the node's workers and its ``arena`` (a descriptor) take.
    """

    def __init__(self, arena: int, limit: int) -> None:
        self._arena = arena
        self._limit = limit
        self._group: Path | None = None
        self._looked = False

    def read(self, pids: Mapping[WorkerID, int]) -> Memory | None:
        """None where the kernel does not say."""
        workers = {worker: _private(pid) for worker, pid in pids.items()}
        if self._limit:
            return Memory(sum(workers.values()) + os.fstat(self._arena).st_blocks * 512, self._limit, workers)
        machine = _machine()
        if machine is None:
            return None
        used, total = machine
        if not self._looked:
            self._group, self._looked = _control_group(), True
        if self._group is not None:
            group = _group(self._group)
            if group is not None and group[1] < total:
                used, total = group
        return Memory(used, total, workers)


def _private(pid: int) -> int:
    """What is resident and not shared, which the arena is: as Ray counts."""
    try:
        fields = Path(f"/proc/{pid}/statm").read_bytes().split()
    except OSError:
        return 0  # it has ended
    return (int(fields[1]) - int(fields[2])) * _PAGE


def _machine() -> tuple[int, int] | None:
    try:
        lines = Path("/proc/meminfo").read_bytes().splitlines()
    except OSError:
        return None
    found = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(b":") for line in lines)}
    return found[b"MemTotal"] - found[b"MemAvailable"], found[b"MemTotal"]


def _control_group() -> Path | None:
    """The directory of this process' group in the unified hierarchy, if that limits memory."""
    try:
        own = Path("/proc/self/cgroup").read_text().strip().rpartition("::")[2]
    except OSError:
        return None
    place = Path("/sys/fs/cgroup") / own.lstrip("/")
    while not (place / "memory.max").exists() or (place / "memory.max").read_text().strip() == "max":
        if place == Path("/sys/fs/cgroup") or place == place.parent:
            return None
        place = place.parent
    return place


def _group(place: Path) -> tuple[int, int] | None:
    """What the group uses, without files that the kernel can drop at once, and may use."""
    try:
        most = int((place / "memory.max").read_text())
        used = int((place / "memory.current").read_text())
        stat = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return max(0, used - int(stat.get("inactive_file", 0))), most
