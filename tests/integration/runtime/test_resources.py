"""Resources and context: what is counted, what waits, and what a task can know about itself."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start


@pytest.fixture
def hold(tmp_path: Path) -> Any:
    """A task that says it runs (``<name>``) and goes on until told (``<name>.go``, or ``go`` for all)."""

    @rustyray.remote
    def hold(name: str) -> str:
        (tmp_path / name).touch()
        until = time.monotonic() + 30
        while not ((tmp_path / "go").exists() or (tmp_path / f"{name}.go").exists()):
            if time.monotonic() > until:
                return "nobody came"
            time.sleep(0.001)
        return name

    return hold


def running(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith("go")}


def test_fractions_are_exact(start: Start, hold: Any, tmp_path: Path) -> None:
    start(num_cpus=1)
    refs = [hold.options(num_cpus=0.1).remote(f"t{n}") for n in range(11)]
    assert eventually(lambda: len(running(tmp_path)) == 10)
    assert eventually(lambda: rustyray.available_resources().get("CPU", 0) == 0)
    assert len(running(tmp_path)) == 10
    (tmp_path / "go").touch()
    assert rustyray.get(refs, timeout=60) == [f"t{n}" for n in range(11)]
    assert eventually(lambda: rustyray.available_resources().get("CPU") == 1)


def test_custom_resources_and_gpus_are_plain_accounting(start: Start, hold: Any, tmp_path: Path) -> None:
    start(num_cpus=4, num_gpus=1, resources={"license": 2})
    assert rustyray.cluster_resources()["GPU"] == 1
    assert rustyray.cluster_resources()["license"] == 2
    licensed = [hold.options(num_cpus=0, resources={"license": 1}).remote(f"license{n}") for n in range(3)]
    with_gpu = [hold.options(num_cpus=0, num_gpus=1).remote(f"gpu{n}") for n in range(2)]
    assert eventually(lambda: len(running(tmp_path)) == 3)
    assert len({name for name in running(tmp_path) if name.startswith("license")}) == 2
    (tmp_path / "go").touch()
    rustyray.get([*licensed, *with_gpu], timeout=60)


def test_a_task_waits_for_its_cpus_and_small_ones_go_ahead(start: Start, hold: Any, tmp_path: Path) -> None:
    start(num_cpus=2)
    first = hold.remote("first")
    assert eventually(lambda: running(tmp_path) == {"first"})
    both = hold.options(num_cpus=2).remote("both")
    (tmp_path / "first.go").touch()
    assert rustyray.get(first, timeout=30) == "first"
    (tmp_path / "both.go").touch()
    assert rustyray.get(both, timeout=30) == "both"


def test_an_infeasible_task_waits_with_one_clear_warning(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    start(num_cpus=1)

    @rustyray.remote
    def f() -> int:
        return 1

    big = f.options(num_cpus=64)
    refs = [big.remote() for _ in range(5)]
    assert rustyray.wait(refs, timeout=0.3) == ([], refs)
    assert rustyray.get(f.remote(), timeout=30) == 1
    refs.append(big.remote())
    assert rustyray.wait(refs, timeout=0.1) == ([], refs)
    rustyray.cancel(refs[0])
    with pytest.raises(rustyray.exceptions.TaskCancelledError):
        rustyray.get(refs[0])
    told = [line for line in capfd.readouterr().err.splitlines() if "rustyray" in line]
    assert len(told) == 1, told
    assert "CPU" in told[0]
    assert "64" in told[0]


def test_an_infeasible_actor_waits_with_one_clear_warning(start: Start, capfd: pytest.CaptureFixture[str]) -> None:
    start(num_cpus=1)

    @rustyray.remote(num_gpus=1)
    class Gpu:
        def ping(self) -> int:
            return 1

    actor = Gpu.remote()
    ref = actor.ping.remote()
    assert rustyray.wait([ref], timeout=0.3) == ([], [ref])
    told = [line for line in capfd.readouterr().err.splitlines() if "rustyray" in line]
    assert len(told) == 1, told
    assert "GPU" in told[0]
    rustyray.kill(actor)
    with pytest.raises(rustyray.exceptions.ActorDiedError):
        rustyray.get(ref, timeout=30)


def test_an_actor_needs_a_cpu_to_be_placed_and_none_to_run(start: Start, hold: Any, tmp_path: Path) -> None:
    start(num_cpus=1)

    @rustyray.remote
    class Plain:
        def ping(self) -> int:
            return 1

    actors = [Plain.remote() for _ in range(5)]
    assert rustyray.get([actor.ping.remote() for actor in actors], timeout=60) == [1] * 5
    assert eventually(lambda: rustyray.available_resources().get("CPU") == 1)
    busy = hold.remote("busy")
    assert eventually(lambda: running(tmp_path) == {"busy"})
    late = Plain.remote()
    ping = late.ping.remote()
    assert rustyray.wait([ping], timeout=0.2) == ([], [ping])
    (tmp_path / "go").touch()
    assert rustyray.get([busy, ping], timeout=30) == ["busy", 1]


def test_an_actor_with_cpus_keeps_them(start: Start) -> None:
    start(num_cpus=2)

    @rustyray.remote(num_cpus=1.5)
    class Greedy:
        def ping(self) -> int:
            return 1

    greedy = Greedy.remote()
    rustyray.get(greedy.ping.remote())
    assert eventually(lambda: rustyray.available_resources().get("CPU") == 0.5)
    rustyray.kill(greedy)
    assert eventually(lambda: rustyray.available_resources().get("CPU") == 2)


def test_a_dead_workers_resources_come_back(start: Start) -> None:
    start(num_cpus=1, resources={"license": 1})

    @rustyray.remote(max_retries=0, resources={"license": 1})
    def dies() -> None:
        os._exit(1)

    for _ in range(3):
        with pytest.raises(rustyray.exceptions.WorkerCrashedError):
            rustyray.get(dies.remote(), timeout=30)
    assert eventually(lambda: rustyray.available_resources().get("license") == 1)
    assert eventually(lambda: rustyray.available_resources().get("CPU") == 1)


def test_the_cluster_describes_itself(start: Start) -> None:
    session = start(num_cpus=3, labels={"zone": "a"})
    (node,) = rustyray.nodes()
    assert node["NodeID"] == session.address_info["node_id"]
    assert node["Alive"] is True
    assert node["Resources"]["CPU"] == 3
    assert node["Labels"]["zone"] == "a"
    assert rustyray.cluster_resources()["CPU"] == 3


# --- what a task can know ---------------------------------------------------------------------------------------------


def test_the_context_of_a_driver_a_task_and_an_actor(start: Start) -> None:
    start(num_cpus=2, namespace="spot")

    def look() -> dict[str, Any]:
        context = rustyray.get_runtime_context()
        return {
            "job": context.get_job_id(),
            "node": context.get_node_id(),
            "worker": context.get_worker_id(),
            "task": context.get_task_id(),
            "name": context.get_task_name(),
            "actor": context.get_actor_id(),
            "actor name": context.get_actor_name(),
            "namespace": context.namespace,
            "resources": context.get_assigned_resources(),
            "reconstructed": context.was_current_actor_reconstructed,
        }

    @rustyray.remote
    class Looker:
        def look(self) -> dict[str, Any]:
            return look()

        def me(self) -> Any:
            return rustyray.get_runtime_context().current_actor

        def ping(self) -> int:
            return 1

    here = look()
    assert here["namespace"] == "spot"
    assert here["task"] is None
    assert here["actor"] is None
    assert here["resources"] == {}

    ref = rustyray.remote(look).options(name="looking", num_cpus=0.5).remote()
    there = rustyray.get(ref)
    assert there["job"] == here["job"]
    assert there["node"] == here["node"]
    assert there["worker"] != here["worker"]
    assert there["task"] == ref.task_id().hex()
    assert there["name"] == "looking"
    assert there["actor"] is None
    assert there["resources"] == {"CPU": 0.5}

    looker = Looker.options(name="seer", num_cpus=1).remote()
    actor = rustyray.get(looker.look.remote())
    assert actor["actor name"] == "seer"
    assert len(actor["actor"]) > 8
    assert actor["reconstructed"] is False
    assert actor["namespace"] == "spot"
    assert actor["resources"] == {"CPU": 1}
    assert rustyray.get(rustyray.get(looker.me.remote()).ping.remote()) == 1
    plain = Looker.remote()
    assert rustyray.get(plain.look.remote())["resources"] == {}
