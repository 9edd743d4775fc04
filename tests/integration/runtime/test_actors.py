"""Actors: order, kinds, names, lives and deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import ActorDiedError, ActorUnavailableError, RayActorError
from tests.integration.drivers import eventually
from tests.integration.runtime.conftest import Start
from tests.integration.runtime.processes import alive

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, amount: int = 1) -> int:
        self.count += amount
        return self.count

    def pid(self) -> int:
        return os.getpid()

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def leave(self) -> None:
        rustyray.exit_actor()


# --- calls ------------------------------------------------------------------------------------------------------------


def test_options_and_arguments_can_be_given_in_one() -> None:
    plain: Any = Counter
    counter = plain._remote([5], {}, name="five")
    assert rustyray.get(rustyray.get_actor("five").add.remote()) == 6
    assert rustyray.get(counter.add._remote(kwargs={"amount": 4}, name="four")) == 10
    double: Any = rustyray.remote(lambda number: (number, number))
    assert rustyray.get(double._remote((7,), num_returns=2)) == [7, 7]


def test_calls_run_in_the_order_in_which_they_were_made() -> None:
    @rustyray.remote
    class Log:
        def __init__(self) -> None:
            self.seen: list[int] = []

        def note(self, n: int) -> None:
            self.seen.append(n)

        def all(self) -> list[int]:
            return self.seen

    log = Log.remote()
    for n in range(1000):
        log.note.remote(n)
    assert rustyray.get(log.all.remote()) == list(range(1000))


def test_a_call_whose_argument_is_late_holds_up_the_next_ones() -> None:
    @rustyray.remote
    def slow() -> int:
        time.sleep(0.1)
        return 10

    counter = Counter.remote()
    refs = [counter.add.remote(slow.remote()), counter.add.remote(1)]
    assert rustyray.get(refs) == [10, 11]


def test_state_arguments_and_methods_with_options() -> None:
    counter = Counter.remote(start=5)
    assert rustyray.get(counter.add.remote(amount=2)) == 7
    with pytest.raises(TypeError, match="no_such"):
        counter.add.remote(no_such=2)  # type: ignore[call-overload]
    with pytest.raises(AttributeError, match="add"):
        counter.ad.remote()  # type: ignore[attr-defined]


def test_handles_travel_and_callers_share_the_actor() -> None:
    @rustyray.remote
    def use(counter: Any, times: int) -> Any:
        return max(rustyray.get([counter.add.remote() for _ in range(times)]))

    counter = Counter.remote()
    rustyray.get([use.remote(counter, 50) for _ in range(4)])
    assert rustyray.get(counter.add.remote(0)) == 200


def test_an_actor_may_hold_and_call_another() -> None:
    @rustyray.remote
    class Front:
        def __init__(self, back: Any) -> None:
            self.back = back

        def add(self) -> Any:
            return rustyray.get(self.back.add.remote())

    front = Front.remote(Counter.remote(10))
    assert rustyray.get([front.add.remote() for _ in range(3)]) == [11, 12, 13]


def test_an_actor_makes_actors_and_tasks() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return n

    @rustyray.remote
    class Parent:
        def __init__(self) -> None:
            self.child = Counter.remote(rustyray.get(leaf.remote(7)))

        def add(self) -> int:
            return int(rustyray.get(self.child.add.remote()))

    assert rustyray.get(Parent.remote().add.remote(), timeout=30) == 8


def test_a_constructors_error_is_raised_by_every_call() -> None:
    @rustyray.remote
    class Broken:
        def __init__(self) -> None:
            raise ValueError("cannot be made")

        def ping(self) -> int:
            return 1

    broken = Broken.remote()
    for _ in range(2):
        with pytest.raises(ActorDiedError, match="cannot be made") as caught:
            rustyray.get(broken.ping.remote())
        assert caught.value.actor_init_failed
        assert isinstance(caught.value, RayActorError)


def test_a_constructors_argument_that_failed_is_its_error() -> None:
    @rustyray.remote
    def fails() -> int:
        raise KeyError("argument")

    counter = Counter.remote(fails.remote())
    with pytest.raises((ActorDiedError, KeyError), match="argument"):
        rustyray.get(counter.add.remote(), timeout=30)


def test_a_named_actor_whose_argument_failed_does_not_hang_its_creator() -> None:
    @rustyray.remote
    def fails() -> int:
        raise KeyError("argument")

    with pytest.raises((RuntimeError, RayActorError, KeyError), match="argument"):
        rustyray.get(Counter.options(name="doomed").remote(fails.remote()).add.remote(), timeout=30)


def test_an_actor_outlives_its_calls_errors() -> None:
    @rustyray.remote
    class Touchy:
        def fail(self) -> None:
            raise ZeroDivisionError("touchy")

        def ok(self) -> int:
            return 1

    touchy = Touchy.remote()
    with pytest.raises(ZeroDivisionError, match="touchy"):
        rustyray.get(touchy.fail.remote())
    assert rustyray.get(touchy.ok.remote()) == 1


# --- async and threaded -----------------------------------------------------------------------------------------------


def test_async_methods_run_at_once_on_one_loop() -> None:
    @rustyray.remote
    class Meeting:
        def __init__(self) -> None:
            self.here = 0
            self.full = asyncio.Event()

        async def join(self, wanted: int) -> tuple[int, int]:
            self.here += 1
            if self.here == wanted:
                self.full.set()
            await self.full.wait()
            return self.here, threading.get_ident()

        def count(self) -> int:
            return self.here

    meeting = Meeting.remote()
    results = rustyray.get([meeting.join.remote(100) for _ in range(100)], timeout=30)
    assert len({thread for _, thread in results}) == 1
    assert {here for here, _ in results} == {100}
    assert rustyray.get(meeting.count.remote()) == 100


def test_max_concurrency_limits_async_methods() -> None:
    @rustyray.remote(max_concurrency=3)
    class Limited:
        def __init__(self) -> None:
            self.now = self.most = 0

        async def work(self) -> None:
            self.now += 1
            self.most = max(self.most, self.now)
            await asyncio.sleep(0.005)
            self.now -= 1

        async def peak(self) -> int:
            return self.most

    limited = Limited.remote()
    rustyray.get([limited.work.remote() for _ in range(20)])
    assert rustyray.get(limited.peak.remote()) == 3


def test_async_methods_await_refs() -> None:
    @rustyray.remote
    def leaf(n: int) -> int:
        return 2 * n

    @rustyray.remote
    class Gatherer:
        async def gather(self, count: int) -> int:
            return sum(await asyncio.gather(*(leaf.remote(n) for n in range(count))))

        async def one(self, box: list[Any]) -> Any:
            return await box[0]

    gatherer = Gatherer.remote()
    assert rustyray.get(gatherer.gather.remote(20), timeout=30) == 380
    assert len(rustyray.get(gatherer.one.remote([rustyray.put(bytes(1 << 20))]), timeout=30)) == 1 << 20


def test_threads_of_a_threaded_actor_run_at_once_up_to_its_limit() -> None:
    @rustyray.remote(max_concurrency=4)
    class Threaded:
        def __init__(self) -> None:
            self.barrier = threading.Barrier(4)

        def meet(self) -> int:
            self.barrier.wait(30)
            return threading.get_ident()

    threaded = Threaded.remote()
    assert len(set(rustyray.get([threaded.meet.remote() for _ in range(4)], timeout=60))) == 4


def test_each_call_of_a_threaded_actor_knows_its_own_task() -> None:
    @rustyray.remote(max_concurrency=4)
    class Threaded:
        def __init__(self) -> None:
            self.barrier = threading.Barrier(4)

        def task(self) -> str | None:
            self.barrier.wait(30)
            return rustyray.get_runtime_context().get_task_id()

    threaded = Threaded.remote()
    refs = [threaded.task.remote() for _ in range(4)]
    assert rustyray.get(refs, timeout=60) == [ref.task_id().hex() for ref in refs]


# --- names ------------------------------------------------------------------------------------------------------------


def test_named_actors_are_found_and_unique() -> None:
    counter = Counter.options(name="the counter").remote()
    rustyray.get(counter.add.remote())
    assert rustyray.get(rustyray.get_actor("the counter").add.remote()) == 2
    with pytest.raises(ValueError, match="the counter"):
        Counter.options(name="the counter").remote()
    with pytest.raises(ValueError, match="other"):
        rustyray.get_actor("other")

    @rustyray.remote
    def find() -> int:
        return int(rustyray.get(rustyray.get_actor("the counter").add.remote()))

    assert rustyray.get(find.remote()) == 3
    rustyray.kill(counter)
    assert eventually(lambda: not named("the counter"))
    assert rustyray.get(Counter.options(name="the counter").remote(5).add.remote()) == 6


def named(name: str) -> bool:
    try:
        rustyray.get_actor(name)
    except ValueError:
        return False
    return True


def test_namespaces_keep_names_apart(start: Start) -> None:
    rustyray.shutdown()
    start(namespace="here")
    here = Counter.options(name="one").remote(1)
    there = Counter.options(name="one", namespace="there").remote(100)
    assert rustyray.get([here.add.remote(), there.add.remote()]) == [2, 101]
    assert rustyray.get(rustyray.get_actor("one").add.remote()) == 3
    assert rustyray.get(rustyray.get_actor("one", namespace="there").add.remote()) == 102


def test_get_if_exists_finds_or_makes() -> None:
    first = Counter.options(name="shared", get_if_exists=True).remote(10)
    again = Counter.options(name="shared", get_if_exists=True).remote(999)
    assert rustyray.get(first.add.remote()) == 11
    assert rustyray.get(again.add.remote()) == 12


def test_many_at_once_get_the_same_actor() -> None:
    @rustyray.remote
    def use() -> str:
        counter = Counter.options(name="shared", get_if_exists=True, lifetime="detached").remote()
        rustyray.get(counter.add.remote())
        return "used"

    assert rustyray.get([use.remote() for _ in range(8)], timeout=60) == ["used"] * 8
    assert rustyray.get(rustyray.get_actor("shared").add.remote()) == 9


def test_a_name_alone_does_not_keep_an_actor_alive() -> None:
    counter = Counter.options(name="soon gone").remote()
    pid = rustyray.get(counter.pid.remote())
    del counter
    assert eventually(lambda: not named("soon gone"))
    assert eventually(lambda: not alive(pid))


def test_a_detached_actor_needs_no_handle_and_ends_with_the_runtime() -> None:
    @rustyray.remote
    def make() -> None:
        rustyray.get(Counter.options(name="detached", lifetime="detached").remote(41).add.remote())

    rustyray.get(make.remote())
    counter = rustyray.get_actor("detached")
    pid = rustyray.get(counter.pid.remote())
    del counter
    assert rustyray.get(rustyray.get_actor("detached").add.remote()) == 43
    rustyray.shutdown()
    assert eventually(lambda: not alive(pid), 5)


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
    with pytest.raises(TypeError, match="cancel"):
        rustyray.kill(counter.add.remote())  # type: ignore[arg-type]


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
