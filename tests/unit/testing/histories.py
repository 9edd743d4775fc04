"""Random histories, models to check them against, and a checker that tries every order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from rustyray.testing.histories.models import ClassModel
from rustyray.testing.histories.operations import Operation, Outcome, Raised, Returned
from rustyray.testing.histories.search import same


class Register:
    def __init__(self) -> None:
        self.value = 0

    def read(self) -> int:
        return self.value

    def write(self, value: int) -> None:
        self.value = value

    def cas(self, old: int, new: int) -> bool:
        if self.value != old:
            return False
        self.value = new
        return True


class Counter:
    def __init__(self) -> None:
        self.value = 0

    def add(self, amount: int) -> None:
        self.value += amount

    def take(self, amount: int) -> int:
        if self.value < amount:
            raise ValueError(f"{self.value} is too little")
        self.value -= amount
        return self.value


class Queue:
    def __init__(self) -> None:
        self.items: list[int] = []

    def put(self, item: int) -> None:
        self.items.append(item)

    def take(self) -> int | None:
        return self.items.pop(0) if self.items else None


class Store:
    def __init__(self) -> None:
        self.values: dict[str, int] = {}

    def put(self, key: str, value: int) -> None:
        self.values[key] = value

    def get(self, key: str) -> int | None:
        return self.values.get(key)


def a_call(model: type, random: Random) -> tuple[str, tuple[object, ...]]:
    """An operation on the model, at random."""
    small = random.randrange(3)
    name = random.choice([name for name in vars(model) if not name.startswith("_")])
    if model is Store:
        key = random.choice("xy")
        return (name, (key, small)) if name == "put" else (name, (key,))
    if name in ("read", "get") or (model is Queue and name == "take"):
        return name, ()
    return name, (small, random.randrange(3)) if name == "cas" else (small,)


def overlapping(
    model: type,
    random: Random,
    size: int,
    clients: int,
    call: Callable[[type, Random], tuple[str, tuple[object, ...]]] = a_call,
    crashes: float = 0.0,
) -> list[Operation]:
    """What clients saw of one object, each of whose operations took effect at some moment between call and return.

    ``crashes`` is how likely a call is never to return, with its effect or without.
    """
    steps = ClassModel(model, None)
    state = steps.start()
    made: list[Operation] = []
    running: dict[str, tuple[int, Outcome | None]] = {}
    place = 0
    while len(made) < size or running:
        client = random.choice([f"c{number}" for number in range(clients)])
        if client not in running:
            if len(made) < size:
                name, args = call(model, random)
                running[client] = len(made), None
                made.append(Operation(client, name, args, invoked=place))
                place += 1
            continue
        index, outcome = running[client]
        if random.random() < crashes:
            del running[client]
        elif outcome is None:
            state, outcome = steps.step(state, made[index])
            running[client] = index, outcome
        else:
            made[index] = replace(made[index], returned=place, outcome=outcome)
            place += 1
            del running[client]
    return made


def spoiled(operations: Sequence[Operation], index: int, outcome: Outcome) -> list[Operation]:
    """The same, but one of them ended otherwise."""
    changed = list(operations)
    changed[index] = replace(changed[index], outcome=outcome)
    return changed


def up_to(operations: Sequence[Operation], end: int) -> list[Operation]:
    """The history as it was known after that event."""
    return [
        replace(one, returned=None, outcome=None) if one.returned is not None and one.returned > end else one
        for one in operations
        if one.invoked <= end
    ]


def some_order_is_legal(model: type, operations: Sequence[Operation]) -> bool:
    """Every order is tried, of all that returned and any of the others."""
    steps = ClassModel(model, None)

    def try_orders(state: object, left: Sequence[Operation]) -> bool:
        ends = [one.returned for one in left if one.returned is not None]
        for operation in left:
            if min(ends, default=operation.invoked) < operation.invoked:
                continue  # another returned before this was called
            after, outcome = steps.step(state, operation)
            fits = operation.outcome is None or same(operation.outcome, outcome)
            if fits and try_orders(after, [one for one in left if one is not operation]):
                return True
        return not ends

    return try_orders(steps.start(), operations)


#: Wrong and right ends, to spoil a history with.
ENDS: Sequence[Outcome] = (Returned(None), Returned(0), Returned(1), Returned(2), Returned(True), Raised(ValueError()))
