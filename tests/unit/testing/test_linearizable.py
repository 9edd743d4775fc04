"""The checker on histories made by hand: what it says, what it refuses to judge, and how long it takes."""

from __future__ import annotations

import pickle
import threading
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import pytest

import rustyray
from rustyray.testing import History, NotLinearizableError, Operation, Returned, UndecidedError, linearizable
from rustyray.testing.histories.models import frozen
from tests.unit.testing.histories import Counter, Queue, Register, Store, overlapping, spoiled


def stale_read() -> History:
    """b reads the old value after a has seen the new one."""
    history = History()
    write = history.call("a", "write", 1)
    slow = history.call("c", "write", 2)
    history.returned(write)
    for client, value in [("a", 1), ("b", 0)]:
        history.returned(history.call(client, "read"), value)
    history.lost(slow, "ActorDiedError")
    return history


def test_shows_where_a_history_stops_making_sense() -> None:
    with pytest.raises(NotLinearizableError) as caught:
        linearizable(Register).check(stale_read())
    assert str(caught.value).splitlines() == [
        "Not linearizable: no order of the operations explains what b saw of read().",
        "  seen:  0",
        "  legal: 1 or 2",
        "",
        "The 4 operations up to its return, each from its call to its return:",
        "  a  write(1) → None                ├───┤",
        "  c  write(2) → ? (ActorDiedError)    ├───────────…",
        "  a  read() → 1                           ├─┤",
        "  b  read() → 0                               ├─┤  ← not explained",
        "",
        "After a: write(1), a: read(): 1 would be legal.",
        "After a: write(1), a: read(), c: write(2): 2 would be legal.",
    ]
    assert caught.value.operation.client == "b"
    assert caught.value.legal == (Returned(1), Returned(2))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.prefix) == (str(caught.value), caught.value.prefix)


def test_leaves_out_old_operations_and_names_the_key() -> None:
    history = History()
    for number in range(30):
        history.returned(history.call("a", "put", "x", number))
        history.returned(history.call("a", "put", "y", number))
    history.returned(history.call("b", "get", "x"), 3)
    with pytest.raises(NotLinearizableError) as caught:
        linearizable(Store, partition=lambda operation: operation.args[0]).check(history)
    told = str(caught.value)
    assert "no order of the operations on 'x' explains what b saw of get('x')" in told
    assert "(11 before these are left out)" in told
    assert "legal: 29\n" in told


def step(state: int, name: str, args: tuple[int, ...]) -> tuple[int, int | None]:
    if name == "take":
        (amount,) = args
        if amount > state:
            raise ValueError("too little")
        return state - amount, None
    return state, state


def test_takes_a_pure_function_as_the_model() -> None:
    history = History()
    take, other = history.call("a", "take", 3), history.call("b", "take", 3)
    history.raised(take, ValueError("only 2 are left"))  # another text is the same error
    history.returned(other)
    history.returned(history.call("a", "balance"), 2)
    linearizable(step, initial=5).check(history)
    assert not linearizable(step, initial=6).accepts(history)


def test_takes_an_object_as_the_model_and_leaves_it_alone() -> None:
    full = Queue()
    full.put(7)
    history = History()
    history.returned(history.call("a", "take"), 7)
    history.returned(history.call("a", "take"), None)
    for _ in range(2):
        linearizable(full).check(history)
    assert not linearizable(Queue).accepts(history)
    assert full.items == [7]


def test_a_call_that_never_returned_may_have_taken_effect_or_not() -> None:
    for seen in (0, 1):
        history = History()
        history.call("a", "write", 1)
        history.returned(history.call("b", "read"), seen)
        linearizable(Register).check(history)
    history.returned(history.call("b", "read"), 0)
    assert not linearizable(Register).accepts(history)


def test_compares_results_without_an_equality_of_their_own() -> None:
    class Box:
        def get(self) -> Odd:
            return Odd(1)

    history = History()
    history.returned(history.call("a", "get"), Odd(1))
    linearizable(Box).check(history)
    history.returned(history.call("a", "get"), Odd(2))
    assert not linearizable(Box).accepts(history)


class Odd:
    def __init__(self, value: int) -> None:
        self.value = value


