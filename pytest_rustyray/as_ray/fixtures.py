"""The fixtures of Ray's own conftest, by their names there, with what they give and the parameters they take.

An indirect parameter is a dict of options of ``ray.init``; for clusters with ``num_nodes`` and ``do_init``, and the
options of each node.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NoReturn

import pytest

from pytest_rustyray.as_ray import running
from pytest_rustyray.fixtures.shared import shared

if TYPE_CHECKING:
    from rustyray import Session
    from rustyray.cluster_utils import Cluster

#: Of `ray_start_object_store_memory` without a parameter, in bytes.
_STORE: Final = 150 * 2**20


@pytest.fixture
def shutdown_only() -> Iterator[None]:
    """Starts nothing; what the test starts is shut down."""
    import rustyray

    yield None
    rustyray.shutdown(grace=0)


@pytest.fixture
def ray_start_regular(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with one CPU."""
    with running.regular(request) as session:
        yield session


@pytest.fixture
def ray_start_no_cpu(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node without CPUs."""
    with running.regular(request, num_cpus=0) as session:
        yield session


@pytest.fixture
def ray_start_2_cpus(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with two CPUs."""
    with running.regular(request, num_cpus=2) as session:
        yield session


@pytest.fixture
def ray_start_4_cpus(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with four CPUs."""
    with running.regular(request, num_cpus=4) as session:
        yield session


@pytest.fixture
def ray_start_10_cpus(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with ten CPUs."""
    with running.regular(request, num_cpus=10) as session:
        yield session


@pytest.fixture
def ray_start_object_store_memory(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node whose object store has as many bytes as the parameter, a number, says."""
    store = getattr(request, "param", _STORE)
    request.param = {}
    with running.regular(request, object_store_memory=store) as session:
        yield session


@pytest.fixture(scope="module")
def ray_start_regular_shared(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with one CPU, for all tests of the module that ask for it."""
    with shared(request, running.given(request, {})) as session:
        yield session


@pytest.fixture(scope="module")
def ray_start_10_cpus_shared(request: pytest.FixtureRequest) -> Iterator[Session]:
    """A node with ten CPUs, for all tests of the module that ask for it."""
    with shared(request, running.given(request, {"num_cpus": 10})) as session:
        yield session


@pytest.fixture
def ray_start_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster without nodes, which the test adds; a parameter may say ``num_nodes``."""
    with running.cluster(request) as cluster:
        yield cluster


@pytest.fixture
def ray_start_cluster_init(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """As `ray_start_cluster_head`."""
    with running.cluster(request, num_nodes=1, do_init=True) as cluster:
        yield cluster


@pytest.fixture
def ray_start_cluster_head(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster with its head, to which the test is connected."""
    with running.cluster(request, num_nodes=1, do_init=True) as cluster:
        yield cluster


@pytest.fixture
def ray_start_cluster_2_nodes(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster of two nodes, to which the test is connected."""
    with running.cluster(request, num_nodes=2, do_init=True) as cluster:
        yield cluster


@pytest.fixture
def call_ray_start(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a cluster that the command line has started; a parameter is that line: ``ray start --head …``."""
    with running.command(request) as address:
        yield address


@pytest.fixture
def ray_start_with_dashboard() -> NoReturn:
    """Refused: there is no dashboard."""
    pytest.fail(
        "ray_start_with_dashboard: RustyRay has no dashboard. What a test reads there is in rustyray.util.state, and "
        "in rustyray.events() and rustyray.stats(); ray_start_regular starts the same runtime without one",
        pytrace=False,
    )
