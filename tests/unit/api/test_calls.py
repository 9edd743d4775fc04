"""``get``, ``put``, ``wait`` and the rest check what they are given, and say what to write instead."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

import rustyray
from rustyray import exceptions as x
from rustyray.model.values import FaultKind
from rustyray.runtime import context
from tests.unit.api.fake_engine import FakeEngine


@rustyray.remote
def same(value: Any) -> Any:
    return value


@rustyray.remote
class Idle:
    pass


def idle() -> rustyray.ActorHandle[Any]:
    actor_class: Any = Idle
    handle: rustyray.ActorHandle[Any] = actor_class.remote()
    return handle


def test_get_takes_a_ref_or_a_list(engine: FakeEngine) -> None:
    one, two = rustyray.put(1), rustyray.put("two")
    assert rustyray.get(one) == 1
    assert rustyray.get([one, two, one]) == [1, "two", 1]
    assert rustyray.get((one, two), timeout=0) == [1, "two"]
    assert rustyray.get([]) == []


def test_get_of_an_empty_list_needs_no_runtime() -> None:
    assert rustyray.get([]) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            5,
            r"get\(\) takes a ref or a list of refs, got 5 \(int\)\. Refs are what \.remote\(\) and put\(\) return: ge",
        ),
        (same, r"got <remote function .*\. Call it first: get\(f\.remote\(…\)\)"),
        ({1}, r"got \{1\} \(set\)\. Write get\(\[\*refs\]\)"),
        ([5], r"get\(\) takes refs, but item 0 is 5 \(int\)"),
        ([[5]], r"item 0 is \[5\] \(list\)\. Write get\(\[\*refs\]\) with one flat list"),
        ("x" * 100, r"got 'xxx.*x… \(str\)"),
        (None, r"got None \(NoneType\)"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_get_of_something_else_shows_the_right_call(engine: FakeEngine, wrong: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        rustyray.get(wrong)


def test_get_of_a_handle_or_a_mixed_list_shows_the_right_call(engine: FakeEngine) -> None:
    with pytest.raises(TypeError, match=r"A handle has no value of its own: write get\(handle\.method\.remote\(…\)\)"):
        rustyray.get(idle())  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"item 1 is Actor\(Idle"):
        rustyray.get([rustyray.put(1), idle()])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("timeout", "error"), [(-0.5, ValueError), (math.nan, ValueError), ("1", TypeError), (True, TypeError)]
)
def test_timeouts_are_seconds(engine: FakeEngine, timeout: Any, error: type[Exception]) -> None:
    ref = rustyray.put(1)
    with pytest.raises(error, match=r"get\(\): timeout must be"):
        rustyray.get(ref, timeout=timeout)
    with pytest.raises(error, match=r"wait\(\): timeout must be"):
        rustyray.wait([ref], timeout=timeout)


def test_a_late_value_is_a_timeout(engine: FakeEngine) -> None:
    engine.hold = True
    ref = same.remote(1)
    with pytest.raises(x.GetTimeoutError):
        rustyray.get(ref, timeout=0)
    with pytest.raises(TimeoutError):
        rustyray.get([ref], timeout=0.5)
    engine.release()
    assert rustyray.get(ref) == 1


def test_put_refuses_refs(engine: FakeEngine) -> None:
    with pytest.raises(TypeError, match=r"put\(\) got a ref: what it refers to is stored already"):
        rustyray.put(rustyray.put(1))
    assert rustyray.get(rustyray.get(rustyray.put([rustyray.put(1)]))) == [1]


def test_wait_splits_in_the_order_given(engine: FakeEngine) -> None:
    engine.hold = True
    late = [same.remote(n) for n in range(2)]
    there = [rustyray.put(n) for n in range(2)]
    mixed = [late[0], there[0], late[1], there[1]]
    assert rustyray.wait(mixed, num_returns=2) == (there, late)
    assert rustyray.wait(mixed, num_returns=4, timeout=0) == (there, late)
    assert rustyray.wait(mixed, fetch_local=False) == ([there[0]], [late[0], late[1], there[1]])
    assert rustyray.wait([]) == ([], [])


def test_wait_refuses_what_it_cannot_answer(engine: FakeEngine) -> None:
    ref, other = rustyray.put(1), rustyray.put(2)
    with pytest.raises(TypeError, match=r"wait\(\) takes a list of refs, got ObjectRef\(.*Write wait\(\[ref\]\)\."):
        rustyray.wait(ref)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Write wait\(\[\*refs\]\) with one flat list"):
        rustyray.wait((ref, other))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"wait\(\) takes refs, but item 1 is 3 \(int\).*wait\(\[f\.remote\(…\)\]\)"):
        rustyray.wait([ref, 3])  # type: ignore[type-var]
    with pytest.raises(ValueError, match=rf"takes each ref once, but ObjectRef\({ref.hex()}\) is there more than once"):
        rustyray.wait([ref, other, ref])
    for number in (0, -1, 3):
        with pytest.raises(ValueError, match=f"from 1 to the number of refs, which is 2, got {number}"):
            rustyray.wait([ref, other], num_returns=number)
    with pytest.raises(TypeError, match=r"num_returns must be an integer, got 1\.5"):
        rustyray.wait([ref], num_returns=1.5)  # type: ignore[arg-type]


def test_cancel_and_kill_take_what_they_are_for(engine: FakeEngine) -> None:
    ref, handle = same.remote(1), idle()
    rustyray.cancel(ref)
    rustyray.cancel(ref, force=True, recursive=False)
    assert engine.cancelled == [(ref, False, True), (ref, True, False)]
    rustyray.kill(handle)
    assert engine.killed == [(handle._actor_id.binary(), True)]
    with pytest.raises(TypeError, match=r"cancel\(\) takes a ref, got Actor\(.*To end an actor, write kill\(handle\)"):
        rustyray.cancel(handle)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"cancel\(\) takes a ref, got 3 .*Write cancel\(f\.remote\(…\)\)"):
        rustyray.cancel(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"kill\(\) takes an actor's handle.*To end a task, write cancel\(ref\)"):
        rustyray.kill(ref)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match=r"kill\(\) takes an actor's handle, got <actor class .*Write kill\(Actor\.remote"
    ):
        rustyray.kill(Idle)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (("",), ValueError, "name must not be empty"),
        ((3,), TypeError, "name must be a string, got 3"),
        (("n", ""), ValueError, "namespace must not be empty"),
        (("n", 3), TypeError, "namespace must be a string"),
        ((None,), TypeError, "name must be a string, got None"),
    ],
)
def test_get_actor_takes_names(engine: FakeEngine, args: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rustyray.get_actor(*args)


def test_faults_of_the_runtime_are_raised_as_their_class(engine: FakeEngine) -> None:
    ref = same.remote(1)
    engine.fail(ref, FaultKind.WORKER_CRASHED, "The worker was killed by signal 9 (SIGKILL).")
    with pytest.raises(x.WorkerCrashedError, match="killed by signal 9"):
        rustyray.get(ref)
    engine.fail(ref, FaultKind.OBJECT_LOST)
    with pytest.raises(x.ObjectLostError, match=ref.hex()):
        rustyray.get(ref)


def test_refs_are_awaitable_and_give_futures(engine: FakeEngine) -> None:
    async def main() -> list[int]:
        return [await rustyray.put(1), await rustyray.put(2)]

    assert asyncio.run(main()) == [1, 2]
    assert rustyray.put(3).future().result() == 3


def test_what_needs_a_runtime_says_so(engine: FakeEngine) -> None:
    ref, handle = rustyray.put(1), idle()
    context.set_engine(None)
    calls: dict[str, Any] = {
        "get": lambda: rustyray.get(ref),
        "wait": lambda: rustyray.wait([ref]),
        "cancel": lambda: rustyray.cancel(ref),
        "kill": lambda: rustyray.kill(handle),
        "get_actor": lambda: rustyray.get_actor("n"),
        "exit_actor": rustyray.exit_actor,
        "nodes": rustyray.nodes,
        "cluster_resources": rustyray.cluster_resources,
        "available_resources": rustyray.available_resources,
    }
    for name, call in calls.items():
        with pytest.raises(RuntimeError, match=rf"{name}\(\) needs a running RustyRay: call rustyray\.init\(\) first"):
            call()
    assert not rustyray.is_initialized()
