"""Simulated runtimes from the fixtures."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite


def test_by_the_marker(suite: Suite) -> None:
    suite.write(
        test_it="""
            import os
            import time
            import pytest
            import rustyray

            pytestmark = pytest.mark.rustyray(topology="sim:2", seed=3)
            count = 0

            @rustyray.remote
            def change():
                global count
                count += 1
                time.sleep(1000)
                return count, os.getpid()

            def test_workers_are_simulated(rustyray_local):
                (first, pid), (second, other) = rustyray.get([change.remote(), change.remote()])
                assert first == second == 1
                assert len({pid, other, os.getpid()}) == 3
                assert count == 0
                with pytest.raises(rustyray.exceptions.GetTimeoutError):
                    rustyray.get(change.remote(), timeout=10)

            def test_nodes(rustyray_local):
                assert len(rustyray.nodes()) == 2

            @pytest.mark.rustyray(topology="local", seed=None)
            def test_the_next_one_is_real(rustyray_local):
                assert rustyray.get(rustyray.remote(os.getpid).remote()) != os.getpid()
        """
    )
    suite.run().assert_outcomes(passed=3)


def test_by_the_command_line_and_for_a_module(suite: Suite) -> None:
    suite.write(
        test_it="""
            import time
            import rustyray

            def test_one(rustyray_shared):
                rustyray.remote(dict).options(name="there", lifetime="detached").remote()
                began = time.monotonic()
                rustyray.get(rustyray.remote(time.sleep).remote(1000))
                assert time.monotonic() >= began + 1000

            def test_other(rustyray_shared):
                assert rustyray.get_actor("there")
        """
    )
    suite.run("--rustyray-topology=sim", "--rustyray-seed=2").assert_outcomes(passed=2)


def test_a_seed_needs_a_simulated_runtime(suite: Suite) -> None:
    suite.write(
        test_it="""
            import pytest

            @pytest.mark.rustyray(seed=3)
            def test_it(rustyray_local): ...
        """
    )
    result = suite.run()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*seed is for simulated runtimes, and for rustyray_chaos: add topology=?sim?*"])


def test_one_stands_for_tests_in_processes_of_xdist(suite: Suite) -> None:
    """Between tests such a process waits in real time for what it is told to run next."""
    pytest.importorskip("xdist")
    suite.write(
        test_it="""
            import time
            import pytest
            import rustyray

            pytestmark = pytest.mark.rustyray(topology="sim")
            ENDED = []

            @rustyray.remote
            def echo(number):
                return number

            @pytest.mark.parametrize("number", range(10))
            def test_shared(rustyray_shared, number):
                assert rustyray.get(echo.remote(number)) == number
                assert not ENDED or ENDED[-1] <= time.monotonic() < ENDED[-1] + 1, "time goes on where it was"
                time.sleep(1000)
                ENDED.append(time.monotonic())
        """
    )
    suite.run_parallel().assert_outcomes(passed=10)
    suite.run().assert_outcomes(passed=10)
