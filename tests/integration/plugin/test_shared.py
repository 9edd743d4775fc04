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
    result.stdout.fnmatch_lines(["*test_it.py::test_after: the runtime of rustyray_shared is gone: an earlier test*"])


def test_local_and_shared_runtimes_do_not_mix_whichever_tests_are_selected(suite: Suite) -> None:
    suite.write(
        test_mixed="""
            import pytest

            def test_local(rustyray_local): ...
            def test_shared(rustyray_shared): ...
            @pytest.fixture
            def indirectly(rustyray_shared): ...
            def test_both(rustyray_local, indirectly): ...
            def test_neither(): ...
        """
    )
    result = suite.run("-k", "not shared")
    result.assert_outcomes(passed=1, errors=2, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "*::test_local: rustyray_local cannot be used in a module where rustyray_shared is: *",
            "*::test_both: a test has one runtime: *",
        ]
    )


def test_a_marker_that_cannot_reach_the_shared_runtime_is_an_error(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest

            @pytest.mark.rustyray(num_cpus=1)
            def test_function(rustyray_shared): ...

            @pytest.mark.rustyray(num_cpus=1)
            class TestClass:
                def test_method(self, rustyray_shared): ...

            def test_good(rustyray_shared): ...
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*::test_function: @pytest.mark.rustyray on a test or class has no effect on *"])
