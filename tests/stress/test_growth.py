"""A thousand tests, each with a runtime of its own, leave pytest's process as it was."""

from __future__ import annotations

import json

from tests.integration.plugin.conftest import Suite, suite

__all__ = ["suite"]

TESTS = 1000


def test_a_thousand_runtimes_grow_nothing(suite: Suite) -> None:
    """After the first hundred, descriptors and threads stay as many, and memory nearly so."""
    suite.write(
        test_it=f"""
            import json, os, threading
            import pytest
            import rustyray

            @rustyray.remote
            def double(number):
                return 2 * number

            def measured():
                with open("/proc/self/statm") as file:
                    pages = int(file.read().split()[1])
                return len(os.listdir("/proc/self/fd")), threading.active_count(), pages * 4096

            @pytest.mark.parametrize("number", range({TESTS}))
            def test_own(rustyray_local, number):
                assert rustyray.get(double.remote(number)) == 2 * number
                if number in (99, {TESTS - 1}):
                    with open(f"at{{number}}", "w") as file:
                        json.dump(measured(), file)
        """
    )
    suite.run("-q").assert_outcomes(passed=TESTS)
    early, late = (json.loads((suite.folder / f"at{number}").read_text()) for number in (99, TESTS - 1))
    assert late[:2] == early[:2]
    assert late[2] - early[2] < 1e7, f"memory grew by {(late[2] - early[2]) / 1e6:.1f} MB"
