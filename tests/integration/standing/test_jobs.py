"""``rustyray job`` and the commands that look inside: on one cluster, as a user of the command line does it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from pathlib import Path

import pytest

import rustyray
from rustyray.commands import main
from rustyray.engines.native.processes import kernel
from rustyray.engines.native.standing import everywhere, jobs, places, stopping
from rustyray.job_submission import JobErrorType, JobStatus, JobSubmissionClient
from rustyray.util import state
from tests.integration.drivers import eventually
from tests.integration.standing.conftest import Commands

SCRIPT = """
import os, sys, rustyray
rustyray.init()

@rustyray.remote
def where():
    import beside
    return os.environ["COLOR"], beside.WORD, sorted(name for name in os.listdir() if name.endswith(".py"))

print("from a worker:", *rustyray.get(where.remote()), flush=True)
sys.exit(int(sys.argv[1]))
"""
SLEEPS = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"


def test_a_job_runs_and_is_told_of(cluster: Commands, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def job(*arguments: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["job", *arguments])
        return f"{capsys.readouterr().out}{ended.value.code or ''}"

    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "script.py").write_text(SCRIPT)
    (folder / "beside.py").write_text("WORD = 'beside'")
    env = json.dumps({"env_vars": {"COLOR": "green"}})
    submit = ("job", "submit", f"--working-dir={folder}", f"--runtime-env-json={env}")
    said = cluster.run(*submit, "--submission-id=first", "--", sys.executable, "script.py", "0")
    assert "Job 'first' submitted successfully" in said
    assert "from a worker: green beside ['beside.py', 'script.py']" in said
    assert "Job 'first' succeeded" in said
    failed = cluster.try_(*submit, "--submission-id=second", "--", sys.executable, "script.py", "3")
    assert failed.returncode == 1
    assert "job 'second': it ended with exit code 3" in failed.stderr
    assert "Status for job 'first': SUCCEEDED" in job("status", "first")
    assert "from a worker: green" in job("logs", "second")
    lines = job("list").splitlines()
    assert [line.split()[:2] for line in lines] == [["first", "SUCCEEDED"], ["second", "FAILED"]]
    assert "deleted" in job("delete", "first")
    assert "no job 'first' was submitted" in job("status", "first")
    place = cluster.place()
    assert any(name.startswith("packages-") and os.listdir(f"{place.path}/{name}") for name in os.listdir(place.path))
    stopping.stop(place, force=True)  # kills the node, which removes nothing then
    assert not os.path.exists(place.path)


def test_jobs_import_ray_where_the_variable_says_so(commands: Commands, tmp_path: Path) -> None:
    commands.environment["RUSTYRAY_AS_RAY"] = "1"
    commands.run("start", "--head", "--num-cpus=2", "--port=0")
    (tmp_path / "script.py").write_text(
        "import ray\nray.init()\nprint('it has', ray.get(ray.remote(lambda: __import__('ray').__version__).remote()))"
    )
    said = commands.run("job", "submit", f"--working-dir={tmp_path}", "--", sys.executable, "script.py")
    assert "it has 2.60.0" in said


def test_programs_submit_jobs(cluster: Commands, tmp_path: Path) -> None:
    client = JobSubmissionClient("http://127.0.0.1:8265", metadata={"team": "ink"})
    assert client.get_address() == cluster.address
    (tmp_path / "program").mkdir()
    (tmp_path / "program" / "note").write_text("red")
    (tmp_path / "program" / "left_out").touch()
    say = f"{shlex.quote(sys.executable)} -c 'import os; print(os.environ[\"COLOR\"], os.listdir()); os._exit(3)'"
    environment = {"env_vars": {"COLOR": "red"}, "working_dir": str(tmp_path / "program"), "excludes": ["left_*"]}
    name = client.submit_job(entrypoint=say, runtime_env=environment, metadata={"run": "1"})
    assert asyncio.run(_tail(client, name)) == client.get_job_logs(name) == "red ['note']\n"
    assert client.get_job_status(name) is JobStatus.FAILED
    for tail, follow in ((-1, False), (-1, True), (1, True), (0, False)):
        written = "".join(state.get_log(submission_id=name, tail=tail, follow=follow))
        assert written == ("red ['note']\n" if tail else "")
    assert state.list_logs() == {"internal": [f"job-driver-{name}.log"]}
    assert state.list_logs(glob_filter="*worker*") == {}
    assert "".join(state.get_log(filename=f"job-driver-{name}.log")) == "red ['note']\n"
    info = client.get_job_info(name)
    assert info.status.is_terminal()
    assert info.end_time is not None
    assert 0 <= info.end_time - info.start_time < 60_000
    assert (info.driver_exit_code, info.error_type) == (3, JobErrorType.JOB_ENTRYPOINT_COMMAND_ERROR)
    copy = os.path.dirname(info.runtime_env["working_dir"])
    assert os.listdir(copy) == ["working_dir"]
    assert (info.metadata, info.runtime_env["env_vars"]) == ({"run": "1", "team": "ink"}, {"COLOR": "red"})
    assert client.list_jobs() == [info]
    with pytest.raises(RuntimeError, match="there is a job"):
        client.submit_job(entrypoint="true", submission_id=name)
    assert client.stop_job(name) is False
    assert client.delete_job(name) is True
    assert not os.path.exists(copy)
    for ask in (client.get_job_info, client.stop_job, client.delete_job, client.get_job_logs):
        with pytest.raises(RuntimeError, match=f"no job '{name}' was submitted to this cluster; there is none"):
            ask(name)
    sleeps = client.submit_job(entrypoint="exec sleep 600", submission_id="sleeps")
    assert client.get_job_status(sleeps) == "RUNNING"
    assert client.stop_job(sleeps) is True
    assert client.get_job_status(sleeps) == "STOPPED"
    with pytest.raises(ValueError, match="have its tasks ask for num_gpus"):
        client.submit_job(entrypoint="true", entrypoint_num_gpus=1)
    with pytest.raises(ValueError, match="are custom resources, got 'CPU'"):
        client.submit_job(entrypoint="true", entrypoint_resources={"CPU": 1})
    with pytest.raises(ValueError, match="takes env_vars, working_dir and excludes; pip give to init"):
        client.submit_job(entrypoint="true", runtime_env={"pip": ["x"]})
    with pytest.raises(ValueError, match="there is no dashboard, and no HTTP"):
        JobSubmissionClient("http://far.example:8265")


def test_a_machine_without_a_node_submits_where_one_is(
    cluster: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(places.KEY_VARIABLE, cluster.place().key_file)
    monkeypatch.setenv(places.DIRECTORY_VARIABLE, str(tmp_path / "elsewhere"))
    client = JobSubmissionClient()
    with pytest.raises(RuntimeError, match="the working directory /no/such does not exist"):
        client.submit_job(entrypoint="true", runtime_env={"working_dir": "/no/such"})
    name = client.submit_job(entrypoint="pwd; echo $COLOR", runtime_env={"env_vars": {"COLOR": "blue"}})
    assert asyncio.run(_tail(client, name)) == f"{Path.home()}\nblue\n"
    assert client.get_job_status(name) == "SUCCEEDED"
    monkeypatch.setattr(everywhere, "PART", 100)
    (tmp_path / "note").write_text("blue, and much more of it " * 40)
    other = client.submit_job(entrypoint="cat note", runtime_env={"working_dir": str(tmp_path), "excludes": ["p*"]})
    assert asyncio.run(_tail(client, other)) == (tmp_path / "note").read_text()
    assert [job.submission_id for job in client.list_jobs()] == [name, other]


@pytest.mark.stress
def test_a_job_holds_what_it_asks_for(cluster: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = JobSubmissionClient()
    with pytest.raises(RuntimeError, match="no node has CPU: 3: ask for less, or add such a node"):
        client.submit_job(entrypoint="true", entrypoint_num_cpus=3)
    first = client.submit_job(entrypoint="exec sleep 600", entrypoint_num_cpus=1.5, entrypoint_memory=1_000_000)
    assert eventually(lambda: client.get_job_status(first) == "RUNNING", 20)
    with rustyray.init(address=cluster.address):
        assert rustyray.available_resources()["CPU"] == 0.5
        second, third = (client.submit_job(entrypoint="echo ran", entrypoint_num_cpus=1) for _ in range(2))
        assert client.stop_job(third) is True
        assert client.get_job_info(third).status is JobStatus.STOPPED
        assert "PENDING" in cluster.run("job", "status", second)
        assert client.get_job_status(second) is JobStatus.PENDING
        client.stop_job(first)
        assert asyncio.run(_tail(client, second)) == "ran\n"
        assert eventually(lambda: rustyray.available_resources()["CPU"] == 2, 20)
    last = client.submit_job(entrypoint="sleep 600", entrypoint_num_cpus=1)
    assert eventually(lambda: client.get_job_status(last) == "RUNNING", 20)
    supervisor = jobs.find(cluster.place(), last).supervisor
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    with rustyray.init(address=cluster.address):
        assert eventually(lambda: rustyray.available_resources()["CPU"] == 2, 20)
    monkeypatch.setenv(places.KEY_VARIABLE, cluster.place().key_file)
    monkeypatch.setenv(places.DIRECTORY_VARIABLE, str(tmp_path / "elsewhere"))
    from_afar = JobSubmissionClient()
    name = from_afar.submit_job(entrypoint="echo here", entrypoint_num_cpus=2)
    assert asyncio.run(_tail(from_afar, name)) == "here\n"


async def _tail(client: JobSubmissionClient, name: str) -> str:
    return "".join([text async for text in client.tail_job_logs(name)])


def _sleeping(cluster: Commands, name: str) -> int:
    """A job that sleeps; the process that does."""
    cluster.run("job", "submit", "--no-wait", f"--submission-id={name}", "--", sys.executable, "-c", SLEEPS)
    assert eventually(lambda: cluster.run("job", "logs", name).strip().isdigit(), 20)
    return int(cluster.run("job", "logs", name))


@pytest.mark.stress
def test_jobs_end_when_they_are_told_and_with_the_cluster(cluster: Commands) -> None:
    stopped, killed, last = (_sleeping(cluster, name) for name in ("stopped", "killed", "last"))
    refused = cluster.try_("job", "submit", "--submission-id=last", "--", "true")
    assert "there is a job 'last' already" in refused.stderr
    assert "runs: stop it first" in cluster.try_("job", "delete", "last").stderr
    assert "was stopped" in cluster.run("job", "stop", "stopped")
    assert kernel.wait_for_end(stopped, 10)
    assert "STOPPED\nStatus message: it was stopped" in cluster.run("job", "status", "stopped")
    assert "was over already" in cluster.run("job", "stop", "stopped")
    supervisor = jobs.find(cluster.place(), "killed").supervisor
    assert supervisor is not None
    os.kill(supervisor.pid, signal.SIGKILL)
    assert kernel.wait_for_end(killed, 10), "not the shell alone ends with it"
    assert "its supervisor was killed" in cluster.run("job", "status", "killed")
    cluster.run("stop")
    assert kernel.wait_for_end(last, 10)
    assert os.listdir(cluster.directory) == []


BOARD = """
import rustyray

