"""Isolated tests in processes of pytest-xdist's, and those that cannot even be interrupted."""

from __future__ import annotations

from tests.integration.plugin.conftest import Suite, suite
from tests.integration.plugin.test_isolated import check_harm

__all__ = ["suite"]


def test_what_tests_do_stays_in_their_processes_with_xdist(suite: Suite) -> None:
    check_harm(suite, "-n", "2", "--dist", "loadfile")


def test_a_process_that_does_not_react_is_ended(suite: Suite) -> None:
    suite.write(
        test_stuck="""
        import ctypes, os, pytest, signal, time

        @pytest.mark.rustyray_isolated
        @pytest.mark.rustyray(timeout=0.3)
        @pytest.mark.parametrize("how", ["stopped", "in C", "deaf"])
        def test_stuck(how):
            if how == "stopped":
                os.kill(os.getpid(), signal.SIGSTOP)
            if how == "deaf":
                signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
                time.sleep(100)
            ctypes.PyDLL(None).sleep(100)

        def test_next():
            pass
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "the test did not end within 0.3 s, and could not be interrupted in its call: its process ended itself*",
            "*Captured stderr call*",
            "*test_stuck.py::*deaf*took longer than 0.3 s*",
        ]
    )
    result.stdout.fnmatch_lines(["*did not end within 0.3 s: its process was ended in its call*"])
    result.stdout.fnmatch_lines(["*test_stuck.py*in test_stuck*"])
