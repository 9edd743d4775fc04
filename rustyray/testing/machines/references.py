"""``ReferenceMachine``: objects are alive exactly while somebody can reach them."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

import rustyray
from rustyray.testing.machines import boxes
from rustyray.testing.machines.machine import step
from rustyray.testing.machines.running import RunningMachine

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Seconds after which a borrower looks at what it was lent.
LATER = 0.02


class Box(NamedTuple):
    """An object: whether it lies in the store, and the objects that it holds refs to."""

    large: bool
    inside: tuple[int, ...]


def _variables() -> SearchStrategy[str]:
    return st.runner().flatmap(lambda machine: st.sampled_from([*machine.variables]))


def _some_variables() -> SearchStrategy[list[str]]:
    """Up to two."""
    return st.runner().flatmap(lambda machine: _some([*machine.variables]))


def _some(names: list[str]) -> SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), max_size=2) if names else st.just([])


def _holders() -> SearchStrategy[str]:
    return st.runner().flatmap(lambda machine: st.sampled_from([*machine.holders]))


def _new() -> SearchStrategy[str]:
    return st.runner().map(lambda machine: f"v{machine.count}")


class ReferenceMachine(RunningMachine):
    """Objects that hold refs to others, refs in the state of actors, in results, on loan to tasks, and in cycles.

    After each step exactly those objects are there which the program can reach, as far as the runtime counts them
    (`rustyray.stats`), and in the end each has its value.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.boxes: list[Box] = []
        #: What the program has: refs, and the numbers of their objects.
        self.variables: dict[str, tuple[Any, int]] = {}
        #: Actors, and the numbers of the objects that they hold.
        self.holders: dict[str, tuple[Any, list[int]]] = {}
        #: Results of tasks that borrow, and what they come to.
        self.loans: list[tuple[Any, int]] = []

    def has_variables(self) -> bool:
        return bool(self.variables)

    def has_holders(self) -> bool:
        return bool(self.holders)

    def _add(self, into: str, ref: Any, large: bool, inside: Iterable[int]) -> None:
        self.boxes.append(Box(large, tuple(inside)))
        self._name(into, ref, len(self.boxes) - 1)

    def _name(self, into: str, ref: Any, number: int) -> None:
        self.variables[into] = ref, number
        self.count += 1

    def _refs(self, names: Sequence[str]) -> list[Any]:
        return [self.variables[name][0] for name in names]

    def _numbers(self, names: Sequence[str]) -> list[int]:
        return [self.variables[name][1] for name in names]

    # --- objects ------------------------------------------------------------------------------------------------------

    @rule(into=_new(), large=st.booleans(), inside=_some_variables())
    @step
    def put(self, into: str, large: bool, inside: list[str]) -> None:
        ref = rustyray.put(boxes.content(large, self._refs(inside)))
        self._add(into, ref, large, self._numbers(inside))

    @rule(into=_new(), large=st.booleans(), inside=_some_variables())
    @step
    def make(self, into: str, large: bool, inside: list[str]) -> None:
        """The same as a task's result."""
        ref = boxes.make.remote(large, self._refs(inside))
        self._add(into, ref, large, self._numbers(inside))

    @rule(into=_new(), large=st.booleans())
    @step
    def inner(self, into: str, large: bool) -> None:
        """A result that holds an object of its worker's own."""
        self.boxes.append(Box(large, ()))
        self._add(into, boxes.inner.remote(large), False, [len(self.boxes) - 1])

    @precondition(has_variables)
    @rule(into=_new(), name=_variables(), at=st.integers(0, 1))
    @step
    def open(self, into: str, name: str, at: int) -> None:
        """Take a ref out of an object."""
        ref, number = self.variables[name]
        inside = self.boxes[number].inside
        if at < len(inside):
            self._name(into, rustyray.get(ref, timeout=self.patience)[1][at], inside[at])

    @precondition(has_variables)
    @rule(name=_variables())
    @step
    def drop(self, name: str) -> None:
        del self.variables[name]

    @precondition(has_variables)
    @rule(name=_variables())
    @step
    def drop_in_cycle(self, name: str) -> None:
        """What only a cycle of garbage holds is not held."""
        cycle: list[Any] = [self.variables.pop(name)]
        cycle.append(cycle)

    @precondition(has_variables)
    @rule(name=_variables(), seconds=st.sampled_from([0.0, LATER]))
    @step
    def lend(self, name: str, seconds: float) -> None:
        """A task looks at it, maybe when the program has dropped it."""
        ref, number = self.variables[name]
        size = len(boxes.content(self.boxes[number].large, [])[0])
        self.loans.append((boxes.borrow.remote([ref], seconds), size))

    # --- actors -------------------------------------------------------------------------------------------------------

    @rule(into=_new())
    @step
    def holder(self, into: str) -> None:
        self.holders[into] = boxes.Holder.remote(), []
        self.count += 1

    @precondition(lambda self: self.has_variables() and self.has_holders())
    @rule(holder=_holders(), name=_variables())
    @step
    def hold(self, holder: str, name: str) -> None:
        """It has a ref in its state."""
        actor, held = self.holders[holder]
        ref, number = self.variables[name]
        actor.hold.remote([ref])
        held.append(number)

    @precondition(has_holders)
    @rule(holder=_holders())
    @step
    def release(self, holder: str) -> None:
        """It forgets what it has had for longest."""
        actor, held = self.holders[holder]
        if held:
            actor.release.remote(0)
            del held[0]

    @precondition(has_holders)
    @rule(into=_new(), holder=_holders())
    @step
    def show(self, into: str, holder: str) -> None:
        """It gives the program a ref that it has."""
        actor, held = self.holders[holder]
        if held:
            (ref,) = rustyray.get(actor.show.remote(0), timeout=self.patience)
            self._name(into, ref, held[0])

    @precondition(has_holders)
    @rule(holder=_holders(), kill=st.booleans())
    @step
    def end(self, holder: str, kill: bool) -> None:
        """The actor ends, and lets go of what it has."""
        actor, _ = self.holders.pop(holder)
        if kill:
            rustyray.kill(actor)

    # --- what has to be so --------------------------------------------------------------------------------------------

    def reachable(self) -> set[int]:
        """The numbers of the objects that the program can reach."""
        found: set[int] = set()
        left = [number for _, number in self.variables.values()]
        left += [number for _, held in self.holders.values() for number in held]
        while left:
            number = left.pop()
            if number not in found:
                found.add(number)
                left += self.boxes[number].inside
        return found

    def holds(self) -> None:
        if not rustyray.is_initialized():
            return
        alive = self.reachable()
        wanted = len(alive) + len(self.holders) + len(self.loans), sum(self.boxes[number].large for number in alive)
        seen: list[tuple[int, int]] = []
        gc.collect(0)

        def settled() -> bool:
            stats = rustyray.stats()
            seen[:] = [(stats.objects.owned, stats.store.objects)]
            return seen == [wanted]

        assert self.until(settled), (
            f"there are {seen[0][0]} objects and actors, {seen[0][1]} of them in the store; "
            f"there should be {wanted[0]}, and {wanted[1]}"
        )

    def finish(self) -> None:
        for name, (ref, number) in self.variables.items():
            part, refs = rustyray.get(ref, timeout=self.patience)
            box = self.boxes[number]
            assert (len(part), len(refs)) == (len(boxes.content(box.large, [])[0]), len(box.inside)), name
        for ref, size in self.loans:
            assert rustyray.get(ref, timeout=self.patience) == size, "a borrower saw something else"

    def clean_up(self) -> None:
        self.variables.clear()
        self.holders.clear()
        self.loans.clear()
        super().clean_up()
