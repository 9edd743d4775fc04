"""What ``_system_config`` may say of a node's decisions, in every engine; names as in Ray where Ray has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rustyray.core.node.base import NodeLimits

#: The most that a node spills (bytes), unless it may not: as much as the disk takes.
SPILL_CAPACITY: Final = 1 << 50
KNOBS: Final = (
    "automatic_object_spilling_enabled",
    "cpu_quota",
    "memory_limit",
    "memory_monitor_refresh_ms",
    "memory_usage_threshold",
    "spill_limit",
)


def configured(limits: NodeLimits, config: Mapping[str, Any]) -> NodeLimits:
    """``limits``, as far as ``config`` does not say otherwise. Raises ValueError or TypeError for nonsense."""
    spills = config.get("automatic_object_spilling_enabled", True)
    if not isinstance(spills, bool):
        raise TypeError(f"automatic_object_spilling_enabled must be True or False, got {spills!r}")
    threshold = number(config, "memory_usage_threshold", limits.memory_threshold)
    if not 0 < threshold <= 1:
        raise ValueError(f"memory_usage_threshold is a share of the memory between 0 and 1, got {threshold!r}")
    number(config, "memory_limit", 0)  # the host's, who measures
    refresh = number(config, "memory_monitor_refresh_ms", 1000 * limits.memory_interval)
    capacity = int(number(config, "spill_limit", SPILL_CAPACITY))
    return msgspec.structs.replace(
        limits,
        spill_capacity=capacity if spills else 0,
        memory_threshold=threshold,
        memory_interval=refresh / 1000,
    )


def number(config: Mapping[str, Any], name: str, default: float) -> float:
    """What ``config`` has under ``name``. Raises TypeError if it is no number, ValueError if below zero or endless."""
    value = config.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not 0 <= value < 2**63:
        raise ValueError(f"{name} must be zero or more, and fit into 64 bits, got {value!r}")
    return value
