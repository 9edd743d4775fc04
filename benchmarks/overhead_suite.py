"""The tests whose time ``overhead.py`` takes: one assertion, on a plain call and on a task in a runtime of its own."""

from __future__ import annotations

import pytest

from benchmarks.system import System
from benchmarks.work import identity

TESTS = range(20)


@pytest.mark.parametrize("value", TESTS)
def test_bare(system: System, value: int) -> None:
    assert identity(value) == value


@pytest.mark.parametrize("value", TESTS)
def test_runtime(runtime: System, value: int) -> None:
    assert runtime.call(value) == value
