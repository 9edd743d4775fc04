"""What the state machines have in common: an engine, the program so far, and a line that runs it again."""

from __future__ import annotations

import ast
import functools
import time
from collections.abc import Callable
from typing import Any, ClassVar, Concatenate, Final, ParamSpec, TypeVar

from hypothesis import Phase, settings
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine

from rustyray.exceptions import RayError

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound="Machine")

#: Seconds between two looks at something that is about to come true.
LOOK: Final = 0.002
#: What a rule may raise that is no failure: Hypothesis' own way to end a run.
_NO_FAILURE: Final = (HypothesisException, GeneratorExit, KeyboardInterrupt)


class Machine(RuleBasedStateMachine):
    """A random program that uses a runtime of its own, beside a model. Subclass one of the ready ones, in two lines::

        class Graphs(GraphMachine):
            engine = "native"

        TestGraphs = Graphs.TestCase

    A failure's program is printed as Hypothesis does it, made as short as possible, and with a line that runs it again
    (`replay`). The classes' attributes:

    engine: what runs the programs, as in `rustyray.init`: "sim", or "native" for real processes, which takes a hundred
        times as long.
    patience: seconds after which something that has not happened is taken never to happen.
    """

    engine: ClassVar[str] = "sim"
    patience: ClassVar[float] = 30.0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # To explain a failure, Hypothesis traces each line that runs, the runtime's too: that takes minutes.
        phases = [phase for phase in Phase if phase is not Phase.explain]
        cls.TestCase.settings = settings(cls.TestCase.settings, phases=phases)

    def __init__(self) -> None:
        super().__init__()
        self._program: list[str] = []
        self._failed = False

    # --- what the machines fill in ------------------------------------------------------------------------------------

    def holds(self) -> None:
        """What has to be so after each step; raises where it is not."""

    def finish(self) -> None:
        """The last checks of a program in which nothing has failed; the runtime is still up."""

    def clean_up(self) -> None:
        """End what the program has started, whatever happened."""
        import rustyray

        rustyray.shutdown(grace=0)

    # --- the program --------------------------------------------------------------------------------------------------

    def line(self) -> str:
        """The program so far, as `replay` takes it."""
        return "; ".join(self._program)

    @classmethod
    def replay(cls, program: str) -> None:
        """Run a program that a failure has printed, now or as a regression test.

        In a simulated runtime the same happens again; on the native engine the same is done.

        Args:
            program: its steps, ``name(argument=value, …)``, with semicolons or line ends between them. Those that
            cannot be done in the state that they meet are left out.

        Raises:
            ValueError: A step is no rule of this machine, or cannot be read.
            Exception: What the program raised.
        """
        steps = [_read(cls, statement) for statement in ast.parse(program).body]
        machine = cls()
        try:
            for name, arguments in steps:
                machine._do(name, arguments)
        finally:
            machine.teardown()

    def _do(self, name: str, arguments: dict[str, Any]) -> None:
        """One step, unless it cannot be done in this state."""
        rule = next(rule for rule in _rules(type(self)) if rule.function.__name__ == name)
        if all(condition(self) for condition in rule.preconditions):
            rule.function(self, **arguments)

    def teardown(self) -> None:
        """Called by Hypothesis at the end of each program."""
        try:
            if not self._failed:
                self._guarded(self.finish)
        finally:
            self.clean_up()

    def _guarded(self, part: Callable[[], T]) -> T:
        """Run a part of the program; what it raises tells how to run it again."""
        try:
            return part()
        except _NO_FAILURE:
            raise
        except BaseException as error:
            if not self._failed:
                error.add_note(f'To run this again: {type(self).__name__}.replay("{self.line()}")')
            self._failed = True
            raise

    def until(self, condition: Callable[[], object]) -> bool:
        """Whether it comes true within the machine's patience."""
        return eventually(condition, self.patience)


def eventually(condition: Callable[[], object], seconds: float) -> bool:
    """Whether the condition holds within so many seconds (virtual ones while a simulated runtime is up)."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(LOOK)
    return True


def refused(use: Callable[[], object], word: str) -> bool:
    """Whether it raises an error of the runtime, or of its wrong use, with this word in it."""
    try:
        use()
    except (RayError, RuntimeError) as error:
        return word in str(error)
    return False


def step(function: Callable[Concatenate[M, P], T]) -> Callable[Concatenate[M, P], T]:
    """Marks a rule's function (below ``@rule``), so that it is part of the line that runs a program again.

    Its arguments have to be numbers, texts, None, and lists, tuples and dicts of these, and bundles hold such values.
    """

    @functools.wraps(function)
    def recorded(self: M, *args: P.args, **kwargs: P.kwargs) -> T:
        given = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        self._program.append(f"{function.__name__}({', '.join(given)})")
        result = self._guarded(lambda: function(self, *args, **kwargs))
        self._guarded(self.holds)
        return result

    return recorded  # type: ignore[return-value] # as far as callers see


def _rules(cls: type[Machine]) -> list[Any]:
    return [*cls.setup_state().initializers, *cls.setup_state().rules]


def _read(cls: type[Machine], statement: ast.stmt) -> tuple[str, dict[str, Any]]:
    """A step's name and arguments."""
    text = ast.unparse(statement)
    names = [rule.function.__name__ for rule in _rules(cls)]
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
        raise ValueError(f"{text!r} is no step: those read name(argument=value, …)")
    if call.func.id not in names:
        raise ValueError(f"{cls.__name__} has no step {call.func.id!r}. There are {', '.join(sorted(names))}.")
    return call.func.id, {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