@rustyray.remote
class Board:
    def read(self):
        from rustyray.util.metrics import Counter
        Counter("reads").inc()
        return rustyray.put(bytes(200_000))

rustyray.init(namespace="office")
board = Board.options(name="board", lifetime="detached").remote()
rustyray.get(board.read.remote())
"""


@pytest.mark.stress
def test_a_cluster_is_looked_into(cluster: Commands, tmp_path: Path) -> None:
    cluster.run("job", "submit", "--", f"{shlex.quote(sys.executable)} -c {shlex.quote(BOARD)}")
    with rustyray.init(address=cluster.address, namespace="office"):
        board = rustyray.get_actor("board")
        kept = rustyray.get(board.read.remote())
        [actor] = json.loads(cluster.run("list", "actors", "--filter", "state=ALIVE", "--format=json"))
        assert (actor["class_name"], actor["name"]) == ("Board", "board")
        assert json.loads(cluster.run("get", "actors", actor["actor_id"])) == [actor]
        table = cluster.run("list", "nodes")
        assert "NODE_ID" in table.splitlines()[0]
        assert table.splitlines()[-1] == "1 nodes"
        listed = cluster.run("list", "jobs", "--filter", "status!=RUNNING")
        assert "SUCCEEDED" in listed
        assert "Board: 1 ALIVE" in cluster.run("summary", "actors")
        assert kept.hex() in cluster.run("memory")
        assert "ray_reads_total 2" in cluster.run("metrics")
        trace = tmp_path / "trace.json"
        assert f"are in {trace}" in cluster.run("timeline", f"--filename={trace}")
        assert "read" in {run["name"] for run in json.loads(trace.read_text())}


def test_options_of_scripts_that_ask_for_nothing_are_taken(commands: Commands) -> None:
    said = commands.run(
        "start",
        "--head",
        "--port=0",
        "--num-cpus=1",
        "--disable-usage-stats",
        "--include-dashboard=false",
        "--dashboard-port=8265",
        "--dashboard-host=0.0.0.0",
    )
    assert f"--address='{commands.address}'" in said
    with pytest.raises(SystemExit) as ended:
        main(["health-check"])
    assert ended.value.code == 0
