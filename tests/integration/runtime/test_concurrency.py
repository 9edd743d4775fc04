"""How many calls of an actor run at once, in which groups and order, and how many may be pending."""

from __future__ import annotations

import asyncio
import threading

import pytest

import rustyray
from rustyray.api.actor_class import ActorClass
from rustyray.exceptions import PendingCallsLimitExceeded, RayTaskError

pytestmark = pytest.mark.usefixtures("local")


@rustyray.remote(concurrency_groups={"io": 2, "slow": 1})
class Threaded:
    """Its calls meet: a call in a group that is full never begins."""

    def __init__(self) -> None:
        self.met = threading.Barrier(2)
        self.go_on = threading.Event()

    @rustyray.method(concurrency_group="io")
    def meet(self) -> str:
        self.met.wait(30)
        return rustyray.get_runtime_context().get_concurrency_group()

    @rustyray.method(concurrency_group="slow")
    def block(self) -> None:
        assert self.go_on.wait(30)

    def release(self) -> str:
        self.go_on.set()
        return rustyray.get_runtime_context().get_concurrency_group()


@rustyray.remote(concurrency_groups={"io": 2, "slow": 1}, max_concurrency=1)
class Async:
    def __init__(self) -> None:
        self.here = 0
        self.full = asyncio.Event()
        self.go_on = asyncio.Event()

    @rustyray.method(concurrency_group="io")
    async def meet(self) -> str:
        self.here += 1
        if self.here == 2:
            self.full.set()
        await self.full.wait()
        return rustyray.get_runtime_context().get_concurrency_group()

    @rustyray.method(concurrency_group="slow")
    async def block(self) -> None:
        await self.go_on.wait()

    def release(self) -> str:
        self.go_on.set()
        return rustyray.get_runtime_context().get_concurrency_group()


@pytest.mark.parametrize("kind", [Threaded, Async])
def test_groups_run_beside_each_other(kind: ActorClass[Threaded]) -> None:
    actor = kind.remote()
    blocked = actor.block.remote()
    behind = actor.block.remote()
    assert rustyray.get([actor.meet.remote(), actor.meet.remote()], timeout=30) == ["io", "io"]
    assert rustyray.wait([blocked, behind], timeout=0)[0] == []
    assert rustyray.get(actor.release.remote(), timeout=30) == ""
    assert rustyray.get([blocked, behind], timeout=30) == [None, None]


def test_a_call_may_choose_its_group() -> None:
    actor = Threaded.remote()
    blocked = actor.block.remote()
    assert rustyray.get(actor.release.options(concurrency_group="io").remote(), timeout=30) == "io"
    assert rustyray.get(blocked, timeout=30) is None
    with pytest.raises(ValueError, match=r"has no concurrency group 'slwo' \(did you mean 'slow'\?\)"):
        actor.release.options(concurrency_group="slwo")


@rustyray.remote
class Notes:
    def __init__(self) -> None:
        self.seen: list[int] = []

    def note(self, number: int) -> list[int]:
        self.seen.append(number)
        return self.seen


@rustyray.remote
class AsyncNotes:
    def __init__(self) -> None:
        self.seen: list[int] = []

    async def note(self, number: int) -> list[int]:
        self.seen.append(number)
        return self.seen


@rustyray.remote
class Gate:
    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def enter(self, number: int) -> int:
        await self.open.wait()
        return number

    async def lift(self) -> None:
        self.open.set()

    async def refuse(self) -> int:
        await self.open.wait()
        raise KeyError("refused")


@pytest.mark.parametrize(
    "kind",
    [Notes.options(allow_out_of_order_execution=True), Notes.options(max_concurrency=2), AsyncNotes],
)
def test_a_call_overtakes_one_that_waits_for_its_argument(kind: ActorClass[Notes]) -> None:
    gate, notes = Gate.remote(), kind.remote()
    waits = notes.note.remote(gate.enter.remote(1))
    fails = notes.note.remote(gate.refuse.remote())
    cancelled = notes.note.remote(gate.enter.remote(3))
    assert rustyray.get(notes.note.remote(2), timeout=30) == [2]
    rustyray.cancel(cancelled)
    rustyray.get(gate.lift.remote())
    assert rustyray.get(waits, timeout=30) == [2, 1]
    with pytest.raises(KeyError):
        rustyray.get(fails, timeout=30)
    with pytest.raises(rustyray.exceptions.TaskCancelledError):
        rustyray.get(cancelled, timeout=30)
    rustyray.kill(notes)


def test_calls_that_wait_for_arguments_fail_with_their_actor() -> None:
    gate, notes = Gate.remote(), AsyncNotes.remote()
    waits = notes.note.remote(gate.enter.remote(1))
    rustyray.get(notes.__ray_ready__.remote())
    rustyray.kill(notes)
    with pytest.raises(rustyray.exceptions.ActorDiedError):
        rustyray.get(waits, timeout=30)
    rustyray.get(gate.lift.remote())


def test_calls_that_wait_keep_their_actor_alive() -> None:
    gate = Gate.remote()
    waits = AsyncNotes.remote().note.remote(gate.enter.remote(1))
    rustyray.get(gate.lift.remote())
    assert rustyray.get(waits, timeout=30) == [1]


def test_in_order_is_for_plain_actors_only() -> None:
    with pytest.raises(ValueError, match="is async, so that its calls cannot run in order"):
        AsyncNotes.options(allow_out_of_order_execution=False).remote()
    with pytest.raises(ValueError, match="is multi-threaded"):
        Notes.options(allow_out_of_order_execution=False, max_concurrency=2).remote()
    first = Gate.remote()
    notes = Notes.options(allow_out_of_order_execution=False).remote()
    refs = [notes.note.remote(first.enter.remote(1)), notes.note.remote(2)]
    rustyray.get(first.lift.remote())
    assert rustyray.get(refs, timeout=30)[1] == [1, 2]


def test_pending_calls_have_a_limit() -> None:
    gate = Gate.options(max_pending_calls=2).remote()
    first, second = gate.enter.remote(1), gate.enter.remote(2)
    with pytest.raises(PendingCallsLimitExceeded, match=r"2 calls .* max_pending_calls=2 allows"):
        gate.enter.remote(3)
    rustyray.cancel(second)
    with pytest.raises((rustyray.exceptions.TaskCancelledError, RayTaskError)):
        rustyray.get(second, timeout=30)
    gate.lift.remote()
    assert rustyray.get(first, timeout=30) == 1
    assert rustyray.get(gate.enter.remote(3), timeout=30) == 3


def test_an_unknown_group_is_refused_where_the_actor_is_made() -> None:
    with pytest.raises(ValueError, match=r"Threaded\.meet: the actor has no concurrency group 'io'"):
        rustyray.remote(Threaded.cls).remote()
