"""``task_graphs``: tasks, actors and objects that depend on one another, and what each of them comes to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from hypothesis import strategies as st

import rustyray
from rustyray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)
from rustyray.testing.machines import jobs

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from rustyray.testing.strategies.faults import FaultPlan

#: Kinds of results.
INT: Final = "int"
#: No result: a number as such.
NUMBER: Final = "number"
BOX: Final = "box"
BLOB: Final = "blob"
ACTOR: Final = "actor"


class Operation(NamedTuple):
    """What a node may be: the kinds of its arguments, and of its results. ``more``: up to three of these."""

    takes: tuple[str, ...]
    gives: tuple[str, ...] = (INT,)
    more: bool = False


#: Functions of `rustyray.testing.machines.jobs`, ways to put, "actor", and methods of the actor.
OPERATIONS: Final = {
    "put": Operation((NUMBER,)),
    "pack": Operation((INT,), (BOX,)),
    "total": Operation((INT,), more=True),
    "fail": Operation((INT,)),
    "inside": Operation((INT,), more=True),
    "nest": Operation((INT,)),
    "half": Operation((INT,), (INT, INT)),
    "box": Operation((INT,), (BOX,)),
    "unbox": Operation((BOX,)),
    "blob": Operation((INT,), (BLOB,)),
    "measure": Operation((BLOB,)),
    "actor": Operation((), (ACTOR,)),
    "add": Operation((ACTOR, INT)),
    "spoil": Operation((ACTOR, INT)),
    "ask": Operation((ACTOR, INT)),
}
#: What makes the first of a kind.
MAKERS: Final = {BOX: "box", BLOB: "blob", ACTOR: "actor"}
DEPTH: Final = 2

#: A number, or the name of an earlier result.
Argument: TypeAlias = "int | str"


class Failed(NamedTuple):
    """A node that fails with `Boom`; it may be that of any of these numbers, if several of its arguments failed."""

    numbers: frozenset[int]


class Lost(NamedTuple):
    """A node that a fault has hit, by the name of its error."""

    error: str


#: What may take the place of a result when a worker or a node dies, or a connection breaks: see docs/faults.md.
LOSSES: Final = (WorkerCrashedError, RayActorError, ObjectLostError, NodeDiedError)


class Node(NamedTuple):
    """One step of a program: ``results = operation(*arguments)``."""

    results: tuple[str, ...]
    operation: str
    arguments: tuple[Argument, ...]

    def __str__(self) -> str:
        return f"{', '.join(self.results)} = {self.operation}({', '.join(map(str, self.arguments))})"

    @classmethod
    def parse(cls, text: str) -> Node:
        """Reads back what `str` gives. Raises ValueError for anything else."""
        read = _NODE.fullmatch(text)
        if read is None or read["operation"] not in OPERATIONS:
            raise ValueError(f"{text!r} is no node: those read 'n1 = total(2, n0)'")
        given = [one.strip() for one in read["arguments"].split(",")] if read["arguments"] else []
        arguments = tuple(int(one) if one.lstrip("-").isdigit() else one for one in given)
        return cls(tuple(read["results"].split(", ")), read["operation"], arguments)


_NODE: Final = re.compile(r"(?P<results>\w+(, \w+)*) = (?P<operation>\w+)\((?P<arguments>[^()]*)\)")


class Model:
    """What each result comes to when a program runs in order, in one place: a number, or `Failed`."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._counts: dict[str, int] = {}

    def do(self, node: Node) -> None:
        given = [self.values[one] if isinstance(one, str) else one for one in node.arguments]
        failed = [one.numbers for one in given if isinstance(one, Failed)]
        if failed:
            outcome: Any = Failed(frozenset().union(*failed))
        elif node.operation in ("add", "spoil", "ask"):
            actor = str(node.arguments[0])
            self._counts[actor] += given[1]
            count = self._counts[actor]
            outcome = Failed(frozenset([count])) if node.operation == "spoil" else count
        else:
            outcome = _plain(node.operation, given)
        if node.operation == "actor":
            self._counts[node.results[0]] = 0
        several = isinstance(outcome, tuple) and not isinstance(outcome, Failed)
        self.values.update(zip(node.results, outcome if several else [outcome] * len(node.results), strict=True))


