"""``@remote`` and ``@method``."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, overload

from rustyray.api.actor_class import ActorClass
from rustyray.api.actor_shape import OPTIONS_ATTRIBUTE
from rustyray.api.remote_function import RemoteFunction
from rustyray.model import options as opt

if TYPE_CHECKING:
    from typing import Protocol, Unpack

    from rustyray.api.typed import ActorOptions, FunctionOptions, MarksSeveralReturns, MethodOptions, Returning
    from rustyray.runtime.generator import DynamicObjectRefGenerator, ObjectRefGenerator
    from rustyray.runtime.ref import ObjectRef

    class EitherOptions(FunctionOptions, ActorOptions, total=False):
        """Options that a function or a class may be decorated with."""

    class MakesRemote(Protocol):
        """``remote(num_cpus=2)``: what makes a function or a class remote."""

        @overload
        def __call__(self, cls: type[T], /) -> ActorClass[T]: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, func: Callable[P, R], /) -> RemoteFunction[P, R]: ...

    class MakesNone(Protocol):
        def __call__(self, func: Callable[P, R], /) -> Returning[P, R, None]: ...

    class MakesStream(Protocol):
        def __call__(self, func: Callable[P, R], /) -> Returning[P, R, ObjectRefGenerator[Any]]: ...

    class MakesListed(Protocol):
        def __call__(self, func: Callable[P, R], /) -> Returning[P, R, ObjectRef[DynamicObjectRefGenerator[Any]]]: ...

    class MakesMany(Protocol):
        def __call__(self, func: Callable[P, R], /) -> Returning[P, R, list[ObjectRef[Any]]]: ...


P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@overload
def remote(cls: type[T], /) -> ActorClass[T]: ...  # type: ignore[overload-overlap]
@overload
def remote(func: Callable[P, R], /) -> RemoteFunction[P, R]: ...
@overload
def remote(*, num_returns: Literal[1] | None = None, **options: Unpack[EitherOptions]) -> MakesRemote: ...  # type: ignore[overload-overlap]
@overload
def remote(*, num_returns: Literal[0], **options: Unpack[FunctionOptions]) -> MakesNone: ...  # type: ignore[overload-overlap]
@overload
def remote(*, num_returns: Literal["streaming"], **options: Unpack[FunctionOptions]) -> MakesStream: ...
@overload
def remote(*, num_returns: Literal["dynamic"], **options: Unpack[FunctionOptions]) -> MakesListed: ...
@overload
def remote(*, num_returns: int, **options: Unpack[FunctionOptions]) -> MakesMany: ...
def remote(*things: Any, **options: Any) -> Any:
    """Make a function a remote function, or a class an actor class: ``@remote`` or ``@remote(num_cpus=2)`` (as in Ray).

    Options of both: ``num_cpus`` (1 for a task; an actor needs 1 to be placed and holds none, unless it asks),
    ``num_gpus``, ``memory`` (bytes), ``resources`` (by name), ``name``.
    Of functions: ``num_returns`` (1; of generators "streaming", or "dynamic"), ``_generator_backpressure_num_objects``,
    ``max_calls`` (0: any number; how often one process may run it before it ends; 1 with ``num_gpus``),
    ``max_retries`` (3; when a worker dies), ``retry_exceptions`` (False; True, a list of
    classes, or a function that decides).
    Of classes: ``max_restarts`` (0), ``max_task_retries`` (0), ``max_concurrency`` (1 call at a time; 1000 for async
    actors), ``lifetime`` ("detached": it outlives its owner), ``namespace``, ``get_if_exists``.

    Raises:
        ValueError: There is no such option, it is not supported yet, or its value is out of range.
        TypeError: A value has the wrong type, or what is decorated is neither a function nor a class.
    """
    if not options:
        if len(things) == 1:
            return _make_remote(things[0], {})
        raise TypeError("remote must be used as @remote, or as @remote(option=…) with at least one option")
    if things:
        raise TypeError("remote takes either what it decorates or options: write remote(num_cpus=2)(f)")
    _check_either(options)
    return lambda thing: _make_remote(thing, options)


def _make_remote(thing: Any, options: dict[str, Any]) -> Any:
    if isinstance(thing, RemoteFunction | ActorClass):
        raise TypeError(f"{thing!r} is remote already: use its .options(…)")
    if isinstance(thing, type):
        checked = opt.check_options(opt.Scope.ACTOR, options)
        opt.check_actor_options(checked)
        return ActorClass(thing, checked)
    hint = " Apply @remote below @staticmethod." if isinstance(thing, staticmethod | classmethod) else ""
    if isinstance(thing, MethodType):
        hint = " Pass its object to a function, or make the class an actor's."
    if callable(thing) and hasattr(thing, "__qualname__") and hasattr(thing, "__module__") and not hint:
        return RemoteFunction(thing, opt.check_options(opt.Scope.TASK, options))
    raise TypeError(f"remote must be applied to a function or a class, got {thing!r} ({type(thing).__name__}).{hint}")


def _check_either(options: dict[str, Any]) -> None:
    """Complain about what neither functions nor classes have now, where the decorator stands with its options."""
    for name, value in options.items():
        try:
            opt.check_options(opt.Scope.TASK, {name: value})
        except ValueError:
            opt.check_options(opt.Scope.ACTOR, {name: value})


@overload
def method(func: F, /) -> F: ...
@overload
def method(*, num_returns: Literal[1] | None = None, **options: Unpack[MethodOptions]) -> Callable[[F], F]: ...  # type: ignore[overload-overlap]
@overload
def method(*, num_returns: Literal["streaming", "dynamic"], **options: Unpack[MethodOptions]) -> Callable[[F], F]: ...
@overload
def method(*, num_returns: int, **options: Unpack[MethodOptions]) -> MarksSeveralReturns: ...
def method(*functions: Any, **options: Any) -> Any:
    """Give a method of an actor class options: ``@method(num_returns=2)`` (as in Ray).

    Options: ``num_returns``, ``max_task_retries`` (the actor's by default), ``retry_exceptions``, and of generators
    ``_generator_backpressure_num_objects``.

    Raises:
        ValueError: There is no such option, it is not supported yet, or its value is out of range.
        TypeError: A value has the wrong type.
    """
    if functions and (options or len(functions) > 1 or not callable(functions[0])):
        raise TypeError("method must be used as @method, or as @method(option=…)")
    if "name" in options:
        raise ValueError("name is for single calls: write handle.method.options(name=…), not @method(name=…)")
    checked = opt.check_options(opt.Scope.METHOD, options)

    def mark(function: F) -> F:
        setattr(function, OPTIONS_ATTRIBUTE, checked)
        return function

    return mark(functions[0]) if functions else mark
