"""A runtime for each test, started and ended here, with a look at what it leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.processes import nodes_left, session_of, sockets

Start = Callable[..., rustyray.Session]


def _closed(session: str) -> bool:
    return not sockets(session)


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts runtimes (``start(num_cpus=2)``); at the end none is up, and no process or socket of any is left."""
    begun: list[str] = []

    def start(**options: Any) -> rustyray.Session:
        session = rustyray.init(**{"num_cpus": 2, **options})
        begun.append(session_of(session))
        return session

    yield start
    rustyray.shutdown()
    assert not rustyray.is_initialized()
    for session in begun:
        assert eventually(partial(_closed, session), 5), f"open after shutdown: {sockets(session)}"
    assert nodes_left() == []


@pytest.fixture
def local(start: Start) -> rustyray.Session:
    """A runtime with two CPUs."""
    return start()
