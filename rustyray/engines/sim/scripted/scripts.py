"""Scripted programs: lists of steps that stand for the user's code, run on top of the cores as an engine runs code.

Variables hold values and refs. An expression is a number, the name of a variable, or a list of expressions; arguments
that are refs by themselves are resolved by the owner, those inside lists travel as refs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from rustyray.model.messages import Packing
from rustyray.model.plans import ActorPlan, MethodPlan, RetryPolicy, TaskPlan
from rustyray.model.resources import CPU, UNIT, ResourceSet

Expr: TypeAlias = "int | str | list[Expr]"


@dataclass(frozen=True)
class Work:
    """Compute for ``seconds``."""

    seconds: float


@dataclass(frozen=True)
class Submit:
    """``group`` names the placement group that it is to run in, in ``bundle`` (-1: any)."""

    into: str
    script: Script
    args: list[Expr] = field(default_factory=list)
    group: str = ""
    bundle: int = -1


@dataclass(frozen=True)
class Get:
    """``into`` is the list of the values of the refs ``names``; with ``catch`` an error's name takes its place."""

    into: str
    names: list[str]
    catch: bool = False


@dataclass(frozen=True)
class Wait:
    names: list[str]
    count: int


@dataclass(frozen=True)
class Put:
    into: str
    value: Expr
    big: bool = False


@dataclass(frozen=True)
class Add:
    """``into`` is the sum of all numbers in ``values``."""

    into: str
    values: list[Expr]


@dataclass(frozen=True)
class Pick:
    """``into`` is another ref to what the ``number``-th ref inside the value of ``name`` refers to."""

    into: str
    name: str
    number: int = 0


@dataclass(frozen=True)
class Drop:
    name: str


@dataclass(frozen=True)
class Keep:
    """What the variable holds outlives the task: it stays in the process (as a global, or an actor's attribute)."""

    name: str


@dataclass(frozen=True)
class Recall:
    """``into`` is what was kept last in this process, which does not keep it any more.

    With a ``slot``, it is the list kept last that begins with this number; if there is none, that is an error.
    """

    into: str
    slot: int = 0


@dataclass(frozen=True)
class Create:
    """``group`` and ``bundle`` as in `Submit`."""

    into: str
    actor: ActorScript
    args: list[Expr] = field(default_factory=list)
    group: str = ""
    bundle: int = -1


@dataclass(frozen=True)
class Call:
    into: str
    actor: str
    method: Script
    args: list[Expr] = field(default_factory=list)


@dataclass(frozen=True)
class Cancel:
    name: str
    force: bool = False


@dataclass(frozen=True)
class Kill:
    actor: str
    no_restart: bool = True


@dataclass(frozen=True)
class Find:
    """Look a named actor up; ``into`` is its (uncounted) handle, or -1 if there is none."""

    into: str
    name: str


@dataclass(frozen=True)
class MakeGroup:
    """``into`` names a placement group (and is no variable) with a bundle of so many CPUs for each of ``cpus``."""

    into: str
    cpus: tuple[float, ...]
    packing: Packing = Packing.PACK


@dataclass(frozen=True)
class ReadyGroup:
    """``into`` is a ref to 0, which has its value when the group is created."""

    into: str
    group: str


@dataclass(frozen=True)
class RemoveGroup:
    group: str


@dataclass(frozen=True)
class Raise:
    text: str
    value: Expr = 0


@dataclass(frozen=True)
class Crash:
    """The process ends at once, in every attempt below ``until``."""

    until: int = 1_000_000


@dataclass(frozen=True)
class ExitActor:
    pass


@dataclass(frozen=True)
class Yield:
    """Of a script that streams."""

    value: Expr
    big: bool = False


@dataclass(frozen=True)
class Next:
    """``into`` is a ref to the next item of ``stream``, which a script that streams returned; none left is an error."""

    into: str
    stream: str


@dataclass(frozen=True)
class Return:
    value: Expr
    big: bool = False


Step: TypeAlias = (
    Work
    | Submit
    | Get
    | Wait
    | Put
    | Add
    | Pick
    | Drop
    | Keep
    | Recall
    | Create
    | Call
    | Cancel
    | Kill
    | Find
    | MakeGroup
    | ReadyGroup
    | RemoveGroup
    | Raise
    | Crash
    | ExitActor
    | Yield
    | Next
    | Return
)


@dataclass(frozen=True)
class Script:
    """A function (or method) and its options; its arguments are the variables a0, a1, …

    ``returns`` is as plans say it (`rustyray.model.streams`).
    """

    name: str
    steps: list[Step]
    returns: int = 1
    cpus: float = 1
    max_retries: int = 3
    retry_exceptions: bool | str = False
    backoff: float = 0.0
    max_calls: int = 0

    def plan(self) -> TaskPlan:
        fn, calls = self.name.encode(), self.max_calls
        cpus = in_cpus(self.cpus)
        return TaskPlan(fn, fn, self.name, cpus, self.returns, self.max_retries, self.retry(), max_calls=calls)

    def method_plan(self) -> MethodPlan:
        return MethodPlan(self.name, self.returns, retry=self.retry())

    def retry(self) -> RetryPolicy:
        """A text as ``retry_exceptions`` retries the exceptions with that text (the plan's own predicate)."""
        wanted = self.retry_exceptions
        if isinstance(wanted, bool):
            return RetryPolicy(wanted, self.backoff)
        return RetryPolicy(lambda error: str(error) == wanted, self.backoff)

    def walk(self) -> Iterator[Script]:
        """This script and all that it runs, each once for each place."""
        yield self
        for step in self.steps:
            if isinstance(step, Submit):
                yield from step.script.walk()
            elif isinstance(step, Call):
                yield from step.method.walk()
            elif isinstance(step, Create):
                yield from step.actor.init.walk()


@dataclass(frozen=True)
class ActorScript:
    """A class and its options; ``init`` is its constructor. It holds ``cpus`` and needs ``needs`` to be placed."""

    name: str
    init: Script = field(default_factory=lambda: Script("init", [Return(0)]))
    named: str = ""
    get_if_exists: bool = False
    detached: bool = False
    max_restarts: int = 0
    max_task_retries: int = 0
    cpus: float = 0
    needs: float = 1

    def plan(self) -> ActorPlan:
        return ActorPlan(
            self.init.name.encode(),
            self.init.name.encode(),
            self.name,
            [],
            in_cpus(self.cpus),
            in_cpus(self.needs),
            name=self.named,
            detached=self.detached,
            get_if_exists=self.get_if_exists,
            max_restarts=self.max_restarts,
            max_task_retries=self.max_task_retries,
        )


def in_cpus(amount: float) -> ResourceSet:
    return {CPU: round(amount * UNIT)} if amount else {}
