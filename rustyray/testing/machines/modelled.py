"""``model_machine``: anybody's actor beside a model, which is a plain class that does the same."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

import rustyray
from rustyray.api.actor_class import ActorClass
from rustyray.model.options import hint
from rustyray.testing.machines.machine import step
from rustyray.testing.machines.running import RunningMachine
from rustyray.testing.strategies.programs import Call, Program, methods, programs

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

#: Calls that are made without waiting in between, at most.
AT_ONCE = 3


class ModelMachine(RunningMachine):
    """An actor and its model are called in the same way, and have to return or raise the same. See `model_machine`."""

    actor: ClassVar[ActorClass[Any]]
    model: ClassVar[type]
    constructor: ClassVar[SearchStrategy[list[Any]]] = st.just([])
    programs: ClassVar[SearchStrategy[Program]]
    restarts: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.made: Any = None
        self.twin: Any = None
        self.left = self.restarts
        self._arguments: list[Any] = []

    @initialize(seed=st.integers(0, 30), arguments=st.runner().flatmap(lambda machine: machine.constructor))
    @step
    def start(self, seed: int, arguments: list[Any]) -> None:
        self._begin(seed)
        self._arguments = arguments
        self.made = self.actor.options(max_restarts=self.restarts, max_task_retries=self.restarts).remote(*arguments)
        self.twin = self.model(*arguments)

    @rule(program=st.runner().flatmap(lambda machine: machine.programs).map(lambda program: [*map(tuple, program)]))
    @step
    def calls(self, program: list[tuple[str, list[Any]]]) -> None:
        """Some calls, made without waiting in between."""
        Program(Call(*one) for one in program).check(self.made, self.twin, timeout=self.patience)

    @precondition(lambda self: self.left > 0)
    @rule()
    @step
    def restart(self) -> None:
        """The actor's process dies; it starts again, and its model too."""
        self.left -= 1
        rustyray.kill(self.made, no_restart=False)
        assert self.until(self._is_back), "the actor was not started again"
        kept = getattr(self.twin, "restarted", None)
        self.twin = kept() if kept is not None else self.model(*self._arguments)

    def _is_back(self) -> bool:
        head = rustyray.stats().head
        return head is not None and head.restarts == self.restarts - self.left and head.actors == {"ALIVE": 1}

    def clean_up(self) -> None:
        self.made = None
        super().clean_up()


def model_machine(
    actor: ActorClass[Any] | type,
    model: type | None = None,
    *,
    arguments: Mapping[str, Sequence[SearchStrategy[Any]]] | None = None,
    constructor: SearchStrategy[list[Any]] | None = None,
    restarts: int = 0,
    engine: str = "sim",
    **options: Any,
) -> type[ModelMachine]:
    """A state machine that puts an actor under a model: ``TestAccount = model_machine(Account, Model).TestCase``.

    Methods are called on both, and results and exceptions (class and text) compared. Several calls may be on their way
    at once; one caller's run in order.

    Args:
        actor: the actor's class, decorated or plain.
        model: a plain class whose public methods the actor has, too; the actor's own class, if none is given. If it has
            a method ``restarted``, that returns the model of an actor that was started again and keeps something; it is
            not called on the actor.
        arguments: strategies for the arguments of methods, by name; those of others come from the annotations.
        constructor: draws the list of the constructor's arguments; none.
        restarts: how often the actor's process may be killed, and starts again.
        engine: "sim" or "native".
        options: more arguments of `rustyray.init`.

    Raises:
        TypeError: The actor lacks a method of the model, or an argument has neither a strategy nor an annotation.
    """
    remote = actor if isinstance(actor, ActorClass) else rustyray.remote(actor)
    assert isinstance(remote, ActorClass)
    plain, twin = remote.cls, model if model is not None else remote.cls
    called = [(name, given) for name, given in methods(twin, arguments) if name != "restarted"]
    found = [name for name, _ in inspect.getmembers(plain, callable)]
    for name, _ in called:
        if name not in found:
            raise TypeError(f"{plain.__name__} has no method {name!r}, which its model has{hint(name, found)}")
    attributes = {
        "actor": remote,
        "model": twin,
        "programs": programs(called, AT_ONCE),
        "restarts": restarts,
        "engine": engine,
        "options": {**RunningMachine.options, **options},
        "__doc__": f"{plain.__name__} beside {twin.__name__}.",
        "__module__": plain.__module__,
    }
    if constructor is not None:
        attributes["constructor"] = constructor
    return type(f"{plain.__name__}Machine", (ModelMachine,), attributes)
