"""``events()``: what happened, from every process, and without those that do not answer."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

import rustyray
from rustyray.exceptions import RaySystemError, WorkerCrashedError
from rustyray.util.placement_group import placement_group
from tests.integration.runtime.conftest import Start


@rustyray.remote
def double(x: int) -> int:
    return 2 * x


@rustyray.remote(max_retries=0)
def dies() -> None:
    os._exit(3)


@rustyray.remote
class Sleeper:
    def pid(self) -> int:
        return os.getpid()


def test_a_task_is_told_by_its_owner_and_by_its_worker(start: Start) -> None:
    start()
    rustyray.get([double.remote(n) for n in range(10)])
    found = rustyray.events(kind="task")
    assert {"submitted", "pushed", "finished", "run began", "run ended"} == {event.what for event in found}
    assert {event.role for event in found} == {"driver", "worker"}
    one = [event for event in found if event.task == found[0].task]
    assert [event.time for event in one] == sorted(event.time for event in one)
    assert rustyray.events(kind="task", about=found[0].task) == one
    assert json.loads(json.dumps(found[0].to_dict()))["kind"] == "task"


@pytest.mark.usefixtures("local")
def test_what_a_dead_worker_did_its_node_and_its_owner_tell() -> None:
    with pytest.raises(WorkerCrashedError):
        rustyray.get(dies.remote())
    failed = [event for event in rustyray.events(kind="task") if event.what == "failed"]
    assert [event.name.rpartition(".")[2] for event in failed] == ["dies"]
    deaths = [event for event in rustyray.events(kind="worker") if "code 3" in event.cause]
    assert {event.role for event in deaths} >= {"driver", "node", "head"}
    assert len({event.worker for event in deaths}) == 1


@pytest.mark.usefixtures("local")
def test_groups_are_told_by_the_head_and_by_the_nodes_of_their_bundles() -> None:
    group = placement_group([{"CPU": 1}, {"CPU": 1}])
    assert group.wait(30)
    found = rustyray.events(kind="placement_group", about=group.id.hex())
    assert {event.role for event in found} == {"head", "node"}
    assert {event.what.partition(":")[0] for event in found if event.role == "node"} == {"bundle 0", "bundle 1"}
    assert set(found) <= set(rustyray.events())


@pytest.mark.usefixtures("local")
def test_a_task_may_look_as_well() -> None:
    @rustyray.remote
    def look() -> set[str]:
        return {event.role for event in rustyray.events()}

    assert rustyray.get(look.remote()) >= {"driver", "worker", "node"}


@pytest.mark.usefixtures("local")
def test_only_events_after_a_time() -> None:
    rustyray.get(double.remote(1))
    time.sleep(0.05)
    middle = time.time()
    time.sleep(0.05)
    rustyray.get(double.remote(1))
    assert len([event for event in rustyray.events(kind="task", since=middle) if event.what == "finished"]) == 1


@pytest.mark.usefixtures("local")
def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="about must be an id in hexadecimal"):
        rustyray.events(about=b"x")  # type: ignore[arg-type]
    assert rustyray.events(about="no id") == []
    with pytest.raises(ValueError, match="did you mean 'task'"):
        rustyray.events(kind="tasks")


@pytest.mark.native_only("a simulated worker cannot stand still")
def test_who_does_not_answer_is_named(local: rustyray.Session) -> None:
    pid = rustyray.get(Sleeper.options(lifetime="detached", name="s").remote().pid.remote())
    os.kill(pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        last = rustyray.events(timeout=2.0)[-1]
        assert time.monotonic() - began < 10
    finally:
        os.kill(pid, signal.SIGCONT)
    assert (last.kind, last.what) == ("fault", "does not answer")
    actor = next(event.worker for event in rustyray.events(kind="worker") if event.what == "start actor")
    assert last.worker == actor


@pytest.mark.native_only("there is no process to kill")
def test_when_the_node_is_dead_the_driver_still_tells_its_part(local: rustyray.Session) -> None:
    rustyray.get(double.remote(1))
    node = rustyray.nodes()[0]
    os.kill(node["Pid"], signal.SIGKILL)
    with pytest.raises((RaySystemError, RuntimeError), match="the node process"):  # as soon as it is known
        rustyray.get(Sleeper.remote().pid.remote())
    found = rustyray.events(timeout=1.0)
    assert "finished" in {event.what for event in found}
    assert [event.node for event in found if event.what == "does not answer"] == ["", node["NodeID"]]
