"""``actor_programs``: calls of an actor, and what each of them comes to, there and in a model."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hypothesis import strategies as st

import rustyray
from rustyray.api.actor_class import ActorClass
from rustyray.exceptions import RayTaskError
from rustyray.model.options import hint
from rustyray.testing.histories.operations import Outcome, Raised, Returned
from rustyray.testing.histories.search import same

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    #: A method's name, and strategies for its arguments.
    Method: TypeAlias = tuple[str, Sequence[SearchStrategy[Any]]]

MOST_CALLS = 10


class Call(NamedTuple):
    """A call of a method."""

    method: str
    args: Sequence[Any]

    def __str__(self) -> str:
        return f"{self.method}({', '.join(map(repr, self.args))})"

    def of(self, one: object) -> Outcome:
        """What it comes to for a plain object."""
        try:
            return Returned(getattr(one, self.method)(*self.args))
        except Exception as error:  # noqa: BLE001 - that is what is compared
            return _raised(error)


def _raised(error: BaseException) -> Raised:
    while isinstance(error, RayTaskError):  # one for each task that it has come through
        error = error.cause
    return Raised(error)


def _agree(got: Outcome, wanted: Outcome) -> bool:
    if isinstance(got, Raised) and isinstance(wanted, Raised) and str(got.error) != str(wanted.error):
        return False
    return same(got, wanted)


class Program(tuple[Call, ...]):
    """Calls of an actor, one after the other; as a text, one to read."""

    __slots__ = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self))

    def check(self, actor: Any, model: object, *, timeout: float = 60.0) -> None:
        """Make all calls, of the actor without waiting in between, and compare what they come to.

        Args:
            actor: a handle.
            model: a plain object that does the same.
            timeout: the most seconds to wait for a result.

        Raises:
            AssertionError: A call comes to something else than in the model.
            RayError: A call failed in another way than by an exception of the method's own.
        """
        refs = [getattr(actor, call.method).remote(*call.args) for call in self]
        for call, ref in zip(self, refs, strict=True):
            try:
                got: Outcome = Returned(rustyray.get(ref, timeout=timeout))
            except RayTaskError as error:
                got = _raised(error)
            wanted = call.of(model)
            assert _agree(got, wanted), f"{call}: the actor's is {got}, the model's {wanted}"


def actor_programs(
    model: type | ActorClass[Any],
    arguments: Mapping[str, Sequence[SearchStrategy[Any]]] | None = None,
    *,
    max_calls: int = MOST_CALLS,
) -> SearchStrategy[Program]:
    """Programs of calls of the public methods of a class. They shrink to few calls.

    Args:
        model: has the methods: a plain class, or an actor's.
        arguments: strategies for the arguments, by method; those of others come from the annotations.
        max_calls: the most calls.

    Raises:
        TypeError: A method's argument has neither a strategy nor an annotation, or there is no such method.
    """
    return programs(methods(model.cls if isinstance(model, ActorClass) else model, arguments), max_calls)


def programs(called: Sequence[Method], max_calls: int) -> SearchStrategy[Program]:
    """Programs of calls of these methods."""
    each = [st.builds(Call, st.just(name), st.tuples(*given).map(list)) for name, given in called]
    return st.lists(st.one_of(each), min_size=1, max_size=max_calls).map(Program)


def methods(model: type, arguments: Mapping[str, Sequence[SearchStrategy[Any]]] | None = None) -> list[Method]:
    """The public methods of a class, with strategies for their arguments. Raises as `actor_programs`."""
    given = dict(arguments or {})
    names = [name for name, _ in inspect.getmembers(model, callable) if not name.startswith("_")]
    for name in given:
        if name not in names:
            raise TypeError(f"{model.__name__} has no method {name!r}{hint(name, names)} to draw arguments for")
    if not names:
        raise TypeError(f"{model.__name__} has no public methods to call")
    return [(name, given[name] if name in given else _annotated(model, name)) for name in names]


def _annotated(model: type, name: str) -> list[SearchStrategy[Any]]:
    method: Callable[..., Any] = getattr(model, name)
    hints = typing.get_type_hints(method)
    found = []
    for parameter in list(inspect.signature(method).parameters.values())[1:]:
        if parameter.kind not in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            break
        if parameter.name not in hints:
            if parameter.default is not parameter.empty:
                break
            raise TypeError(
                f"{model.__name__}.{name}() has no annotation for {parameter.name!r}: annotate it, or give strategies, "
                f"as arguments={{{name!r}: [st.integers()]}}"
            )
        found.append(st.from_type(hints[parameter.name]))
    return found
