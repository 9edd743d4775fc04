"""The plugin's fixtures on a real Ray."""

from __future__ import annotations

import pytest

from tests.integration.plugin.conftest import Suite, suite

__all__ = ["suite"]  # a fixture
pytestmark = pytest.mark.rustyray(leaks="off")


def test_what_a_test_leaves_behind_is_found_and_what_is_rays_own_is_let_alone(suite: Suite) -> None:
    suite.write(
        test_it="""
            import os
            import subprocess

            import rustyray

            left = []

            @rustyray.remote
            def pid():
                return os.getpid()

            def test_clean(rustyray_runtime):
                assert rustyray.get(pid.remote()) != os.getpid()

            def test_leaves_behind(rustyray_runtime):
                assert rustyray.get(pid.remote()) != os.getpid()
                left.append(subprocess.Popen(["sleep", "1000"]))
                left.append(open(os.devnull))

            def test_next(rustyray_runtime):
                assert left[0].poll() is not None
                assert left[1].closed
                assert rustyray.get(pid.remote()) != os.getpid()
        """
    )
    result = suite.run("--rustyray-topology=ray", "-W", "ignore")
    result.assert_outcomes(passed=3, errors=1)
    result.stdout.fnmatch_lines(
        [
            "left behind, and put away: processes (1), descriptors (1)",
            "*process * (sleep 1000): killed",
            "*of /dev/null: closed (TextIOWrapper)",
        ]
    )
