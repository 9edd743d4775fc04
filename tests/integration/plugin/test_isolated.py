"""Tests in processes of their own: what they do stays there, and their reports come back whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.plugin.conftest import PLUGIN, Suite

#: Each leaves its process changed, or dead; those that are not isolated see whether anything came over.
HARM = """
    import ctypes, os, signal, subprocess, sys, threading, time, warnings
    from pathlib import Path
    import pytest

    isolated = pytest.mark.rustyray_isolated
    STATE = []

    @pytest.fixture(scope="session")
    def session_pid():
        yield os.getpid()
        with open("torn_down", "a") as file:
            file.write(f"{os.getpid()}\\n")

    @pytest.fixture(scope="module")
    def module_pid():
        return os.getpid()

    def runs(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def test_before(session_pid):
        assert session_pid == os.getpid()

    @isolated
    def test_globals(session_pid, module_pid):
        assert session_pid != os.getpid() == module_pid
        STATE.append(1)
        os.environ["PLANTED"] = "1"
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        threading.Thread(target=time.sleep, args=(60,), name="sleeps").start()
        os.chdir("/")

    @isolated
    def test_subprocess():
        STATE.append(subprocess.Popen(["sleep", "60"]))
        Path("subprocess").write_text(str(STATE[0].pid))

    @isolated
    def test_daemon():
        daemon = "import subprocess; print(subprocess.Popen(['sleep', '60'], start_new_session=True, stdout=2).pid)"
        Path("daemon").write_bytes(subprocess.run([sys.executable, "-c", daemon], check=True, stdout=-1).stdout)

    def test_nothing_came_over(module_pid, session_pid):
        assert STATE == [] and "PLANTED" not in os.environ and module_pid == os.getpid()
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
        assert "sleeps" not in [thread.name for thread in threading.enumerate()]
        until = time.monotonic() + 10
        while runs(Path("subprocess").read_text()):
            assert time.monotonic() < until
        assert not runs(Path("daemon").read_text().strip())

    @isolated
    def test_fails(tmp_path):
        numbers = [1, 2]
        print("said on stdout")
        print("said on stderr", file=sys.stderr)
        assert numbers == [1, 3]

    @isolated
    def test_leaves():
        os.write(1, b"last words")
        os._exit(3)

    @isolated
    def test_segfault():
        ctypes.string_at(0)

    @isolated
    @pytest.mark.rustyray(timeout=0.3)
    def test_hangs():
        def in_here():
            time.sleep(60)
        in_here()

    @isolated
    @pytest.mark.xfail(reason="expected")
    def test_xfails():
        assert False

    @isolated
    @pytest.mark.xfail(reason="dies")
    def test_xdies():
        os._exit(1)

    @isolated
    def test_skips():
        pytest.skip("not here")

    @isolated
    @pytest.mark.parametrize("number", [1, 2])
    def test_parametrized(number, tmp_path, capsys):
        print(number)
        assert capsys.readouterr().out == f"{number}\\n" and tmp_path.exists()

    @isolated
    def test_warns():
        warnings.warn("careful")

    @pytest.fixture
    def dies_at_its_end():
        yield
        os.kill(os.getpid(), signal.SIGKILL)

    @isolated
    def test_dies_in_teardown(dies_at_its_end):
        pass

    @pytest.fixture
    def dies():
        os._exit(0)

    @isolated
    def test_dies_in_setup(dies):
        pass

    @isolated
    class TestClass:
        @pytest.mark.usefixtures("module_pid")
        def test_method(self, record_property):
            record_property("key", "value")

        def test_slow(self):
            time.sleep(0.06)
"""
OUTCOMES = {"passed": 11, "failed": 4, "errors": 2, "skipped": 1, "xfailed": 2, "warnings": 1}


def test_what_tests_do_stays_in_their_processes(suite: Suite) -> None:
    check_harm(suite)


def check_harm(suite: Suite, *how: str) -> None:
    """Run the tests that do harm, and look at what is reported of them."""
    suite.write(test_harm=HARM)
    plugins = ("xdist", PLUGIN) if how else (PLUGIN,)
    result = suite.run(
        *how,
        "-l",
        "-rA",
        "--durations=40",
        "-W",
        "default",
        "--junitxml=out.xml",
        "-o",
        "junit_family=xunit1",
        plugins=plugins,
    )
    result.assert_outcomes(**OUTCOMES)
    text = "\n".join(result.outlines)
    result.stdout.fnmatch_lines(["E       assert [[]1, 2[]] == [[]1, 3[]]", "numbers    = [[]1, 2[]]"])
    for told in (
        "said on stdout",
        "said on stderr",
        "last words",
        "the test's process left in its call with exit code 3: os._exit() was called",
        "the test's process was killed in its call by signal 11 (SIGSEGV)",
        "the test took longer than 0.3 s",
        "the test's process was killed in its teardown by signal 9 (SIGKILL)",
        "the test's process left in its setup with exit code 0",
        "UserWarning: careful",
        "expected",
        "not here",
    ):
        assert told in text, told
    assert ".in_here: time.sleep(60)" in text
    assert "_pytest" not in text.partition("SIGSEGV")[2].partition("____")[0]
    assert "call     test_harm.py::TestClass::test_slow" in text
    assert 'name="key" value="value"' in Path(suite.folder / "out.xml").read_text()
    assert len(suite.noted("torn_down")) == 1, "a session fixture is torn down once, where it was set up"


def test_all_tests_of_a_run(suite: Suite) -> None:
    suite.write(
        test_all="""
        import os, pytest, sys
        PIDS = []

        @pytest.mark.parametrize("number", [1, 2])
        def test_number(number):
            PIDS.append(os.getpid())
            assert len(PIDS) == 1

        def test_exits():
            pytest.exit("enough", 7)

        def test_is_not_reached():
            pass
        """
    )
    result = suite.run("--rustyray-isolate")
    assert result.ret == 7
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*Exit: enough*"])
    suite.ini("rustyray_isolate = true")
    assert suite.run("-k", "number").parseoutcomes() == {"passed": 2, "deselected": 2}


def test_runtimes_of_isolated_tests_are_their_own(suite: Suite) -> None:
    suite.write(
        test_runtimes="""
        import os, pytest, rustyray

        isolated = pytest.mark.rustyray_isolated

        @rustyray.remote
        def double(number):
            return 2 * number

        @pytest.fixture(scope="module")
        def made(rustyray_shared):
            return rustyray.put(os.getpid())

        def test_shared(made):
            assert rustyray.get(double.remote(2)) == 4

        @isolated
        def test_shared_alone(made):
            assert rustyray.get(made) == os.getpid()
            assert rustyray.get(double.remote(2)) == 4

        @isolated
        def test_without():
            assert not rustyray.is_initialized()

        @isolated
        def test_local_and_dead(rustyray_local):
            with open("nodes", "w") as file:
                print(rustyray.nodes()[0]["Pid"], file=file)
            os._exit(1)

        @isolated
        def test_left_behind(rustyray_local):
            import threading
            threading.Thread(target=threading.Event().wait, name="planted").start()

        def test_shared_again(made):
            assert rustyray.get(made) == os.getpid()
            assert rustyray.get(double.remote(2)) == 4
        """
    )
    result = suite.run()
    result.assert_outcomes(passed=5, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*left behind, and put away: threads (1)*", "*planted*"])
    from rustyray.engines.native.processes.kernel import wait_for_end

    assert all(wait_for_end(pid, 10) for pid in suite.noted("nodes"))


def test_failed_subtests_fail_their_test(suite: Suite) -> None:
    suite.write(
        test_sub="""
        import pytest

        @pytest.mark.rustyray_isolated
        def test_numbers(subtests):
            for number in range(3):
                with subtests.test(number=number):
                    assert number == 1
        """
    )
    if pytest.version_tuple < (9, 0):
        pytest.skip("subtests came with pytest 9")
    suite.run().stdout.fnmatch_lines(["FAILED test_sub.py::test_numbers - contains 2 failed subtests"])


def test_what_a_task_has_started_ends_with_pytest_that_was_killed(
    suite: Suite, assert_ended: Callable[[list[int]], None]
) -> None:
    suite.write(
        test_kill="""
        import os, pytest, rustyray, signal, subprocess

        @rustyray.remote
        class Starts:
            def __init__(self):
                self.child = subprocess.Popen(["sleep", "1000"])
            def pids(self):
                return [os.getpid(), self.child.pid]

        def test_before(rustyray_local): ...

        @pytest.mark.rustyray_isolated
        def test_isolated(rustyray_local):
            starts = Starts.remote()
            with open("pids", "w") as file:
                print(*rustyray.get(starts.pids.remote()), os.getpid(), file=file)
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        """
    )
    suite.run()
    assert_ended(suite.noted("pids"))


def test_other_plugins_alarms(suite: Suite) -> None:
    suite.write(
        test_alarm="""
        import pytest, time

        @pytest.mark.rustyray_isolated
        def test_hangs():
            time.sleep(60)

        def test_next():
            pass
        """
    )
    result = suite.run("--timeout=0.5", plugins=("timeout", PLUGIN))
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*Timeout*0.5*"])


def test_what_does_not_fit_is_said(suite: Suite) -> None:
    suite.write(
        test_wrong="""
        import pytest

        @pytest.mark.rustyray_isolated(timeout=3)
        def test_arguments():
            pass

        def test_first(rustyray_session):
            pass

        @pytest.mark.rustyray_isolated
        def test_isolated():
            pass
        """
    )
    result = suite.run("--rustyray-topology=sim", "--trace", "--collect-only")
    result.stderr.fnmatch_lines(
        [
            "*@pytest.mark.rustyray_isolated takes no arguments*",
            "*--trace cannot be used with @pytest.mark.rustyray_isolated*no terminal*",
        ]
    )
    result = suite.run("--rustyray-topology=sim")
    result.assert_outcomes(passed=1, errors=2)
    result.stdout.fnmatch_lines(["*a simulated runtime is up, and what is forked in its time*"])
    result = suite.run("--pdb", "--rustyray-isolate")
    result.stderr.fnmatch_lines(["*--pdb cannot be used with --rustyray-isolate*"])
