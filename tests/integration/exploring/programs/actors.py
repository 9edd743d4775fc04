"""Programs of actors that live until nobody needs them: calls and their order, coroutines, threads, names, handles.

Where an actor's process dies the actor is dead, and each call from then on says so.
"""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import rustyray
from rustyray.exceptions import ActorUnavailableError, RayActorError
from tests.integration.exploring.programs.table import got, program, trouble


@rustyray.remote(num_cpus=0)
class Counter:
    def __init__(self, start: int = 0) -> None:
        self.value = start

    def add(self, amount: int = 1) -> int:
        self.value += amount
        return self.value


Counters = rustyray.ActorHandle[Counter]


@program()
def calls_in_order() -> None:
    """Each once, in the order of the calls, arguments that are late or not; none after one that was lost for good."""
    counter = Counter.remote()
    late = rustyray.remote(len).options(num_cpus=1).remote([None])
    refs = [counter.add.remote(late), counter.add.remote(1), counter.add.remote(late)]
    results = [got(ref, RayActorError) for ref in refs]
    arrived = [result for result in results if result is not None]
    assert arrived == sorted(set(arrived))
    assert all(result <= number for number, result in enumerate(results, 1) if result is not None)
    assert trouble() or results == [1, 2, 3]


@rustyray.remote
def add_times(counter: Counters, times: int) -> list[int]:
    return [rustyray.get(counter.add.remote()) for _ in range(times)]


@program()
def one_actor_of_many_callers() -> None:
    """A task that is tried again adds again; what each of its calls returns grows all the same."""
    counter = Counter.remote()
    refs = [add_times.remote(counter, 2) for _ in range(3)]
    del counter
    seen = [found for ref in refs if (found := got(ref, RayActorError)) is not None]
    assert all(one < other for one, other in seen)
    numbers = [number for found in seen for number in found]
    assert len(set(numbers)) == len(numbers)
    assert trouble() or sorted(numbers) == [1, 2, 3, 4, 5, 6]


@rustyray.remote(num_cpus=0)
class Gate:
    """An async actor: some wait in it for what others bring."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.passed = 0

    async def enter(self, counter: Counters) -> int:
        await self.opened.wait()
        self.passed += 1
        return await counter.add.remote(self.passed)

    async def open(self) -> int:
        await asyncio.sleep(0.01)
        self.opened.set()
        return self.passed


@rustyray.remote
def open_gate(gate: rustyray.ActorHandle[Gate]) -> int:
    return rustyray.get(gate.open.remote())


def outcome(ref: rustyray.ObjectRef[int]) -> int | RayActorError:
    try:
        return rustyray.get(ref)
    except RayActorError as error:
        return error.with_traceback(None)


@program()
def coroutines_that_wait_for_another_caller() -> None:
    gate, counter = Gate.remote(), Counter.remote()
    entering = [gate.enter.remote(counter) for _ in range(3)]
    opened: object = got(open_gate.remote(gate), RayActorError)
    while opened is None or isinstance(opened, ActorUnavailableError):
        opened = outcome(gate.open.remote())  # nobody else would open it
    results = [got(ref, RayActorError) for ref in entering]
    arrived = sorted(filter(None, results))
    assert len(set(arrived)) == len(arrived)
    assert trouble() or (opened, arrived) == (0, [1, 3, 6]), "the counter adds 1, then 2, then 3"


@rustyray.remote(num_cpus=0, max_concurrency=3)
class Pool:
    """A threaded actor."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.all_here = threading.Barrier(3)
        self.count = 0

    def meet(self, counter: Counters) -> int:
        self.all_here.wait(timeout=30)  # a call may be lost
        with self.lock:
            rustyray.get(counter.add.remote())
            self.count += 1
            return self.count


@program()
def threads_that_meet() -> None:
    pool, counter = Pool.remote(), Counter.remote()
    meeting = [pool.meet.remote(counter) for _ in range(3)]
    results = [got(ref, RayActorError, threading.BrokenBarrierError) for ref in meeting]
    total = got(counter.add.remote(0), RayActorError)
    assert trouble() or (sorted(filter(None, results)), total) == ([1, 2, 3], 3)
    assert total is None or total >= max(filter(None, results), default=0)


@rustyray.remote
def join(name: str) -> int:
    counter = Counter.options(name=name, get_if_exists=True, lifetime="detached").remote()
    return rustyray.get(counter.add.remote())


@program()
def one_name_for_all() -> None:
    """Tasks make it or find it, whoever is first, and it outlives them all; then the name is free again."""
    numbers = [got(ref, RayActorError) for ref in [join.remote("all") for _ in range(3)]]
    assert trouble() or sorted(filter(None, numbers)) == [1, 2, 3]
    try:
        found = rustyray.get_actor("all")
    except ValueError:
        assert trouble()
        return
    total = got(found.add.remote(0), RayActorError)
    assert trouble() or total == 3
    rustyray.kill(found)
    for _ in range(100):
        try:
            rustyray.get_actor("all")
        except ValueError:
            return
        time.sleep(0.1)
    # A task that died may have asked for it to be made, and that request may have come last.
    assert trouble(), "a dead actor has kept its name"


@rustyray.remote
def hand_on(counter: Counters, times: int) -> Any:
    """The handle of the last, or what it counted."""
    rustyray.get(counter.add.remote())
    return [counter] if times == 0 else hand_on.remote(counter, times - 1)


@program()
def handles_that_travel() -> None:
    """The driver keeps none while they travel: the actor lives as long as anybody has one."""
    found: Any = hand_on.remote(Counter.remote(), 2)
    while isinstance(found, rustyray.ObjectRef):
        found = got(found, RayActorError, rustyray.exceptions.ObjectLostError)
    assert found is not None or trouble()
    if found is not None:
        counted = got(found[0].add.remote(0), RayActorError)
        assert counted is None or counted >= 3
        assert trouble() or counted == 3


@rustyray.remote(num_cpus=0)
class Keeper:
    """Its state has refs and handles: its own, and those of others."""

    def __init__(self, ref: list[Any]) -> None:
        self.refs = ref
        self.child = Counter.remote(10)

    def keep(self, number: int) -> int:
        self.refs.append(rustyray.put(bytes([number]) * 150_000))
        return len(self.refs)

    def give(self) -> list[Any]:
        return [*self.refs, self.child]


@program()
def state_that_holds_refs_and_handles() -> None:
    keeper = Keeper.remote([rustyray.put("first")])
    keeping = keeper.keep.remote(7)
    giving = keeper.give.remote()
    assert got(keeping, RayActorError) in (2, None)
    given = got(giving, RayActorError)
    del keeper, giving
    if given is None:
        return
    first, second, child = given
    assert rustyray.get(first) == "first", "it is the driver's own"
    assert got(second, rustyray.exceptions.ObjectLostError) in (bytes([7]) * 150_000, None)
    assert got(child.add.remote(), RayActorError) in (11, None)
