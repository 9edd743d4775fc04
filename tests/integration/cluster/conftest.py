"""Nodes that tests of placement run on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import rustyray


@pytest.fixture(params=["native", "sim"])
def nodes(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Three nodes that are alike."""
    with rustyray.init(engine=request.param, num_cpus=2, num_nodes=3):
        yield [about["NodeID"] for about in rustyray.nodes()]