def _plain(operation: str, given: Sequence[int]) -> Any:
    number = sum(given)
    if operation == "fail":
        return Failed(frozenset([number]))
    if operation == "nest":
        return number * 2**DEPTH
    if operation == "half":
        return number // 2, number - number // 2
    if operation == "measure":
        return jobs.LARGE + number % 256
    return number


class Run:
    """A program's refs and handles, by name."""

    def __init__(self, patience: float = 60.0) -> None:
        self.refs: dict[str, Any] = {}
        #: By actor: the calls that may not have ended. One whose argument failed ends before those before it.
        self._begun: dict[str, list[Any]] = {}
        self._patience = patience

    def do(self, node: Node) -> None:
        """Submit it."""
        given = [self.refs[one] if isinstance(one, str) else one for one in node.arguments]
        made = self._submit(node, given)
        self.refs.update(zip(node.results, made if isinstance(made, list) else [made], strict=True))

    def _submit(self, node: Node, given: list[Any]) -> Any:
        match node.operation:
            case "put":
                return rustyray.put(given[0])
            case "pack":
                return rustyray.put(_refs(given))
            case "inside":
                return jobs.inside.remote(_refs(given))
            case "nest":
                return jobs.nest.remote(DEPTH, *given)
            case "actor":
                return jobs.Counter.remote(0)
            case "add" | "spoil":
                actor, number = given
                ref = getattr(actor, node.operation).remote(number)
                self._begun.setdefault(str(node.arguments[0]), []).append(ref)
                return ref
            case "ask":
                # No order is promised between the calls of two processes: so one comes after the other.
                self._settle(str(node.arguments[0]))
                ref = jobs.ask.remote(*given)
                self._begun[str(node.arguments[0])] = [ref]
                self._settle(str(node.arguments[0]))
                return ref
            case operation:
                return getattr(jobs, operation).remote(*given)

    def _settle(self, actor: str) -> None:
        refs = self._begun.pop(actor, [])
        if refs:
            rustyray.wait(refs, num_returns=len(refs), timeout=self._patience)

    def outcome(self, name: str, kind: str = INT) -> Any:
        """What the result comes to: as `Model` has it, or `Lost`; raises what is neither."""
        ref = self.refs[name]
        try:
            if kind == BOX:
                return rustyray.get(rustyray.get(ref, timeout=self._patience)[0], timeout=self._patience)
            value = rustyray.get(ref, timeout=self._patience)
            return value[-1] if kind == BLOB else value
        except RayError as error:
            cause: BaseException = error
            while isinstance(cause, RayTaskError):  # one for each task that it has come through
                cause = cause.cause
            if isinstance(cause, jobs.Boom):
                return Failed(frozenset([cause.args[0]]))
            if isinstance(cause, LOSSES):
                return Lost(type(cause).__name__)
            raise


def _refs(given: list[Any]) -> list[Any]:
    return [rustyray.put(one) if isinstance(one, int) else one for one in given]


class Graph(tuple[Node, ...]):
    """A program: nodes, each of which depends on earlier ones. As a text it is one to read."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(map(str, self))

    def expected(self) -> Mapping[str, object]:
        """What each result comes to: a number, or `Failed`."""
        model = Model()
        for node in self:
            model.do(node)
        return model.values

    def check(self, *, faults: FaultPlan | None = None, timeout: float = 60.0) -> None:
        """Run the program in the runtime that is up, and compare each result with what it has to be.

        Args:
            faults: what goes wrong meanwhile; a result may then be an error that says so instead.
            timeout: the most seconds to wait for a result.

        Raises:
            AssertionError: A result is another one.
        """
        expected, run = self.expected(), Run(timeout)
        kinds: dict[str, str] = {}
        for number, node in enumerate(self):
            if faults is not None:
                faults.strike(number)
            run.do(node)
            kinds.update(zip(node.results, OPERATIONS[node.operation].gives, strict=True))
        for name, kind in kinds.items():
            if kind != ACTOR:
                got = run.outcome(name, kind)
                wrong = "" if faults and isinstance(got, Lost) else differs(got, expected[name], kind)
                assert not wrong, f"{name}: {wrong}, in the program\n{self}"


def differs(got: object, wanted: object, kind: str = INT) -> str:
    """How an outcome differs from the model's; empty where it does not."""
    if isinstance(wanted, Failed):
        right = isinstance(got, Failed) and got.numbers <= wanted.numbers
    else:
        right = got == (wanted % 256 if kind == BLOB and isinstance(wanted, int) else wanted)
    return "" if right else f"{got} should be {wanted}"


