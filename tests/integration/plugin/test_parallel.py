"""Under pytest-xdist each process has runtimes of its own, and one that crashes leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.plugin.conftest import Suite

pytest.importorskip("xdist")


def test_runtimes_in_parallel_do_not_meet(suite: Suite) -> None:
    suite.write(
        test_it="""
            import os
            import time
            import pytest
            import rustyray

            @rustyray.remote
            class Register:
                def __init__(self):
                    self.found = []
                def add(self, name):
                    self.found.append(name)
                    return self.found

            @pytest.mark.parametrize("number", range(12))
            def test_own(rustyray_local, number, tmp_path_factory, worker_id):
                register = Register.options(name="register", namespace="all").remote()
                assert rustyray.get(register.add.remote(number)) == [number]
                assert len(rustyray.nodes()) == 1
                total, machine = rustyray.cluster_resources(), os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
                assert (total["CPU"], total["memory"]) == (2, pytest.approx(0.35 * machine, rel=0.01))  # its share
                common = tmp_path_factory.getbasetemp().parent
                (common / worker_id).touch()
                if number in (0, 1):  # wait for the other process, so that both have a runtime at once
                    deadline = time.monotonic() + 20
                    while len(list(common.glob("gw?"))) < 2 and time.monotonic() < deadline:
                        time.sleep(0.01)
                assert rustyray.get(register.add.remote(-number)) == [number, -number]
        """
    )
    result = suite.run_parallel()
    result.assert_outcomes(passed=12)


def test_a_process_that_crashes_leaves_nothing_and_the_run_goes_on(
    suite: Suite, assert_ended: Callable[[list[int]], None]
) -> None:
    suite.write(
        test_it="""
            import os, signal
            import pytest
            import rustyray
            from rustyray.engines.native.processes.zygote import Zygote

            @rustyray.remote
            class Holder:
                def pid(self):
                    return os.getpid()

            def note(session):
                pids = [Zygote.shared().pid(), session._engine.node_pid, rustyray.get(Holder.remote().pid.remote())]
                with open("pids", "a") as file:
                    file.write(" ".join(map(str, pids)) + "\\n")

            def test_exits(rustyray_local):
                note(rustyray_local)
                os._exit(1)

            def test_is_killed(rustyray_local):
                note(rustyray_local)
                os.kill(os.getpid(), signal.SIGKILL)

            @pytest.mark.parametrize("number", range(4))
            def test_others(rustyray_local, number):
                note(rustyray_local)
        """
    )
    result = suite.run_parallel()
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed while running 'test_it.py::test_*'*"])
    assert_ended(suite.noted("pids"))
