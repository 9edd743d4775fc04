"""Small programs whose outcome must be the same on the native engine and in a simulated runtime, to the letter."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import rustyray

Program = Callable[[], object]
PROGRAMS: list[Program] = []
#: Schedules that are not the tame one may not make a difference, either.
SEEDS = range(4)


def program(function: Program) -> Program:
    PROGRAMS.append(function)
    return function


def outcome(use: Callable[[], object]) -> object:
    """What it returns; or the class of what it raises, its bases and its text, without numbers of processes and ids."""
    try:
        return use()
    except Exception as error:  # noqa: BLE001 - that is what is compared
        bases = [base.__name__ for base in type(error).__mro__[:3]]
        text = re.sub(r"\b[0-9a-f]{16,}\b|[0-9a-f]{4}…[0-9a-f]+", "ID", str(error))
        return bases, re.sub(r"worker \d+", "worker N", text)


def got(ref: Any) -> object:
    return outcome(lambda: rustyray.get(ref, timeout=30))


def on(engine: str, use: Program, **options: Any) -> object:
    rustyray.init(engine=engine, num_cpus=2, **options)
    try:
        return use()
    finally:
        rustyray.shutdown()


@rustyray.remote
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.count = start

    def add(self, amount: int = 1) -> int:
        self.count += amount
        return self.count

    def sleep(self, seconds: float) -> str:
        time.sleep(seconds)
        return "slept"

    def exit(self, code: int) -> None:
        os._exit(code)

    def terminate(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    def leave(self) -> None:
        rustyray.exit_actor()

    def put(self, value: object) -> list[Any]:
        return [rustyray.put(value)]


# --- errors and deaths ------------------------------------------------------------------------------------------------


@program
def errors_on_their_way() -> object:
    @rustyray.remote
    def fails() -> None:
        raise KeyError("deep")

    @rustyray.remote
    def gets() -> Any:
        return rustyray.get(fails.remote())

    @rustyray.remote
    def uses(value: object) -> object:
        return value

    @rustyray.remote(max_retries=2, retry_exceptions=[KeyError])
    def again() -> None:
        raise KeyError("again")

    return got(fails.remote()), got(gets.remote()), got(uses.remote(gets.remote())), got(again.remote())


@program
def workers_that_die() -> object:
    @rustyray.remote(max_retries=0)
    def exits(code: int) -> None:
        os._exit(code)

    @rustyray.remote(max_retries=1)
    def killed() -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    @rustyray.remote
    def uses(value: object) -> object:
        return value

    return got(exits.remote(3)), got(exits.remote(0)), got(killed.remote()), got(uses.remote(exits.remote(4)))


@program
def some_of_many_die() -> object:
    @rustyray.remote(max_retries=2)
    def work(n: int) -> int:
        if n == 2:
            os._exit(9)
        return n

    return [got(ref) for ref in [work.remote(n) for n in range(6)]]


@program
def actors_that_die() -> object:
    deaths: list[Callable[[Any], object]] = [
        lambda actor: actor.exit.remote(3),
        lambda actor: actor.terminate.remote(),
        lambda actor: actor.leave.remote(),
        rustyray.kill,
    ]
    told = []
    for death in deaths:
        actor = Counter.remote()
        rustyray.get(actor.add.remote())
        ref = death(actor)
        told += [got(ref) if ref is not None else None, got(actor.add.remote())]
    return told


@program
def actors_that_restart() -> object:
    actor = Counter.options(max_restarts=1, max_task_retries=1).remote(5)
    return got(actor.add.remote()), got(actor.exit.remote(3)), got(actor.add.remote())


@program
def killed_while_a_call_runs() -> object:
    once, again = Counter.remote(), Counter.options(max_restarts=1, max_task_retries=1).remote()
    rustyray.get([once.add.remote(), again.add.remote()])
    refs = [once.sleep.remote(60), again.sleep.remote(0.1)]
    rustyray.wait(refs, timeout=0.05)
    rustyray.kill(once)
    rustyray.kill(again, no_restart=False)
    return [got(ref) for ref in refs]


@program
def constructors_that_fail() -> object:
    @rustyray.remote
    class Raises:
        def __init__(self) -> None:
            raise ValueError("nope")

        def ping(self) -> int:
            return 1

    @rustyray.remote(max_restarts=1)
    class Dies:
        def __init__(self) -> None:
            os._exit(4)

        def ping(self) -> int:
            return 1

    return got(Raises.remote().ping.remote()), got(Dies.remote().ping.remote())


@program
def an_owner_that_dies() -> object:
    owner = Counter.remote()
    (ref,) = rustyray.get(owner.put.remote(5))
    return got(owner.exit.remote(1)), got(ref)


# --- waiting and cancelling -------------------------------------------------------------------------------------------


@program
def timeouts_and_polls() -> object:
    gate = Counter.remote()
    ref = gate.sleep.remote(0.15)
    late = outcome(lambda: rustyray.get(ref, timeout=0)), rustyray.wait([ref], timeout=0.01)[0] == []
    while not rustyray.wait([ref], timeout=0)[0]:
        pass
    return late, rustyray.get(ref, timeout=0)


@program
def cancelled_in_every_state() -> object:
    @rustyray.remote
    def work(*_: object) -> None:
        time.sleep(60)

    @rustyray.remote
    def parent() -> Any:
        return rustyray.get(work.remote())

    refs = [work.remote(), work.remote(), work.remote()]
    refs.append(work.remote(refs[0]))
    rustyray.wait(refs, timeout=0.1)
    for ref in refs:
        rustyray.cancel(ref)
    told = [got(ref) for ref in refs]
    blocked = parent.remote()
    rustyray.wait([blocked], timeout=0.1)
    rustyray.cancel(blocked)
    forced = work.remote()
    rustyray.wait([forced], timeout=0.1)
    rustyray.cancel(forced, force=True)
    return told, got(blocked), got(forced)


@program
def a_cancelled_task_may_return() -> object:
    @rustyray.remote
    def catches() -> str:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            return "caught"
        return "slept"

    ref = catches.remote()
    rustyray.wait([ref], timeout=0.1)
    rustyray.cancel(ref)
    return got(ref)


# --- values -----------------------------------------------------------------------------------------------------------


@program
def values_are_copies() -> object:
    class Keeper:
        shared: list[int] = []  # noqa: RUF012 - shared within a process, no further

        def __init__(self, mine: dict[str, list[int]]) -> None:
            self.mine = mine

        def add(self) -> object:
            self.mine["a"].append(9)
            self.shared.append(9)
            return self.mine, self.shared

    data = {"a": [1]}
    ref = rustyray.put(data)
    data["a"].append(2)
    rustyray.get(ref)["a"].append(3)
    keepers = [rustyray.remote(Keeper).remote(data) for _ in range(2)]
    return [rustyray.get([keeper.add.remote() for keeper in keepers]), rustyray.get(ref), data, Keeper.shared]


@program
def classes_stay_themselves() -> object:
    class Own(Exception):
        pass

    class Thing:
        pass

    @rustyray.remote
    def check(thing: object) -> tuple[bool, object]:
        if thing is None:
            raise Own("own")
        return isinstance(thing, Thing), Thing()

    same, back = rustyray.get(check.remote(Thing()))
    try:
        rustyray.get(check.remote(None))
    except Own as error:
        return same, isinstance(back, Thing), type(error.args[0]) is Own
    return "nothing raised"


@program
def what_cannot_be_pickled() -> object:
    @rustyray.remote
    def gives() -> object:
        return {"bad": threading.Lock()}

    return outcome(lambda: Counter.remote().add.remote(threading.RLock())), got(gives.remote())  # type: ignore[call-overload]


@program
def numbers_of_results() -> object:
    @rustyray.remote(num_returns=2)
    def several(n: int) -> Any:
        return list(range(n))

    refs: list[Any] = [several.remote(n) for n in (1, 2, 3)]
    return [[got(ref) for ref in pair] for pair in refs]


# --- threads and coroutines -------------------------------------------------------------------------------------------


@program
def a_threaded_actor() -> object:
    @rustyray.remote(max_concurrency=3)
    class Threaded:
        def __init__(self) -> None:
            self.count = 0
            self.lock = threading.Lock()
            self.changed = threading.Condition()
            self.open = False

        def add(self) -> None:
            with self.lock:
                count = self.count
                time.sleep(0.002)
                self.count = count + 1

        def passed(self) -> bool:
            with self.changed:
                return self.changed.wait_for(lambda: self.open, 20)

        def set(self) -> int:
            with self.changed:
                self.open = True
                self.changed.notify_all()
            return self.count

    actor = Threaded.remote()
    rustyray.get([actor.add.remote() for _ in range(9)])
    waiting = [actor.passed.remote(), actor.passed.remote()]
    return got(actor.set.remote()), rustyray.get(waiting)


@program
def an_async_actor() -> object:
    @rustyray.remote
    class Async:
        async def sleeps(self) -> str:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                return "swallowed"
            return "slept"

        async def late(self) -> None:
            await asyncio.wait_for(asyncio.sleep(60), 0.01)

        async def cancelled(self) -> None:
            raise asyncio.CancelledError("own")

        async def elsewhere(self) -> int:
            return await asyncio.to_thread(lambda: 7)

        async def calls(self, others: list[Any]) -> int:
            return sum(await asyncio.gather(*(other.add.remote() for other in others)))

    actor = Async.remote()
    ref = actor.sleeps.remote()
    rustyray.get(actor.elsewhere.remote())  # which began after the other one
    rustyray.cancel(ref)
    others = [Counter.remote(n) for n in range(3)]
    rest = [actor.late.remote(), actor.cancelled.remote(), actor.elsewhere.remote(), actor.calls.remote(others)]
    return [got(each) for each in [ref, *rest]]


@program
def the_drivers_threads_and_loop() -> object:
    counter = Counter.remote()
    seen: list[int] = []

    def use() -> None:
        seen.extend(rustyray.get(counter.add.remote()) for _ in range(5))

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    async def main() -> list[int]:
        return list(await asyncio.gather(*(counter.add.remote(0) for _ in range(3))))

    return sorted(seen), asyncio.run(main())


@pytest.mark.parametrize("use", PROGRAMS, ids=lambda use: use.__name__)
def test_both_engines_agree(use: Program) -> None:
    native = on("native", use)
    for seed in SEEDS:
        assert on("sim", use, seed=seed) == native, f"seed {seed}"