class Back(NamedTuple):
    """An argument that is the result before the last ``by`` of its kind, as far as there are so many."""

    by: int


class Names:
    """The results that there are, by kind; what is drawn becomes nodes here, so that it does not depend on them."""

    def __init__(self) -> None:
        self.of_kind: dict[str, list[str]] = {INT: [], NUMBER: []}
        self.count = 0

    def node(self, operation: str, choices: Sequence[int | Back]) -> Node:
        """The operation; or what it needs first, where there is nothing of that kind."""
        for kind in OPERATIONS[operation].takes:
            if not self.of_kind.get(kind) and kind in MAKERS:
                operation = MAKERS[kind]
        takes, gives, more = OPERATIONS[operation]
        kinds = takes * len(choices) if more else takes
        given = [self._argument(kind, choice) for kind, choice in zip(kinds, choices, strict=False)]
        results = tuple(f"n{self.count + place}" for place in range(len(gives)))
        return Node(results, operation, tuple(given))

    def _argument(self, kind: str, choice: int | Back) -> Argument:
        found = self.of_kind[kind]
        if kind == NUMBER or (kind == INT and not (isinstance(choice, Back) and found)):
            return choice.by if isinstance(choice, Back) else choice
        return found[-1 - min(choice.by if isinstance(choice, Back) else choice, len(found) - 1)]

    def add(self, node: Node) -> None:
        self.count += len(node.results)
        for kind, name in zip(OPERATIONS[node.operation].gives, node.results, strict=True):
            self.of_kind.setdefault(kind, []).append(name)

    def kind(self, name: str) -> str:
        return next(kind for kind, names in self.of_kind.items() if name in names)

    def remove(self, name: str) -> None:
        self.of_kind[self.kind(name)].remove(name)


def choices(operation: str, numbers: SearchStrategy[int]) -> SearchStrategy[list[int | Back]]:
    """What becomes the arguments of an operation."""
    takes, _, more = OPERATIONS[operation]
    one = st.one_of(numbers, st.integers(0, 3).map(Back))
    return st.lists(one, min_size=len(takes), max_size=3 if more else len(takes))


def task_graphs(
    *, max_nodes: int = 10, operations: Sequence[str] = tuple(OPERATIONS), numbers: SearchStrategy[int] | None = None
) -> SearchStrategy[Graph]:
    """Programs of tasks, actors and objects that depend on one another: nested ones and failing ones among them.

    They shrink to few nodes, plain functions and small numbers. ``graph.check()`` runs one in the runtime that is up.

    Args:
        max_nodes: the most nodes.
        operations: what nodes may be: "put", and "pack" (refs in a list); the tasks "total", "fail", "inside" (of refs
            in a list), "nest" (tasks that submit tasks), "half" (two results), "box" and "unbox" (refs in results),
            "blob" and "measure" (values in the object store); "actor", its methods "add" and "spoil" (adds, and raises
            then), and "ask" (a task that calls it).
        numbers: the numbers in it.

    Raises:
        ValueError: There is no such operation.
    """
    for one in operations:
        if one not in OPERATIONS:
            raise ValueError(f"there is no operation {one!r}. There are {', '.join(OPERATIONS)}.")
    chosen = numbers if numbers is not None else st.integers(0, 9)

    def operation_with_choices(operation: str) -> SearchStrategy[tuple[str, list[int | Back]]]:
        return choices(operation, chosen).map(lambda given: (operation, given))

    each = st.sampled_from(operations).flatmap(operation_with_choices)
    return st.lists(each, min_size=1, max_size=max_nodes).map(_graph)


def _graph(drawn: list[tuple[str, list[int | Back]]]) -> Graph:
    names, found = Names(), []
    for operation, given in drawn:
        node = names.node(operation, given)
        names.add(node)
        found.append(node)
    return Graph(found)
