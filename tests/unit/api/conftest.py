from __future__ import annotations

from collections.abc import Iterator

import pytest

from rustyray.api import engines
from rustyray.runtime import context
from tests.unit.api.fake_engine import FakeEngine


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts and ends without an engine, and the default one is the fake."""
    for name in ("native", "fake"):
        monkeypatch.setitem(engines.ENGINES, name, "tests.unit.api.fake_engine")
    before = context.engine()
    context.set_engine(None)
    yield
    context.set_engine(before)


@pytest.fixture
def engine() -> FakeEngine:
    """A running fake engine."""
    running = FakeEngine()
    context.set_engine(running)
    return running
