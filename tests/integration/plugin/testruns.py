"""A suite whose tests share a cluster, for a run in one process, in several, and for runs in which processes die."""

from __future__ import annotations

from collections.abc import Callable

from tests.integration.plugin.conftest import Suite

SHARE = """
    import os
    import signal
    from pathlib import Path

    import pytest
    import rustyray

    class Counter:
        def __init__(self):
            self.count = 0
        def add(self):
            self.count += 1
            return self.count

    @pytest.fixture(scope="session")
    def counter(rustyray_testrun):
        return rustyray.remote(Counter).options(name="c", get_if_exists=True, lifetime="detached", num_cpus=0).remote()

    def note(name, *numbers):
        with open(name, "a") as file:
            file.write("".join(f"{number}\\n" for number in numbers))

    @pytest.mark.parametrize("number", range(6))
    def test_count(counter, number):
        if os.environ.get("KILLS_KEEPER") and number == 3:
            keeper = int(Path(f"/proc/{rustyray.nodes()[0]['Pid']}/stat").read_text().rpartition(")")[2].split()[1])
            os.kill(keeper, signal.SIGKILL)
        if os.environ.get("KILLS_ALL") and number == 3:
            os.kill(os.getppid(), signal.SIGKILL)
        note("counts", rustyray.get(counter.add.remote()))
        note("drivers", os.getpid())
        note("nodes", *(int(about["NodeID"], 16) for about in rustyray.nodes()))
        note("pids", *(about["Pid"] for about in rustyray.nodes()))
        note("workers", rustyray.get(rustyray.remote(os.getpid).remote()))
        if os.environ.get("DIES") and number == 0:
            os._exit(3)

    def test_without():
        assert not rustyray.is_initialized()

    def test_of_its_own(rustyray_local):
        assert rustyray.get_runtime_context().namespace != "testrun"
"""


def check_ended(suite: Suite, assert_ended: Callable[[list[int]], None]) -> None:
    assert_ended(suite.noted("pids") + suite.noted("workers"))
    assert [path.name for path in suite.folder.rglob("cluster-*") if path.is_dir()] == []
