"""A runtime for each test, started and ended here, with a look at what it leaves.

Every test that starts one here runs on the native engine and in a simulated runtime, unless it is marked
``native_only("why")``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.processes import nodes_left, session_of, sockets

Start = Callable[..., rustyray.Session]


def _replaceable() -> tuple[object, ...]:
    return time.sleep, time.monotonic, threading.Lock, threading.Thread.start, os.getpid, os._exit, os.kill


_REAL = _replaceable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine" in metafunc.fixturenames:
        native_only = metafunc.definition.get_closest_marker("native_only")
        metafunc.parametrize("engine", ["native", "sim"] if native_only is None else ["native"])


def _closed(session: str) -> bool:
    return not sockets(session)


@pytest.fixture
def start(engine: str) -> Iterator[Start]:
    """Starts runtimes (``start(num_cpus=2)``); at the end none is up.

    And then no process or socket of a native one is left, and nothing that a simulated one replaced.
    """
    begun: list[str] = []

    def start(**options: Any) -> rustyray.Session:
        session = rustyray.init(**{"engine": engine, "num_cpus": 2, **options})
        if engine == "native":
            begun.append(session_of(session))
        return session

    yield start
    rustyray.shutdown()
    assert not rustyray.is_initialized()
    if engine == "sim":
        assert _replaceable() == _REAL
        return
    for session in begun:
        assert eventually(partial(_closed, session), 5), f"open after shutdown: {sockets(session)}"
    assert nodes_left() == []


@pytest.fixture
def local(start: Start) -> rustyray.Session:
    """A runtime with two CPUs."""
    return start()
