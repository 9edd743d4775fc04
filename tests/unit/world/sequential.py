"""What a program means: run in order, in one place, without a runtime."""

from __future__ import annotations

from typing import Any

from rustyray.engines.sim.scripted import scripts as s
from rustyray.engines.sim.scripted.running import OVER
from rustyray.engines.sim.scripted.scripts import Expr, Script

#: What becomes of calls of an actor whose constructor has raised, or was given an error.
INIT_FAILED = "fault ACTOR_INIT_FAILED"


class Raised(Exception):
    """A script's error."""


class Result:
    """What a ref refers to: a value or an error."""

    def __init__(self, value: Any = None, error: str | None = None) -> None:
        self.value = value
        self.error = error


class Items:
    """What a script that streams returned: the items that have not been taken."""

    def __init__(self, left: list[Result]) -> None:
        self.left = left


class Actor:
    """What a handle refers to. ``failed``: it never came up.

    Its methods depend on their arguments alone, but for those that give back what it ``kept``, by number.
    """

    def __init__(self, failed: bool) -> None:
        self.failed = failed
        self.kept: dict[int, Any] = {}


def run(script: Script, args: list[Any], kept: dict[int, Any] | None = None) -> Result | Items | list[Result]:
    """What calling it returns, where so much is ``kept``."""
    if script.returns < 0:
        return Items(_stream(script, args, kept))
    result = _run(script, args, kept)
    if script.returns == 1:
        return result
    if result.error is not None:
        return [result] * script.returns
    return [Result(part) for part in result.value]


def _stream(script: Script, args: list[Any], kept: dict[int, Any] | None = None) -> list[Result]:
    for arg in args:
        if isinstance(arg, Result) and arg.error is not None:
            return [Result(error=arg.error)]
    frame = _Frame([arg.value if isinstance(arg, Result) else arg for arg in args], kept)
    try:
        frame.run(script)
    except Raised as error:
        frame.items.append(Result(error=str(error)))
    return frame.items


def _run(script: Script, args: list[Any], kept: dict[int, Any] | None = None) -> Result:
    for arg in args:
        if isinstance(arg, Result) and arg.error is not None:
            return Result(error=arg.error)  # an argument that is an error is the task's own result
    values = [arg.value if isinstance(arg, Result) else arg for arg in args]
    try:
        return Result(_Frame(values, kept).run(script))
    except Raised as error:
        return Result(error=str(error))


def shown(value: Any) -> Any:
    """A value without the identity of what it refers to, as `of_world` shows those of the world."""
    if isinstance(value, list):
        return [shown(part) for part in value]
    return value if isinstance(value, int | str) else "ref"


def expected(program: Script) -> Any:
    """The outcome of a driver's script: what it returns, or the text of the error that ends it."""
    try:
        return shown(_Frame([]).run(program))
    except Raised as error:
        return str(error)


class _Frame:
    def __init__(self, args: list[Any], kept: dict[int, Any] | None = None) -> None:
        self.variables: dict[str, Any] = {f"a{number}": arg for number, arg in enumerate(args)}
        self.kept = kept if kept is not None else {}
        self.items: list[Result] = []

    def value(self, expr: Expr) -> Any:
        if isinstance(expr, list):
            return [self.value(part) for part in expr]
        return self.variables[expr] if isinstance(expr, str) else expr

    def run(self, script: Script) -> Any:
        for step in script.steps:
            match step:
                case s.Submit(into, child, args):
                    self.variables[into] = run(child, [self.value(arg) for arg in args])
                case s.Call(into, name, child, args):
                    actor = self.variables[name]
                    failed = [Result(error=INIT_FAILED)] if actor.failed else []
                    self.variables[into] = run(child, failed + [self.value(arg) for arg in args], actor.kept)
                case s.Get(into, names, catch):
                    self.get(into, names, catch)
                case s.Put(into, expr):
                    self.variables[into] = Result(self.value(expr))
                case s.Pick(into, name, number):
                    self.variables[into] = _results(self.variables[name])[number]
                case s.Drop(name):
                    del self.variables[name]
                case s.Keep(name):
                    value = self.variables.pop(name)
                    if isinstance(value, list) and value and isinstance(value[0], int):
                        self.kept[value[0]] = value
                case s.Recall(into, slot):
                    self.variables[into] = self.kept.pop(slot)
                case s.Create(into, made, args):
                    began = _run(made.init, [self.value(arg) for arg in args])
                    self.variables[into] = Actor(began.error is not None)
                case s.Yield(expr):
                    self.items.append(Result(self.value(expr)))
                case s.Next(into, name):
                    if not self.variables[name].left:
                        raise Raised(OVER)
                    self.variables[into] = self.variables[name].left.pop(0)
                case s.Raise(text):
                    raise Raised(text)
                case s.Return(expr):
                    return self.value(expr)
                case s.ReadyGroup(into):
                    self.variables[into] = Result(0)
                case s.MakeGroup() | s.RemoveGroup():
                    pass
                case s.Work() | s.Wait() | s.Cancel() | s.Kill():
                    pass
                case _:
                    raise TypeError(f"{step!r} has no meaning in order")
        return 0

    def get(self, into: str, names: list[str], catch: bool) -> None:
        found = [self.variables[name] for name in names]
        errors = [result.error for result in found if result.error is not None]
        if errors and not catch:
            raise Raised(errors[0])
        self.variables[into] = errors[0] if errors else [result.value for result in found]


def _results(value: Any) -> list[Result]:
    if isinstance(value, Result):
        return [value]
    if isinstance(value, list):
        return [result for part in value for result in _results(part)]
    return []
