"""Nothing hangs: a driver that waits for what cannot happen is told who waits for what."""

from __future__ import annotations

import asyncio
import itertools
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import rustyray
from rustyray.exceptions import DeadlockError, LivelockError
from rustyray.util.placement_group import placement_group
from tests.integration.sim.conftest import Start


@rustyray.remote
class Friend:
    def __init__(self) -> None:
        self.other: Any = None

    def meet(self, other: Any) -> None:
        self.other = other

    def ask(self) -> int:
        answer: int = rustyray.get(self.other.ask_back.remote())
        return answer

    def ask_back(self) -> int:
        answer: int = rustyray.get(self.other.answer.remote())
        return answer

    def answer(self) -> int:
        return 1

    def answers(self) -> Iterator[int]:
        yield 1
        yield rustyray.get(self.other.ask_back.remote())


@pytest.mark.parametrize("seed", range(4))
def test_actors_that_wait_for_one_another(start: Start, seed: int) -> None:
    start(seed=seed)
    one, other = Friend.remote(), Friend.remote()
    rustyray.get([one.meet.remote(other), other.meet.remote(one)])
    with pytest.raises(DeadlockError) as caught:
        rustyray.get(one.ask.remote())
    text = str(caught.value)
    assert "the driver at" in text
    assert "test_stuck.py" in text
    assert "Friend.ask) at" in text
    assert "waits for the result of ask_back" in text
    assert "they wait for one another:" in text
    assert rustyray.get(rustyray.put(1)) == 1  # the runtime is still there


def test_coroutines_that_wait_for_one_another(start: Start) -> None:
    @rustyray.remote
    class Async:
        def __init__(self) -> None:
            self.other: Any = None

        async def meet(self, other: Any) -> None:
            self.other = other

        async def ask(self, times: int) -> int:
            answer: int = await self.other.ask.remote(times - 1) if times else await asyncio.Event().wait()
            return answer

    start()
    one, other = Async.remote(), Async.remote()
    rustyray.get([one.meet.remote(other), other.meet.remote(one)])
    text = r"Async\.ask \(× 2\)\) at .*test_stuck\.py:\d+ in .*ask waits for the result of ask"
    with pytest.raises(DeadlockError, match=text):
        rustyray.get(one.ask.remote(3))


def test_a_task_that_no_node_can_run(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    @rustyray.remote(num_cpus=100)
    def large() -> None: ...

    start()
    with pytest.raises(DeadlockError, match=r"not started: .*large, submitted by the driver: queued"):
        rustyray.get(large.remote())
    assert "no node can ever give a worker" in capsys.readouterr().err


def test_a_lock_that_nobody_releases(start: Start) -> None:
    @rustyray.remote
    def lock_twice() -> None:
        lock = threading.Lock()
        with lock, lock:
            pass

    start()
    with pytest.raises(DeadlockError, match=r"lock_twice\) at .* waits for a lock that it has itself"):
        rustyray.get(lock_twice.remote())


def test_the_driver_waits_for_an_event_of_its_own(start: Start) -> None:
    start()
    with pytest.raises(DeadlockError, match=r"the driver at .*test_stuck\.py"):
        threading.Event().wait()
    assert not threading.Event().wait(5)


def test_going_round_in_circles(start: Start) -> None:
    @rustyray.remote
    class Looking:
        async def look(self) -> None:
            for _ in itertools.count():
                await asyncio.sleep(1)

    start(_system_config={"max_steps": 2000})
    with pytest.raises(LivelockError, match="has waited for 2,000 events"):
        rustyray.get(Looking.remote().look.remote())


def test_computing_without_end(start: Start) -> None:
    @rustyray.remote
    def endless() -> None:
        while True:
            pass

    start(_system_config={"max_busy": 0.5})
    says = r"worker \d+ at .*test_stuck.py:\d+ in .*endless has computed for 0.5 s without waiting"
    with pytest.raises(LivelockError, match=says):
        rustyray.get(endless.remote())
    assert rustyray.get(rustyray.put(1)) == 1
    rustyray.shutdown()
    assert signal.getsignal(signal.SIGVTALRM) == signal.SIG_DFL
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_a_group_that_is_never_there(start: Start) -> None:
    start()
    group = placement_group([{"CPU": 100}])
    what = rf"placement group {group.id.hex()} of {{CPU: 100}}"
    with pytest.raises(DeadlockError, match=rf"waits for {what} to be created: .*\n  the driver has {what}, pending"):
        rustyray.get(group.ready())


def test_readers_of_a_generator_that_waits(start: Start) -> None:
    start()
    one, other = Friend.remote(), Friend.remote()
    rustyray.get([one.meet.remote(other), other.meet.remote(one)])
    items: Any = one.answers.remote()
    assert rustyray.get(next(items)) == 1
    with pytest.raises(DeadlockError, match="waits for an item of answers"):
        next(items)
