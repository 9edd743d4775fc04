"""Drivers that come and go on a cluster that stands by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rustyray
from rustyray.engines.native import guest
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing.asking import describe
from rustyray.exceptions import OutOfMemoryError
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands

BEGIN = """
import os, sys, time
import rustyray
rustyray.init(address="auto", namespace="here")

@rustyray.remote
class Counter:
    def __init__(self):
        self.count = 0
    def add(self):
        self.count += 1
        return self.count
    def pid(self):
        return os.getpid()
    def make(self):
        self.other = Counter.options(name="other").remote()
        return rustyray.get(self.other.add.remote())

@rustyray.remote
def about():
    return os.getcwd(), os.environ.get("MARK"), sys.argv[1:]
"""


def busy(commands: Commands) -> bool:
    """Whether anything is held on the cluster's nodes."""
    cluster = commands.place().cluster()
    assert cluster is not None
    nodes = describe(cluster)
    assert nodes is not None
    return any(node.available != node.total for node in nodes if node.alive)


def test_a_program_runs_on_it_and_another_after_that(cluster: Commands, tmp_path: Path) -> None:
    program = BEGIN + "print(rustyray.get(about.remote()), rustyray.cluster_resources()['CPU'])"
    one = cluster.driver(program, "a", cwd=str(tmp_path), MARK="one")
    assert one == f"({str(tmp_path)!r}, 'one', ['a']) 2.0\n"
    two = cluster.driver(program, "b", cwd="/", MARK="two")
    assert two == "('/', 'two', ['b']) 2.0\n"


def test_large_values_go_through_the_store(cluster: Commands) -> None:
    program = BEGIN + (
        "import numpy as np\n"
        "double = rustyray.remote(lambda x: x * 2)\n"
        "a = rustyray.get(double.remote(rustyray.put(np.arange(1_000_000))))\n"
        "print(a.sum(), a.flags.writeable)"
    )
    assert cluster.driver(program) == "999999000000 False\n"


def test_what_workers_print_comes_line_by_line_behind_their_pid(cluster: Commands) -> None:
    program = BEGIN + (
        "@rustyray.remote\n"
        "def say():\n"
        "    print('one'); print('two', end='', flush=True); print(' three'); return os.getpid()\n"
        "pid = rustyray.get(say.remote())\n"
        "print(f'pid {pid}\\n', end='', flush=True)\n"  # in one piece: what workers write comes at any time
        "time.sleep(0.5)"
    )
    lines = cluster.driver(program).splitlines()
    pid = next(line.split()[1] for line in lines if line.startswith("pid"))
    assert sorted(lines) == sorted([f"pid {pid}", f"(pid={pid}) one", f"(pid={pid}) two three"])
    ask = "@rustyray.remote\ndef where(): return os.path.realpath('/dev/fd/1')\nprint(rustyray.get(where.remote()))"
    assert cluster.driver(BEGIN.replace("init(", "init(log_to_driver=False, ") + ask) == "/dev/null\n"


def test_detached_actors_stay_and_the_others_end_with_their_job(cluster: Commands) -> None:
    first = BEGIN + (
        "kept = Counter.options(name='kept', lifetime='detached').remote()\n"
        "gone = Counter.options(name='gone').remote()\n"
        "print(rustyray.get([kept.add.remote(), gone.add.remote(), kept.pid.remote(), gone.pid.remote()]))"
    )
    *counts, kept, gone = eval(cluster.driver(first))
    assert counts == [1, 1]
    assert kernel.wait_for_end(gone, 10)
    second = BEGIN + (
        "kept = rustyray.get_actor('kept')\n"
        "print(rustyray.get([kept.add.remote(), kept.pid.remote(), kept.make.remote()]))\n"
        "try:\n    rustyray.get_actor('gone')\nexcept ValueError as error:\n    print(error)"
    )
    answers, refusal = cluster.driver(second).splitlines()
    assert eval(answers) == [2, kept, 1]
    assert "no living actor is named 'gone'" in refusal
    third = BEGIN + (
        "kept = rustyray.get_actor('kept')\n"
        "print(rustyray.get(rustyray.get_actor('other').add.remote()))\n"
        "rustyray.kill(kept)"
    )
    assert cluster.driver(third) == "2\n"
    assert kernel.wait_for_end(kept, 10)


