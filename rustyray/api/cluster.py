"""What the cluster consists of, and what is free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rustyray.runtime import context


def nodes() -> list[Mapping[str, Any]]:
    """One mapping for each node, dead ones too, with Ray's keys: ``NodeID``, ``Alive``, ``Resources``, and more.

    ``NodeManagerPort`` and ``ObjectManagerPort`` are one port, or 0 where a node listens only inside its machine.
    """
    return context.require_engine("nodes()").nodes()


def cluster_resources() -> dict[str, float]:
    """The resources of all living nodes together, free or not: CPUs, GPUs, bytes of memory, custom ones."""
    return context.require_engine("cluster_resources()").cluster_resources()


def available_resources() -> dict[str, float]:
    """What is free at the moment; resources of which nothing is free may be missing (as in Ray)."""
    return context.require_engine("available_resources()").available_resources()