@pytest.mark.parametrize(
    ("name", "args", "said"),
    [
        ("pop", (), r"no operation Queue\.pop, which a called; it has: put, take"),
        ("__init__", (), r"no operation Queue\.__init__"),
        ("put", (), r"model's Queue\.put does not take put\(\): missing a required argument: 'item'"),
    ],
)
def test_says_what_the_model_lacks(name: str, args: tuple[object, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        linearizable(Queue).check([Operation("a", name, args)])


def test_says_what_is_no_model() -> None:
    with pytest.raises(TypeError, match=r"linearizable\(step, initial=…\)"):
        linearizable(step)
    with pytest.raises(TypeError, match=r"takes a function as the model, got 5"):
        linearizable(5, initial=0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"must be a plain one, such as its `\.cls`"):
        linearizable(rustyray.remote(Queue))
    with pytest.raises(ValueError, match="1 or more"):
        linearizable(Queue, limit=0)


class Asynchronous:
    async def get(self) -> int:
        return 1


class Locked:
    def __init__(self) -> None:
        self.lock = threading.Lock()

    def get(self) -> int:
        return 1


def test_says_what_is_wrong_with_a_model() -> None:
    get = [Operation("a", "get", invoked=0, returned=1, outcome=Returned(1))]
    with pytest.raises(ValueError, match="async: a model is sequential"):
        linearizable(Asynchronous).check(get)
    with pytest.raises(TypeError, match=r"neither compared by its parts nor pickled .* Give key="):
        linearizable(Locked).check(get)
    with pytest.raises(TypeError, match="state cannot be copied"):
        linearizable(Locked, key=lambda state: 0).check(get)
    with pytest.raises(TypeError, match=r"states must be hashable, got \[\]"):
        linearizable(lambda state, name, args: (state, 1), initial=[]).check(get)
    linearizable(lambda state, name, args: (state, 1), initial=[], key=tuple).check(get)
    with pytest.raises(TypeError, match=r"key\(state\) must return something hashable, got \[\]"):
        linearizable(lambda state, name, args: (state, 1), initial=[], key=lambda state: state).check(get)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match=r"must return \(state, result\), got 3"):
        linearizable(lambda state, name, args: 3, initial=0).check(get)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="positional arguments only"):
        linearizable(step, initial=0).check([replace(get[0], kwargs={"x": 1})])


def test_says_what_is_wrong_with_operations() -> None:
    with pytest.raises(ValueError, match="returned before it was called"):
        linearizable(Queue).check([Operation("a", "take", invoked=3, returned=2, outcome=Returned(1))])
    with pytest.raises(ValueError, match="both `returned` and `outcome`, or neither"):
        linearizable(Queue).check([Operation("a", "take", invoked=3, returned=4)])
    with pytest.raises(TypeError, match=r"record them with History\(\)"):
        linearizable(Queue).check([3])  # type: ignore[list-item]


def test_gives_up_rather_than_run_for_ever() -> None:
    with pytest.raises(UndecidedError, match=r"Gave up after 3 places .* partition=lambda"):
        linearizable(Register, limit=3).check(overlapping(Register, Random(1), 30, 3))


@dataclass
class Point:
    x: object
    y: object


def test_equal_states_are_alike_however_they_came_about() -> None:
    assert frozen({"a": 1, "b": [2]}) == frozen({"b": [2], "a": 1})
    assert frozen(defaultdict(int, a=1, b=2)) == frozen(defaultdict(int, b=2, a=1))
    assert frozen({3, 1, 2}) == frozen({1, 2, 3})
    assert frozen(Point("ab", [1])) == frozen(Point("".join("ab"), [1]))
    assert frozen(OrderedDict(a=1, b=2)) != frozen(OrderedDict(b=2, a=1))
    for other in (Point([1], 2), Point(1, [2]), (1, [2]), [1, [2]], Queue()):
        assert frozen(other) != frozen(Point(1, 2))
    shared: list[int] = []
    assert frozen(Point(shared, shared)) != frozen(Point([], [])), "a change to one is a change to the other"
    shared.append(shared)  # type: ignore[arg-type] # contains itself
    assert frozen(shared) == frozen(shared)


@pytest.mark.parametrize("model", [Register, Counter, Store])
def test_two_hundred_operations_take_little_time(model: type) -> None:
    operations = overlapping(model, Random(5), 200, 10)
    last = max(range(200), key=lambda index: operations[index].returned or 0)
    wrong = spoiled(operations, last, Returned("something else"))
    partition = {"partition": lambda operation: operation.args[0]} if model is Store else {}
    check = partial(linearizable, model, **partition)
    start = time.process_time()
    check().check(operations)
    with pytest.raises(NotLinearizableError) as caught:
        check().check(wrong)
    assert caught.value.operation == wrong[last]
    assert time.process_time() - start < 10, "half a second is usual"
