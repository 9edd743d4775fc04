"""Two hubs that know each other's addresses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.hub.hubs import Node, nodes


@pytest.fixture
def pair() -> Iterator[tuple[Node, Node]]:
    with nodes("a", "b") as (a, b):
        yield a, b
