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
    """``limits``, as far as ``config`` does not say otherwise. Raises ValueError for what makes no sense."""
    spills = config.get("automatic_object_spilling_enabled", True)
    threshold = float(config.get("memory_usage_threshold", limits.memory_threshold))
    if not 0 < threshold <= 1:
        raise ValueError(f"memory_usage_threshold is a share of the memory between 0 and 1, got {threshold!r}")
    refresh = float(config.get("memory_monitor_refresh_ms", 1000 * limits.memory_interval))
    if refresh < 0:
        raise ValueError(f"memory_monitor_refresh_ms must be zero (never) or more, got {refresh!r}")
    capacity = int(config.get("spill_limit", SPILL_CAPACITY))
    if capacity < 0:
        raise ValueError(f"spill_limit must be zero bytes or more, got {capacity!r}")
    return msgspec.structs.replace(
        limits,
        spill_capacity=capacity if spills else 0,
        memory_threshold=threshold,
        memory_interval=refresh / 1000,
    )
