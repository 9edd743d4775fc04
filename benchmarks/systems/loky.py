"""loky's reusable executor."""

from __future__ import annotations

from concurrent.futures import Executor
from importlib import import_module

from benchmarks.system import WORKERS, System
from benchmarks.systems.futures import ExecutorSystem


def create() -> System:
    """An executor whose workers stay while idle."""
    loky = import_module("loky")

    def make() -> Executor:
        executor: Executor = loky.get_reusable_executor(max_workers=WORKERS, timeout=None)
        return executor

    return ExecutorSystem(make)
