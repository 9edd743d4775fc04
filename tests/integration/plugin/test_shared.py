"""``rustyray_shared``: the tests of a module have one runtime, and the next module has another."""

from __future__ import annotations

from tests.integration.plugin.conftest import Suite


def test_a_module_has_one_runtime_and_the_next_module_another(suite: Suite) -> None:
    module = """
        import pytest
        import rustyray

        pytestmark = pytest.mark.rustyray(num_cpus=3)
        seen = []

        class Counter:
            def __init__(self):
                self.count = 0
            def add(self):
                self.count += 1
                return self.count

        @pytest.mark.parametrize("number", [1, 2, 3])
        def test_shared(rustyray_shared, number):
            with open("nodes", "a") as file:
                print(int(rustyray_shared.address_info["node_id"], 16), file=file)
            counter = rustyray.remote(Counter).options(name="counter", get_if_exists=True, lifetime="detached").remote()
            assert rustyray.get(counter.add.remote()) == number
            assert rustyray.cluster_resources()["CPU"] == 3

        def test_without(): ...
    """
    between = """
        import rustyray

        def test_gone():
            assert not rustyray.is_initialized()
    """
    suite.write(test_1=module, test_2=module, test_3=between)
    suite.run("--import-mode=importlib").assert_outcomes(passed=9)
    nodes = suite.noted("nodes")
    assert nodes[0] == nodes[1] == nodes[2] != nodes[3] == nodes[4] == nodes[5]


def test_after_a_test_that_shut_it_down_the_others_fail_with_the_reason(suite: Suite) -> None:
    suite.write(
        test_it="""
            import rustyray

            def test_before(rustyray_shared): ...

            def test_shuts_down(rustyray_shared):
                rustyray.shutdown()
                rustyray.init(num_cpus=1)

            def test_after(rustyray_shared): ...

            def test_without():
                assert not rustyray.is_initialized()
        """,
        test_next="""
            import rustyray

            def test_it(rustyray_shared):
                assert rustyray.is_initialized()
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=4, errors=1)
    result.stdout.fnmatch_lines(
        ["*test_it.py::test_after: the runtime of rustyray_shared is gone: an earlier test shut it down*"]
    )


def test_each_test_meets_the_runtime_that_it_asks_for_and_no_other(suite: Suite) -> None:
    suite.write(
        test_mixed="""
            import pytest
            import rustyray

            @rustyray.remote
            def node():
                return rustyray.get_runtime_context().get_node_id()

            seen = {}

            @pytest.fixture(scope="module")
            def actor(rustyray_session):
                class Actor:
                    def node(self):
                        return rustyray.get_runtime_context().get_node_id()
                made = rustyray.remote(Actor).remote()
                yield made
                # The last test before has no runtime.
                assert rustyray.get(made.node.remote()) == seen["rustyray_session"]

            def is_in(fixture, session):
                here = rustyray.get(node.remote())
                assert here == session.address_info["node_id"]
                assert seen.setdefault(fixture, here) == here

            def test_session(rustyray_session):
                is_in("rustyray_session", rustyray_session)
            def test_local(rustyray_local):
                assert rustyray.get(node.remote()) not in seen.values()
            def test_shared(rustyray_shared):
                is_in("rustyray_shared", rustyray_shared)
            def test_neither():
                assert not rustyray.is_initialized()
            def test_of_its_own():
                assert rustyray.get(node.remote()) not in seen.values()
            def test_through_another_fixture(actor, rustyray_session):
                assert rustyray.get(actor.node.remote()) == seen["rustyray_session"]
            def test_shared_again(rustyray_shared):
                is_in("rustyray_shared", rustyray_shared)
            def test_session_again(rustyray_session):
                is_in("rustyray_session", rustyray_session)
            @pytest.mark.rustyray(topology="sim")
            def test_simulated(rustyray_local): ...
            def test_at_last():
                assert not rustyray.is_initialized()
                rustyray.init(num_cpus=1)  # is not in the way of the actor's end
        """,
        test_next="""
            import rustyray

            def test_another_module(rustyray_session):
                with open("nodes", "a") as file:
                    print(int(rustyray_session.address_info["node_id"], 16), file=file)
                rustyray.shutdown()
            def test_lost(rustyray_session): ...
            def test_local(rustyray_local): ...
            def test_both(rustyray_local, rustyray_shared): ...
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=12, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*::test_lost: the runtime of rustyray_session is gone: an earlier test shut it down. *",
            "*::test_both: a test has one runtime: use rustyray_local or rustyray_shared, not both",
        ]
    )
    assert len(suite.noted("nodes")) == 1


def test_a_simulated_runtime_that_stands_has_the_process_to_itself(suite: Suite) -> None:
    suite.write(
        test_it="""
            import rustyray

            def test_session(rustyray_session):
                assert rustyray.is_initialized()
            def test_local(rustyray_local): ...
            def test_again(rustyray_session): ...
        """
    )
    result = suite.run("--rustyray-topology=sim")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*rustyray_local starts a runtime, but one is up in this process already, *"])


def test_a_marker_that_cannot_reach_the_shared_runtime_is_an_error(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest

            @pytest.mark.rustyray(num_cpus=1)
            def test_function(rustyray_shared): ...

            @pytest.mark.rustyray(num_cpus=1)
            class TestClass:
                def test_method(self, rustyray_shared): ...

            @pytest.mark.rustyray(timeout=30, allow_leaks=True)
            def test_good(rustyray_shared): ...
        """,
        test_session="""
            import pytest

            pytestmark = pytest.mark.rustyray(num_cpus=1)

            def test_module(rustyray_session): ...
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*::test_function: @pytest.mark.rustyray(num_cpus=…) on a test or class has no effect on rustyray_shared*",
            "*::test_module: @pytest.mark.rustyray(num_cpus=…) has no effect on rustyray_session*",
        ]
    )
