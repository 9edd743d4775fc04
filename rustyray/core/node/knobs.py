"""What ``_system_config`` may say of a node's decisions, in every engine; names as in Ray where Ray has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rustyray.core.node.base import NodeLimits

#: The most that a node spills (bytes), unless it may not: as much as the disk takes.
SPILL_CAPACITY: Final = 1 << 50
KNOBS: Final = ("automatic_object_spilling_enabled",)


def configured(limits: NodeLimits, config: Mapping[str, Any]) -> NodeLimits:
    """``limits``, as far as ``config`` does not say otherwise."""
    spills = config.get("automatic_object_spilling_enabled", True)
    return msgspec.structs.replace(limits, spill_capacity=SPILL_CAPACITY if spills else 0)
