"""A suite that uses every fixture gives the same outcome in any order, and in any number of processes."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite, suite

__all__ = ["suite"]

SHUFFLED = """
    import os
    import random

    def pytest_collection_modifyitems(items):
        seed = os.environ.get("ORDER")
        if seed:
            random.Random(int(seed)).shuffle(items)
"""
MODULE = """
    import os
    import time
    import pytest
    import rustyray

    @rustyray.remote
    def node():
        return rustyray.get_runtime_context().get_node_id()

    def here(session):
        assert rustyray.get(node.remote()) in {about["NodeID"] for about in rustyray.nodes()}
        assert session.address_info["node_id"] in {about["NodeID"] for about in rustyray.nodes()}

    @pytest.fixture(scope="module")
    def actor(rustyray_session):
        class Actor:
            def node(self):
                return rustyray.get_runtime_context().get_node_id()
        made = rustyray.remote(Actor).remote()
        yield made
        assert rustyray.get(made.node.remote()) == rustyray_session.address_info["node_id"]

    @pytest.mark.parametrize("number", range(2))
    class TestAll:
        def test_local(self, rustyray_local, number):
            here(rustyray_local)
        def test_shared(self, rustyray_shared, number):
            here(rustyray_shared)
        def test_session(self, actor, rustyray_session, number):
            here(rustyray_session)
            assert rustyray.get(actor.node.remote()) == rustyray_session.address_info["node_id"]
        def test_testrun(self, rustyray_testrun, number):
            here(rustyray_testrun)
        def test_cluster(self, rustyray_cluster, number):
            rustyray_cluster.kill_node(rustyray_cluster.add_node())
            rustyray_cluster.wait_for_nodes()
        def test_constrained(self, rustyray_constrained, number):
            assert rustyray.cluster_resources()["CPU"] == 1
        @pytest.mark.rustyray(topology=["local", "sim:2", "cluster:2"])
        def test_runtime(self, rustyray_runtime, number):
            assert rustyray.cluster_resources()["CPU"] in (2, 4)
        def test_two_workers_at_once(self, rustyray_local, number, tmp_path):
            @rustyray.remote
            def meet(mine, other):
                (tmp_path / mine).touch()
                while not (tmp_path / other).exists():
                    time.sleep(0.005)
                return True
            assert all(rustyray.get([meet.remote("a", "b"), meet.remote("b", "a")], timeout=30))
        def test_factory(self, rustyray_factory, number):
            with rustyray_factory(num_cpus=1), rustyray_factory(num_cpus=3):
                assert rustyray.cluster_resources()["CPU"] == 3
        def test_nothing(self, number):
            assert not rustyray.is_initialized()
        def test_its_own(self, number):
            assert rustyray.get(node.remote())
"""
COUNT = 2 * 2 * 13


@pytest.mark.parametrize("order", ["", "1", "2", "3"])
@pytest.mark.parametrize("processes", [0, 2, 8])
def test_the_outcome_is_the_same(suite: Suite, monkeypatch: pytest.MonkeyPatch, processes: int, order: str) -> None:
    monkeypatch.setenv("ORDER", order)
    suite.write(conftest=SHUFFLED, test_one=MODULE, test_two=MODULE)
    plugins = ("xdist", "rustyray") if processes else ("rustyray",)
    result = suite.run(*(["-n", str(processes)] if processes else []), plugins=plugins)
    result.assert_outcomes(passed=COUNT)
