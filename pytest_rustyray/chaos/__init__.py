"""Faults on purpose, in real processes: which, when and to whom is drawn from a seed.

fixture.py   what ``rustyray_chaos`` does, and what is told of it in reports
plan.py      when: at a time, at an event, or by rate
faults.py    what: kills, pauses, delays, cuts, partitions, full disks and stores
targets.py   to whom: the nodes and workers there are
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_rustyray.chaos.faults import (
        Fault,
        delay,
        drop,
        fill_disk,
        fill_store,
        kill_node,
        kill_worker,
        partition,
        pause,
    )

__all__ = ["Fault", "delay", "drop", "fill_disk", "fill_store", "kill_node", "kill_worker", "partition", "pause"]


def __getattr__(name: str) -> object:
    """The faults are imported when somebody uses one: the plugin is loaded in runs that do not."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from pytest_rustyray.chaos import faults

    return getattr(faults, name)
