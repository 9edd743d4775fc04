"""Simulated runtimes for tests, and a look at whether they leave anything changed."""

from __future__ import annotations

import asyncio
import copyreg
import os
import threading
import time
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType
from typing import Any

import pytest

import rustyray

Start = Callable[..., rustyray.Session]


def _replaceable() -> tuple[object, ...]:
    clocks = time.sleep, time.time, time.monotonic
    pickling = copyreg.dispatch_table.get(BuiltinFunctionType)
    return (*clocks, threading.Lock, threading.Thread.start, asyncio.new_event_loop, os._exit, pickling)


_REAL = _replaceable()


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts simulated runtimes (``start(num_cpus=2, seed=3)``); none is up at the end, and nothing stays patched."""

    def start(**options: Any) -> rustyray.Session:
        return rustyray.init(**{"engine": "sim", "num_cpus": 2, **options})

    yield start
    rustyray.shutdown()
    assert _replaceable() == _REAL


@pytest.fixture(params=range(3))
def sim(start: Start, request: pytest.FixtureRequest) -> rustyray.Session:
    """A simulated runtime with two CPUs: the tame schedule, and some others."""
    return start(seed=request.param)
