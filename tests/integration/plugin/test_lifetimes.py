"""A runtime that a test started itself, knowingly or not, ends with it."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite

WITHOUT_FIXTURES = """
    import os
    import pytest
    import rustyray
    from rustyray.cluster_utils import Cluster

    nodes = []

    @rustyray.remote
    def one():
        return 1

    @pytest.mark.parametrize("number", [1, 2])
    def test_automatic(number):
        assert not rustyray.is_initialized()
        assert rustyray.get(one.remote()) == 1

    def test_failing():
        rustyray.put(1)
        raise ValueError

    def test_init():
        rustyray.init(num_cpus=1)

    def test_cluster():
        nodes.append(Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1}).head_node.pid)
        rustyray.shutdown()
        os.kill(nodes[0], 0)

    def test_tidy():
        with rustyray.init(num_cpus=1):
            assert rustyray.get(one.remote()) == 1

    def test_last():
        assert not rustyray.is_initialized()
        assert not any(os.path.exists(f"/proc/{node}") for node in nodes)
"""


def test_a_runtime_that_came_up_in_a_test_is_shut_down_after_it_and_told_of(suite: Suite) -> None:
    result = suite.write(test_it=WITHOUT_FIXTURES).run()
    result.assert_outcomes(passed=6, failed=1)
    named = "test_it.py::test_automatic[[]1], test_it.py::test_automatic[[]2], test_it.py::test_failing and 2 more"
    result.stdout.fnmatch_lines([f"rustyray: 5 tests left a runtime running, which was shut down: {named}. Use *"])


IN_TEARDOWNS = """
    import pytest
    import rustyray
    from rustyray.cluster_utils import Cluster

    cluster = Cluster()

    @rustyray.remote
    def tidy():
        return 1

    @pytest.fixture
    def own():
        rustyray.init(num_cpus=1)
        yield
        rustyray.shutdown()
        assert rustyray.get(tidy.remote()) == 1

    class TestOld:
        def teardown_method(self):
            assert rustyray.get(tidy.remote()) == 1

        def test_one(self):
            pass

    def test_two(own):
        pass

    def test_three(rustyray_local):
        assert rustyray.get(tidy.remote()) == 1

    def test_last():
        assert not rustyray.is_initialized()
        cluster.add_node(num_cpus=1)
        cluster.shutdown()
"""


def test_one_that_came_up_in_a_teardown_is_shut_down_after_that(suite: Suite) -> None:
    """But not what was there before all fixtures."""
    suite.write(test_it=IN_TEARDOWNS).run().assert_outcomes(passed=4)


@pytest.mark.stress
def test_parallel_runs_tell_too(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite.write(test_it=WITHOUT_FIXTURES).run_parallel()
    result.assert_outcomes(passed=6, failed=1)
    result.stdout.fnmatch_lines(["rustyray: 5 tests left a runtime running, which was shut down: *"])


def test_a_runtime_of_a_fixture_lives_as_long_as_the_fixture(suite: Suite) -> None:
    suite.write(
        test_it="""
            import unittest
            import pytest
            import rustyray
            from rustyray.cluster_utils import Cluster

            @pytest.fixture(scope="class")
            def for_a_class():
                rustyray.init(num_cpus=3)

            @pytest.fixture(scope="class")
            def cluster():
                yield Cluster(initialize_head=True, head_node_args={"num_cpus": 1})

            @pytest.fixture
            def for_a_test():
                yield rustyray.init(num_cpus=4)

            @pytest.fixture
            def shuts_down():
                yield
                assert rustyray.is_initialized()
                rustyray.shutdown()

            class TestShared:
                def test_one(self, for_a_class):
                    assert rustyray.cluster_resources()["CPU"] == 3

                def test_two(self, for_a_class):
                    assert rustyray.cluster_resources()["CPU"] == 3

            class TestCluster:
                def test_one(self, cluster):
                    cluster.add_node(num_cpus=2)
                    rustyray.init(address=cluster.address)

                def test_two(self, cluster):
                    with rustyray.init(address=cluster.address):
                        assert rustyray.cluster_resources()["CPU"] == 3

            def test_after_the_class():
                assert not rustyray.is_initialized()
                with pytest.raises(ConnectionError):
                    rustyray.init(address="auto")

            def test_own(for_a_test):
                assert rustyray.cluster_resources()["CPU"] == 4

            def test_after_the_test():
                assert not rustyray.is_initialized()

            def test_shut_down_by_a_fixture(shuts_down):
                rustyray.init(num_cpus=1)

            class TestCase(unittest.TestCase):
                @classmethod
                def setUpClass(cls):
                    rustyray.init(num_cpus=5)

                def test_one(self):
                    self.assertEqual(rustyray.cluster_resources()["CPU"], 5)

                def test_two(self):
                    self.assertEqual(rustyray.cluster_resources()["CPU"], 5)

            def test_last():
                assert not rustyray.is_initialized()
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=11)
    result.stdout.fnmatch_lines(["rustyray: 1 test left a runtime running, which was shut down: *test_one.*"])
