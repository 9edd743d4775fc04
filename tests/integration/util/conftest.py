"""A runtime for all tests of a module, and a simulated one for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import rustyray

OPTIONS: dict[str, Any] = {"num_cpus": 4, "namespace": "util"}


@pytest.fixture(scope="module", params=["native", "sim"])
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """The engine of this module's tests; the native one runs as long as they do."""
    if request.param == "sim":
        yield "sim"
        return
    with rustyray.init(**OPTIONS):
        yield "native"


@pytest.fixture
def shared(engine: str) -> Iterator[str]:
    """A runtime with four CPUs. Simulated ones do not outlast a test: the harness would meet virtual time."""
    if engine == "native":
        yield engine
        return
    with rustyray.init(engine="sim", **OPTIONS):
        yield engine
