"""Histories note calls and returns in their order, whoever makes them."""

from __future__ import annotations

import asyncio
import pickle
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

import rustyray
from rustyray.api import engines
from rustyray.exceptions import ActorDiedError
from rustyray.runtime import context
from rustyray.testing import History, Raised, Returned, linearizable
from tests.unit.api.fake_engine import FakeEngine
from tests.unit.testing.histories import Counter, Queue


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    monkeypatch.setitem(engines.ENGINES, "fake", "tests.unit.api.fake_engine")
    before, running = context.engine(), FakeEngine()
    context.set_engine(running)
    yield running
    context.set_engine(before)


def told(history: History) -> list[str]:
    return [
        f"{one.client} {one} {one.outcome or one.lost} {one.invoked}-{one.returned}" for one in history.operations()
    ]


def test_notes_calls_and_returns_in_their_order() -> None:
    history = History()
    one, other = history.call("a", "put", 1, late=True), history.call("b", "take")
    history.returned(other, 1)
    history.raised(one, ValueError("full"))
    history.lost(history.call("b", "take"), "gone")
    assert told(history) == [
        "a put(1, late=True) raised ValueError('full') 0-3",
        "b take() 1 1-2",
        "b take() gone 4-None",
    ]
    times = [(one.invoked_at, one.returned_at or one.invoked_at) for one in history.operations()]
    assert all(called <= ended for called, ended in times)
    with pytest.raises(ValueError, match="has ended before"):
        history.returned(one)


def test_keeps_what_was_passed_not_what_became_of_it() -> None:
    history, item, result = History(), [1], [2]
    history.returned(history.call("a", "put", item), result)
    item.append(3)
    result.append(4)
    assert told(history) == ["a put([1]) [2] 0-1"]


def test_records_an_actor(engine: FakeEngine) -> None:
    history = History()
    actor = rustyray.remote(Counter).remote()
    ann, bob = history.wrap(actor, client="ann"), history.wrap(actor, "bob")
    added = [ann.add.remote(3), bob.add.remote(amount=4)]
    assert history.get(added) == [None, None]
    taken = bob.take.options(max_task_retries=0).remote(2)
    assert history.get(taken, timeout=5) == 5
    assert history.get(taken) == 5, "again is no news"
    with pytest.raises(ValueError, match="too little"):
        history.get(ann.take.remote(100))
    assert told(history) == [
        "ann add(3) None 0-2",
        "bob add(amount=4) None 1-3",
        "bob take(2) 5 4-5",
        "ann take(100) raised ValueError('5 is too little') 6-7",
    ]
    linearizable(Counter).check(history)


def test_a_recorded_handle_is_one_of_the_same_actor(engine: FakeEngine) -> None:
    history = History()
    actor = rustyray.remote(Queue).remote()
    recorded = history.wrap(actor, "a")
    assert recorded == actor
    assert type(pickle.loads(pickle.dumps(recorded))) is type(actor)
    rustyray.get(recorded.__ray_ready__.remote())
    with pytest.raises(AttributeError, match="has no method 'puut'"):
        _ = recorded.puut  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"write handle\.put\.remote"):
        recorded.put(1)
    with pytest.raises(TypeError, match="item"):
        recorded.put.remote()  # type: ignore[call-overload]
    assert told(history) == [], "nothing was called"
    rustyray.kill(recorded)


def test_what_is_still_running_has_no_end(engine: FakeEngine) -> None:
    history = History()
    actor = rustyray.remote(Queue).remote()
    unseen = history.wrap(actor, "a").put.remote(1)
    assert rustyray.get(unseen) is None
    assert told(history) == ["a put(1)  0-None"]


def test_what_failed_with_the_runtime_is_lost(engine: FakeEngine) -> None:
    history = History()
    actor = rustyray.remote(Queue).remote()
    rustyray.kill(actor)
    with pytest.raises(ActorDiedError):
        history.get(history.wrap(actor, "a").put.remote(1))
    assert told(history) == ["a put(1) ActorDiedError 0-None"]


def test_refuses_what_it_cannot_record(engine: FakeEngine) -> None:
    history = History()
    actor = rustyray.remote(Queue).remote()
    with pytest.raises(TypeError, match="argument 0 is a ref"):
        history.wrap(actor, "a").put.remote(rustyray.put(1))
    with pytest.raises(ValueError, match="not of a call recorded here"):
        history.get(actor.take.remote())
    with pytest.raises(TypeError, match="A history gets refs"):
        history.get(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"takes an actor's handle, got 3"):
        history.wrap(3, "a")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="returns 2 refs"):
        history.wrap(actor, "a").take.options(num_returns=2).remote()


def test_awaits(engine: FakeEngine) -> None:
    history = History()
    recorded = history.wrap(rustyray.remote(Counter).remote(), "a")

    async def client() -> None:
        await history.async_get(recorded.add.remote(3))
        with pytest.raises(ValueError, match="too little"):
            await history.async_get(recorded.take.remote(4))

    asyncio.run(client())
    assert [type(one.outcome) for one in history.operations()] == [Returned, Raised]


def test_threads_share_a_history() -> None:
    history, counter, lock = History(), Counter(), threading.Lock()

    def client(name: str) -> None:
        for _ in range(20):
            call = history.call(name, "add", 1)
            with lock:
                counter.add(1)
            history.returned(call)

    threads = [threading.Thread(target=client, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(history.operations()) == 80
    history.returned(history.call("end", "take", 80), 0)
    linearizable(Counter).check(history)


def test_goes_on_after_a_pickle() -> None:
    history = History()
    call = history.call("a", "put", 1)
    again = pickle.loads(pickle.dumps(history))
    again.returned(call)
    again.returned(again.call("a", "take"), 1)
    assert told(again) == ["a put(1) None 0-1", "a take() 1 2-3"]
    assert told(history) == ["a put(1)  0-None"]


def test_merges_by_the_clock_and_takes_ties_for_simultaneous(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [10.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    first, second = History(), History()
    put = first.call("a", "put", 1)
    now[0] = 11.0
    first.returned(put)
    take = second.call("b", "take")
    now[0] = 12.0
    second.returned(take, 1)
    second.returned(second.call("b", "take"), None)
    merged = History.merge(second, first)
    assert told(merged) == ["a put(1) None 0-2", "b take() 1 1-3", "b take() None 4-5"]
    with pytest.raises(ValueError, match="has ended before"):
        merged.returned(put)
    merged.returned(merged.call("c", "take"), None)
    linearizable(Queue).check(merged)


def test_importing_the_package_imports_nothing_else_yet() -> None:
    code = "import sys, rustyray.testing; print([name for name in sys.modules if name.startswith('rustyray.testing.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_public_name_is_there() -> None:
    import rustyray.testing

    assert set(rustyray.testing.__all__) <= set(dir(rustyray.testing))
    for name in rustyray.testing.__all__:
        assert getattr(rustyray.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = rustyray.testing.missing
