"""What `rustyray_cluster` does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import rustyray
from pytest_rustyray.clusters.cluster import ClusterUnderTest
from pytest_rustyray.fixtures.starting import arguments, chosen, refuse_second
from pytest_rustyray.lifetimes import running_engine
from pytest_rustyray.options import topologies
from rustyray.cluster_utils import NODE_OPTIONS

if TYPE_CHECKING:
    import pytest

#: Nodes come and go, and can be kept apart.
_NODES: Final = 2
_CONFIG: Final = {"cluster": True, "partitions": True}


@contextmanager
def cluster(request: pytest.FixtureRequest) -> Iterator[ClusterUnderTest]:
    """A cluster of the test's own."""
    refuse_second(request)
    given = chosen(request, request.node)
    nodes: Any = given["nodes"][0] if "nodes" in given else None
    topology = getattr(request, "param", "") or topologies.names(given["topology"][0])[0]
    if topologies.split(topology)[0] not in topologies.COUNTED:
        topology = "cluster"
    if nodes is None and topologies.takes_nodes(topology):
        topology += f":{_NODES}"
    found = arguments(given, topology, _CONFIG)
    of_nodes = {name: value for name, value in found.items() if name in (*NODE_OPTIONS, "engine")}
    others: list[dict[str, Any]] = []
    if isinstance(nodes, list | tuple):
        found |= {"num_nodes": 1, **nodes[0]}
        others = [dict(node) for node in nodes[1:]]
    session = rustyray.init(**found)
    try:
        engine = running_engine()
        assert engine is not None
        under_test = ClusterUnderTest(engine, session, of_nodes)
        for options in others:
            under_test.add_node(**options)
        yield under_test
        if running_engine() is engine:
            under_test.end()
    finally:
        session.shutdown()
        rustyray.shutdown()  # the one that the test started in its place, if it did
