"""What of the machine a process of pytest-xdist takes for its runtimes, where nothing is given.

Each takes its part of what the machine has, so that several do not take more than one does alone. What tests see stays
the same, `num_cpus` above all: a test that passes in one process passes in eight.
"""

from __future__ import annotations

import os
from typing import Any, Final

import pytest

#: Of the machine's memory: for tasks, as in `rustyray.init`, and for objects.
_FOR_TASKS: Final = 0.7
_FOR_OBJECTS: Final = 0.3
#: CPUs that the workers of a runtime may run on at least: as many as it has without being told.
_LEAST_CPUS: Final = 2


def of(config: pytest.Config, most_for_objects: int) -> dict[str, object]:
    """Defaults of this process, one of pytest-xdist's; ``most_for_objects`` (bytes) is the whole one's."""
    about: Any = config.workerinput  # type: ignore[attr-defined]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    number = int("".join(filter(str.isdigit, about["workerid"])) or 0)
    return share(number, about["workercount"], cpus, memory, most_for_objects)


def share(number: int, count: int, cpus: list[int], memory: int, most_for_objects: int) -> dict[str, object]:
    """That of process ``number`` of ``count``, from these CPUs and so many bytes of memory."""
    if count < 2:
        return {}
    for_tasks = int(_FOR_TASKS * memory / count)
    found: dict[str, object] = {
        "memory": for_tasks,
        "memory_limit": for_tasks,
        "object_store_memory": min(most_for_objects, int(_FOR_OBJECTS * memory / count)),
    }
    size = max(_LEAST_CPUS, len(cpus) // count)
    if size < len(cpus):
        first = number * len(cpus) // count
        found["cpu_quota"] = sorted(cpus[(first + at) % len(cpus)] for at in range(size))
    return found
