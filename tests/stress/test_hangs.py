"""Hangs that nothing can be done about in Python: in C code that holds the interpreter's lock, or ignores signals."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.plugin.conftest import PLUGIN, Suite

STUCK = """
    import ctypes
    import pytest
    import rustyray
    from rustyray.cluster_utils import Cluster

    pytestmark = pytest.mark.rustyray(timeout=5)

    @rustyray.remote
    def holds_the_lock():
        mutex = ctypes.create_string_buffer(64)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)

    def test_worker_that_cannot_answer(rustyray_local):
        rustyray.get(holds_the_lock.remote())

    def test_worker_of_a_cluster():
        Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1})
        rustyray.get(holds_the_lock.remote())

    def test_next(rustyray_local):
        assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1

    def test_main_thread_that_hears_nothing(rustyray_local):
        mutex = ctypes.create_string_buffer(64)
        libc = ctypes.CDLL(None)
        libc.pthread_mutex_lock(mutex)
        libc.pthread_mutex_lock(mutex)

    def test_last(rustyray_local):
        assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Suite:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_XDIST_WORKER"):
        monkeypatch.delenv(name, raising=False)
    return Suite(pytester)


SILENT = [
    "E * worker * waits for something: it does not answer",
    "*Captured stderr call*",
    '  File "*test_it.py", line * in holds_the_lock',
    "*rustyray stacks*",
    "worker, pid *: does not answer; where it stands is in the captured stderr",
]


SILENT_IN_CLUSTER = ['(pid=*)   File "*test_it.py", line * in holds_the_lock', SILENT[-1]]


def test_stuck_in_c_code(suite: Suite) -> None:
    result = suite.write(test_it=STUCK).run()
    assert result.ret == 70
    result.stderr.fnmatch_lines(
        [
            "test_it.py::test_main_thread_that_hears_nothing: the test took longer than 5 s *",
            "*It does not react, as it is in C code that does not give way, so this process ends.",
            "--- rustyray stacks ---",
            "    test_it.py:* in test_main_thread_that_hears_nothing: libc.pthread_mutex_lock(mutex)",
        ]
    )


def test_stuck_in_c_code_in_parallel(suite: Suite) -> None:
    pytest.importorskip("xdist")
    result = suite.write(test_it=STUCK).run("-n", "1", plugins=("xdist", PLUGIN))
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        [*SILENT, *SILENT_IN_CLUSTER, "worker 'gw0' crashed while running *main_thread_that_hears_nothing*"]
    )


def test_beside_pytest_timeout(suite: Suite) -> None:
    pytest.importorskip("pytest_timeout")
    suite.write(
        test_it="""
            import time
            import pytest
            import rustyray

            def test_that_starts_what_all_runtimes_come_from(rustyray_local):
                assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1

            @pytest.mark.timeout(3)
            @pytest.mark.rustyray(timeout=60)
            def test_theirs_is_first(rustyray_local):
                rustyray.get(rustyray.remote(time.sleep).remote(1000))

            @pytest.mark.timeout(60)
            @pytest.mark.rustyray(timeout=3)
            def test_ours_is_first(rustyray_local):
                rustyray.get(rustyray.remote(time.sleep).remote(1000))

            def test_next(rustyray_local):
                assert rustyray.get(rustyray.remote(abs).remote(-1)) == 1
        """
    )
    result = suite.run(plugins=("pytest_timeout", PLUGIN))
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["E * Failed: Timeout*", "E * Failed: the test took longer than 3 s*"])


def test_a_cluster_that_a_test_leaves(suite: Suite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTYRAY_TMPDIR", str(tmp_path / "clusters"))
    suite.write(
        test_it="""
            import os, subprocess, sys

            def test_starts_a_cluster(rustyray_local):
                command = [sys.executable, "-m", "rustyray", "start", "--head", "--port=0", "--num-cpus=1"]
                subprocess.run(command, check=True)

            def test_it_is_gone(rustyray_local):
                assert os.listdir(os.environ["RUSTYRAY_TMPDIR"]) == []
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["left behind, and put away: processes (*), folders (1)", "  */cluster-*: removed"])
