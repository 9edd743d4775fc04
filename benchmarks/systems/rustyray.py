"""RustyRay."""

from __future__ import annotations

from benchmarks.system import WORKERS, System
from benchmarks.systems.raylike import RayLike


def create() -> System:
    """RustyRay on this machine, with the fixture that it ships."""
    system = RayLike("rustyray", {"num_cpus": WORKERS})
    system.fixture = "rustyray_local"
    system.fixture_plugin = "rustyray"
    return system
