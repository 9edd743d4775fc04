"""The command line: what starts, what is told, what is refused, and that nothing stays."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rustyray.commands import main
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import places
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands


def test_a_head_starts_is_described_and_stops(commands: Commands) -> None:
    said = commands.run(
        "start",
        "--head",
        "--port=0",
        "--num-cpus=3",
        "--memory=5000000000",
        '--resources={"license": 2}',
        "--labels=zone=a",
    )
    running = commands.place().processes()
    assert [bool(process.node) for process in running] == [False, True]
    assert f"rustyray.init(address='{commands.address}')" in said
    assert commands.place().key_file in said
    status = commands.run("status")
    assert "1 nodes, 0 dead" in status
    assert "3/3 CPU" in status
    assert "2/2 license" in status
    assert "5 GB/5 GB memory" in status
    assert "zone=a" in status
    assert "Stopped 2 processes." in commands.run("stop", "-v", "--grace-period=5")
    assert not any(process.is_alive() for process in running)
    assert os.listdir(commands.directory) == []
    assert commands.run("stop") == "Nothing ran.\n"


def test_nodes_join_and_one_that_is_killed_is_told_dead(cluster: Commands) -> None:
    said = cluster.run("start", f"--address={cluster.address}", "--num-cpus=1")
    assert "is up" in said
    assert "2 nodes, 0 dead" in cluster.run("status")
    victim = cluster.place().processes()[-1]
    os.kill(victim.pid, signal.SIGKILL)
    assert eventually(lambda: "1 nodes, 1 dead" in cluster.run("status", f"--address={cluster.address}"))
    assert f"{victim.node}  dead: the connection to it is lost" in cluster.run("status")
    assert "Stopped 2 processes." in cluster.run("stop", f"--address={cluster.address}")


def test_who_does_not_answer_in_time_is_named(cluster: Commands) -> None:
    refused = cluster.try_("list", "tasks", "--timeout=0.000001")
    assert "did not answer in time" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_key_is_for_its_user_alone(cluster: Commands) -> None:
    place = cluster.place()
    assert stat.S_IMODE(os.stat(place.key_file).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(place.path).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(cluster.directory).st_mode) == 0o700
    key = place.cluster()
    assert key is not None
    assert len(key.key_bytes) == 32
    for process in place.processes():
        with open(f"/proc/{process.pid}/cmdline", "rb") as file:
            assert key.key.encode() not in file.read()


@pytest.mark.stress
def test_another_directory_stands_for_another_machine(
    cluster: Commands, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = Commands(str(tmp_path_factory.mktemp("elsewhere")))
    refused = elsewhere.try_("start", f"--address={cluster.address}")
    assert refused.returncode == 1
    assert "copy the key file" in refused.stderr
    assert "Traceback" not in refused.stderr
    elsewhere.run("start", f"--address={cluster.address}", f"--key-file={cluster.place().key_file}", "--num-cpus=1")
    assert "2 nodes" in cluster.run("status")
    assert "Stopped 1 processes." in elsewhere.run("stop")


def test_a_port_that_is_taken_is_named(commands: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = commands.try_("start", "--head", f"--port={port}")
    assert refused.returncode == 1
    assert refused.stderr == f"rustyray start: port {port} is taken: stop what has it, or name another with --port=…\n"
    assert places.places() == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["start", "--head", "--port=0", "--num-cpus=-1"], "num_cpus must be"),
        (["start", "--head", "--port=0", "--object-spilling-directory=/nowhere"], "is no directory"),
        (["start", "--head", "--port=0", "--resources=[]"], "not a JSON object"),
        (["start", "--head", "--port=0", "--labels=zone"], "not of the form key=value"),
        (["start", "--head", "--port=0", "--node-ip-address=10.1.2.3"], "no TLS (rustyray start --head --tls)"),
        (["start", "--head", "--port=0", "--tls", "--node-ip-address=localhost.example"], "by an IP address"),
        (["start", "--head", "--port=0", "--tls", "--node-ip-address=0.0.0.0"], "nobody can call 0.0.0.0"),
        (["start", "--head", "--port=0", "--tls-cert=x"], "--tls-cert, --tls-key and --tls-ca go together"),
        (["start", "--address=127.0.0.1:1", "--tls"], "--tls is the head's"),
        (["start", "--address=127.0.0.1:1"], "no cluster at 127.0.0.1:1 is known on this machine"),
        (["start", "--address=127.0.0.1:1", "--port=3"], "--port is the head's"),
        (["start", "--address=127.0.0.1:1", "--key-file=/nowhere"], "/nowhere is not the key file of a cluster"),
        (["start"], "one of the arguments --head --address is required"),
        (["status"], "no cluster runs on this machine"),
        (["stop", "--address=127.0.0.1:1"], "nothing of a cluster at 127.0.0.1:1"),
        (["job", "list", "--address=unix:@x"], "a program's own runtime, which no other program joins: have it"),
        (["stop", "-g", "-1"], "--grace-period must be zero or more seconds, got -1"),
        (["start", "--head", "--port=0", "--key-file=x"], "it goes with --address"),
        (["start", "--head", "--port=0", "--object-store-memory=10000000000000000000"], "must fit into 64 bits"),
        (["start", "--head", "--port=0", '--system-config={"memory_limits": 1}'], "did you mean 'memory_limit'?"),
        (["start", "--head", "--port=0", '--system-config={"descriptors": 1}'], "descriptors must be 64 or more"),
        (["start", "--head", "--port=0", '--system-config={"memory_limit": "1"}'], "memory_limit must be a number"),
        (["begin"], "invalid choice"),
        (["job", "submit"], "no program was given"),
        (["job", "submit", "--entrypoint-num-gpus=1", "--", "true"], "have its tasks ask for num_gpus"),
        (["job", "submit", "--runtime-env-json=[]", "--", "true"], "must be a JSON object"),
        (["job", "submit", '--runtime-env-json={"pip": []}', "--", "true"], "takes env_vars, working_dir and excludes"),
        (["job", "submit", "--", "true"], "no cluster runs on this machine"),
        (["list", "tasks"], "no cluster runs on this machine"),
        (["list", "tasks", "--filter=state"], "a filter is FIELD=VALUE"),
        (["list", "things"], "invalid choice"),
        (["health-check"], "no cluster runs on this machine"),
        (["up", "cluster.yaml"], "rustyray up is not there: there is no launcher"),
        (["start", "--head", "--include-dashboard=true"], "there is no dashboard"),
        (["start", "--head", "--temp-dir=/tmp/x"], "RUSTYRAY_TMPDIR names the directory"),
        (["list", "tasks", "--limit=0"], "--limit: must be 1 or more, got 0"),
        (["list", "tasks", "--timeout=nan"], "--timeout: must be a number of seconds above 0"),
        (["start", "--head", "--num-cpu=2"], "unrecognized arguments: --num-cpu=2"),
        (["job", "logs", "--foll", "x"], "unrecognized arguments: --foll"),
    ],
)
@pytest.mark.usefixtures("commands")
def test_what_cannot_be_is_told_in_a_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code not in (None, 0)
    assert sentence in f"{ended.value.code}{capsys.readouterr().err}"
    assert places.places() == []


def test_a_key_that_others_can_read_is_refused(cluster: Commands, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copied") / "key.json"
    with open(cluster.place().key_file, "rb") as file:
        copy.write_bytes(file.read())
    copy.chmod(0o644)
    refused = cluster.try_("status", f"--key-file={copy}")
    assert f"chmod 600 {copy}" in refused.stderr


def test_a_key_of_another_cluster_is_not_taken_for_a_head_that_is_gone(
    cluster: Commands, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("copied") / "key.json"
    known = json.loads(Path(cluster.place().key_file).read_bytes())
    other.write_text(json.dumps(known | {"key": "00" * 32}))
    other.chmod(0o600)
    address = f"--address={cluster.address}"
    for command in (["status", address], ["start", address]):
        cluster.environment["RUSTYRAY_KEY_FILE"] = str(other)
        refused = cluster.try_(*command)
        del cluster.environment["RUSTYRAY_KEY_FILE"]
        assert refused.returncode == 1
        assert f"whoever listens at {cluster.address} has another key, or other certificates" in refused.stderr
    assert json.loads(Path(cluster.place().key_file).read_bytes()) == known, "what was refused is not written down"
    assert "1 nodes" in cluster.run("status")
    other.write_text(json.dumps(known | {"key": "zz"}))
    assert f"{other} is not the key file of a cluster" in cluster.try_("status", f"--key-file={other}").stderr


def test_the_variable_names_the_cluster(commands: Commands) -> None:
    for _ in range(2):
        commands.run("start", "--head", "--port=0", "--num-cpus=1")
    for place in places.places():
        cluster = place.cluster()
        assert cluster is not None
        commands.environment["RUSTYRAY_ADDRESS"] = cluster.address
        assert f"Cluster at {cluster.address}: 1 nodes" in commands.run("status")
        commands.run("health-check")
    del commands.environment["RUSTYRAY_ADDRESS"]
    assert "more than one cluster" in commands.try_("status").stderr


def test_a_start_that_blocks_ends_with_ctrl_c_and_takes_the_cluster_along(commands: Commands) -> None:
    command = [sys.executable, "-m", "rustyray", "start", "--head", "--port=0", "--num-cpus=1", "--block"]
    with subprocess.Popen(command, env=commands.environment, stdout=subprocess.PIPE, text=True) as blocked:
        assert blocked.stdout is not None
        assert any("until you press Ctrl-C" in line for line in blocked.stdout)
        running = commands.place().processes()
        blocked.send_signal(signal.SIGINT)
        assert blocked.stdout.read().splitlines()[-1] == "Stopping."
        assert blocked.wait(30) == 0
    assert not any(process.is_alive() for process in running)


def test_what_was_killed_is_not_in_the_way_of_the_next(cluster: Commands) -> None:
    for process in cluster.place().processes():
        os.kill(process.pid, signal.SIGKILL)
        assert kernel.wait_for_end(process.pid, 10)
    assert "no cluster runs on this machine" in cluster.try_("status").stderr
    cluster.run("start", "--head", "--port=0", "--num-cpus=1")
    assert "1 nodes" in cluster.run("status")
