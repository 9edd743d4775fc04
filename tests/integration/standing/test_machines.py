"""A cluster over two machines, which are network namespaces here: a job across them, a cable that is pulled."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rustyray.engines.native.processes import kernel
from tests.integration.drivers import eventually
from tests.integration.standing.machines import Machine, missing, two_machines
from tests.integration.standing.test_tls import PROGRAM


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machine, Machine]]:
    if reason := missing():
        pytest.skip(reason)
    with two_machines(tmp_path_factory.mktemp("m")) as made:
        yield made


def start(a: Machine, b: Machine) -> None:
    """A head and a node on the first machine, and a node on the second."""
    a.run(
        "start", "--head", "--port=0", "--tls", f"--node-ip-address={a.host}", "--num-cpus=2", '--resources={"near": 1}'
    )
    b.run("start", f"--address={a.address}", f"--key-file={b.take_key(a)}", "--num-cpus=2", '--resources={"far": 1}')


def test_a_job_runs_across_two_machines(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    start(a, b)
    assert "2 nodes, 0 dead" in b.run("status")
    assert a.driver(PROGRAM) == "right\n"
    assert b.driver(PROGRAM.replace('"far"', '"near"')) == "right\n"
    a.run("job", "submit", "--submission-id=near", "--", "echo", "this is near")
    assert "near  SUCCEEDED" in b.run("job", "list")
    assert b.run("job", "logs", "near") == "this is near\n"
    assert "there is a job 'near' already" in b.try_("job", "submit", "--submission-id=near", "--", "true").stderr


def test_workers_elsewhere_do_not_take_over_what_means_nothing_there(
    machines: tuple[Machine, Machine], tmp_path: Path
) -> None:
    """Directory, environment and arguments are a machine's own, whatever it is called."""
    a, b = machines
    start(a, b)
    program = (
        "import os, sys\nimport rustyray\n"
        "rustyray.init(address='auto')\n"
        "@rustyray.remote(num_cpus=0)\n"
        "def about():\n    return os.getcwd(), os.environ.get('MARK'), sys.argv[1:], os.environ['RUSTYRAY_TMPDIR']\n"
        "print(rustyray.get([about.options(resources={where: 0.1}).remote() for where in ('near', 'far')]))"
    )
    near, far = eval(a.driver(program, "x", cwd=str(tmp_path), MARK="here"))
    assert near == (str(tmp_path), "here", ["x"], a.directory)
    assert far == ("/", None, [], b.directory)


def test_without_tls_nothing_is_started_that_others_could_call(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    refused = a.try_("start", "--head", "--port=0", f"--node-ip-address={a.host}")
    assert "what leaves this machine must be encrypted" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.stress
def test_a_pulled_cable_makes_a_node_dead_and_another_takes_its_place_when_it_is_back(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    start(a, b)
    program = (
        "import os, time\nimport rustyray\n"
        "rustyray.init(address='auto')\n"
        "@rustyray.remote(resources={'far': 1}, max_restarts=0)\n"
        "class Far:\n    def pid(self):\n        return os.getpid()\n"
        "far = Far.remote()\n"
        "print(rustyray.get(far.pid.remote()), flush=True)\n"
        "@rustyray.remote(num_cpus=1)\n"
        "def anywhere(n):\n    time.sleep(0.05)\n    return n\n"
        "input()\n"
        "try:\n    rustyray.get(far.pid.remote(), timeout=60)\n"
        "except rustyray.exceptions.ActorDiedError as error:\n    print('silent' in str(error), flush=True)\n"
        "print(sum(rustyray.get([anywhere.remote(n) for n in range(40)], timeout=60)), flush=True)"
    )
    command = [*a.prefix, sys.executable, "-c", program]
    with subprocess.Popen(
        command, env=a.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        actor = int(driver.stdout.readline())
        (far,) = b.place().processes()
        b.plug(False)
        assert driver.communicate("\n", timeout=90)[0] == "True\n780\n"
    assert "it was silent for" in a.run("status")
    assert far.is_alive()
    b.plug(True)
    assert eventually(lambda: "2 nodes, 1 dead" in a.run("status"))
    assert kernel.wait_for_end(actor, 5)
    (after,) = b.place().processes()
    assert after.pid == far.pid
    assert f"node {after.node} has taken its place" in a.run("status")
    program = (
        "import rustyray\n"
        "rustyray.init(address='auto')\n"
        "where = rustyray.remote(resources={'far': 1})(lambda: rustyray.get_runtime_context().get_node_id())\n"
        "print(rustyray.get(where.remote()))"
    )
    assert a.driver(program) == f"{after.node}\n"
    assert os.listdir(a.directory) != []
