"""One test, run in each topology."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from tests.integration.plugin.conftest import Suite

IN_EACH = """
    import unittest
    import pytest
    import rustyray

    def shape():
        engine = type(rustyray.runtime.context.engine()).__module__.split(".")[2]
        return engine, len(rustyray.nodes())

    @pytest.fixture
    def remote_shape(rustyray_runtime):
        return rustyray.get(rustyray.remote(lambda: len(rustyray.nodes())).remote())

    @pytest.mark.rustyray(topology=["local", "cluster:2", "sim:3"], seed=3)
    def test_listed(rustyray_runtime, request):
        wanted = {"local": ("native", 1), "cluster:2": ("native", 2), "sim:3": ("sim", 3)}
        assert shape() == wanted[request.node.callspec.params["rustyray_runtime"]]

    @pytest.mark.rustyray(topology=("sim:2", "sim"))
    @pytest.mark.parametrize("number", [1, 2])
    def test_through_another_fixture(remote_shape, number, request):
        assert remote_shape == shape()[1]

    @pytest.mark.parametrize("rustyray_runtime", ["sim:2", pytest.param("sim:4", id="four")], indirect=True)
    def test_parametrized_by_hand(rustyray_runtime): ...

    def test_of_the_run(rustyray_runtime): ...

    @pytest.mark.usefixtures("rustyray_runtime")
    class TestClass:
        def test_method(self): ...

    def test_first_alone(rustyray_local):
        assert shape() == ("sim", 1)
"""
IDS = [
    "test_listed[local]",
    "test_listed[cluster:2]",
    "test_listed[sim:3]",
    "test_through_another_fixture[sim:2-1]",
    "test_through_another_fixture[sim:2-2]",
    "test_through_another_fixture[sim-1]",
    "test_through_another_fixture[sim-2]",
    "test_parametrized_by_hand[sim:2]",
    "test_parametrized_by_hand[four]",
    "test_of_the_run[sim]",
    "test_of_the_run[sim:2]",
    "TestClass::test_method[sim]",
    "TestClass::test_method[sim:2]",
    "test_first_alone",
]


def test_a_test_runs_in_each_topology_and_its_name_says_in_which(suite: Suite) -> None:
    suite.write(test_it=IN_EACH).ini("rustyray_topology = sim, sim:2")
    result = suite.run("-v")
    result.stdout.fnmatch_lines([f"*::{name.replace('[', '[[]')} PASSED*" for name in IDS])
    result.assert_outcomes(passed=len(IDS))


WRONG = """
    import unittest
    import pytest

    @pytest.mark.rustyray(topology=["sim", "sim:2"])
    def test_one_runtime(rustyray_local): ...

    @pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rustyray(topology="sim:3"))])
    def test_late(rustyray_runtime, x): ...

    @pytest.mark.parametrize("rustyray_runtime", ["simm"], indirect=True)
    def test_by_hand(rustyray_runtime): ...

    @pytest.mark.rustyray(topology="ray")
    def test_ray(rustyray_runtime): ...

    @pytest.mark.rustyray(topology=["sim", "sim:2"])
    @pytest.mark.usefixtures("rustyray_runtime")
    class TestCase(unittest.TestCase):
        def test_method(self): ...

    def test_both(rustyray_runtime, rustyray_local): ...
"""


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed here, so that topology='ray' can be had")
def test_a_topology_that_cannot_be_had_is_told(suite: Suite) -> None:
    result = suite.write(test_it=WRONG).run("--rustyray-topology=sim")
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines(
        [
            "*::test_one_runtime: rustyray_local is one runtime, and topology names 2: use rustyray_runtime *",
            "*::test_late[[]sim-1]: topology='sim:3' in a parameter's mark comes too late for rustyray_runtime*",
            "*::test_by_hand[[]simm]: topology 'simm' does not exist (did you mean 'sim'?)*",
            "*engine='ray' needs Ray itself, which is not installed here: pip install 'rustyray*",
            "*this test cannot run in each of sim, sim:2: pytest makes one test of each only if *",
            "*::test_both[[]sim]: a test has one runtime: use rustyray_local or rustyray_runtime, not both",
        ]
    )