def test_two_drivers_at_once_share_the_cluster_and_not_their_workers(cluster: Commands) -> None:
    program = BEGIN + (
        "other = Counter.options(name=sys.argv[1], lifetime='detached').remote()\n"
        "rustyray.get(other.add.remote())\n"
        "while True:\n"
        "    try:\n        rustyray.get_actor(sys.argv[2]); break\n"
        "    except ValueError:\n        time.sleep(0.01)\n"
        "print(rustyray.get([about.remote() for _ in range(20)])[-1])"
    )
    command = [sys.executable, "-c", program]
    environment = cluster.environment
    drivers = [
        subprocess.Popen(
            [*command, *names], env=environment | {"MARK": names[0]}, stdout=subprocess.PIPE, text=True, cwd="/"
        )
        for names in (("a", "b"), ("b", "a"))
    ]
    said = [driver.communicate(timeout=60)[0] for driver in drivers]
    assert said == ["('/', 'a', ['a', 'b'])\n", "('/', 'b', ['b', 'a'])\n"]


def test_a_killed_driver_leaves_nothing_running(cluster: Commands) -> None:
    program = BEGIN + (
        "actor = Counter.remote()\n"
        "pids = [rustyray.get(actor.pid.remote())]\n"
        "@rustyray.remote\ndef forever():\n    time.sleep(600)\n"
        "ref = forever.remote()\n"
        "print(pids[0], flush=True)\n"
        "time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=cluster.environment, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        pid = int(driver.stdout.readline())
        driver.send_signal(signal.SIGKILL)
    assert kernel.wait_for_end(pid, 10)
    assert eventually(lambda: not busy(cluster))


def test_a_driver_whose_node_is_killed_is_told(cluster: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    with rustyray.init(address=cluster.address):
        sleep = rustyray.remote(time.sleep)
        ref = sleep.remote(600)
        node = cluster.place().processes()[-1]
        os.kill(node.pid, signal.SIGKILL)
        with pytest.raises(rustyray.exceptions.RaySystemError, match="which this driver had joined, is gone"):
            rustyray.get(ref, timeout=20)


def test_tasks_go_to_other_nodes_with_their_job(cluster: Commands) -> None:
    cluster.run("start", f"--address={cluster.address}", "--num-cpus=1", '--resources={"far": 1}')
    program = BEGIN + (
        "far = about.options(resources={'far': 1})\n"
        "here = rustyray.get_runtime_context().get_node_id()\n"
        "@rustyray.remote(resources={'far': 1})\n"
        "def where(x):\n    return rustyray.get_runtime_context().get_node_id() != here, len(x)\n"
        "print(rustyray.get([far.remote(), where.remote(rustyray.put(bytes(1_000_000)))]))"
    )
    assert cluster.driver(program, cwd="/", MARK="x") == "[('/', 'x', []), (True, 1000000)]\n"


def test_what_does_not_go_with_an_address_is_refused(cluster: Commands) -> None:
    with pytest.raises(ValueError, match="have their num_cpus already"):
        rustyray.init(address=cluster.address, num_cpus=1)
    with pytest.raises(ValueError, match="does not go with engine='sim'"):
        rustyray.init(address=cluster.address, engine="sim")
    with pytest.raises(ConnectionError, match=r"no cluster at 127.0.0.1:1 is known .* \(there is 127"):
        rustyray.init(address="127.0.0.1:1")
    with pytest.raises(ValueError, match="write host:port"):
        rustyray.init(address="tcp://127.0.0.1:1")
    assert not rustyray.is_initialized()


def test_without_a_node_on_this_machine_nobody_can_join(cluster: Commands) -> None:
    node = cluster.place().processes()[-1]
    os.kill(node.pid, signal.SIGKILL)
    assert kernel.wait_for_end(node.pid, 10)
    with pytest.raises(ConnectionError, match=r"no node of the cluster at .* runs on this machine"):
        rustyray.init(address=cluster.address)
    for command in (["submit", "--", "true"], ["list"]):
        assert "has no node that lives, and jobs are on its nodes" in cluster.try_("job", *command).stderr


def test_the_environment_names_the_cluster(cluster: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUSTYRAY_ADDRESS", cluster.address)
    with rustyray.init():
        assert rustyray.cluster_resources()["CPU"] == 2
    monkeypatch.delenv("RUSTYRAY_ADDRESS")
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    monkeypatch.setenv("RUSTYRAY_AS_RAY", "1")
    for address in (None, "auto"):
        with rustyray.init(address):
            assert rustyray.cluster_resources()["CPU"] == 2
    monkeypatch.delenv("RUSTYRAY_AS_RAY")
    with rustyray.init(num_cpus=1):
        assert rustyray.cluster_resources()["CPU"] == 1


def test_detached_groups_stay_and_the_others_end_with_their_job(cluster: Commands) -> None:
    begin = BEGIN + (
        "from rustyray.util.placement_group import *\n"
        "from rustyray.util.scheduling_strategies import PlacementGroupSchedulingStrategy\n"
    )
    cluster.driver(
        begin + "kept = placement_group([{'CPU': 1}], name='kept', lifetime='detached')\n"
        "gone = placement_group([{'CPU': 1}], name='gone')\n"
        "rustyray.get([kept.ready(), gone.ready()])\n"
    )
    later = begin + (
        "kept = get_placement_group('kept')\n"
        "while rustyray.available_resources().get('CPU') != 1:\n"
        "    time.sleep(0.01)\n"
        "strategy = PlacementGroupSchedulingStrategy(kept)\n"
        "assert rustyray.get(about.options(scheduling_strategy=strategy).remote())\n"
        "print(sorted((row['name'], row['state']) for row in placement_group_table().values()))\n"
        "remove_placement_group(kept)\n"
    )
    assert cluster.driver(later) == "[('gone', 'REMOVED'), ('kept', 'CREATED')]\n"
    assert eventually(lambda: not busy(cluster))


@pytest.mark.stress
@pytest.mark.parametrize("closed", ["<&- >&- 2>&-", "2>&-"])
def test_neither_nodes_nor_programs_need_standard_streams(commands: Commands, tmp_path: Path, closed: str) -> None:
    """A number below 3 that is free becomes a socket's, which nobody is to take for standard error."""
    said = tmp_path / "said"
    program = (
        "import os, sys, rustyray\n"
        "rustyray.init(sys.argv[1], **({'num_cpus': 1} if sys.argv[1] == 'local' else {}))\n"
        "result = rustyray.get([rustyray.remote(lambda x: (2 * x, print(x))[0]).remote(x) for x in range(3)])\n"
        "open(sys.argv[2], 'a').write(f'{result}')\n"
    )
    starts = ["-m", "rustyray", "start", "--head", "--port=0", "--num-cpus=1"]
    for arguments in (starts, ["-c", program, "auto", str(said)], ["-c", program, "local", str(said)]):
        shell = ["bash", "-c", f'"$0" "$@" {closed}', sys.executable, *arguments]
        done = subprocess.run(shell, env=commands.environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert said.read_text() == 2 * "[0, 2, 4]"
    assert [os.path.getsize(commands.place().log(name)) for name in ("head", f"node-{node_of(commands)}")] == [0, 0]


def node_of(commands: Commands) -> str:
    return next(process.node for process in commands.place().processes() if process.node)


def test_whoever_joins_is_told_that_the_head_is_gone(cluster: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest, "PATIENCE", 0.2)
    head = next(process for process in cluster.place().processes() if not process.node)
    os.kill(head.pid, signal.SIGKILL)
    with pytest.raises(ConnectionError, match=r"the head of the cluster at .* does not answer: start another"):
        rustyray.init(address=cluster.address)


@pytest.mark.stress
def test_how_its_nodes_treat_memory_is_said_when_they_start(commands: Commands) -> None:
    commands.run(
        "start", "--head", "--port=0", "--num-cpus=1", "--enforce-memory", '--system-config={"memory_limit": 300000000}'
    )

    @rustyray.remote(max_retries=0)
    def greedy() -> None:
        held = bytes(range(256)) * (400 * 4096)
        signal.pause()
        del held

    with rustyray.init(address=commands.address):
        with pytest.raises(OutOfMemoryError, match=r"memory=104857600 \(105 MB\)"):
            rustyray.get(greedy.options(memory=100 * 2**20).remote())
        with pytest.raises(OutOfMemoryError, match="of 300 MB of memory"):
            rustyray.get(greedy.remote())
