"""CPUs that workers may run on, and files that processes may open."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import rustyray
from rustyray.cluster_utils import Cluster
from tests.integration.runtime.conftest import Start

pytestmark = pytest.mark.native_only("simulated workers are no processes")

MANY_CPUS = len(os.sched_getaffinity(0)) > 1 if hasattr(os, "sched_getaffinity") else False
#: Opens more connections than it may, and waits for what does not come.
GREEDY = """
import resource

import rustyray


@rustyray.remote(num_cpus=0)
class Actor:
    def call(self):
        return 1


resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
with rustyray.init(num_cpus=1):
    actors = [Actor.remote() for _ in range(60)]
    rustyray.wait([actor.call.remote() for actor in actors], num_returns=60, timeout=3)
"""


@rustyray.remote
def cpus() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@pytest.mark.skipif(not MANY_CPUS, reason="there is one CPU only, or no affinity")
def test_workers_run_on_as_many_cpus_as_their_node_has(start: Start) -> None:
    with start(num_cpus=1, _system_config={"cpu_quota": True}):
        assert len(rustyray.get(cpus.remote())) == 1
    with start(num_cpus=1):
        assert len(rustyray.get(cpus.remote())) > 1


@pytest.mark.skipif(not MANY_CPUS, reason="there is one CPU only, or no affinity")
def test_nodes_have_different_ones(start: Start) -> None:
    quota = {"cpu_quota": True}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args={"num_cpus": 1, "_system_config": quota})
    try:
        cluster.add_node(num_cpus=1, resources={"there": 1}, _system_config=quota)
        here = rustyray.get(cpus.remote())
        assert rustyray.get(cpus.options(resources={"there": 1.0}).remote()) != here
    finally:
        cluster.shutdown()


def test_it_is_said_where_it_has_no_effect(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    with start(num_cpus=1000, _system_config={"cpu_quota": True, "prestart": 0}):
        pass
    assert "num_cpus=1000 leaves nothing of" in capfd.readouterr().err


@pytest.mark.stress
def test_a_process_that_may_open_no_more_files_says_so() -> None:
    command = [sys.executable, "-c", GREEDY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert "has opened as many files as it may (48)" in done.stderr
    assert "raise that limit (ulimit -n)" in done.stderr
