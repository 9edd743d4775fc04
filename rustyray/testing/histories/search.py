"""The search for a legal order of a concurrent history.

It follows Lowe's just-in-time linearization (Testing for linearizability, 2016): go through the returns in order; only
when an operation that has not been given its place returns, choose which of the running operations took effect before
it, and in which order. What is left to know at such a point is which running operations have had their place, as a bit
mask, and the state; a place that was reached before is not entered again. So a history that fits is mostly walked
straight through, one that does not costs no more than the number of such places, and the last return that any order
reaches ends the smallest prefix that nothing explains.

What keeps the number of places down: steps of the model are remembered by number, operations that cannot be told apart
take effect in the order in which they returned, one that never returned takes effect only where it changes something,
and one that makes no difference to the one that returns is not put before it.
"""

from __future__ import annotations

import pickle
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

from rustyray.testing.histories.models import Model, frozen
from rustyray.testing.histories.operations import Operation, Outcome, Raised, Returned

#: In place of the number of a state: this step would not end as it was seen to.
_OTHERWISE = -1
#: To ask the model takes about as long as so many places.
_STEP = 10
#: Bits for the number of how the free operation ended; there are no more places, and so no more numbers, than that.
_FREE = 24


class Steps:
    """The steps of a model by number: states and operations that are equal have the same."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.states: list[object] = []
        #: So many steps had to be asked of the model.
        self.worked_out = 0
        self._numbers: dict[Hashable, int] = {}
        self._kinds: dict[Hashable, int] = {}
        self._done: dict[tuple[int, int], tuple[int, Outcome]] = {}
        self.start = self._number(model.start())

    def _number(self, state: object) -> int:
        number = self._numbers.setdefault(self._model.key(state), len(self.states))
        if number == len(self.states):
            self.states.append(state)
        return number

    def kind(self, operation: Operation) -> int:
        """The same number for operations that do the same."""
        self._model.check(operation)
        called = (operation.name, frozen(operation.args), frozen(dict(operation.kwargs)))
        return self._kinds.setdefault(called, len(self._kinds))

    def step(self, state: int, kind: int, operation: Operation) -> tuple[int, Outcome]:
        """The number of the state after an operation of that kind, and how it ends."""
        found = self._done.get((state, kind))
        if found is None:
            self.worked_out += 1
            after, outcome = self._model.step(self.states[state], operation)
            found = self._done[state, kind] = self._number(after), outcome
        return found


def same(one: Outcome, other: Outcome) -> bool:
    """Whether a client could not tell them apart: equal values, or exceptions of the same class."""
    if isinstance(one, Raised) and isinstance(other, Raised):
        return type(one.error) is type(other.error)
    if isinstance(one, Returned) and isinstance(other, Returned):
        return _equal(one.value, other.value)
    return False


def _equal(one: object, other: object) -> bool:
    if one is other:
        return True
    try:
        if one == other:
            return True
    except Exception:  # noqa: BLE001, S110 - arrays, for instance, have no single answer: see their contents
        pass
    if type(one) is not type(other):
        return False
    try:
        return pickle.dumps(one) == pickle.dumps(other)  # of a class without __eq__, or not a number
    except Exception:  # noqa: BLE001 - then there is nothing that says they are equal
        return False


@dataclass(frozen=True, slots=True)
class Found:
    """A legal order: operations by their place in the history, without those that did not take effect."""

    order: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class NotFound:
    """No order explains the history up to the return of the operation ``stuck``, given how those end that still run."""

    stuck: int


class GaveUp(Exception):
    """There are too many places."""


#: The operations that have taken effect, last one first.
_Path = tuple[int, "_Path"] | None


@dataclass(frozen=True, slots=True)
class _Return:
    """An operation that returns, and its bit in masks; and what else is running then.

    ``running`` has (operation, its bit, the bits of those that take effect before it).
    """

    index: int
    bit: int
    running: list[tuple[int, int, int]]


class Search:
    """The search in one history. ``limit``: so many places are tried at most.

    One operation may have returned without an outcome: then it may end in any way.
    """

    def __init__(self, steps: Steps, operations: Sequence[Operation], limit: int) -> None:
        self._steps = steps
        self._operations = operations
        self._kinds = [steps.kind(operation) for operation in operations]
        self._limit = limit
        self._free = next(
            (i for i, one in enumerate(operations) if one.outcome is None and one.returned is not None), -1
        )
        self._returns = list(self._lay_out())
        #: How many bits masks have.
        self._width = max((bit for one in self._returns for _, bit, _ in (*one.running, (0, one.bit, 0))), default=1)
        self._width = self._width.bit_length()
        self._furthest = 0
        self._ends_of_free: list[Outcome] = []
        #: By state: the state after each operation, or _OTHERWISE.
        self._after: list[dict[int, int]] = []

    def _lay_out(self) -> Iterator[_Return]:
        twins = self._twins()
        bits: dict[int, int] = {}
        free: list[int] = []
        for _, ends, index in _events(self._operations):
            if not ends:
                bits[index] = free.pop() if free else 1 << len(bits)
                continue
            first: dict[int, int] = {}
            running = []
            for one in sorted(bits, key=lambda one: _end(self._operations[one])):
                if one != index:
                    running.append((one, bits[one], first.get(twins[one], 0)))
                first[twins[one]] = first.get(twins[one], 0) | bits[one]
            running.reverse()  # what is pushed last is tried first
            yield _Return(index, bits[index], running)
            free.append(bits.pop(index))

    def _twins(self) -> list[int]:
        """The same number for operations that do the same and ended the same way."""
        groups: dict[int, list[tuple[Outcome | None, int]]] = {}
        twins = []
        for index, (kind, operation) in enumerate(zip(self._kinds, self._operations, strict=True)):
            known = groups.setdefault(kind, [])
            mine = operation.outcome
            if index == self._free:
                twins.append(index)
                continue
            for outcome, twin in known:
                if outcome is mine or (outcome is not None and mine is not None and same(outcome, mine)):
                    twins.append(twin)
                    break
            else:
                known.append((mine, index))
                twins.append(index)
        return twins

    def run(self) -> Found | NotFound:
        """Raises GaveUp if there is too much to try."""
        for order, _ in self._orders():
            return Found(order)
        return NotFound(self._returns[self._furthest].index)

    def _orders(self) -> Iterator[tuple[tuple[int, ...], int]]:
        """Legal orders, with the number of how the free operation ends: one for each state and number in the end."""
        returns, left = self._returns, self._limit + _STEP * self._steps.worked_out
        #: Places by the return that the search stands before; and those from where that operation has taken effect.
        entered: list[set[int]] = [set() for _ in returns]
        ended: list[set[int]] = [set() for _ in returns]
        # With each place: whether the next operation to return may take effect there.
        stack: list[tuple[int, int, int, int, bool, _Path]] = [(0, 0, self._steps.start, 0, True, None)]
        while stack:
            at, mask, state, free, may_end, path = stack.pop()
            while at < len(returns) and mask & returns[at].bit:
                mask ^= returns[at].bit
                at, may_end = at + 1, True
            if at == len(returns):
                yield _unrolled(path), free
                continue
            self._furthest = max(self._furthest, at)
            ending, place = returns[at], (state << _FREE | free) << self._width | mask
            end = self._step(state, ending.index)
            if place not in entered[at]:
                entered[at].add(place)
                left -= 1
                if left < _STEP * self._steps.worked_out:
                    raise GaveUp
                for index, bit, first in ending.running:
                    if mask & bit or mask & first != first:
                        continue
                    after = self._step(state, index)
                    if after < 0 or (after == state and self._operations[index].returned is None):
                        continue
                    ends = self._end_of_free(state) if index == self._free else free
                    if ((after << _FREE | ends) << self._width | mask | bit) not in ended[at]:
                        differs = self._differs(after, ending.index, end, index)
                        stack.append((at, mask | bit, after, ends, differs, (index, path)))
            if may_end and end >= 0 and place not in ended[at]:
                ended[at].add(place)
                ends = self._end_of_free(state) if ending.index == self._free else free
                stack.append((at, mask | ending.bit, end, ends, True, (ending.index, path)))

    def _differs(self, after: int, ending: int, end: int, index: int) -> bool:
        """Whether to do ``index`` before ``ending`` (``after`` is in between) is not as good as to do it later."""
        if end < 0 or self._free in (ending, index):
            return True
        return not self._step(after, ending) == self._step(end, index) >= 0

    def outcomes(self) -> tuple[list[tuple[Outcome, tuple[int, ...]]], bool]:
        """How the free operation may end, each with an order; and whether these are all the ways."""
        found: dict[int, tuple[int, ...]] = {}
        try:
            for order, ends in self._orders():
                found.setdefault(ends, order[: order.index(self._free)])
            complete = True
        except GaveUp:
            complete = False
        return [(self._ends_of_free[ends - 1], order) for ends, order in found.items()], complete

    def _end_of_free(self, state: int) -> int:
        """The number, from 1, of how the free operation ends in a state."""
        _, outcome = self._steps.step(state, self._kinds[self._free], self._operations[self._free])
        for number, other in enumerate(self._ends_of_free, 1):
            if same(outcome, other):
                return number
        self._ends_of_free.append(outcome)
        return len(self._ends_of_free)

    def _step(self, state: int, index: int) -> int:
        while state >= len(self._after):
            self._after.append({})
        after = self._after[state].get(index)
        if after is None:
            after, outcome = self._steps.step(state, self._kinds[index], self._operations[index])
            seen = self._operations[index].outcome
            if seen is not None and not same(seen, outcome):
                after = _OTHERWISE
            self._after[state][index] = after
        return after


def _end(operation: Operation) -> tuple[bool, int]:
    return (operation.returned is None, operation.returned or 0)


def _events(operations: Sequence[Operation]) -> list[tuple[int, bool, int]]:
    calls = [(operation.invoked, False, index) for index, operation in enumerate(operations)]
    ends = [(operation.returned, True, i) for i, operation in enumerate(operations) if operation.returned is not None]
    return sorted(calls + ends)


def _unrolled(path: _Path) -> tuple[int, ...]:
    order = []
    while path is not None:
        index, path = path
        order.append(index)
    return tuple(reversed(order))
