"""The fixtures of Ray's own tests that the suite uses, on Ray; ``--rustyray-as-ray`` has those with the same names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import ray
from ray.cluster_utils import Cluster

DEFAULTS: dict[str, Any] = {
    "num_cpus": 1,
    "object_store_memory": 150 * 2**20,
    "namespace": "default_test_namespace",
    "include_dashboard": False,
}


@contextmanager
def _started(request: pytest.FixtureRequest, **more: Any) -> Iterator[Any]:
    try:
        yield ray.init(**{**DEFAULTS, **more, **getattr(request, "param", {})})
    finally:
        ray.shutdown()


@contextmanager
def _cluster(request: pytest.FixtureRequest, **more: Any) -> Iterator[Cluster]:
    options = {**DEFAULTS, **more, **getattr(request, "param", {})}
    count, namespace = options.pop("num_nodes", 0), options.pop("namespace")
    connects = options.pop("do_init", count > 0)
    cluster = Cluster()
    try:
        for _ in range(count):
            cluster.add_node(**options)
        if connects:
            cluster.wait_for_nodes()
            ray.init(address=cluster.address, namespace=namespace)
        yield cluster
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def shutdown_only() -> Iterator[None]:
    yield None
    ray.shutdown()


@pytest.fixture
def ray_start_regular(request: pytest.FixtureRequest) -> Iterator[Any]:
    with _started(request) as context:
        yield context


@pytest.fixture
def ray_start_2_cpus(request: pytest.FixtureRequest) -> Iterator[Any]:
    with _started(request, num_cpus=2) as context:
        yield context


@pytest.fixture
def ray_start_4_cpus(request: pytest.FixtureRequest) -> Iterator[Any]:
    with _started(request, num_cpus=4) as context:
        yield context


@pytest.fixture
def ray_start_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with _cluster(request) as cluster:
        yield cluster


@pytest.fixture
def ray_start_cluster_head(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with _cluster(request, num_nodes=1, do_init=True) as cluster:
        yield cluster


@pytest.fixture
def ray_start_cluster_2_nodes(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    with _cluster(request, num_nodes=2, do_init=True) as cluster:
        yield cluster
