"""What an actor put, submitted or made outlives it, as long as anybody needs it, and no longer."""

from __future__ import annotations

import atexit
import os
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, OwnerDiedError
from rustyray.util.state import list_actors
from tests.integration.drivers import eventually
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote
def when_there(path: Path, value: int) -> int:
    while not path.exists():
        time.sleep(0.005)
    return value


@rustyray.remote
class Maker:
    def pid(self) -> int:
        return os.getpid()

    def put(self, value: object) -> list[Any]:
        return [rustyray.put(value)]

    def submit(self, path: Path) -> list[Any]:
        return [when_there.remote(path, 8)]

    def at_exit(self, path: Path) -> None:
        atexit.register(path.touch)

    def leave(self) -> None:
        rustyray.exit_actor()


def ended(maker: list[Any], how: str) -> None:
    """End the actor, the only handle of which is in the list."""
    if how == "exit":
        with pytest.raises(ActorDiedError):
            rustyray.get(maker[0].leave.remote())
    maker.clear()


@pytest.mark.parametrize("how", ["exit", "last handle"])
def test_what_it_put_is_there_until_nobody_holds_it(how: str, tmp_path: Path) -> None:
    maker = [Maker.remote()]
    pid = rustyray.get(maker[0].pid.remote())
    rustyray.get(maker[0].at_exit.remote(tmp_path / "hook"))
    refs = rustyray.get(maker[0].put.remote("small")) + rustyray.get(maker[0].put.remote(b"x" * 1_000_000))
    ended(maker, how)
    assert eventually((tmp_path / "hook").exists, 5), "the actor is over, whatever becomes of its process"
    assert rustyray.get(refs) == ["small", b"x" * 1_000_000]
    assert alive(pid)
    refs.clear()
    assert eventually(lambda: not alive(pid), 5)


def test_a_task_that_it_submitted_runs_to_its_end(tmp_path: Path) -> None:
    maker = [Maker.remote()]
    pid = rustyray.get(maker[0].pid.remote())
    (ref,) = rustyray.get(maker[0].submit.remote(tmp_path / "go"))
    ended(maker, "last handle")
    (tmp_path / "go").touch()
    assert rustyray.get(ref, timeout=10) == 8
    del ref
    assert eventually(lambda: not alive(pid), 5)


@pytest.mark.parametrize("raises", [False, True])
def test_what_its_constructor_was_given_is_there_for_what_that_submitted(raises: bool, tmp_path: Path) -> None:
    @rustyray.remote
    def use(box: list[Any]) -> None:
        while not (tmp_path / "go").exists():
            time.sleep(0.005)
        (tmp_path / "used").write_text(rustyray.get(box[0]))

    @rustyray.remote
    class Submits:
        def __init__(self, box: list[Any]) -> None:
            use.remote(box)
            if raises:
                raise ValueError("no")

    submits: list[Any] = [Submits.remote([rustyray.put("given")])]
    rustyray.wait([submits[0].__ray_ready__.remote()])
    submits.clear()
    assert eventually(lambda: [actor.state for actor in list_actors()] == ["DEAD"], 30)
    (tmp_path / "go").touch()
    assert eventually(lambda: (tmp_path / "used").exists() and (tmp_path / "used").read_text() == "given", 30)


def test_what_it_put_is_lost_if_it_is_killed() -> None:
    """As in Ray: a process that is killed takes along what it owns."""
    maker = Maker.remote()
    (ref,) = rustyray.get(maker.put.remote(1))
    pid = rustyray.get(maker.pid.remote())
    rustyray.kill(maker)
    assert eventually(lambda: not alive(pid), 5)
    with pytest.raises(OwnerDiedError):
        rustyray.get(ref, timeout=10)


def test_an_actor_does_not_take_over_the_process_of_tasks_whose_objects_are_in_use() -> None:
    @rustyray.remote
    def put() -> list[Any]:
        return [rustyray.put(7)]

    refs = [ref for made in rustyray.get([put.remote() for _ in range(4)]) for ref in made]
    makers = [Maker.remote() for _ in range(3)]
    there = rustyray.get([maker.pid.remote() for maker in makers])
    makers.clear()
    assert eventually(lambda: not any(alive(pid) for pid in there), 5)
    assert rustyray.get(refs) == [7] * 4


def test_a_worker_whose_owner_was_killed_keeps_what_it_owns(tmp_path: Path) -> None:
    """It is interrupted in what it does for that owner, and used again; it is not killed with all that it owns."""

    @rustyray.remote
    def put() -> list[Any]:
        return [os.getpid(), rustyray.put(7)]

    @rustyray.remote
    def busy(path: Path) -> None:
        (path / f"{os.getpid()}").touch()
        while True:
            time.sleep(0.01)

    @rustyray.remote
    class Boss:
        def begin(self, path: Path) -> None:
            self.tasks = [busy.remote(path) for _ in range(2)]

    made = rustyray.get([put.remote() for _ in range(4)])
    boss = Boss.remote()
    rustyray.get(boss.begin.remote(tmp_path))
    assert eventually(lambda: len([*tmp_path.iterdir()]) == 2, 10)
    rustyray.kill(boss)
    assert rustyray.get([ref for _, ref in made]) == [7] * 4
    assert rustyray.get(when_there.remote(tmp_path, 3), timeout=10) == 3, "their CPUs are free"
    assert all(alive(pid) for pid, _ in made)
