"""Ray, without the parts that a local run does not need (dashboard, usage reports, log forwarding)."""

from __future__ import annotations

import os

from benchmarks.system import WORKERS, System
from benchmarks.systems.raylike import RayLike


def create() -> System:
    """Ray on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options = {"num_cpus": WORKERS, "include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
    return RayLike("ray", options)
