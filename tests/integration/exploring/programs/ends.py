"""Programs of actors that end: killed, restarted, by their own wish, or because their owner does."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import rustyray
from rustyray.exceptions import ActorDiedError, ObjectLostError, RayActorError, TaskCancelledError
from tests.integration.exploring.programs.actors import Counter, Counters
from tests.integration.exploring.programs.table import got, program, raised, trouble


@rustyray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)
class Register:
    """It is started again whenever it dies, and what it is asked may be asked twice."""

    def __init__(self, base: int) -> None:
        self.base = base

    def square(self, number: int) -> int:
        return self.base + number * number

    def die(self, already: Counters) -> int:
        """Dies the first time that it is asked to, if the counter lives."""
        if rustyray.get(already.add.remote()) == 1:
            os._exit(1)
        return self.base


@program()
def restarted_as_often_as_it_takes() -> None:
    """Whatever dies, each call is answered, and the constructor's argument is there whenever it is needed."""
    register = Register.remote(rustyray.put(100))
    assert rustyray.get([register.square.remote(number) for number in range(4)]) == [100, 101, 104, 109]


@program()
def restarted_after_it_has_killed_itself() -> None:
    register, counter = Register.remote(5), Counter.remote()
    refs = [register.square.remote(1), register.die.remote(counter), register.square.remote(2)]
    assert rustyray.get(refs[0]) == 6
    assert got(refs[1], RayActorError) in (5, None)
    assert rustyray.get(refs[2]) == 9


@program()
def killed_and_restarted() -> None:
    """`kill` with restarts: calls before and after it are answered."""
    register = Register.remote(1)
    before = [register.square.remote(number) for number in range(2)]
    rustyray.kill(register, no_restart=False)
    after = [register.square.remote(number) for number in range(2)]
    assert rustyray.get([*before, *after]) == [1, 2, 1, 2]


@rustyray.remote(num_cpus=0, max_restarts=1)
class Fragile:
    """One restart, and calls are not repeated."""

    def __init__(self) -> None:
        self.count = 0

    def add(self) -> int:
        self.count += 1
        return self.count


@program()
def one_restart_and_no_repeated_call() -> None:
    """A call is answered or fails; after the restart it counts from the beginning, and after that it is dead."""
    fragile = Fragile.remote()
    results = [got(fragile.add.remote(), RayActorError) for _ in range(4)]
    last = 0
    lives = 1
    for result in results:
        if result is not None:
            lives += result <= last
            last = result
    assert lives <= 2
    assert trouble() or results == [1, 2, 3, 4]


@program()
def killed_while_it_is_called() -> None:
    """Calls before the end are answered or fail, those after it fail, and all that it ran was in order."""
    counter = Counter.remote()
    before = [counter.add.remote() for _ in range(3)]
    rustyray.wait(before, num_returns=1)
    rustyray.kill(counter)
    after = counter.add.remote()
    results = []
    for ref in before:
        try:
            results.append(rustyray.get(ref))
        except RayActorError:
            break
    assert results == [1, 2, 3][: len(results)]
    raised(after, ActorDiedError)


@rustyray.remote(num_cpus=0)
class Leaver:
    def __init__(self, start: int) -> None:
        if start < 0:
            raise ValueError(start)
        self.mine = rustyray.put(start)

    def share(self) -> list[Any]:
        return [self.mine]

    def leave(self) -> None:
        rustyray.exit_actor()


@program()
def it_leaves_and_what_it_owns_stays() -> None:
    leaver = Leaver.remote(3)
    shared = got(leaver.share.remote(), RayActorError)
    leaving, late = leaver.leave.remote(), leaver.share.remote()
    assert isinstance(raised(leaving, RayActorError), ActorDiedError) or trouble()
    if trouble():  # it may not have heard that it should leave
        got(late, RayActorError)
    else:
        raised(late, ActorDiedError)
    if shared is not None:
        assert got(shared[0], ObjectLostError) in (3, None)


@program()
def constructors_that_raise() -> None:
    leaver = Leaver.remote(-1)
    for _ in range(2):
        assert raised(leaver.share.remote(), RayActorError).actor_init_failed or trouble()


@rustyray.remote
def make_counter(times: int) -> list[Any]:
    """The actor's owner is the worker, whose process outlives the task."""
    counter = Counter.remote()
    rustyray.get([counter.add.remote() for _ in range(times)])
    return [counter, counter.add.remote()]


@program()
def actors_and_calls_of_a_task() -> None:
    made = got(make_counter.remote(2), RayActorError)
    if made is not None:
        counter, ref = made
        third = got(ref, ObjectLostError, RayActorError)
        fourth = got(counter.add.remote(), RayActorError)
        assert third in (3, None)
        assert fourth in ((4, None) if third == 3 else (3, 4, None))


@rustyray.remote(num_cpus=0)
class Waiter:
    async def wait_for(self, refs: list[Any]) -> int:
        return sum([await ref for ref in refs])

    async def ping(self) -> str:
        return "pong"


@rustyray.remote(num_cpus=0)
class Slow:
    async def never(self) -> int:
        await asyncio.sleep(10_000)
        return 1


@program()
def cancelled_coroutines() -> None:
    """They wait for what will not come before the cluster has long been forgotten; the actor goes on."""
    slow, waiter = Slow.remote(), Waiter.remote()
    never = slow.never.remote()
    waiting = waiter.wait_for.remote([never])
    rustyray.wait([waiting], timeout=0.01)
    rustyray.cancel(waiting)
    assert outcome(waiting) in (TaskCancelledError, None)
    assert got(waiter.ping.remote(), RayActorError) in ("pong", None)
    rustyray.cancel(never)
    assert outcome(never) in (TaskCancelledError, None)


def outcome(ref: rustyray.ObjectRef[int]) -> object:
    """The kind of error that it has; None if its actor died."""
    try:
        return rustyray.get(ref)
    except TaskCancelledError:
        return TaskCancelledError
    except RayActorError:
        assert trouble()
        return None
