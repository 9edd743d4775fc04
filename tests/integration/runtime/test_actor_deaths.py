"""How actors end, and what comes after: restarts, calls made again, exit handlers."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, ActorUnavailableError
from tests.integration.drivers import eventually
from tests.integration.runtime.counter import Counter
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


# --- ends -------------------------------------------------------------------------------------------------------------


def test_an_actor_ends_with_its_last_handle_after_the_calls_made(tmp_path: Path) -> None:
    @rustyray.remote
    class Writer:
        def pid(self) -> int:
            return os.getpid()

        def write(self, n: int) -> None:
            with (tmp_path / "log").open("a") as log:
                log.write(f"{n}\n")

    writer = Writer.remote()
    pid = rustyray.get(writer.pid.remote())
    for n in range(50):
        writer.write.remote(n)
    del writer
    assert eventually(lambda: not alive(pid))
    assert (tmp_path / "log").read_text().split() == [str(n) for n in range(50)]


def test_a_temporary_handle_is_enough_for_one_call() -> None:
    assert rustyray.get(Counter.remote(3).add.remote()) == 4


def test_kill_ends_it_at_once_and_its_calls_fail() -> None:
    counter = Counter.remote()
    pid = rustyray.get(counter.pid.remote())
    rustyray.kill(counter)
    with pytest.raises(ActorDiedError, match="kill"):
        rustyray.get([counter.add.remote() for _ in range(3)][-1], timeout=30)
    assert eventually(lambda: not alive(pid))
    with pytest.raises(ActorDiedError):
        rustyray.get(counter.add.remote(), timeout=30)
    with pytest.raises(ValueError, match="cancel"):
        rustyray.kill(counter.add.remote())  # type: ignore[arg-type]


def test_who_has_the_handle_of_an_actor_that_never_begins_is_told(tmp_path: Path) -> None:
    @rustyray.remote
    def begin() -> int:
        while not (tmp_path / "gate").exists():
            time.sleep(0.01)
        return 1

    @rustyray.remote
    def fail() -> int:
        raise ValueError("no")

    @rustyray.remote
    def ask(counter: Any) -> str:
        with pytest.raises(ActorDiedError) as caught:
            rustyray.get(counter.add.remote())
        return str(caught.value)

    killed, failed = Counter.remote(begin.remote()), Counter.remote(fail.remote())
    asked = [ask.remote(killed), ask.remote(failed)]
    rustyray.kill(killed)
    (tmp_path / "gate").touch()
    with pytest.raises(ActorDiedError, match="kill"):
        rustyray.get(killed.add.remote(), timeout=30)
    told = rustyray.get(asked, timeout=30)
    assert "kill" in told[0]
    assert "argument" in told[1]


@pytest.mark.parametrize("how", ["exit_actor", "last handle", "shutdown", "kill"])
def test_atexit_hooks_run_unless_it_is_killed(how: str, tmp_path: Path) -> None:
    mark = tmp_path / "hook"

    @rustyray.remote
    class Careful:
        def __init__(self) -> None:
            import atexit

            atexit.register(mark.touch)

        def pid(self) -> int:
            return os.getpid()

        def leave(self) -> None:
            rustyray.exit_actor()

    careful = Careful.remote()
    pid = rustyray.get(careful.pid.remote())
    if how == "exit_actor":
        careful.leave.remote()
    elif how == "last handle":
        del careful
    elif how == "shutdown":
        rustyray.shutdown()
    else:
        rustyray.kill(careful)
    assert eventually(lambda: not alive(pid))
    assert mark.exists() is (how != "kill")


def test_exit_actor_fails_its_own_call_and_the_ones_behind_it(tmp_path: Path) -> None:
    @rustyray.remote(max_restarts=3)
    class Leaving:
        def leave(self) -> None:
            rustyray.exit_actor()

        def touch(self) -> None:
            (tmp_path / "touched").touch()

        def nothing(self) -> int:
            return 1

    leaving = Leaving.remote()
    rustyray.get(leaving.nothing.remote())
    refs = [leaving.leave.remote(), leaving.touch.remote()]
    for ref in refs:
        with pytest.raises(ActorDiedError, match="exit_actor"):
            rustyray.get(ref, timeout=30)
    assert not (tmp_path / "touched").exists()
    with pytest.raises(ActorDiedError):
        rustyray.get(leaving.nothing.remote(), timeout=30)


@pytest.mark.parametrize("kind", ["async", "threaded"])
def test_exit_actor_from_every_kind_of_actor(kind: str) -> None:
    class Async:
        async def leave(self) -> None:
            rustyray.exit_actor()

        async def pid(self) -> int:
            return os.getpid()

    class Threaded:
        def leave(self) -> None:
            rustyray.exit_actor()

        def pid(self) -> int:
            return os.getpid()

    actor: Any = (
        rustyray.remote(Async).remote() if kind == "async" else rustyray.remote(max_concurrency=2)(Threaded).remote()
    )
    pid = rustyray.get(actor.pid.remote())
    with pytest.raises(ActorDiedError, match="exit_actor"):
        rustyray.get(actor.leave.remote(), timeout=30)
    assert eventually(lambda: not alive(pid))


def test_exit_actor_elsewhere_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="actor"):
        rustyray.exit_actor()

    @rustyray.remote
    def task() -> None:
        rustyray.exit_actor()

    with pytest.raises(TypeError, match="actor"):
        rustyray.get(task.remote())


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_an_actor_that_dies_is_dead_by_default() -> None:
    counter = Counter.remote()
    pid = rustyray.get(counter.pid.remote())
    with pytest.raises(ActorDiedError, match=f"SIGKILL|{pid}"):
        rustyray.get(counter.die.remote(), timeout=30)
    with pytest.raises(ActorDiedError):
        rustyray.get(counter.add.remote(), timeout=30)


def test_max_restarts_starts_it_anew_and_calls_in_flight_fail() -> None:
    counter = Counter.options(max_restarts=1).remote(100)
    pid = rustyray.get(counter.pid.remote())
    with pytest.raises(ActorUnavailableError):
        rustyray.get(counter.die.remote(), timeout=30)
    assert eventually(lambda: _works(counter))
    assert rustyray.get(counter.add.remote()) >= 101
    assert rustyray.get(counter.pid.remote()) != pid
    with pytest.raises(ActorDiedError):
        rustyray.get(counter.die.remote(), timeout=30)
    with pytest.raises(ActorDiedError):
        rustyray.get(counter.add.remote(), timeout=30)


def _works(counter: Any) -> bool:
    try:
        rustyray.get(counter.add.remote(0), timeout=10)
    except ActorUnavailableError:
        return False
    return True


def test_max_task_retries_makes_the_call_again(tmp_path: Path) -> None:
    @rustyray.remote(max_restarts=2, max_task_retries=2)
    class Fragile:
        def work(self, n: int) -> int:
            with (tmp_path / "attempts").open("a") as log:
                log.write(f"{n}\n")
            if n == 3 and (tmp_path / "attempts").read_text().split().count("3") < 3:
                os.kill(os.getpid(), signal.SIGKILL)
            return n

    fragile = Fragile.remote()
    assert rustyray.get([fragile.work.remote(n) for n in range(6)], timeout=60) == list(range(6))
    attempts = (tmp_path / "attempts").read_text().split()
    assert attempts.count("3") == 3
    assert attempts.count("5") == 1, "calls behind the one that died had not started"


def test_calls_are_in_order_across_restarts(tmp_path: Path) -> None:
    @rustyray.remote(max_restarts=-1, max_task_retries=-1)
    class Ordered:
        def work(self, n: int) -> int:
            if n % 10 == 5 and not (tmp_path / str(n)).exists():
                (tmp_path / str(n)).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            with (tmp_path / "log").open("a") as log:
                log.write(f"{n}\n")
            return n

    ordered = Ordered.remote()
    assert rustyray.get([ordered.work.remote(n) for n in range(30)], timeout=60) == list(range(30))
    seen = [int(n) for n in (tmp_path / "log").read_text().split()]
    last = [len(seen) - 1 - seen[::-1].index(n) for n in range(30)]
    assert last == sorted(last), "the runs that count are in order"


def test_kill_without_no_restart_lets_it_restart() -> None:
    counter = Counter.options(max_restarts=1, max_task_retries=2).remote(50)
    pid = rustyray.get(counter.pid.remote())
    rustyray.kill(counter, no_restart=False)
    assert eventually(lambda: not alive(pid))
    assert rustyray.get(counter.add.remote(), timeout=30) == 51


def test_an_actor_knows_that_it_was_restarted() -> None:
    @rustyray.remote(max_restarts=1, max_task_retries=1)
    class Reborn:
        def ask(self) -> bool:
            return rustyray.get_runtime_context().was_current_actor_reconstructed

        def pid(self) -> int:
            return os.getpid()

    reborn = Reborn.remote()
    assert rustyray.get(reborn.ask.remote()) is False
    pid = rustyray.get(reborn.pid.remote())
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: not alive(pid))
    assert rustyray.get(reborn.ask.remote(), timeout=30) is True


def test_an_actors_children_end_with_it() -> None:
    @rustyray.remote
    class Parent:
        def __init__(self) -> None:
            self.child = Counter.remote()

        def pids(self) -> list[int]:
            return [os.getpid(), int(rustyray.get(self.child.pid.remote()))]

    parent = Parent.remote()
    pids = rustyray.get(parent.pids.remote())
    os.kill(pids[0], signal.SIGKILL)
    assert eventually(lambda: not any(alive(pid) for pid in pids))


def test_fifty_actors_at_once() -> None:
    counters = [Counter.options(num_cpus=0).remote(n) for n in range(50)]
    assert rustyray.get([counter.add.remote() for counter in counters], timeout=60) == [n + 1 for n in range(50)]
