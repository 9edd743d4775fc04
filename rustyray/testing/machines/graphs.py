"""``GraphMachine``: random programs of tasks, actors and objects, beside a model that runs them in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

import rustyray
from rustyray.testing.machines.machine import step
from rustyray.testing.machines.running import RunningMachine
from rustyray.testing.strategies.graphs import ACTOR, OPERATIONS, Model, Names, Node, Run, choices, differs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hypothesis.strategies import SearchStrategy


def some(names: Sequence[str]) -> SearchStrategy[list[str]]:
    """One to three of the names."""
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


class GraphMachine(RunningMachine):
    """A job of tasks, actors and objects that depend on one another, with nested and failing calls among them.

    Its results are compared with those of a model that does everything in order, in one place.

    ``operations`` are those that a job consists of: see `task_graphs`.
    """

    operations: Sequence[str] = tuple(OPERATIONS)

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.run = Run(self.patience)
        #: The results that the program has still.
        self.names = Names()

    def has_results(self) -> bool:
        return bool(self.results())

    def results(self) -> list[str]:
        """What can be got."""
        return sorted(name for kind, names in self.names.of_kind.items() if kind != ACTOR for name in names)

    def numbers(self) -> SearchStrategy[int]:
        return st.integers(0, 9)

    def nodes(self) -> SearchStrategy[str]:
        """What may be submitted next."""
        numbers = self.numbers()

        def made(operation: str) -> SearchStrategy[str]:
            return choices(operation, numbers).map(lambda given: str(self.names.node(operation, given)))

        return st.sampled_from(self.operations).flatmap(made)

    @rule(node=st.runner().flatmap(lambda machine: machine.nodes()))
    @step
    def submit(self, node: str) -> None:
        one = Node.parse(node)
        self.run.do(one)
        self.model.do(one)
        self.names.add(one)

    @precondition(has_results)
    @rule(name=st.runner().flatmap(lambda machine: st.sampled_from(machine.results())))
    @step
    def get(self, name: str) -> None:
        """The result is the model's."""
        self.look(name)

    @precondition(has_results)
    @rule(names=st.runner().flatmap(lambda machine: some(machine.results())))
    @step
    def wait(self, names: list[str]) -> None:
        """All of them come about."""
        refs = [self.run.refs[name] for name in names]
        ready, _ = rustyray.wait(refs, num_returns=len(refs), timeout=self.patience)
        assert len(ready) == len(refs), f"not ready after {self.patience:g} s: {sorted({*refs} - {*ready})}"

    @precondition(has_results)
    @rule(name=st.runner().flatmap(lambda machine: st.sampled_from(machine.results())))
    @step
    def drop(self, name: str) -> None:
        """The program forgets a result; what needs it still has it."""
        del self.run.refs[name]
        self.names.remove(name)

    def finish(self) -> None:
        for name in self.results():
            self.look(name)

    def look(self, name: str) -> None:
        kind = self.names.kind(name)
        wrong = self.judge(name, self.run.outcome(name, kind), kind)
        assert not wrong, f"{name}: {wrong}"

    def judge(self, name: str, got: object, kind: str) -> str:
        """How a result differs from what it may be; empty where it does not."""
        return differs(got, self.model.values[name], kind)

    def clean_up(self) -> None:
        self.run.refs.clear()
        super().clean_up()
