"""``rustyray_local``: a test has a runtime of its own, up before it and gone after it, whatever it does."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.plugin.conftest import Suite


def test_each_test_has_a_fresh_runtime_also_after_a_failure(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest
            import rustyray

            seen = []

            @pytest.mark.parametrize("number", range(3))
            def test_fresh(rustyray_local, number):
                assert rustyray.is_initialized()
                assert rustyray_local.address_info["node_id"] not in seen
                seen.append(rustyray_local.address_info["node_id"])
                with pytest.raises(ValueError):
                    rustyray.get_actor("left over")
                rustyray.remote(object).options(name="left over").remote()
                assert number != 1

            def test_gone():
                assert len(seen) == 3
                assert not rustyray.is_initialized()
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.no_fnmatch_line("*left a runtime running*")


def test_the_options_are_the_closest_markers_over_the_defaults(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest
            import rustyray

            pytestmark = pytest.mark.rustyray(num_cpus=1, resources={"license": 1}, labels={"zone": "a"})

            def test_module(rustyray_local):
                assert rustyray.cluster_resources()["CPU"] == 1
                assert rustyray.nodes()[0]["Labels"]["zone"] == "a"

            @pytest.mark.rustyray(num_gpus=2, memory=2**30, namespace="here")
            class TestClass:
                def test_class(self, rustyray_local):
                    total = rustyray.cluster_resources()
                    assert (total["CPU"], total["license"], total["GPU"], total["memory"]) == (1, 1, 2, 2**30)
                    assert rustyray_local.namespace == "here"

                @pytest.mark.rustyray(num_cpus=0.5, resources=None, object_store_memory=2**20, topology="local")
                def test_function(self, rustyray_local):
                    total = rustyray.cluster_resources()
                    assert (total["CPU"], total["GPU"], total.get("license")) == (0.5, 2, None)
                    with pytest.raises(rustyray.exceptions.ObjectStoreFullError):
                        rustyray.put(bytes(2**21))

            @pytest.mark.parametrize("cpus", [pytest.param(3, marks=pytest.mark.rustyray(num_cpus=3)), 1])
            def test_parameter(rustyray_local, cpus):
                assert rustyray.cluster_resources()["CPU"] == cpus
        """,
        test_defaults="""
            import rustyray

            def test_defaults(rustyray_local):
                assert rustyray.cluster_resources()["CPU"] == 2
                assert rustyray_local._engine.store.arena.size == 2**28
        """,
    )
    suite.run().assert_outcomes(passed=6)


def test_a_test_may_shut_its_runtime_down_and_start_another(suite: Suite) -> None:
    suite.write(
        test_it="""
            import rustyray

            @rustyray.remote
            def seven():
                return 7

            def test_shut_down(rustyray_local):
                rustyray.shutdown()

            def test_restart(rustyray_local):
                assert not rustyray_local.shutdown().forced
                rustyray.init(num_cpus=1)
                assert rustyray.get(seven.remote()) == 7

            def test_again(rustyray_local):
                rustyray.shutdown()
                rustyray.get(seven.remote())

            def test_gone():
                assert not rustyray.is_initialized()
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=4)
    result.stdout.no_fnmatch_line("*left a runtime running*")


def test_a_runtime_that_is_up_already_is_an_error_that_tells_who_started_it(suite: Suite) -> None:
    suite.write(
        test_fixture="""
            import pytest
            import rustyray

            @pytest.fixture(scope="module")
            def mine():
                rustyray.init(num_cpus=1)

            def test_it(mine, rustyray_local): ...
        """,
        test_hook="""
            import rustyray

            def setup_module():
                rustyray.init(num_cpus=1)

            def test_it(rustyray_local): ...
        """,
        test_last="""
            import rustyray

            def test_it():
                assert not rustyray.is_initialized()
        """,
    )
    result = suite.run()
    result.assert_outcomes(errors=2, passed=1)
    result.stdout.fnmatch_lines(["*rustyray_local starts a runtime, but one is up *, started by the fixture 'mine'.*"])


def test_a_runtime_of_a_hook_is_left_alone(suite: Suite) -> None:
    suite.write(
        conftest="""
            import rustyray

            def pytest_sessionstart():
                rustyray.init(num_cpus=1)
        """,
        test_it="""
            import rustyray

            def test_uses_it():
                assert rustyray.get(rustyray.put(1)) == 1

            def test_still_there():
                assert rustyray.cluster_resources()["CPU"] == 1

            def test_local(rustyray_local): ...
        """,
    )
    result = suite.run()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*one is up * started by something outside of tests and fixtures.*"])


def test_the_test_after_one_that_killed_the_node_is_clean(
    suite: Suite, assert_ended: Callable[[list[int]], None]
) -> None:
    suite.write(
        test_it="""
            import os, signal
            import pytest
            import rustyray

            @rustyray.remote
            def seven():
                return 7

            @rustyray.remote
            def pid():
                return os.getpid()

            def pids(session):
                with open("pids", "a") as file:
                    print(session._engine.node_pid, rustyray.get(pid.remote()), file=file)

            def test_kill(rustyray_local):
                pids(rustyray_local)
                os.kill(rustyray_local._engine.node_pid, signal.SIGKILL)

            def test_kill_and_use(rustyray_local):
                pids(rustyray_local)
                os.kill(rustyray_local._engine.node_pid, signal.SIGKILL)
                with pytest.raises((rustyray.exceptions.RayError, RuntimeError), match="node process"):
                    while True:
                        rustyray.get(rustyray.put(0))
                        rustyray.get(seven.remote())

            def test_kill_the_process_that_all_runtimes_come_from(rustyray_local):
                from rustyray.engines.native.processes.zygote import Zygote
                pids(rustyray_local)
                os.kill(Zygote.shared().pid(), signal.SIGKILL)

            def test_clean(rustyray_local):
                pids(rustyray_local)
                assert rustyray.get(seven.remote()) == 7
        """
    )
    suite.run().assert_outcomes(passed=4)
    assert_ended(suite.noted("pids"))


def test_an_interrupted_run_leaves_nothing(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    suite.write(
        test_it="""
            import rustyray
            from rustyray.engines.native.processes.zygote import Zygote

            def test_it(rustyray_local):
                with open("pids", "w") as file:
                    print(rustyray_local._engine.node_pid, Zygote.shared().pid(), file=file)
                raise KeyboardInterrupt
        """
    )
    assert suite.run().ret == 2
    assert_ended(suite.noted("pids"))
