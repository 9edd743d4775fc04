"""Where a leaked thing was made is told if Python keeps account of that."""

from __future__ import annotations

import inspect
import threading
import tracemalloc
from collections.abc import Iterator
from multiprocessing.shared_memory import SharedMemory

import pytest

from pytest_rustyray.leaks import origins


@pytest.fixture
def account() -> Iterator[None]:
    """Python keeps it."""
    tracemalloc.start(10)
    yield
    tracemalloc.stop()


def line() -> int:
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.mark.usefixtures("account")
def test_where_a_thing_was_made() -> None:
    memory, at = SharedMemory(create=True, size=10), line()
    thread = threading.Thread(target=print)
    try:
        assert origins.is_known()
        assert origins.made_at(memory) == f", made at {__file__}:{at}"
        assert origins.made_at(thread) == f", made at {__file__}:{at + 1}"
        assert origins.made_at(None) == ""
    finally:
        memory.close()
        memory.unlink()


def test_nothing_is_told_without_an_account() -> None:
    assert not origins.is_known()
    assert origins.made_at(threading.Thread(target=print)) == ""
